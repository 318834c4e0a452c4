# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command's verbs as data: help, arguments, options, examples, exit codes.

The manual pages and the site's pages are written from this one walk. What is taken of click is
what its versions have in common, so that each writes the same.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import click

from efm3.cli import cli
from tools.gen.exits import EXIT


class Verb(NamedTuple):
    """A command by its words after `efm3`, and its line in the list of its group."""

    words: tuple[str, ...]
    command: click.Command
    short: str

    @property
    def page(self) -> str:
        """The name of its page."""
        return "-".join(("efm3", *self.words))


class Help(NamedTuple):
    """A help text in parts.

    `described` are its paragraphs, each with True where its lines stand as they are; `examples`
    lines of commands; `exits` what follows "Exit codes: ", or "".
    """

    described: list[tuple[str, bool]]
    examples: list[str]
    exits: str


@cache
def verbs() -> tuple[Verb, ...]:
    """`efm3` and every verb, in the order of the help."""
    return tuple(_below(Verb((), cli, (cli.get_short_help_str(limit=200)).rstrip("."))))


def inner(verb: Verb) -> list[Verb]:
    """The verbs of a group; none of another verb."""
    return [v for v in verbs() if v.words and v.words[:-1] == verb.words]


def _below(verb: Verb) -> Iterator[Verb]:
    yield verb
    if not isinstance(verb.command, click.Group):
        return
    ctx = click.Context(verb.command)
    told: dict[str, str] = getattr(verb.command, "verbs", {})
    for name in verb.command.list_commands(ctx):
        below = verb.command.get_command(ctx, name)
        if below is not None:
            short = told.get(name) or paragraphs(below.help or "")[0]
            short = short.partition(". ")[0].rstrip(".")
            yield from _below(Verb((*verb.words, name), below, short))


def paragraphs(text: str) -> list[str]:
    """Of a help text; one whose lines stand as they are begins with \\b."""
    return [p.strip("\n") for p in re.split(r"\n{2,}", inspect.cleandoc(text)) if p.strip()]


def helped(command: click.Command) -> Help:
    """A command's help and what stands below its options, in parts."""
    found = Help([], [], "")
    for part in paragraphs(command.help or "") + paragraphs(command.epilog or ""):
        lines = part.removeprefix("\b\n").split("\n")
        code = EXIT.search(part)
        if part.startswith("\b") and all("efm3 " in line for line in lines):
            found.examples.extend(lines)
        elif part.startswith("\b"):
            found.described.append(("\n".join(lines), True))
        else:
            found = found._replace(exits=part[code.end():]) if code else found
            before = part[:code.start()] if code else part
            if before.strip():
                found.described.append((before, False))
    return found


def arguments(command: click.Command) -> list[str]:
    """What stands for each argument: FILE, FILE..., [FILE]."""
    return [_argument(p) for p in command.params if isinstance(p, click.Argument)]


def _argument(given: click.Argument) -> str:
    if given.metavar is not None:
        return given.metavar
    word = (given.name or "").upper() + ("..." if given.nargs == -1 else "")
    return word if given.required else f"[{word}]"


def options(command: click.Command) -> list[click.Option]:
    """The options that a person is told of, but for --help."""
    return [p for p in command.params if isinstance(p, click.Option) and not p.hidden]


def names(option: click.Option) -> list[str]:
    """How an option is written, each way."""
    return [*option.opts, *option.secondary_opts]


def choices(option: click.Option) -> list[str]:
    """The words of which one follows an option's name; none where any may."""
    return ([str(c) for c in option.type.choices]
            if isinstance(option.type, click.Choice) and not option.is_flag else [])


def value(option: click.Option) -> str:
    """What stands for the word that follows an option's name, "" for a flag and for choices."""
    if option.is_flag or isinstance(option.type, click.Choice):
        return ""
    return option.metavar or option.type.name.upper()


def facts(option: click.Option) -> str:
    """What an option is without being given, and what a number may be."""
    told, words = [], option.help or ""
    if option.required:
        told.append("required")
    elif isinstance(option.show_default, str):  # of one that a file of settings may give
        told.append(f"default: {option.show_default}")
    elif option.show_default and option.default is not None and not callable(option.default):
        given = option.default
        if option.secondary_opts:
            given = (option.opts if given else option.secondary_opts)[0].lstrip("-")
        told.append("default: " + (", ".join(map(str, given)) if isinstance(given, tuple)
                                    else str(given)))
    if isinstance(option.type, (click.IntRange, click.FloatRange)):
        least, most = option.type.min, option.type.max
        if least is not None:
            told.append(("more than " if option.type.min_open else "" if most is not None
                          else "at least ") + str(least)
                         + (f" to {most}" if most is not None else ""))
    if option.multiple and "each" not in words and "repeated" not in words:
        told.append("may be repeated")
    return f" [{'; '.join(told)}]" if told else ""
