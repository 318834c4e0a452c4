# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports of a run: a bar on a terminal, lines in a pipe; log.csv, TensorBoard, curves.png."""

from __future__ import annotations

import csv
import io
import sys
import time
from pathlib import Path
from typing import Any

from efm3.findings import Efm3Error, printable
from efm3.source import write_atomic
from efm3.train.plots import curves

COLUMNS = ("epoch", "step", "loss", "train_acc", "lr", "margin", "images_per_s", "epoch_s",
           "data_share", "val_acc")


class Log:
    """The messages of one process; of several only the first prints and writes (`speaks`)."""

    def __init__(self, folder: Path, speaks: bool, steps: int) -> None:
        self.folder, self.speaks, self.steps = folder, speaks, steps
        self._bar: Any = None
        self._board: Any = None
        if speaks and sys.stderr.isatty():
            self._bar = _bar(steps)

    def say(self, text: str) -> None:
        """A line on stderr; what it quotes of names and specs is made printable."""
        if not self.speaks:
            return
        text = printable(text)
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    def step(self, done: int, text: str, line: bool) -> None:
        """After a step: moves the bar, or prints a line where `line`."""
        if self._bar is not None:
            self._bar.update(0, completed=done, text=text)
        elif line:
            self.say(f"step {done}/{self.steps}  {text}")

    def epoch(self, history: list[dict[str, Any]]) -> None:
        """After an epoch: rewrite log.csv from the history, TensorBoard, curves."""
        row = history[-1]
        self.say("  ".join(f"{k} {_short(row[k])}" for k in COLUMNS if row.get(k) is not None))
        if not self.speaks:
            return
        write_atomic(self.folder / "log.csv", [table(history)])
        board = self._tensorboard()
        for key, value in row.items():
            if board and key not in ("epoch", "step") and value is not None:
                board.add_scalar(key, value, row["step"])
        if board:
            board.flush()

    def curves(self) -> None:
        """curves.png from log.csv, where matplotlib is installed."""
        if not self.speaks or not (self.folder / "log.csv").exists():
            return
        try:
            curves(self.folder / "log.csv", self.folder / "curves.png")
        except Efm3Error as e:
            if e.code != "X002":
                raise
            self.say(f"no curves.png: {e.finding.message}")

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.stop()
        if self._board:
            self._board.close()

    def _tensorboard(self) -> Any:
        if self._board is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
                self._board = SummaryWriter(str(self.folder / "tensorboard"))
            except ImportError:
                self.say("no TensorBoard log: the package tensorboard is not installed")
                self._board = False
        return self._board


def _bar(steps: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(TextColumn("{task.completed}/{task.total}"), BarColumn(),
                   TextColumn("{task.fields[text]}", markup=False), TimeRemainingColumn(),
                   console=Console(stderr=True))
    bar.start()
    bar.add_task("steps", total=steps, text="")
    return bar


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(history: list[dict[str, Any]]) -> bytes:
    """The history as CSV; an empty cell is a figure that was not measured."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in history:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return out.getvalue().encode()
