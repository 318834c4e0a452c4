# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What verbs that check files have in common: which files, by which rules, when to fail."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import click

from efm3.cli._kinds import RULES
from efm3.codes import LEVELS, near
from efm3.findings import Report, printable
from efm3.selection import EXCLUDE, GIT, Selection
from efm3.settings import FAIL_ON, KEYS, Settings, find, read
from efm3.validator import SUFFIXES


class Wanted(NamedTuple):
    """What is checked and how; `own` is the file of settings, "" for none."""

    files: list[str]
    level: str
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    fail_on: str
    own: str


def _codes(_: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    from efm3.settings import rule_code

    words = [c.strip() for v in value for c in v.split(",") if c.strip()]
    for word in words:
        if not rule_code(word):
            likely = [c for c in near(word) if rule_code(c)]
            raise click.BadParameter(f"no rule starts with {word.upper()!r}; " + (
                f"did you mean {' or '.join(likely)}?" if likely else "see `efm3 explain --all`"))
    return tuple(map(rule_code, words))


level_option = click.option(
    "--level", type=click.Choice(LEVELS),
    help="what to check: what an engine needs, the mirror too, the weights too  "
         f"[default: {KEYS['level'].default}]")
_OPTIONS = (
    click.option("--fail-on", type=click.Choice(FAIL_ON),
                 help="mildest severity that makes the exit code 1  "
                      f"[default: {KEYS['fail-on'].default}]"),
    click.option("--select", multiple=True, type=RULES, callback=_codes, metavar="CODES",
                 help="only these codes or prefixes"),
    click.option("--ignore", multiple=True, type=RULES, callback=_codes, metavar="CODES",
                 help="not these codes or prefixes"),
    click.option("--exclude", multiple=True, metavar="GLOB",
                 help="leave out what is below a DIR and matches this, as in .gitignore"),
    click.option("--gitignore/--no-gitignore", default=None,
                 help="leave out what is below a DIR and git ignores  [default: gitignore]"),
    click.option("--config", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
                 help="settings (default: efm3.toml or pyproject.toml, here or above)"),
    click.option("--no-config", is_flag=True, help="read no settings"))


def check_options(command: Any) -> Any:
    """The options, beside the level, that say what is checked and when that fails."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def wanted(paths: tuple[str, ...], quiet: bool, config: str | None, no_config: bool,
           **given: Any) -> Wanted:
    """What the options and the project's settings say together; options win.

    Ends the command where there is no file. Raises UsageError, ClickException where no rule is
    left, Efm3Error IO002 for settings that cannot be used.
    """
    if config and no_config:
        raise click.UsageError("--config and --no-config contradict each other")
    own = Settings() if no_config else find() if config is None else read(config) or Settings()
    said = {key: own[key] for key in KEYS}
    said |= {key: value for option, value in given.items()
             if value not in (None, ()) and (key := option.replace("_", "-"))}
    level, select, ignore = said["level"], tuple(said["select"]), tuple(said["ignore"])
    _some(level, select, ignore)
    base = os.curdir if given["exclude"] else own.base
    files = _files(paths, said["exclude"], base, said["gitignore"], quiet)
    return Wanted(files, level, select, ignore, said["fail-on"], own.file)


def _some(level: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> None:
    """Raises ClickException where no rule is left: that a file is valid would say nothing."""
    from efm3.rules import load_rules, selected

    if not any(selected(code, select, ignore) for code in load_rules(level)):
        raise click.ClickException(f"no rule of level {level} is selected, so nothing is checked")


def _files(paths: tuple[str, ...], exclude: tuple[str, ...], base: str, gitignore: bool,
           quiet: bool) -> list[str]:
    """What is checked; where that is nothing the command ends."""
    chosen = Selection(paths, exclude, base, gitignore)
    files = list(chosen)
    words = {GIT: "that git ignores (--no-gitignore takes them)", EXCLUDE: "that are excluded"}
    out = " and ".join(f"{n} {words[why]}" for why, n in chosen.left_out.items())
    if not files:
        where = printable(", ".join(paths))
        click.echo(f"efm3: no {' or '.join(SUFFIXES)} file in {where}"
                   + f", but for {out}" * bool(out), err=True)
        sys.exit(3)
    if out and not quiet:
        click.echo(f"efm3: not checked: {out}", err=True)
    return files


def end(reports: Iterable[Report], fail_on: str) -> None:
    """End the command with the code of what was found: 3, 1, or on with 0."""
    seen = list(reports)
    if any(r.unreadable for r in seen):
        sys.exit(3)
    if fail_on != "never" and any(r.at_least(fail_on) for r in seen):
        sys.exit(1)


def writable(path: str) -> None:
    """Raises OSError where a file cannot be written there, before an hour of work."""
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder) or os.path.isdir(path):
        why = errno.EISDIR if os.path.isdir(path) else errno.ENOENT
        raise OSError(why, os.strerror(why), path)
