# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Train the files of weights/: draw the pictures, then a chain of short runs that can be stopped.

    python -m tools.weights                      go on where it was, to the end
    python -m tools.weights --status             how far it is
    python -m tools.weights --only nano:1        this size and seed alone
    python -m tools.weights --device cuda --minutes 7.5      all at once on a GPU
    python -m tools.weights --device cuda finish    their files, where there was no engine
    python -m tools.weights ship                 the better seeds into weights/, by --eval-pairs

Caches, checkpoints and logs are in EFM3_WEIGHTS_DIR, else in the user's cache folder.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from typing import Any

from efm3.source import write_atomic
from tools.gen import ship, weights
from tools.weights import chain, plan

SPARE = 0.5
"""Of --minutes, what is kept for the files."""


def say(text: str) -> None:
    """A line with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main(words: list[str] | None = None) -> int:
    """0 all trained, or shown, or shipped; 1 refused or failed; 75 stopped, and can go on."""
    parser = argparse.ArgumentParser(prog="python -m tools.weights",
                                     description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("verb", nargs="?", choices=("train", "finish", "ship"), default="train")
    parser.add_argument("--status", action="store_true", help="only print the table")
    parser.add_argument("--only", action="append", default=[], metavar="SIZE:SEED")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, a thread each")
    parser.add_argument("--session", type=float, default=20.0, metavar="M",
                        help="minutes of one session of a run")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--minutes", type=float,
                        help="with --device cuda: how long drawing and training may take")
    args = parser.parse_args(words)
    if args.jobs < 1 or args.session <= 0 or (args.minutes is not None and args.minutes <= 0):
        parser.error("--jobs, --session and --minutes are more than 0")
    try:
        runs = plan.chosen(args.only)
    except ValueError as e:
        parser.error(str(e))
    try:
        if args.status:
            print(chain.table(runs, args.device))
            return 0
        if args.verb == "ship":
            return _ship(args.device)
        if args.verb == "finish":
            return _finish(args, runs)
        return _together(args, runs) if args.device == "cuda" else _train(args, runs)
    except (ValueError, OSError, ImportError) as e:
        print(f"weights: {e}", file=sys.stderr)
        return 1


def _train(args: Any, runs: list[plan.Run]) -> int:
    from efm3.drawn.faces import Occupied
    from tools.weights import pictures

    try:
        pictures.draw(plan.cache(), plan.DATA_SEED, plan.IDENTITIES, plan.SHOTS, args.device, say)
        work = chain.Chain(args.session, say)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: work.stop())
        done = work.all(runs, args.jobs)
    except Occupied as e:
        raise ValueError(f"{plan.cache()}: {e}") from None
    except KeyboardInterrupt:
        return chain.STOPPED
    print(chain.table(runs, args.device))
    return 0 if done else 1 if work.failed else chain.STOPPED


def _together(args: Any, runs: list[plan.Run]) -> int:
    _same_pictures(args.device)
    from efm3.engine import EngineMissing
    from tools.weights import together

    try:
        together.train(runs, args.device, args.minutes and args.minutes - SPARE, say)
        return _finish(args, runs)
    except EngineMissing as e:
        say(f"trained; the files want an engine ({e}): see `finish`")
        return 0
    except KeyboardInterrupt:
        return chain.STOPPED


def _ship(device: str) -> int:
    chosen = [str(f) for f in chain.best(device)]
    text = json.dumps({"runs": chain.rows(device)}, indent=2) + "\n"
    write_atomic(weights.RUNS, [text.encode()])
    return ship.main(chosen)


def _finish(args: Any, runs: list[plan.Run]) -> int:
    done = [chain.finish(run, args.device, say) for run in runs]
    print(chain.table(runs, args.device))
    return 0 if all(done) else chain.STOPPED


def _same_pictures(device: str) -> None:
    """Raises ValueError without this device, or where it draws other pictures than a CPU."""
    import torch

    from tools.weights import pictures

    if not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch sees no such GPU here")
    if (found := pictures.differ(device)) > pictures.NEAR:
        raise ValueError(f"this device's pictures differ from a CPU's by {found} grey levels, "
                         f"more than {pictures.NEAR}")


if __name__ == "__main__":
    sys.exit(main())
