# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A page for each code, from the catalogue and the kit, and the page that lists them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from functools import cache
from textwrap import wrap

import efm3
from efm3.codes import CODES, GROUPS, RULE_GROUPS, STRENGTH, Code
from efm3.conformance.cases import Case, corpus
from efm3.conformance.examples import example
from efm3.forms.codes_page import TITLES
from tools.gen.blocks import table
from tools.gen.coverage import behaviour_rows, rule_rows
from tools.site.links import code_page, place

WIDTH = 84
"""Columns of what is printed, so that it need not be scrolled."""

SHOWN = 12
"""Of a code's cases as many are named on each side, the others counted."""


def pages() -> dict[str, str]:
    """Every page of the site by its path."""
    return {code_page(code): page(row) for code, row in CODES.items()} | {
        "codes/index.md": index()}


def index() -> str:
    """The page that lists them, a table a group."""
    lines = ["# Codes", "", "Every code that a program of this project prints. A code never "
             "changes its meaning. `efm3 explain CODE` prints the same as a code's page.", ""]
    for group in GROUPS:
        lines += [f"## {TITLES[group]}", ""]
        lines += table(("code", "severity", "meaning"), [
            (f"[{c.code}]({c.code}/index.md)", c.severity, _cell(c.sentence))
            for c in CODES.values() if c.group == group])
        lines.append("")
    return "\n".join(lines)


def page(c: Code) -> str:
    """A code's page: what, why, what to do; its clause; a file that shows it; its cases."""
    words = [STRENGTH[c.severity] if c.group == "programs" else c.severity,
             f"[{TITLES[c.group]}](../index.md#{_anchor(TITLES[c.group])})", f"name `{c.name}`"]
    if c.group in RULE_GROUPS:
        words.insert(1, f"level `{c.level}`")
    lines = [f"# {c.code}", "", f"**{c.sentence}**", "", " · ".join(words), "",
             "## Why", "", c.why, "",
             "## What to do", "", f"{c.fix[:1].upper()}{c.fix[1:]}.", ""]
    if c.clause:
        path, _, anchor = c.clause.partition("#")
        spec = posixpath.relpath(place(path), posixpath.dirname(code_page(c.code)))
        lines += ["## Where it is stated", "", f"[The specification]({spec}#{anchor}) states this "
                  f"{'rule' if c.group in RULE_GROUPS else 'requirement'}.", ""]
    lines += _shown(c)
    lines += _cases(c)
    lines += ["## On the command line", "", "```sh", f"efm3 explain {c.code}", *(
        [f"efm3 validate --select {c.code} FILE"] if c.group in RULE_GROUPS else []), "```", ""]
    return "\n".join(["---", f"title: {c.code}", "---", "", *lines])


def _anchor(title: str) -> str:
    return title.lower().replace(":", "").replace(" ", "-")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _shown(c: Code) -> Iterator[str]:
    """What `efm3 validate` says of the file of the kit that shows a rule."""
    if c.group not in RULE_GROUPS:
        return
    about, data = example(c.code)
    found = next(f for f in efm3.validate(data).findings if f.code == c.code)
    yield from ("## Example", "", f"The kit's file: {about}. `efm3 validate` says", "", "```text",
                *wrap(str(found), WIDTH), *([f"found: {found.found}"] if found.found else []),
                *([f"expected: {found.expected}"] if found.expected else []), "```", "")


@cache
def _rows() -> dict[str, tuple[list[str], list[str]]]:
    cases = corpus()
    return {row.code: (row.accepting, row.rejecting)
            for rows in (rule_rows, behaviour_rows) for row in rows(cases)}


@cache
def _known() -> dict[str, Case]:
    return {case.id: case for case in corpus()}


def _cases(c: Code) -> Iterator[str]:
    """The kit's cases of a requirement, each with what it is about."""
    if c.code not in _rows():
        return
    # Those that are named after the code come first: the others meet it beside what they are about.
    accepting, rejecting = (sorted(names, key=lambda n: f"-{c.code.lower()}-" not in n)
                            for names in _rows()[c.code])
    yield from ("## Cases of the kit", "")
    sides = [(rejecting, "These files break the rule."), (accepting, "These files keep it.")] \
        if c.group in RULE_GROUPS else [(accepting, "These cases ask for it.")]
    for names, words in sides:
        yield from (words, "")
        yield from table(("case", "what it is"), [
            (f"`{name}`", _cell(_known()[name].about)) for name in names[:SHOWN]])
        if len(names) > SHOWN:
            yield from ("", f"And {len(names) - SHOWN} more.")
        yield ""
    yield from (f"`efm3 conformance list {(rejecting if c.group in RULE_GROUPS else accepting)[0]}`"
                " shows a case in full.", "")
