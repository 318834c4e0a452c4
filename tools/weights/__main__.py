# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Train the files of weights/: draw the pictures, then a chain of short runs that can be stopped.

    python -m tools.weights                      go on where it was, to the end
    python -m tools.weights --status             how far it is
    python -m tools.weights --only nano:1        this size and seed alone
    python -m tools.weights --device cuda --minutes 9
    python -m tools.weights ship                 the better seeds into weights/, by --eval-pairs

Caches, checkpoints and logs are in EFM3_WEIGHTS_DIR, else in the user's cache folder.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import Any

from efm3.drawn.faces import Occupied
from tools.gen import ship
from tools.weights import chain, plan

SPARE = 30.0
"""Seconds of --minutes that are kept for the last run's file."""


def say(text: str) -> None:
    """A line with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main(words: list[str] | None = None) -> int:
    """0 all trained, or shown, or shipped; 1 refused or failed; 75 stopped, and can go on."""
    parser = argparse.ArgumentParser(prog="python -m tools.weights",
                                     description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("verb", nargs="?", choices=("train", "ship"), default="train")
    parser.add_argument("--status", action="store_true", help="only print the table")
    parser.add_argument("--only", action="append", default=[], metavar="SIZE:SEED")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, a thread each")
    parser.add_argument("--session", type=float, default=20.0, metavar="M",
                        help="minutes of one session of a run")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--minutes", type=float, help="minutes after which all is stopped")
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
            return ship.main([str(f) for f in chain.best(args.device)])
        return _train(args, runs)
    except (ValueError, OSError, ImportError) as e:
        what = f"{plan.cache()}: {e}" if isinstance(e, Occupied) else e
        print(f"weights: {what}", file=sys.stderr)
        return 1


def _train(args: Any, runs: list[plan.Run]) -> int:
    began = time.monotonic()
    from tools.weights import pictures

    if args.device == "cuda":
        _same_pictures(args.device)
    try:
        pictures.draw(plan.cache(), plan.DATA_SEED, plan.IDENTITIES, plan.SHOTS, args.device, say)
        until = began + 60 * args.minutes - SPARE if args.minutes else None
        work = chain.Chain(args.device, args.session, say, until)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: work.stop())
        done = work.all(runs, args.jobs)
    except KeyboardInterrupt:
        return chain.STOPPED
    print(chain.table(runs, args.device))
    return 0 if done else 1 if work.failed else chain.STOPPED


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
