# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""No verb that reads a file and writes another writes over what it reads."""

import json
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
    "embed": ["embed", "m.bin", "--files-from", "l.json", "-o", "l.json"],
    "embed, a link": ["embed", "m.bin", "--files-from", "l.json", "-o", "link.json"],
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
    return tmp_path


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_what_is_read_is_never_written(words, there, cli):
    before = {p.name: p.read_bytes() for p in there.iterdir()}
    result = cli(*words)
    assert result.exit_code == 1 and result.stderr.startswith("efm3: X019 "), result.output
    assert {p.name: p.read_bytes() for p in there.iterdir()} == before


IN_PLACE = {("seal",): "it edits FILE, which its help says"}
ELSEWHERE = {
    ("compare",): "a picture that is there is kept without --force",
    ("faces",): "a crop that is there is kept without --force", ("train",): "a folder of its own",
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
