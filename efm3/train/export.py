# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint to a verified EFM3 file with its story in `meta`."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import efm3
from efm3.convert import read_network
from efm3.train.checkpoint import load
from efm3.train.model import MobileFaceNet, tensors
from efm3.verification import inputs, verify_against

TOLERANCE = 1e-5


class NotVerified(RuntimeError):
    """The file does not compute what the checkpoint computes."""


def meta(checkpoint: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """What the file says of itself: data, recipe, epochs, commit, scores, licence."""
    c, history = checkpoint["config"], checkpoint["history"]
    last = history[-1] if history else {}
    scores: dict[str, Any] = {k: round(last[k], 6) for k in ("train_acc", "loss", "val_acc")
              if last.get(k) is not None}
    recipe = {k: c[k] for k in ("head", "margin", "scale", "margin_warmup", "batch", "lr",
                                "warmup", "decay", "clip", "augment", "bf16")}
    recipe |= {"optimizer": "AdamW, cosine", "processes": run.get("processes", 1)}
    if "val_acc" in scores:
        scores["val_pairs"] = c["eval_pairs"]
    said = {
        "licence": c["licence"], "source": "tools.train",
        "training_data": run.get("data", c["data"]),
        "description": c["note"] or f"MobileFaceNet {c['arch']} trained on "
                                    f"{run.get('data', c['data'])}",
        "trained": True, "seed": c["seed"],
        "created": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "epochs": round(last.get("epoch", 0), 3), "steps": checkpoint["step"],
        "identities": checkpoint["classes"], "recipe": recipe, "scores": scores,
        "commit": run.get("commit", ""),
    }
    return {k: v for k, v in said.items() if v != ""}


def export(path: Path, target: Path, run: dict[str, Any]) -> float:
    """Write `target` from the checkpoint at `path` and verify it; the greatest error found.

    The checkpoint is read as any stranger's would be, by the converter, and run in PyTorch;
    the reference and the engine, on each instruction set, are held against it.
    Raises NotVerified, BadCheckpoint, Efm3Error, OSError.
    """
    value = load(path)
    arch = efm3.ARCHS[value["config"]["arch"]]
    model = MobileFaceNet(arch)
    model.load_state_dict(value["model"])
    efm3.save(target, arch, tensors(model), mirror_extra={"meta": meta(value, run)}, seal=True)
    network = read_network(str(path), arch=arch)
    found = verify_against(efm3.load(target), network.run, inputs(), tolerance=TOLERANCE)
    worst = max(found, key=lambda o: o.max_error)
    if not all(o.ok for o in found):
        raise NotVerified(f"{target}: {worst.isa} differs from {path} by {worst.max_error:.2e}, "
                          f"more than {TOLERANCE:g}")
    return worst.max_error
