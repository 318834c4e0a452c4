# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A page for each verb, from the commands' declarations, and the page that lists them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import click

from tools.gen.blocks import table
from tools.gen.commands import (
    Verb,
    arguments,
    choices,
    facts,
    helped,
    inner,
    names,
    options,
    value,
    verbs,
)
from tools.gen.exits import stated

_LITERAL = re.compile(r"(`[^`]*`)")
_MARKED = re.compile(r"([\\*_<>\[\]|~])")


def path(verb: Verb) -> str:
    """The page of a verb."""
    return f"commands/{'-'.join(verb.words) or 'index'}.md"


def pages() -> dict[str, str]:
    """Every page of the site by its path."""
    return {path(verb): page(verb) for verb in verbs()}


def plain(text: str) -> str:
    """Words of a help text as Markdown: what stands between backquotes is code, nothing else is
    more than text."""
    parts = _LITERAL.split(" ".join(text.split()))
    return "".join(p if i % 2 else _MARKED.sub(r"\\\1", p) for i, p in enumerate(parts))


def page(verb: Verb) -> str:
    """The whole page."""
    told = helped(verb.command)
    name = " ".join(("efm3", *verb.words))
    usage = [name, "[OPTIONS]", *arguments(verb.command)]
    if isinstance(verb.command, click.Group):
        usage += ["VERB", "[ARGUMENTS]"]
    out = [f"# {name}", "", f"{plain(verb.short)[:1].upper()}{plain(verb.short)[1:]}.", "",
           "```text", " ".join(usage), "```", ""]
    for text, as_it_is in told.described:
        out += ["```text", *text.split("\n"), "```", ""] if as_it_is else [plain(text), ""]
    if told.examples:
        out += ["## Examples", "", "```sh", *told.examples, "```", ""]
    below = inner(verb)
    if below:
        out += ["## Verbs", "", *table(("verb", "what it does"), [
            (f"[`{' '.join(v.words)}`]({path(v).rpartition('/')[2]})", plain(v.short))
            for v in below]), ""]
    out += ["## Options", "", *_options(verb.command), ""]
    if told.exits:
        out += ["## Exit codes", "", *table(("code", "meaning"), [
            (code, plain(words)) for code, words in stated(told.exits)]), ""]
    return "\n".join(out)


def _options(command: click.Command) -> Iterator[str]:
    def word(names: Iterable[str], follows: str) -> str:
        return ", ".join(f"`{n}`" for n in names) + (f" `{follows}`" if follows else "")
    rows = [(word(names(o), "|".join(choices(o)) or value(o)),
             plain((o.help or "") + facts(o))) for o in options(command)]
    yield from table(("option", "what it does"), [
        *rows, (word(("-h", "--help"), ""), "show the help and exit")])
