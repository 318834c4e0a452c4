# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every command of a page is one: its verb, its options and their words are the command's own;
and the files that a page names are there.

What runs is in tests/test_docs_run.py; the README's commands in tests/test_repo.py.
"""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import pytest

from efm3.cli import cli as command

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(p for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("spec/*.md"),
                           *ROOT.glob("spec/decisions/*.md")] if p.name != "CHANGELOG.md")
"""But for the changelog, whose commands may be of another day."""

_BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
OTHERS = {
    "torchrun": "tests/train/test_parallel.py starts such processes without its agent",
    "kaitai-struct-compiler": "tests/test_kaitai.py compiles and runs the file",
}
"""Programs that are not ours, and what stands for running the command."""
_INLINE = re.compile(r"`(efm3 [^`\n]+)`")
_STARTS = re.compile(r"(?:\$ )?(?:\S+ [^|]*\| )?(?:[A-Z_]+=\S+ )?efm3 ")
_ENDS = {"|", ";", "&&", "||", ">", ">>", "<", "2>"}


def blocks(text):
    """Lines of commands in fenced blocks, a line that goes on joined to the next."""
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if _STARTS.match(line):
                yield line.removeprefix("$ ")


def named(text):
    """Commands within a sentence; one that ends in an option names this, without its value."""
    for line in _INLINE.findall(_BLOCK.sub("", text)):
        yield f"{line} X" if re.search(r" --?[\w-]+$", line) else line


def simple(line):
    """The words of each efm3 of a line, from the verb on; a pipe and the like end one."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    words, found = [*lexer, ";"], []
    while words:
        end = next(i for i, w in enumerate(words) if w in _ENDS)
        part, words = words[:end], words[end + 1:]
        while part and re.match(r"[A-Z_]+\d*=", part[0]):
            part.pop(0)
        if part[:1] == ["efm3"] and part[1:]:
            found.append(part[1:])
    return found


def wrong(words):
    """What is not the command's own in such words, or ""."""
    node, context, rest = command, click.Context(command, info_name="efm3"), list(words)
    while isinstance(node, click.Group):
        while rest and rest[0] in ("--help", "--version"):
            rest.pop(0)
        if not rest:
            return ""
        name = rest.pop(0)
        found = node.get_command(context, name)
        if found is None:
            return f"no verb {name}"
        node, context = found, click.Context(found, parent=context, info_name=name)
    try:
        values, _, _ = node.make_parser(context).parse_args(rest)
    except click.UsageError as e:
        return e.format_message()
    for param in node.params:
        if isinstance(param.type, click.Choice) and isinstance(param, click.Option):
            given = values.get(param.name)
            for value in given if isinstance(given, list) else [given]:
                # A word in capitals stands for one, and None for an option that is not there.
                if isinstance(value, str) and not value.isupper():
                    try:
                        param.type.convert(value, param, context)
                    except click.BadParameter as e:
                        return f"{param.opts[0]}: {e.format_message()}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_are_the_commands_own(page):
    text = page.read_text(encoding="utf-8")
    bad = []
    for line in [*blocks(text), *named(text)]:
        bad += [f"{line}: {said}" for words in simple(line) if (said := wrong(words))]
    assert bad == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_that_a_page_names_are_there(page):
    """But for names with a word in capitals, which stands for any."""
    named = re.findall(r"`((?:docs|efm3|engine|examples|spec|tests|tools|weights)/[\w./-]+)`",
                       page.read_text(encoding="utf-8"))
    any_of = re.compile(r"NAME|VERB|ROOM|MODULE|GROUP|FOLDER|ID")
    assert [n for n in named if not any_of.search(n) and not (ROOT / n).exists()] == []


@pytest.mark.parametrize("line,said", [
    ("inspekt f.bin", "no verb inspekt"), ("inspect f.bin --jsn", "No such option"),
    ("validate f.bin --format xml", "--format"), ("conformance rum", "no verb rum"),
    ("embed f.bin -o", "requires an argument"),
    ("inspect --json f.bin", ""), ("validate --format sarif .", ""), ("--version", "")])
def test_a_command_that_is_not_shows(line, said):
    found = wrong(shlex.split(line))
    assert said in found and bool(said) == bool(found)


def test_lines_and_words():
    text = "```sh\n$ efm3 a b | efm3 c >d  # e\nX=1 efm3 f \\\n  --g 'h i'\nnot efm3\n```\n"
    assert [simple(line) for line in blocks(text)] == [[["a", "b"], ["c"]], [["f", "--g", "h i"]]]
    assert [*named("`efm3 a -o` and `efm3 b`")] == ["efm3 a -o X", "efm3 b"]


def others(text):
    """Lines of shell that are no command of efm3's, joined where they go on, without comments."""
    for block in _SHELL.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and not _STARTS.match(line):
                yield words


@cache
def told(*words):
    """What a module of ours, or a verb of it, says with --help."""
    done = subprocess.run([sys.executable, "-m", *words, "--help"], cwd=ROOT, capture_output=True,
                          text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def missing(words):
    """What of such a command is not there, or ""."""
    first, *rest = words
    if first == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        return ", ".join(w for w in rest if "=" not in w and w not in targets)
    if first in ("python", "python3") and rest[:1] == ["-m"] and rest[1].split(".")[0] in (
            "tools", "efm3", "tests"):
        said = told(rest[1], *(w for w in rest[2:3] if not w.startswith("-")))
        return ", ".join(w for w in rest[2:] if w.startswith("--") and w not in said)
    if first == "pip":
        extras = re.findall(r"^([a-z]+) = \[", (ROOT / "pyproject.toml").read_text(), re.M)
        asked = re.findall(r"\[([a-z,]+)\]", " ".join(rest))
        return ", ".join(w for group in asked for w in group.split(",") if w not in extras)
    if "/" in first:
        return "" if (ROOT / first).is_file() else first
    return "" if first in OTHERS else first


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_other_commands_name_is_there(page):
    lines = others(page.read_text(encoding="utf-8"))
    assert [(words, said) for words in lines if (said := missing(words))] == []


def test_a_command_of_what_is_not_there_is_seen():
    assert [missing(words.split()) for words in (
        "make tset", "python -m tools.bench --nope", "pip install '.[trian]'", "tools/no.sh",
        "frobnicate x")] == ["tset", "--nope", "trian", "tools/no.sh", "frobnicate"]
