# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The complete `meta` of a trained file, free of this machine's paths.

A published file must not reveal where its data were, nor who trained it. So data are named by
what drew them, or by a base name with counts.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from typing import Any

from efm3.drawn import sets, spec
from efm3.evaluation import Scores

LIMITS = ("Trained on procedurally drawn identities only. Not evaluated on photographs of people "
          "and not fit for recognising them")
"""What the description of a network that saw drawn heads alone always says."""
FOLDS = "10 folds, each with the threshold that is best on the other nine"
FAR = 1e-3
"""The rate of strangers that are taken for one person at the threshold that a file states."""
UNSEEN = "no identity was trained on"
RECIPE = ("head", "margin", "scale", "margin_warmup", "batch", "lr", "warmup", "decay", "clip",
          "augment", "ema", "bf16")


def training_data(run: dict[str, Any]) -> str:
    """The data of a run: the facts of drawn ones, else base name, images and identities."""
    if run["drawn"]:
        return spec.sentence(run["drawn"])
    # A folder's name may be its owner's; a file's is the set's.
    name = "a folder" if os.path.isdir(run["data"]) else os.path.basename(run["data"])
    return f"{name}: {run['images']} images of {run['identities']} identities"


def description(run: dict[str, Any]) -> str:
    """`--note`, or a sentence; with the limits where only drawn heads were seen."""
    config = run["config"]
    if run["drawn"]:
        return f"{config['note'] or 'MobileFaceNet ' + config['arch']}. {LIMITS}"
    return config["note"] or f"MobileFaceNet {config['arch']} trained on {training_data(run)}"


def held_out_sets(words: str) -> list[str]:
    """The sets that --held-out names: with commas between, where no file has such a name."""
    return [words] if not words or os.path.exists(words) else words.split(",")


def held_out(got: Scores, run: dict[str, Any], words: str) -> dict[str, Any]:
    """The scores on pairs that no part of training saw; null for a rate that so few impostor
    pairs do not resolve."""
    tar = {round(1 / t.far): round(t.tar, 5) if t.enough else None for t in got.tar_at_far}
    return {
        "set": sets.title(words),
        "protocol": f"{FOLDS}; {UNSEEN}" if shared(run, words) == 0 else FOLDS,
        "pairs": got.pairs, "accuracy": round(got.accuracy, 5), "std": round(got.std, 5),
        "threshold": round(got.best.threshold, 4),
        "accuracy_at_0.3": round(got.rule_of_thumb.accuracy, 5),
        "tar_at_far_1e-3": tar[1000], "tar_at_far_1e-4": tar[10000],
        "eer": round(got.eer, 5), "auc": round(got.auc, 5)}


def threshold(got: Scores) -> dict[str, float]:
    """The threshold for `efm3 compare`, at FAR; nothing where the impostors are too few."""
    at = next(t for t in got.tar_at_far if t.far == FAR)
    return {"threshold": round(at.threshold, 4), "threshold_far": FAR} if at.enough else {}


def shared(run: dict[str, Any], words: str) -> int | None:
    """Identities of the held-out pairs that were trained on; None where that is not known.

    What a teacher was trained on counts too: it hands that down.
    """
    facts = sets.facts(words)
    teacher = run.get("teacher")
    seen = [run["drawn"]] + ([teacher["drawn"]] if teacher else [])
    counts = [spec.in_common(own, facts) if own and facts else None for own in seen]
    if any(counts):
        return max(n for n in counts if n)
    return None if None in counts else 0


def _recipe(run: dict[str, Any]) -> dict[str, Any]:
    config = run["config"]
    said = {k: config[k] for k in RECIPE}
    if teacher := run.get("teacher"):
        said |= {"distill": config["distill"], "teacher": f"sha256 {teacher['sha256']}"}
    return said | {"optimizer": "AdamW, cosine", "processes": run["processes"]}


def meta(checkpoint: dict[str, Any], run: dict[str, Any], held: Sequence[Scores]) -> dict[str, Any]:
    """Data, recipe, epochs, commit, machine, scores, licence; `held` as --held-out names the sets.

    `scores.held_out` is of the first set, with those of further ones in its `others`.
    """
    config, history, machine = run["config"], checkpoint["history"], run["machine"]
    last = history[-1] if history else {}
    scores: dict[str, Any] = {k: round(last[k], 6) for k in ("train_acc", "loss", "val_acc")
                              if last.get(k) is not None}
    if "val_acc" in scores and config["eval_pairs"]:
        scores["val_pairs"] = sets.title(config["eval_pairs"])
    named = held_out_sets(config["held_out"])
    first, *others = [held_out(got, run, words)
                      for got, words in zip(held, named, strict=True)] if held else [{}]
    if first:
        scores["held_out"] = first | ({"others": others} if others else {})
    seconds = sum(row["epoch_s"] for row in history) / last["epoch"] if history else 0.0
    device = machine["cpu"] if machine["device"] == "cpu" else machine["device"]
    said = {
        "licence": config["licence"], "source": "efm3 train",
        "training_data": training_data(run), "description": description(run),
        "trained": True, "seed": config["seed"],
        "created": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "epochs": round(last.get("epoch", 0), 3), "steps": checkpoint["step"],
        "identities": checkpoint["classes"],
        "recipe": _recipe(run),
        "machine": f"{device}, {machine['threads']} thread(s)",
        "seconds_per_epoch": round(seconds, 1), "scores": scores, "commit": run["commit"],
        **(threshold(held[0]) if held else {}),
    }
    return {k: v for k, v in said.items() if v != ""}
