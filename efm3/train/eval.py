# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Score runs, checkpoints and EFM3 files on pairs of faces; scores.json and plots.

    python -m tools.train.eval runs/nano runs/xs --pairs lfw.bin --flip
    python -m tools.train.eval runs/nano --pairs synth:1:400:6000

A run stands for its best.pt, else its last.pt. The protocol is that of `efm3 eval`, see
docs/evaluation.md. Exit codes: 0 done, 1 refused, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from efm3 import ARCHS, Engine, evaluation
from efm3.evaluation import plots
from efm3.evaluation.run import Embed, Measured
from efm3.pictures import Pixels
from efm3.source import write_atomic
from efm3.train import checkpoint
from efm3.train.feed import scale
from efm3.train.model import MobileFaceNet

from .data.pairs import FORM, pair_set

BATCH = 256


def embedder(model: MobileFaceNet) -> Embed:
    """The network, in eval mode, as a function of pictures: uint8 [N, 112, 112, 3]."""
    device = next(model.parameters()).device

    def embed(pictures: Pixels) -> npt.NDArray[np.float32]:
        x = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2)
        with torch.no_grad():
            return np.asarray(model.embed(scale(x)).cpu().numpy())
    return embed


def validator(spec: str) -> Callable[[MobileFaceNet], float]:
    """A function that gives a model's accuracy on the pairs that `spec` names.

    Pairs with a broken picture are left out. Raises Efm3Error, OSError.
    """
    pairs = pair_set(spec)
    return lambda model: evaluation.evaluate(embedder(model), pairs, skip_broken=True, batch=BATCH,
                                             threads=_threads()).accuracy


def network(path: Path, device: str) -> Embed:
    """The embeddings of a run folder, a checkpoint or an EFM3 file.

    Raises BadCheckpoint, Efm3Error, OSError.
    """
    if path.suffix == ".bin":
        return Engine(path, threads=_threads()).embed
    if path.is_dir():
        path = next((path / n for n in ("best.pt", "last.pt") if (path / n).exists()),
                    path / "last.pt")
    value = checkpoint.load(path)
    try:
        model = MobileFaceNet(ARCHS[value["config"]["arch"]])
        model.load_state_dict(value["model"])
    except (KeyError, TypeError, RuntimeError) as e:
        raise checkpoint.BadCheckpoint(f"{path} does not fit: {str(e)[:200]}") from None
    return embedder(model.to(device).eval())


def _threads() -> int:
    return max(1, min(64, torch.get_num_threads()))


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    doc = (__doc__ or "").splitlines()
    p = argparse.ArgumentParser("python -m tools.train.eval", description=doc[0])
    p.add_argument("runs", nargs="+", metavar="RUN", help="a run folder, a .pt or a .bin file")
    p.add_argument("--pairs", required=True, metavar="SPEC", help=f"as for efm3 eval, or {FORM}")
    p.add_argument("--images", metavar="DIR", help="where a pairs file's pictures are")
    p.add_argument("--flip", action="store_true", help="add the mirrored picture's embedding")
    p.add_argument("--resize", action="store_true", help="scale pictures of another size")
    p.add_argument("--skip-broken", action="store_true", help="leave out pairs with a broken one")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--out", metavar="DIR", help="for scores.json and plots (default: the first "
                   "run's folder eval, beside a file)")
    p.add_argument("--no-plots", action="store_true")
    options = p.parse_args(words)
    try:
        return _run(options)
    except (ValueError, OSError, RuntimeError) as e:
        print(f"eval: {e}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    from efm3.cli._render import show
    from efm3.cli._scores import table

    pairs = pair_set(options.pairs, options.images, options.resize)
    results: dict[str, Measured] = {}
    for run in options.runs:
        embed = network(Path(run), options.device)
        results[run] = evaluation.measure(embed, pairs, flip=options.flip, batch=BATCH,
                                          skip_broken=options.skip_broken, threads=_threads())
        print(run)
        show(table(results[run].scores))
    first = Path(options.runs[0])
    folder = Path(options.out) if options.out else (first if first.is_dir() else
                                                    first.parent) / "eval"
    os.makedirs(folder, exist_ok=True)
    value = {run: m.scores.to_json() for run, m in results.items()}
    write_atomic(folder / "scores.json", [(json.dumps(value, indent=2) + "\n").encode()])
    if not options.no_plots:
        plots.write(str(folder), results)
    print(f"wrote {folder}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
