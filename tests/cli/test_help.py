# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 help`, and every verb's --help as somebody reads it who sees it first."""

import re
import subprocess
import sys

import click
import pytest

from efm3.cli import cli as command
from tests.test_foreign_names import VERBS

CODES = re.compile(r"Exit codes(?:, as of diff\(1\))?: 0 ")


@pytest.mark.parametrize("words", [(), ("inspect",), ("conformance",), ("conformance", "run"),
                                   ("draw", "sheet")])
def test_help_of_a_verb_is_that_of_the_option(cli, words):
    asked, option = cli("help", *words), cli(*words, "--help")
    assert asked.exit_code == option.exit_code == 0
    strip = [s.rstrip() for s in asked.stdout.splitlines()]
    # click's runner names the program by its function.
    assert strip == [s.rstrip() for s in option.stdout.splitlines()]


def test_no_such_verb(cli):
    for words in (["inspekt"], ["conformance", "no\x1b[31m"], ["inspect", "more"]):
        done = cli("help", *words)
        assert done.exit_code == 2 and not done.stdout and "\x1b" not in done.stderr


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_shows_an_example_and_its_exit_codes(verb):
    found = VERBS[verb]
    words = " ".join(f"{found.help} {found.epilog or ''}".split())
    assert f"efm3 {' '.join(verb)}" in words and "\b" in found.help
    assert CODES.search(words)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_option_says_what_it_is_and_its_default(verb):
    for option in VERBS[verb].params:
        if not isinstance(option, click.Option):
            assert (option.metavar or option.name).lstrip("[")[0].isupper() or \
                not option.metavar, option.name
            continue
        assert option.help, option.opts
        assert not option.help.removesuffix("...").endswith("."), option.opts
        if option.is_flag or option.required or isinstance(option.type, click.Choice):
            continue
        assert option.metavar or option.type.name not in ("text", "integer", "float"), option.opts
        given = option.to_info_dict()["default"]
        known = given in (None, "", ()) or option.multiple or "UNSET" in str(given)
        assert known or option.show_default or "default" in option.help, option.opts


def test_the_words_of_the_verbs_are_one_line_each(cli):
    lines = cli("--help").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(any(line.split()[:1] == [name] for line in lines)
               for name in command.list_commands(click.Context(command)))


def test_the_command_itself_loads_no_catalogue():
    """What is printed without a verb's work starts at once: versions, helps, texts."""
    for words in (["--version"], ["--help"], ["help", "spec"], ["spec"]):
        code = ("import sys\nfrom efm3.cli import cli\n"
                f"try: cli({words!r})\nexcept SystemExit: pass\n"
                "print(*sys.modules, file=sys.stderr)")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                              check=True)
        loaded = {*done.stderr.split()}
        assert not loaded & {"efm3.codes", "efm3.findings", "numpy", "rich", "construct"}, words
