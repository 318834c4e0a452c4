# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs of `efm3 train`, one after the other, in short sessions, and a table of what they did."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

import efm3
from efm3.drawn.sets import pair_set
from efm3.evaluation import PairSet
from tools import ROOT
from tools.weights import plan

STOPPED = 75
"""What `efm3 train` ends with where it can go on."""
DEVICE = "cpu"
"""Where a chain computes; on a GPU all runs are trained at once, by `tools.weights.together`."""
Say = Callable[[str], None]


def options(run: plan.Run) -> dict[str, object]:
    """What a run is told of `efm3 train`'s options, by their names."""
    pairs = {} if run.small else {"eval-pairs": plan.CHOICE, "held-out": plan.HELD_OUT,
                                  "note": plan.note(run)}
    return {"data": str(plan.cache()), "out": str(plan.folder(run, DEVICE)), "arch": run.arch,
            "seed": run.seed, **plan.recipe(run), "device": DEVICE, "threads": 1, **pairs}


def given(run: plan.Run) -> dict[str, Any]:
    """The same by the names of Config."""
    return {k.replace("-", "_"): v for k, v in options(run).items()}


def words(run: plan.Run, minutes: float) -> list[str]:
    """The command of one session."""
    nice = ["nice", "-n", "10"] if which("nice") else []
    if run.small:
        own = given(run) | {"max_minutes": round(minutes, 3)}
        return [*nice, sys.executable, "-m", "tools.weights.small", str(run.side), json.dumps(own)]
    own = {**options(run), "max-minutes": round(minutes, 3)}
    said = [w for k, v in own.items() for w in ((f"--{k}",) if v is True else (f"--{k}", str(v)))]
    return [*nice, sys.executable, "-m", "efm3", "train", "--resume", *said]


def grow(run: plan.Run) -> None:
    """Write the checkpoint that a run begins with where the one before it has ended.

    Raises ValueError where that is not finished, and what grown.begin does.
    """
    before = run.before
    target = plan.folder(run, DEVICE)
    if before is None or (target / "last.pt").exists():
        return
    if steps(before) != plan.recipe(before)["steps"]:
        raise ValueError(f"{before.name} is not finished: {line(before, DEVICE)}")
    from efm3.train.config import Config
    from efm3.train.data import open_data
    from efm3.train.loop import Trainer
    from efm3.train.parallel import join
    from tools.weights import grown

    config = Config(**given(run))
    target.mkdir(parents=True, exist_ok=True)
    grown.begin(Trainer(config, open_data(config.data), join(DEVICE)),
                plan.folder(before, DEVICE) / "last.pt")


class Chain:
    """Sessions of several runs, up to `jobs` at once, until all are done or `stop` is called."""

    def __init__(self, minutes: float, say: Say) -> None:
        self.minutes, self.say = minutes, say
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = threading.Event()
        self.failed = False
        """Whether a session ended in a way that another one would not mend."""

    def stop(self) -> None:
        """End the sessions that run, each with a checkpoint, and begin no other."""
        self._stopped.set()
        for process in list(self._running):
            process.terminate()

    def all(self, runs: Sequence[plan.Run], jobs: int) -> bool:
        """Whether all were trained to the end. A run waits for the one that it goes on from, which
        stands before it."""
        done: dict[plan.Run | None, Future[bool]] = {}
        with ThreadPoolExecutor(jobs) as pool:
            for run in plan.stages(runs):
                done[run] = pool.submit(self._one, run, done.get(run.before))
            return all([future.result() for future in done.values()])

    def _one(self, run: plan.Run, before: Future[bool] | None) -> bool:
        """One run's sessions."""
        if before is not None and not before.result():
            return False
        if self._stopped.is_set():
            return False
        try:
            grow(run)
        except (ValueError, OSError) as e:
            self.say(f"{run.name}: {e}")
            self.failed = True
            return False
        while not self._stopped.is_set():
            code = self._session(run, words(run, self.minutes))
            self.say(f"{run.name}: {line(run, DEVICE)}" + (
                "" if code in (0, STOPPED) else f", exit code {code}, see {self._log(run)}"))
            self.failed |= code not in (0, STOPPED)
            if code != STOPPED:
                return code == 0
        return False

    def _log(self, run: plan.Run) -> Path:
        return plan.folder(run, DEVICE).with_suffix(".log")

    def _session(self, run: plan.Run, command: list[str]) -> int:
        log = self._log(run)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL)
            self._running.add(process)
            if self._stopped.is_set():
                process.terminate()
            try:
                return process.wait()
            finally:
                self._running.discard(process)


