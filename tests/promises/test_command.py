# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Hostile files given to each verb that reads one: a documented exit code, and lines that are safe.

One in eleven of the files of each kind; test_hostile.py gives all of them to the readers.
"""

from itertools import islice
from pathlib import Path

import pytest

from efm3 import untrained
from efm3.conformance import sample
from tests.indexed import directions, rows, table
from tests.promises import data, networks

EVERY = 11
VERBS = {
    "weights": [["validate", "X"], ["validate", "--format", "sarif", "X"], ["inspect", "X"],
                ["inspect", "--json", "X"], ["where", "X", "100"], ["layout", "X"],
                ["diff", "X", "m.bin"], ["extract", "X", "stem.conv.w", "-o", "o.npy"],
                ["seal", "X", "-o", "o.bin"], ["convert", "X", "o.npz"], ["verify", "X"],
                ["new", "X", "-o", "o.bin"], ["embed", "X", "a.npy"], ["bench", "X"]],
    "networks": [["convert", "X", "o.bin"], ["verify", "m.bin", "--against", "X"],
                 ["validate", "X"], ["inspect", "X"]],
    "pictures": [["embed", "m.bin", "X"], ["embed", "m.bin", "X", "-o", "o.csv"],
                 ["compare", "m.bin", "X", "a.npy"], ["validate", "X"]],
    "tables": [["search", "X", "t.npz"], ["search", "t.npz", "X"], ["dedupe", "X"],
               ["dedupe", "t.npz", "--index", "X"]],
    "pairs": [["eval", "m.bin", "X"], ["eval", "m.bin", "X", "--images", "."]],
}


def some(kind):
    makers = networks.KINDS.values() if kind == "networks" else [data.KINDS[kind]]
    for make in makers:
        yield from islice(make(), 3, None, EVERY)


@pytest.mark.parametrize("kind", VERBS)
def test_hostile_files_through_every_verb(kind, tmp_path, cli, monkeypatch):
    for number, (name, files) in enumerate(some(kind)):
        home = tmp_path / str(number)
        home.mkdir()
        monkeypatch.chdir(home)
        Path("m.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
        table("t.npz", rows(directions(3)))
        Path("a.npy").write_bytes(b"none")
        for file, content in files.items():
            Path(file).write_bytes(content)
        for words in VERBS[kind]:
            result = cli(*(next(iter(files)) if w == "X" else w for w in words))
            told = (name, words, result.output[-500:])
            assert result.exception is None or isinstance(result.exception, SystemExit), told
            assert result.exit_code in (0, 1, 2, 3), told
            assert "Traceback" not in result.output and "\x1b" not in result.output, told
            if result.exit_code in (1, 3) and words[0] in ("convert", "search", "dedupe", "seal"):
                # One line for the refusal, whatever the file holds.
                assert result.stderr.count("\n") == 1 and len(result.stderr) < 1200, told
