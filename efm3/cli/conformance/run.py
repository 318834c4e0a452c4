# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance run`: the cases against an implementation."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from efm3.cli import styler
from efm3.cli._kinds import CASES
from efm3.cli.conformance._none import none
from efm3.codes import LEVELS
from efm3.conformance import results
from efm3.conformance.requirements import CLASSES
from efm3.conformance.results import Outcome
from efm3.conformance.runner import run_all, subject
from efm3.findings import printable
from efm3.machine import cores
from efm3.precision import PRECISIONS


@click.command("run")
@click.option("--reader", metavar="CMD", help="reads a file, prints its document")
@click.option("--writer", metavar="CMD", help="writes a file from an arch and its tensors")
@click.option("--editor", metavar="CMD", help="changes keys of meta, or values, of a file")
@click.option("--engine", metavar="CMD", help="computes an embedding")
@click.option("--protocol", type=click.Choice(["simple", "lines"]), default="simple",
              show_default=True, help="one process per case, or one for all cases")
@click.option("--stdin", is_flag=True, help="give a simple reader the file on standard input")
@click.option("--tensors", type=click.Choice(["npy", "npz"]), default="npy", show_default=True,
              help="how a writer gets its tensors")
@click.option("--level", type=click.Choice(LEVELS), default="structure", show_default=True,
              help="how strict the reader is")
@click.option("--precision", type=click.Choice(PRECISIONS), default=PRECISIONS[0],
              show_default=True, help="what the engine claims; each case has its bound for each")
@click.option("--timeout", type=click.FloatRange(0.01), default=10.0, show_default=True,
              metavar="S", help="seconds for one case")
@click.option("--select", "words", multiple=True, type=CASES, metavar="WORD",
              help="smoke, MUST, SHOULD, a folder, a code or its beginning, an ID with wildcards")
@click.option("--large", is_flag=True, help="the large cases, of 70 MB each, which are left out")
@click.option("--known-failures", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="LIST",
              help="case IDs that may fail, one per line; one that passes fails the run")
@click.option("--format", "form", type=click.Choice(["text", "json", "junit"]), default="text",
              show_default=True, help="of the results on standard output")
@click.option("-j", "--jobs", type=click.IntRange(1, 64), metavar="N",
              help="simple cases at once  [default: one per core]")
@click.option("-q", "--quiet", is_flag=True, help="no progress on standard error")
@click.option("-v", "--verbose", is_flag=True, help="show the lines protocol's messages")
def command(reader: str | None, writer: str | None, editor: str | None, engine: str | None,
            protocol: str, stdin: bool, tensors: str, level: str, precision: str, timeout: float,
            words: tuple[str, ...], large: bool, known_failures: Path | None, form: str,
            jobs: int | None, quiet: bool, verbose: bool) -> None:
    """Run the cases against CMD (or our own: @python, @engine, @reference, @scalar, ...).

    `efm3 spec conformance` says what CMD has to do. Several classes may be tested at once.
    A simple CMD may name the paths that it gets: {file} of a reader; {arch} {tensors} {out} of
    a writer; {file} {edit} {out} of an editor; {model} {input} {output} {layers} of an engine.
    Without them they are appended, but for {layers}. {{ and }} are the braces themselves.

    \b
    efm3 conformance run --reader 'python3 reader.py' --select smoke
    efm3 conformance run --engine @engine

    Exit codes: 0 conforms, 1 a MUST case failed, a listed failure passes, or --select names
    no case, 2 usage, 3 the program
    is broken (crash, timeout, no answer) and nothing failed, or it cannot be run: then the run
    stops at once.
    """
    asked = [(c, cmd) for c, cmd in zip(CLASSES, (reader, writer, editor, engine), strict=True)
             if cmd]
    if not asked:
        raise click.UsageError("give --reader, --writer, --editor or --engine")
    from efm3.conformance.cases import LARGE, corpus

    words = (*words, LARGE) if large else words
    known = results.known_failures(known_failures.read_text("utf-8", "backslashreplace"),
                                   (c.id for c in corpus(True))) if known_failures else set()
    runs, show = [], (lambda found, _: found) if quiet else _progress
    for name, cmd in asked:
        try:
            of = subject(cmd, protocol, timeout, stdin, tensors,
                         (lambda s: click.echo(s, err=True)) if verbose else lambda _: None, name,
                         precision)
        except ValueError as e:
            raise click.UsageError(printable(str(e))) from None
        try:
            runs.append(run_all(name, cmd, words, level=level, precision=precision, known=known,
                                jobs=jobs or cores(), of=of, progress=show))
        finally:
            of.close()
        if not runs[-1].outcomes:
            none(words, name)
        if form == "text":
            click.echo("\n".join(results.text(runs[-1], styler())))
    if form == "json":
        click.echo(results.as_json(runs))
    elif form == "junit":
        click.echo(results.junit(runs))
    sys.exit(0 if all(r.ok for r in runs) else 1 if any(r.failed for r in runs) else 3)


EVERY = 10.0
"""Seconds between two lines of progress, where nobody watches a bar."""


def _progress(outcomes: Iterator[Outcome], total: int) -> Iterator[Outcome]:
    """The outcomes; on the way a bar on a terminal, else a line now and then."""
    if total >= 20 and sys.stderr.isatty():
        with click.progressbar(outcomes, total, label="cases", file=sys.stderr) as bar:
            yield from bar
        return
    last, failed = time.monotonic(), 0
    for done, found in enumerate(outcomes, 1):
        failed += found.verdict in ("fail", "unexpected", "broken")
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            click.echo(f"efm3: {done} of {total} cases, {failed} failed", err=True)
        yield found
