# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""weights/manifest.json and the tables of weights/README.md, out of the files' own `meta`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import efm3
from efm3.arch import ARCHS
from efm3.network import macs, parameters
from tools import ROOT
from tools.gen.blocks import fill, table

FOLDER = ROOT / "weights"
CARD = ("description", "training_data", "identities", "epochs", "steps", "seed", "recipe",
        "machine", "seconds_per_epoch", "created", "commit", "licence")
"""What a model card shows of `meta`, in this order."""

RUNS = FOLDER / "runs.json"
"""All runs of which the files were chosen, as `python -m tools.weights ship` wrote them."""
YARDSTICK = ROOT / "docs" / "drawn.json"
"""What a network that was trained on photographs makes of the drawn pictures: the output of
`python -m tools.bench drawn --identities 1400 --shots 9 --json`."""
SEEN = ("frechet", "same", "other", "same_less_other", "mean_length")


def path(name: str) -> Path:
    """The file of one of the four sizes."""
    return FOLDER / f"facex_{name}.bin"


def meta(name: str) -> dict[str, Any]:
    """The `meta` of the file of a size. Raises Efm3Error, KeyError."""
    found: dict[str, Any] = efm3.load(path(name)).mirror["meta"]
    return found


def manifest() -> str:
    """A row for each file: size, digest, seed, whether it was trained, and its scores."""
    rows = []
    for name in ARCHS:
        data, said = path(name).read_bytes(), meta(name)
        rows.append({"file": path(name).name, "arch": name, "size": len(data),
                     "sha256": hashlib.sha256(data).hexdigest(), "seed": said["seed"],
                     "trained": said["trained"]}
                    | ({"scores": said["scores"]} if said["trained"] else {}))
    return json.dumps({"files": rows}, indent=2) + "\n"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def scores() -> Iterator[str]:
    """The table like that of the published files: size, accuracies, time and machine."""
    rows = []
    for name, arch in ARCHS.items():
        said = meta(name)
        size = (f"facex_{name}.bin", f"{parameters(arch):,}", f"{macs(arch) / 1e6:,.1f} M",
                f"{parameters(arch) / 1000:,.0f} kB",
                f"{path(name).stat().st_size / 1000:,.0f} kB")
        if not said["trained"]:
            rows.append((*size, "untrained", *["-"] * 6))
            continue
        got, held = said["scores"], said["scores"]["held_out"]
        rows.append((
            *size, said["epochs"], _percent(got.get("train_acc")),
            f"{_percent(held['accuracy'])} ± {100 * held['std']:.1f}",
            _percent(held["tar_at_far_1e-3"]), f"{held['threshold']:.3f}",
            f"{said['seconds_per_epoch']:,.0f} s", said["machine"]))
    yield from table(("file", "parameters", "MACs", "INT8 size", "FP32 size", "epochs",
                      "train accuracy", "held-out accuracy, 10 folds", "TAR at FAR 0.1 %",
                      "best threshold", "time an epoch", "machine"), rows)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k.replace('_', ' ')} {_said(v)}" for k, v in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def photographs(training: str) -> str:
    """The yardstick's figures of pictures like these; nothing for those of another format."""
    found = json.loads(YARDSTICK.read_text(encoding="utf-8"))
    if f": format {found['drawn']['format']}, " not in training:
        return ""
    return (", ".join(f"{k.replace('_', ' ')} {found[k]:.3f}" for k in SEEN)
            + " (see docs/drawn.md)")


def cards() -> Iterator[str]:
    """A model card for each file."""
    for name in ARCHS:
        said = meta(name)
        rows = [(key.replace("_", " "), _said(said[key])) for key in CARD if key in said]
        if seen := photographs(said.get("training_data", "")):
            rows.append(("such pictures to a network of photographs", seen))
        first = said.get("scores", {}).get("held_out", {})
        for number, held in enumerate((first, *first.get("others", ()))):
            which = f"held-out {number + 1}" if number else "held-out"
            rows += [(f"{which} {key.replace('_', ' ')}", _said(value))
                     for key, value in held.items() if key != "others"]
        yield from ("", f"### facex_{name}.bin", "")
        yield from table(("", ""), rows)
    yield ""


def runs() -> Iterator[str]:
    """Each size and seed on each set of held-out pairs."""
    rows = []
    for run in json.loads(RUNS.read_text(encoding="utf-8"))["runs"]:
        got = run["scores"]
        sets = (got["held_out"], *got["held_out"].get("others", ()))
        rows.append((f"{run['arch']}, seed {run['seed']}", "yes" if run["shipped"] else "no",
                     _percent(got.get("val_acc")),
                     *(f"{_percent(one['accuracy'])} ± {100 * one['std']:.1f}, "
                       f"{_percent(one['tar_at_far_1e-3'])}" for one in sets)))
    yield from table(("run", "shipped", "accuracy on the pairs that choose",
                      "plain: accuracy, TAR", "hard", "cameras"), rows)


BLOCKS = {"scores": scores, "runs": runs, "cards": cards}


def text() -> str:
    """weights/README.md with its blocks regenerated."""
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    return fill(page, lambda name: BLOCKS[name]())


PAGES = {"weights/manifest.json": manifest, "weights/README.md": text}
