# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""No verb that reads a file and writes another writes over what it reads."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from efm3 import untrained
from efm3.cli import cli as group
from efm3.conformance import sample
from tests.indexed import directions, rows, table
from tests.test_foreign_names import verbs

WORDS = {
    "extract": ["extract", "m.bin", "stem.conv.w", "-o", "m.bin"],
    "new": ["new", "m.bin", "-o", "m.bin"],
    "convert": ["convert", "m.npz", "m.npz"],
    "search": ["search", "t.csv", "--row", "0000.jpg", "-o", "t.csv"],
    "search, a further table": ["search", "u.csv", "--index", "t.csv", "--row", "0000.jpg", "-o",
                                "t.csv"],
    "search, its queries": ["search", "u.csv", "t.csv", "-o", "t.csv"],
    "dedupe": ["dedupe", "t.csv", "-o", "t.csv"],
    "cluster": ["cluster", "t.csv", "-o", "t.csv"],
    "validate": ["validate", "m.bin", "--output-file", "m.bin"],
    "report": ["report", "m.bin", "-o", "m.bin"],
    "embed": ["embed", "m.bin", "--files-from", "l.json", "-o", "l.json"],
    "embed, a link": ["embed", "m.bin", "--files-from", "l.json", "-o", "link.json"],
    "compare": ["compare", "m.bin", "a.png", "b.png", "-o", "a.png", "--force"],
    "conformance table": ["conformance", "table", "s.json", "-o", "s.json"],
    "conformance statement": ["conformance", "statement", "s.json", "-o", "s.json"],
    "conformance statement, the badge": ["conformance", "statement", "s.json", "--badge", "s.json"],
}


@pytest.fixture
def there(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    Path("m.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    assert cli("convert", "m.bin", "m.npz").exit_code == 0
    for name in ("t.csv", "u.csv"):
        table(name, rows(directions(3)))
    Path("l.json").write_text("a.jpg\n")
    Path("link.json").symlink_to("l.json")
    Path("s.json").write_text(json.dumps({}))
    for name in ("a.png", "b.png"):
        shutil.copy(Path(__file__).parents[2] / "examples" / "a_1.png", name)
    return tmp_path


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_what_is_read_is_never_written(words, there, cli):
    before = {p.name: p.read_bytes() for p in there.iterdir()}
    result = cli(*words)
    assert result.exit_code == 1 and result.stderr.startswith("efm3: X019 "), result.output
    assert {p.name: p.read_bytes() for p in there.iterdir()} == before


def efm3(*words, **more):
    """The command, in a process of its own."""
    root = Path(__file__).parents[2]
    return subprocess.run([sys.executable, "-m", "efm3", *words], check=False, text=True,
                          capture_output=True, env=os.environ | {"PYTHONPATH": str(root)}, **more)


@pytest.mark.parametrize("words", [
    ["extract", "-", "stem.conv.w", "-o", "m.bin"],
    ["new", "-", "-o", "m.bin"]], ids=lambda words: words[0])
def test_the_file_that_is_standard_input_is_not_written(words, there):
    before = Path("m.bin").read_bytes()
    with open("m.bin", "rb") as given:
        done = efm3(*words, stdin=given)
    assert done.returncode == 1 and done.stderr.startswith("efm3: X019 "), done
    assert Path("m.bin").read_bytes() == before


def test_input_and_output_may_both_be_streams(there):
    """Of one name, `-`, which is no file's."""
    done = efm3("embed", "m.bin", "--files-from", "-", "-o", "-", input="a.png\nb.png\n")
    assert done.returncode == 0 and "a.png" in done.stdout, done


def test_another_link_to_the_file_may_be_written(there, cli):
    """It then is a file of its own, as SECURITY.md says of saves."""
    Path("n.bin").hardlink_to("m.bin")
    before = Path("m.bin").read_bytes()
    assert cli("extract", "m.bin", "stem.conv.w", "-o", "n.bin").exit_code == 0
    assert Path("m.bin").read_bytes() == before != Path("n.bin").read_bytes()


def test_a_published_name_is_no_file(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    assert cli("new", "nano", "-o", "nano").exit_code == 0 and Path("nano").stat().st_size > 800000


IN_PLACE = {("seal",): "it edits FILE, which its help says"}
ELSEWHERE = {
    ("faces",): "tests/cli/test_faces.py, with its library", ("train",): "a folder of its own",
    ("conformance", "scaffold"): "a file that is there is kept without --force",
    ("conformance", "diff"): "a folder of cases that it numbers",
    ("draw", "sheet"): "it reads no file"}


def test_every_verb_that_writes_is_tried():
    """By its options."""
    tried = {tuple(w for w in words[:2] if w in ("conformance", "table", "statement"))
             or (words[0],) for words in WORDS.values()}
    for words, verb in verbs(group):
        names = {o for p in verb.params if isinstance(p, click.Option) for o in p.opts}
        if {"-o", "--output-file"} & names:
            assert words in tried or words in IN_PLACE or words in ELSEWHERE, words
