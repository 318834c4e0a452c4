# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 report`: files as one page of HTML."""

from __future__ import annotations

from typing import Any

import click

from efm3.cli import json_option, separate, source, styler
from efm3.cli._checked import check_options, end, level_option, wanted, writable
from efm3.cli._kinds import FILE
from efm3.findings import Report
from efm3.source import write_atomic
from efm3.texts import dumps, printable


@click.command("report")
@click.argument("paths", nargs=-1, required=True, type=FILE, metavar="FILE|DIR|-...")
@click.option("-o", "--output", required=True, metavar="X.html", type=FILE,
              help="where to write; - is standard output")
@level_option
@check_options
@json_option
def command(paths: tuple[str, ...], output: str, config: str | None, no_config: bool,
            as_json: bool, **given: Any) -> None:
    """Write a page about FILEs, the .bin and .efm3 files below DIRs, or standard input (-).

    The page is one file to open, print or send: verdict, findings with cause and fix, the label,
    the network as a drawing, histograms of the weights, the first bytes. It loads nothing and runs
    no script. Of many files the worst have a section of their own. Settings of a project hold as
    for `efm3 validate`.

    \b
    efm3 report weights.bin -o report.html
    efm3 report models/ -o report.html

    Exit codes: 0 written, 1 written and findings at or above --fail-on (or a library is missing),
    2 usage, 3 unreadable; the page tells of these files too.
    """
    from efm3 import reporting
    from efm3.report.facts import checked
    from efm3.report.page import Page

    if as_json and output == "-":
        raise click.UsageError("--json and -o - both write to standard output")
    told = wanted(paths, False, config, no_config, **given)
    separate([*told.files, told.own], [output])
    if output != "-":
        writable(output)
    page, reports = Page(told.level, unfold=len(told.files) == 1), list[Report]()
    for file in told.files:
        found = checked(source(file), told.level, select=told.select, ignore=told.ignore)
        page.add(found)
        reports.append(found.report)
    if output == "-":
        for part in page.parts():
            click.echo(part, nl=False)
        end(reports, told.fail_on)
        return
    parts = list(page.parts())
    size = sum(map(len, parts))
    write_atomic(output, parts)
    if as_json:
        click.echo(dumps({"output": output, "size": size, "ok": all(r.ok for r in reports),
                          "level": told.level, "files": [_row(r) for r in reports]}, indent=2))
    else:
        style = styler()
        for r in reports:
            click.echo(style(reporting.verdict(r), fg="green" if r.ok else "red"))
        click.echo(f"{printable(output)}: {size:,} bytes")
    end(reports, told.fail_on)


def _row(r: Report) -> dict[str, Any]:
    """A report without its findings, which `efm3 validate --format json` has."""
    return {k: v for k, v in r.to_json().items() if k in ("source", "size", "ok", "unreadable",
                                                          "counts")}
