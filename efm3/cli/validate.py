# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 validate`: check files against the rules."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import click

from efm3 import reporting
from efm3.cli import styler
from efm3.codes import LEVELS
from efm3.findings import SEVERITIES, Report, printable
from efm3.validator import SUFFIXES, expand, validate


def _check(path: str, level: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> Report:
    source = sys.stdin.buffer if path == "-" else path
    return validate(source, level, select=select, ignore=ignore)


def _codes(_: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    from efm3.rules import load_rules

    codes = tuple(c.strip().upper() for v in value for c in v.split(",") if c.strip())
    for c in codes:
        if not any(known.startswith(c) for known in load_rules()):
            raise click.BadParameter(f"no rule starts with {c!r} (`efm3 explain --all`)")
    return codes


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR|-...")
@click.option("--level", type=click.Choice(LEVELS), default="values", show_default=True,
              help="what to check: what an engine needs, the mirror too, the weights too")
@click.option("--format", "form", default="text", show_default=True,
              type=click.Choice(["text", "json", "jsonl", "sarif", "github"]),
              help="of the report on standard output")
@click.option("--fail-on", type=click.Choice([*reversed(SEVERITIES), "never"]), default="error",
              show_default=True, help="mildest severity that makes the exit code 1")
@click.option("--select", multiple=True, callback=_codes, metavar="CODES",
              help="only these codes or prefixes")
@click.option("--ignore", multiple=True, callback=_codes, metavar="CODES",
              help="not these codes or prefixes")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), default=1, show_default=True,
              help="worker processes")
@click.option("-q", "--quiet", is_flag=True, help="leave infos out of the text")
def command(paths: tuple[str, ...], level: str, form: str, fail_on: str, select: tuple[str, ...],
            ignore: tuple[str, ...], jobs: int, quiet: bool) -> None:
    """Check FILEs, the .bin and .efm3 files below DIRs, or standard input (-).

    \b
    efm3 validate weights.bin
    efm3 validate models/ --format sarif >found.sarif

    Exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, 3 unreadable.
    """
    files = list(expand(paths))
    if not files:
        where = printable(", ".join(paths))
        click.echo(f"efm3: no {' or '.join(SUFFIXES)} file in {where}", err=True)
        sys.exit(3)
    check = partial(_check, level=level, select=select, ignore=ignore)
    seen: list[Report] = []

    def stream() -> Iterator[Report]:
        for report in _progress(_map(check, files, jobs), len(files)):
            seen.append(report)
            yield report

    if form == "json":
        click.echo(reporting.as_json(stream()))
    elif form == "sarif":
        click.echo(reporting.sarif(stream()))
    else:
        forms: dict[str, Callable[[Iterable[Report]], Iterable[str]]] = {
            "text": partial(reporting.text, style=styler(), quiet=quiet),
            "jsonl": reporting.jsonl, "github": reporting.github}
        for line in forms[form](stream()):
            click.echo(line)
    if any(r.unreadable for r in seen):
        sys.exit(3)
    if fail_on != "never" and any(r.at_least(fail_on) for r in seen):
        sys.exit(1)


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
