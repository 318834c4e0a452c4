# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Put files into weights/: trained runs, or the untrained ones of a seed.

    python -m tools.gen.ship --pairs DIR/pairs.txt RUN ...   runs of `python -m tools.train`
    python -m tools.gen.ship --untrained nano ...            what `efm3 new` writes

A run's network is measured on the held-out pairs (`efm3-synth pairs`) by the C engine, and the
scores go into the file's `meta`. `python -m tools.gen` makes the manifest and the tables of
weights/README.md out of that.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import efm3
from efm3 import evaluation, untrained
from efm3.source import write_atomic
from tools.gen import weights

SEED = 1
LIMITS = ("Trained on procedurally drawn identities only. Not evaluated on photographs of people "
          "and not fit for recognising them")
PROTOCOL = ("10 folds, each with the threshold that is best on the other nine; no identity was "
            "trained on")


def drawn(folder: Path) -> str:
    """What the generator was asked for. Raises OSError for a folder that it did not fill."""
    facts = json.loads((folder / "synth.json").read_text(encoding="utf-8"))
    return "tools/synth: " + ", ".join(f"{k} {v}" for k, v in facts.items())


def held_out(model: efm3.Model, pairs: Path, threads: int) -> dict[str, Any]:
    """The scores on drawn pairs; a rate with too few impostor pairs is null."""
    with efm3.Engine(model, threads=threads) as engine:
        got = evaluation.evaluate(engine.embed, evaluation.open_pairs(pairs), threads=threads)
    tar = {round(1 / t.far): round(t.tar, 5) if t.enough else None for t in got.tar_at_far}
    return {
        "set": drawn(pairs.parent),
        "protocol": PROTOCOL, "pairs": got.pairs, "accuracy": round(got.accuracy, 5),
        "std": round(got.std, 5), "threshold": round(got.best.threshold, 4),
        "accuracy_at_0.3": round(got.rule_of_thumb.accuracy, 5),
        "tar_at_far_1e-3": tar[1000], "tar_at_far_1e-4": tar[10000],
        "eer": round(got.eer, 5), "auc": round(got.auc, 5)}


def take(run: Path, pairs: Path, threads: int, target: Path | None = None) -> str:
    """Install the file of a run; returns a line for a person. Raises Efm3Error, OSError."""
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    with open(run / "log.csv", encoding="utf-8", newline="") as f:
        rows = [(float(row["epoch"]), float(row["epoch_s"])) for row in csv.DictReader(f)]
    name, machine = config["config"]["arch"], config["machine"]
    model = efm3.load(run / f"facex_{name}.bin")
    meta = {k: v for k, v in model.mirror["meta"].items() if k != "sha256"}
    meta |= {
        "description": f"MobileFaceNet {name}. {LIMITS}",
        "training_data": drawn(Path(config["config"]["data"])),
        "machine": f"{machine['cpu'] if machine['device'] == 'cpu' else machine['device']}, "
                   f"{machine['threads']} thread(s)",
        "seconds_per_epoch": round(sum(s for _, s in rows) / rows[-1][0], 1),
        "scores": meta["scores"] | {"held_out": held_out(model, pairs, threads)}}
    efm3.save(target or weights.path(name), model.arch, model.tensors, seal=True, align=True,
              mirror_extra={"meta": meta})
    got = meta["scores"]["held_out"]
    return f"{name}: {100 * got['accuracy']:.2f} % of {got['pairs']} held-out pairs"


def main() -> int:
    """Install."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="RUN")
    parser.add_argument("--pairs", type=Path, help="pairs.txt of efm3-synth pairs")
    parser.add_argument("--untrained", action="store_true", help="names of sizes, not runs")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if not args.names or not (args.untrained or args.pairs):
        parser.error("--untrained with sizes, or --pairs with runs")
    for name in args.names:
        if args.untrained:
            write_atomic(weights.path(name), [untrained.dumps(efm3.ARCHS[name], SEED)])
        else:
            print(take(Path(name), args.pairs, args.threads))
    print("now: python -m tools.gen")
    return 0


if __name__ == "__main__":
    sys.exit(main())
