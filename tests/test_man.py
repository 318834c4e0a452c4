# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Manual pages: one a verb, whole, clean roff, and the same text on paper as in the help."""

import re
import shutil
import subprocess

import click
import pytest

from tools import ROOT
from tools.gen import man

PAGES = {verb.page: verb for verb in man.verbs()}
MANDOC, MAN = shutil.which("mandoc"), shutil.which("man")
LINT = pytest.mark.skipif(MANDOC is None, reason="mandoc is not installed: "
                          "tools/gen/install_man.sh")
# The date would be that of the build, and no two builds would be the same.
DATED = 'WARNING: missing date, using "": TH'
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "VERBS", "OPTIONS", "EXIT STATUS", "EXAMPLES",
            "SEE ALSO"]
HOSTILE = [".TH a", ".so /etc/passwd", "'br", "\\fBbold", "\\", "a\\nb", "-x --all", "~^`\"'",
           "\x1b[31m", "x .br y", "\\n(.x", "…×–", "\\&", "`.SH x` y", "\u202ex"]


def lint(text):
    """What mandoc has to say, but for the date."""
    done = subprocess.run([MANDOC, "-Tlint", "-Wwarning"], input=text, encoding="utf-8",
                          capture_output=True, check=False)
    return [line for line in done.stdout.splitlines() if not line.endswith(DATED)]


def test_the_pages_are_those_of_the_verbs_and_are_installed():
    assert {p.name for p in (ROOT / man.FOLDER).iterdir()} == {f"{name}.1" for name in PAGES}
    assert '"share/man/man1" = ["docs/man/*.1"]' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole(name):
    text = man.page(PAGES[name])
    found = re.findall(r"^\.SH (.+)$", text, re.MULTILINE)
    group = isinstance(PAGES[name].command, click.Group)
    optional = {"VERBS": group, "EXIT STATUS": "Exit codes" in f"{PAGES[name].command.help}"
                f"{PAGES[name].command.epilog}"}
    assert found == [s for s in SECTIONS if optional.get(s, True)]
    for option in PAGES[name].command.params:
        if isinstance(option, click.Option):
            for word in (*option.opts, *option.secondary_opts):
                assert man.strong(word) in text
    bold = set(re.findall(r"\\fB(efm3(?:\\-[a-z]+)*)\\fP\(1\)", text))
    assert bold and {b.replace("\\-", "-") for b in bold} <= set(PAGES)
    assert all(len(line) <= 150 for line in text.splitlines()) and "\b" not in text


def test_a_default_is_said_in_words():
    text = man.page(PAGES["efm3-validate"])
    for word in ("values", "error", "text", "1; 1 to 256"):
        assert f"[default: {word}]" in text.replace("\n", " ")
    # What a library has in place of a value is no word for a person.
    assert not [name for name, verb in PAGES.items() if re.search("Sentinel|UNSET", man.page(verb))]


def test_exit_codes_are_a_list():
    text = man.page(PAGES["efm3-embed"])
    codes = re.findall(r"^\.TP\n\\fB(\d+(?: and \d+)?)\\fP$", text, re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "130 and 143"]
    with pytest.raises(ValueError):
        list(man._exits("fine or not"))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_a_request(text):
    for line in (man.escaped(text), *man.prose(text)):
        assert line.isascii() and line.isprintable() and line[:1] not in (".", "'")
        bare = re.sub(r"\\(?:&|-|\(\w\w|\[u[0-9A-F]{4,6}\]|f[BIP])", "", line)
        assert "\\" not in bare and not set("-'`^~\"") & set(bare)


@LINT
def test_mandoc_finds_nothing():
    found = {name: lint(man.page(verb)) for name, verb in PAGES.items()}
    assert found == {name: [] for name in PAGES}
    # It would: a request that there is not.
    text = man.page(PAGES["efm3-inspect"])
    assert lint(text.replace(".SH OPTIONS", ".NONE x\n.SH OPTIONS"))


@LINT
@pytest.mark.parametrize("text", [t for t in HOSTILE if t.isprintable()])
def test_what_is_printed_is_the_text(text):
    page = f'.TH X 1 "" x\n.SH NAME\nx \\- y\n.SH X\n.EX\n{man.escaped(text)}\n.EE\n'
    done = subprocess.run([MANDOC, "-Tutf8"], input=page, capture_output=True,
                          encoding="utf-8", check=True)
    assert text in [line.strip() for line in done.stdout.splitlines()]


@pytest.mark.skipif(MAN is None, reason="man is not installed")
def test_man_shows_each_page_without_a_warning():
    for name, verb in list(PAGES.items())[::6]:
        done = subprocess.run([MAN, "-l", "--warnings=w", "-"], input=man.page(verb),
                              capture_output=True, encoding="utf-8", check=False)
        assert (done.returncode, done.stderr) == (0, ""), name
        assert "SYNOPSIS" in done.stdout
