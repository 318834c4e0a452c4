# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Patterns of .gitignore: as git itself reads them, and in bounded time."""

import os
import random
import subprocess
import sys

import pytest

from efm3.globs import of_text, of_words
from tools import ROOT

ATOMS = ["a", "b", "ab", "*", "?", "**", "/", "/", "/", "[ab]", "[!a]", "[a-b]", "[^b]x", "\\a",
         "\\*", "]", "a*b", "*a", "b*", " ", "!", "#", "[[:alpha:]]", "[]a]", "[a-]", "x.bin",
         "*.bin", "[b-a]", "\\", "[\\]a]", "\r", "[[:nope:]]", "ä"]
NAMES = ["a", "b", "ab", "aab", "abb", "x.bin", "a b", "ax", "bx", "*", "]", "-", "#a", "!a", " a",
         "ä"]
PATHS = [*NAMES, *(f"{x}/{y}" for x in NAMES for y in NAMES[:8]),
         *(f"{x}/{y}/{z}" for x in NAMES for y in NAMES[:8] for z in NAMES[:4])]


def says(text, path, folder=False):
    return of_text(text.encode()).says(path.encode().split(b"/"), folder)


@pytest.mark.parametrize("text,path,left_out", [
    ("*.bin", "a/b.bin", True), ("/a.bin", "b/a.bin", None), ("a/", "a", None), ("#a", "#a", None),
    ("\\#a", "#a", True), ("*.bin\n!a.bin", "a.bin", False), ("!a.bin\n*.bin", "a.bin", True),
    ("a/**/b", "a/b", True), ("a/**/b", "a/x/y/b", True), ("a/**", "a", None),
    ("a/**", "a/x", True), ("a/**/**/b", "a/b", True), ("a/**/**", "a", None),
    ("a/**/**", "a/x", True), ("**/**", "a", True), ("**/a", "x/y/a", True),
    ("a \n", "a", True), ("a\\ \n", "a ", True), ("a\r\n", "a", True),
    ("\ufeffa", "a", True), ("a*b*c", "aXbYc", True), ("a*b*c", "aXbY", None), ("**", "x/y", True),
    ("*a", "ba", True), ("a*a", "a", None), ("[a", "[a", None), ("", "a", None), ("/", "a", None)])
def test_says(text, path, left_out):
    assert says(text, path) is left_out


def test_a_folder():
    assert says("a/", "a", folder=True) is True and says("x/a/", "x/a", folder=True) is True
    assert of_words(["a"]).says([b"a"], False) and not of_words([]) and not of_words(["[x"])


def test_words_that_the_system_cannot_write():
    """The settings of a project are UTF-8, its machine may speak ASCII alone."""
    code = ("from efm3.globs import of_words; "
            "print(of_words(['\\xe9*']).says([b'\\xc3\\xa9a'], False))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0",
                                            "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)})
    assert done.stdout == "True\n", done.stderr


@pytest.mark.usefixtures("git")
def test_as_git_says(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    draw = random.Random(21)
    for _ in range(50):
        text = "\n".join("".join(draw.choice(ATOMS) for _ in range(draw.randint(1, 5)))
                         for _ in range(draw.choice([1, 1, 2, 3]))) + "\n"
        (tmp_path / ".gitignore").write_text(text, encoding="utf-8", newline="")
        asked = subprocess.run(["git", "check-ignore", "--no-index", "--stdin", "-z"],
                               input="\0".join(PATHS).encode(), capture_output=True, cwd=tmp_path,
                               check=False).stdout.decode().split("\0")
        patterns = of_text(text.encode())
        for path in PATHS:
            parts = path.encode().split(b"/")
            # What is in a folder that is left out is left out.
            mine = any(patterns.says(parts[:n], n < len(parts)) for n in range(1, len(parts) + 1))
            assert mine == (path in asked), (text, path)


def test_stars_without_end_take_no_time():
    """As one regular expression each of these takes longer than anybody waits."""
    name = [b"a" * 255] * 40
    for text in ("*a" * 100 + "b", "**/" * 100 + "x", "*" * 50_000 + "b", "?*" * 200 + "b",
                 "[a-z]*" * 100 + "b", "**/" * 20_000 + "x", f"[{'b' * 65_000}]"):
        assert says(text, (b"/".join(name)).decode()) is None