def meta(run: plan.Run, device: str) -> dict[str, Any] | None:
    """What the finished file says of itself; None before the end."""
    path = plan.folder(run, device) / f"facex_{run.arch}.bin"
    found: dict[str, Any] | None = efm3.load(path).mirror["meta"] if path.exists() else None
    return found


def steps(run: plan.Run) -> int:
    """How many a run on a CPU has done."""
    from efm3.train import checkpoint

    last = plan.folder(run, DEVICE) / "last.pt"
    done: int = checkpoint.load(last)["step"] if last.exists() else 0
    return done


def line(run: plan.Run, device: str) -> str:
    """Steps done, train accuracy, scores: whatever is known."""
    folder = plan.folder(run, device)
    total = plan.recipe(run)["steps"]
    with suppress(OSError, ValueError, KeyError):  # A stage on smaller pictures writes none.
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        total = said["config"]["steps"]
    last = folder / "last.pt"
    if not last.exists():
        return f"step 0 of {total}"
    from efm3.train import checkpoint

    value = checkpoint.load(last)
    out = [f"step {value['step']} of {total}"]
    if value["history"]:
        row = value["history"][-1]
        out += [f"{k} {100 * row[k]:.2f} %" for k in ("train_acc", "val_acc")
                if row.get(k) is not None]
    if (found := meta(run, device)) and "held_out" in found["scores"]:
        held = found["scores"]["held_out"]
        tar = held["tar_at_far_1e-3"]
        out += [f"held-out {100 * held['accuracy']:.2f} %",
                f"TAR at FAR 1e-3 {'?' if tar is None else f'{100 * tar:.2f} %'}"]
    return ", ".join(out)


def table(runs: Sequence[plan.Run], device: str) -> str:
    """A line for each run."""
    return "\n".join(f"{r.name:<12}{line(r, device)}" for r in runs)


@cache
def held_out(words: str) -> PairSet:
    """The pairs, drawn once for all runs."""
    return pair_set(words)


def finish(run: plan.Run, device: str, say: Say) -> bool:
    """Make a trained network's file, verified and scored; whether it was trained.

    Raises what `efm3.train.export.export` does.
    """
    folder = plan.folder(run, device)
    if not (folder / "last.pt").exists():
        return False
    from efm3.train import export

    described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # What scores a network, and what is said of it, changes nothing of it.
    described["config"]["held_out"] = plan.HELD_OUT
    if device == DEVICE:
        described["config"]["note"] = plan.note(run)
    made = export.export(folder / "last.pt", folder / f"facex_{run.arch}.bin", described,
                         held_out)
    say(f"{run.name}: verified, max_err = {made.max_error:.2e}")
    return True


def rows(device: str) -> list[dict[str, Any]]:
    """All finished runs with what their files say of themselves, for weights/runs.json."""
    shipped = [*map(str, best(device))]
    return [{"arch": r.arch, "seed": r.seed, "shipped": str(plan.folder(r, device)) in shipped,
             "scores": found["scores"]}
            for r in plan.RUNS if (found := meta(r, device)) is not None]


def best(device: str) -> list[Path]:
    """The run folders to ship: of each size the seed that is best on the pairs for choosing.

    Raises ValueError where a size has no finished run, or one of its seeds is not finished.
    """
    scores: dict[str, dict[plan.Run, float]] = {}
    for run in plan.RUNS:
        found = meta(run, device)
        if found is None:
            raise ValueError(f"{run.name} is not finished: {line(run, device)}")
        scores.setdefault(run.arch, {})[run] = found["scores"]["val_acc"]
    return [plan.folder(max(own, key=own.__getitem__), device) for own in scores.values()]
