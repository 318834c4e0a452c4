# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 validate`: check files against the rules."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import click

from efm3 import reporting
from efm3.cli import separate, styler
from efm3.cli._checked import check_options, end, level_option, wanted, writable
from efm3.cli._kinds import FILE
from efm3.findings import Report, plain
from efm3.source import write_atomic
from efm3.validator import validate


def _check(path: str, level: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> Report:
    source = sys.stdin.buffer if path == "-" else path
    return validate(source, level, select=select, ignore=ignore)


FORMS = ("text", "json", "jsonl", "sarif", "junit", "github")
ENDS = {".json": "json", ".jsonl": "jsonl", ".sarif": "sarif", ".xml": "junit", ".txt": "text"}
"""The end of a file's name that says what is written to it."""


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, type=FILE, metavar="FILE|DIR|-...")
@level_option
@click.option("--format", "form", default="text", show_default=True, type=click.Choice(FORMS),
              help="of the report on standard output")
@click.option("--output-file", "outputs", multiple=True, metavar="PATH", type=FILE,
              help="write a report here too, in the form that the name's end says "
                   f"({', '.join(ENDS)}), else in that of --format, which standard output then "
                   "has as text; may be repeated")
@check_options
@click.option("-j", "--jobs", type=click.IntRange(1, 256), default=1, show_default=True,
              help="worker processes")
@click.option("-q", "--quiet", is_flag=True, help="leave infos out of the text")
def command(paths: tuple[str, ...], form: str, outputs: tuple[str, ...], config: str | None,
            no_config: bool, jobs: int, quiet: bool, **given: Any) -> None:
    """Check FILEs, the .bin and .efm3 files below DIRs, or standard input (-).

    Settings of a project (`efm3 config`) hold where no option says otherwise.

    \b
    efm3 validate weights.bin
    efm3 validate models/ --format sarif --output-file found.sarif

    Exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, 3 unreadable.
    """
    told = wanted(paths, quiet, config, no_config, **given)
    forms = _forms(outputs, form, [*told.files, told.own])
    check = partial(_check, level=told.level, select=told.select, ignore=told.ignore)
    seen: list[Report] = []

    def stream() -> Iterator[Report]:
        for report in _progress(_map(check, told.files, jobs), len(told.files)):
            seen.append(report)
            yield report

    shown = "text" if form in forms.values() else form
    reports, lost = stream(), None
    try:
        for line in _lines(shown, reports, told.fail_on, styler(), quiet):
            click.echo(line)
    except OSError as e:
        # `head` has seen enough, or a disk is full: the files are wanted all the same.
        if not forms or e.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        lost = e
        for _ in reports:
            pass
    for path, its in forms.items():
        text = "".join(f"{line}\n" for line in _lines(its, seen, told.fail_on, plain, quiet))
        write_atomic(path, [text.encode()])
    if lost:
        raise lost
    end(seen, told.fail_on)


def _forms(outputs: tuple[str, ...], form: str, read_from: list[str]) -> dict[str, str]:
    """Path of a report to its form. Raises UsageError; Efm3Error X019 for what is read; OSError
    where it cannot be written, before an hour of work."""
    forms = {path: ENDS.get(os.path.splitext(path)[1].lower(), form) for path in outputs}
    if "-" in forms:
        raise click.UsageError("--output-file names a file; --format is for standard output")
    if len({os.path.realpath(path) for path in forms}) < len(outputs):
        raise click.UsageError("two of --output-file are one file")
    separate(read_from, forms)
    for path in forms:
        writable(path)
    return forms


def _lines(form: str, reports: Iterable[Report], fail_on: str, style: Callable[..., str],
           quiet: bool) -> Iterable[str]:
    """The reports in one of FORMS; those of several lines as one text."""
    makers: dict[str, Callable[[Iterable[Report]], Iterable[str]]] = {
        "text": partial(reporting.text, style=style, quiet=quiet),
        "jsonl": reporting.jsonl, "github": reporting.github,
        "json": lambda r: [reporting.as_json(r)], "sarif": lambda r: [reporting.sarif(r)],
        "junit": lambda r: [reporting.junit(r, fail_on)]}
    return makers[form](reports)


def _map(check: partial[Report], files: list[str], jobs: int) -> Iterator[Report]:
    if jobs == 1 or len(files) < 2 or "-" in files or not _threads_start():
        yield from map(check, files)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    try:
        with ProcessPoolExecutor(min(jobs, len(files), os.cpu_count() or 1)) as pool:
            yield from pool.map(check, files, chunksize=max(1, len(files) // (8 * jobs)))
    except BrokenProcessPool:
        raise OSError(errno.ECHILD, "a worker process was ended, by a limit on memory or by "
                      "somebody: try fewer --jobs") from None


def _threads_start() -> bool:
    """True if the system can start a thread: a pool without one waits forever."""
    from threading import Thread

    try:
        Thread(target=int).start()
    except RuntimeError:
        return False
    return True


def _progress(reports: Iterator[Report], total: int) -> Iterator[Report]:
    if total < 10 or not sys.stderr.isatty() or sys.stdout.isatty():
        yield from reports
        return
    with click.progressbar(reports, total, label="checking", file=sys.stderr) as bar:
        yield from bar
