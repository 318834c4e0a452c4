# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""docs/man: a page for `efm3` and one for each of its verbs, from the commands' declarations.

Everything that a page says is in the command: help, options, examples, exit codes. The wheel
installs the pages in share/man/man1, where man(1) looks beside the bin/ that the command is in.
What is taken of click is what its versions have in common, so that each writes the same.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from textwrap import wrap
from typing import NamedTuple

import click

from efm3.cli import cli
from efm3.forms._text import SPDX
from efm3.version import __version__
from tools.gen.exits import EXIT, stated

FOLDER = "docs/man"
WIDTH = 72
"""Columns of a line of source, before its escapes."""

# In roff a backslash begins an escape, and of these characters others are printed in the text of a
# page: a hyphen, quotation marks and accents, which nobody can paste into a shell.
ESCAPES = {"\\": "\\(rs", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti",
           '"': "\\(dq"}


class Verb(NamedTuple):
    """A command by its words after `efm3`, and its line in the list of its group."""

    words: tuple[str, ...]
    command: click.Command
    short: str

    @property
    def page(self) -> str:
        """The name of its page."""
        return "-".join(("efm3", *self.words))


def escaped(text: str) -> str:
    """Text for roff: nothing in it is a request, an escape, or another character on paper."""
    out = "".join(ESCAPES.get(c, c) if " " <= c <= "~" else
                  f"\\[u{ord(c):04X}]" if c.isprintable() else "\\(rs" + ascii(c)[2:-1]
                  for c in text)
    return f"\\&{out}" if out[:1] in (".", " ") or out.startswith("\\(aq") else out


