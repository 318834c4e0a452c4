# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a bulk run says on standard error while it works: errors, notes, and how far it is."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from efm3.findings import printable

if TYPE_CHECKING:
    from efm3.bulk.inputs import Inputs
    from efm3.bulk.rows import Made

MOST_TOLD = 20
"""Pictures of which errors and notes are told; the others are counted."""
QUIET_SECONDS = 1.0
"""A run that takes less shows no progress."""
RATE_SECONDS = 0.5
"""The least time of which a rate is told."""
EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """Called with each picture; a context manager.

    A bar with the rate and the time left on a terminal, a line now and then elsewhere, nothing
    where `quiet`. The pictures are counted in a thread, for folders may be large.
    """

    def __init__(self, inputs: Inputs, quiet: bool) -> None:
        self.quiet, self.pictures, self.faces = quiet, 0, 0
        self.codes: Counter[str] = Counter()
        self._inputs, self._counting = inputs, False
        self._total: int | None = None
        self._told = 0
        self._start = self._last = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.update(0, completed=self._inputs.passed + self.pictures, total=self._total)
            self._bar.stop()
        if self._told > MOST_TOLD:
            self._say(f"{self._told - MOST_TOLD:,} more pictures with errors or notes")

    def __call__(self, made: Made) -> None:
        """Count the picture, and say what is to be said."""
        self.pictures += 1
        codes = [row.error for row in made.rows if row.error is not None]
        self.codes.update(codes)
        self.faces += len(made.rows) - len(codes)
        if codes or made.notes:
            self._told += 1
            if self._told <= MOST_TOLD:
                self._tell(made)
        if not self.quiet and (now := time.monotonic()) - self._last >= QUIET_SECONDS:
            self._show(now)

    def _tell(self, made: Made) -> None:
        name = printable(made.name)
        for note in made.notes:
            self._say(f"{name}: {printable(note)}")
        # One of a picture's: its faces fail for the same reason.
        row = next((row for row in made.rows if row.error is not None), None)
        if row:
            # What cannot be read has no fault of its own to look up.
            code = "" if row.error == "IO001" else f"{row.error} "
            self._say(f"{code}{name}: {printable(row.reason or '')}")

    def _say(self, text: str) -> None:
        (self._bar.console.print if self._bar else _plainly)(f"efm3: {text}")

    def _show(self, now: float) -> None:
        if not self._counting:
            self._counting = True
            threading.Thread(target=self._count, daemon=True).start()
        done = self._inputs.passed + self.pictures
        if sys.stderr.isatty():
            self._bar = self._bar or _bar(done, self)
            self._bar.update(0, completed=done, total=self._total)
            self._last = now - QUIET_SECONDS + 0.1
        elif now - self._last >= EVERY:
            rate = self.pictures / (now - self._start)
            of = left = ""
            if self._total:
                of, left = f" of {self._total:,}", f", {_clock((self._total - done) / rate)} left"
            self._say(f"{done:,}{of} pictures, {rate:,.0f} a second{left}")
            self._last = now

    def _count(self) -> None:
        # Where it fails the run itself finds out why, and says it.
        with contextlib.suppress(OSError, ValueError):
            self._total = self._inputs.count()

    def counts(self) -> str:
        """What came of the pictures, as a line."""
        errors = sum(self.codes.values())
        which = ", ".join(f"{code} {n:,}" for code, n in sorted(self.codes.items()))
        return (f"{self.faces:,} embedding{'s' * (self.faces != 1)} of {self.pictures:,} "
                f"picture{'s' * (self.pictures != 1)}"
                + f", {errors:,} error{'s' * (errors != 1)} ({which})" * bool(errors))


def _plainly(text: str) -> None:
    click.echo(text, err=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _bar(done: int, run: Progress) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    before = run.pictures

    class Done(ProgressColumn):
        """How many pictures, of how many, and how many a second."""

        def render(self, task: Any) -> Text:
            of = f"/{task.total:,.0f}" if task.total else ""
            # Of a moment it would be of the few pictures that came at once.
            seconds, some = task.elapsed or 0.0, run.pictures - before
            rate = f"  {some / seconds:,.0f}/s" if some and seconds >= RATE_SECONDS else ""
            return Text(f"{task.completed:,.0f}{of} pictures{rate}")

    console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    bar = Bar(Done(), BarColumn(), TimeRemainingColumn(), console=console)
    bar.start()
    bar.add_task("pictures", total=None, completed=done)
    return bar