def prose(text: str) -> Iterator[str]:
    """Lines of a paragraph; what stands between backquotes is bold."""
    lines = wrap(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
    bold = False
    for line in lines:
        parts = line.split("`")
        # Each line ends in the roman font, since a request would not.
        out = ""
        for at, part in enumerate(parts):
            if at:
                bold = not bold
            if part:
                out += f"\\fB{escaped(part)}\\fP" if bold else escaped(part)
        yield out


def strong(text: str) -> str:
    """A literal word of a command line."""
    return f"\\fB{escaped(text)}\\fP"


def variable(text: str) -> str:
    """A word that stands for another; brackets and dots are not a part of it."""
    return re.sub(r"(\.\.\.|[\[\]| ])|((?:(?!\.\.\.)[^\[\]| ])+)", lambda m: m[1] or
                  f"\\fI{escaped(m[2])}\\fP", text)


@cache
def verbs() -> tuple[Verb, ...]:
    """`efm3` and every verb, in the order of the help."""
    return tuple(_below(Verb((), cli, (cli.get_short_help_str(limit=200)).rstrip("."))))


def _below(verb: Verb) -> Iterator[Verb]:
    yield verb
    if not isinstance(verb.command, click.Group):
        return
    ctx = click.Context(verb.command)
    told: dict[str, str] = getattr(verb.command, "verbs", {})
    for name in verb.command.list_commands(ctx):
        inner = verb.command.get_command(ctx, name)
        if inner is not None:
            short = told.get(name) or _paragraphs(inner.help or "")[0]
            short = short.partition(". ")[0].rstrip(".")
            yield from _below(Verb((*verb.words, name), inner, short))


def _paragraphs(text: str) -> list[str]:
    """Of a help text; one whose lines stand as they are begins with \\b."""
    return [p.strip("\n") for p in re.split(r"\n{2,}", inspect.cleandoc(text)) if p.strip()]


def _argument(given: click.Argument) -> str:
    word = given.metavar or (given.name or "").upper()
    if given.metavar is None:
        word += "..." if given.nargs == -1 else ""
        word = word if given.required else f"[{word}]"
    return variable(word)


def _taken(option: click.Option) -> str:
    """What follows the name of an option."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return " " + "|".join(strong(str(c)) for c in option.type.choices)
    word = option.metavar or option.type.name.upper()
    return " " + (f"[{variable(word.strip('[]'))}]" if word.startswith("[") else variable(word))


def _facts(option: click.Option) -> str:
    """What an option is without being given, and what a number may be."""
    facts, words = [], option.help or ""
    if option.required:
        facts.append("required")
    elif isinstance(option.show_default, str):  # of one that a file of settings may give
        facts.append(f"default: {option.show_default}")
    elif option.show_default and option.default is not None and not callable(option.default):
        value = option.default
        if option.secondary_opts:
            value = (option.opts if value else option.secondary_opts)[0].lstrip("-")
        facts.append("default: " + (", ".join(map(str, value)) if isinstance(value, tuple)
                                    else str(value)))
    if isinstance(option.type, (click.IntRange, click.FloatRange)):
        least, most = option.type.min, option.type.max
        if least is not None:
            facts.append(("more than " if option.type.min_open else "" if most is not None
                          else "at least ") + str(least)
                         + (f" to {most}" if most is not None else ""))
    if option.multiple and "each" not in words and "repeated" not in words:
        facts.append("may be repeated")
    return f" [{'; '.join(facts)}]" if facts else ""


def _options(command: click.Command) -> Iterator[str]:
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            yield ".TP"
            yield ", ".join(strong(o) for o in (*option.opts, *option.secondary_opts)) \
                + _taken(option)
            yield from prose((option.help or "") + _facts(option))
    yield ".TP"
    yield f"{strong('-h')}, {strong('--help')}"
    yield from prose("show the help and exit")


def _exits(text: str) -> Iterator[str]:
    """The exit codes that a sentence lists, each with its words."""
    for code, words in stated(text):
        yield ".TP"
        yield strong(code)
        yield from prose(words)


def _also(verb: Verb) -> list[str]:
    """The pages beside, above and below."""
    near = [v.page for v in verbs() if v.words[:-1] in (verb.words, verb.words[:-1]) and v != verb
            and v.words] if verb.words[1:] or isinstance(verb.command, click.Group) else []
    return sorted({"efm3", "-".join(("efm3", *verb.words[:-1])), *near} - {verb.page})


def page(verb: Verb) -> str:
    """The whole page."""
    described: list[str] = []
    examples: list[str] = []
    exits = ""
    for part in _paragraphs(verb.command.help or "") + _paragraphs(verb.command.epilog or ""):
        lines = part.removeprefix("\b\n").split("\n")
        code = EXIT.search(part)
        if part.startswith("\b") and all("efm3 " in line for line in lines):
            examples += lines
        elif part.startswith("\b"):
            described += [".PP", ".EX", *map(escaped, lines), ".EE"]
        else:
            exits = part[code.end():] if code else exits
            before = part[:code.start()] if code else part
            described += [".PP", *prose(before)] if before.strip() else []
    command = strong(" ".join(("efm3", *verb.words)))
    usage = [command, f"[{variable('OPTIONS')}]"]
    if isinstance(verb.command, click.Group):
        usage.append(f"{variable('VERB')} [{variable('ARGUMENTS')}]")
    usage += [_argument(p) for p in verb.command.params if isinstance(p, click.Argument)]
    out = [*(f'.\\" {line}' for line in SPDX),
           '.\\" Generated by tools/gen from the commands; do not edit.',
           f'.TH "{escaped(verb.page.upper())}" 1 "" "efm3 {escaped(__version__)}" "EFM3"',
           ".nh", ".ad l",  # a word that is broken or spread cannot be pasted
           ".SH NAME", f"{escaped(verb.page)} \\- {escaped(verb.short)}",
           ".SH SYNOPSIS", " ".join(usage),
           ".SH DESCRIPTION", *described[1:]]
    inner = [v for v in verbs() if v.words and v.words[:-1] == verb.words]
    if inner:
        out.append(".SH VERBS")
        for v in inner:
            out += [".TP", f"{strong(v.page)}(1)", *prose(v.short)]
    out += [".SH OPTIONS", *list(_options(verb.command))]
    if exits:
        out += [".SH EXIT STATUS", *list(_exits(exits))]
    if examples:
        out += [".SH EXAMPLES", ".EX", *map(escaped, examples), ".EE"]
    also = _also(verb)
    if also:
        out += [".SH SEE ALSO", ",\n".join(f"{strong(name)}(1)" for name in also)]
    return "\n".join(out) + "\n"


def _made(verb: Verb) -> Callable[[], str]:
    return lambda: page(verb)


def pages() -> dict[str, Callable[[], str]]:
    """Every page's path and what makes its text."""
    return {f"{FOLDER}/{verb.page}.1": _made(verb) for verb in verbs()}
