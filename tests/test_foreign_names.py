# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Names that drive a terminal reach none: of each verb, as files, options, and in tables."""

from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from efm3 import untrained
from efm3.bulk.row import Row
from efm3.cli import cli as command
from efm3.conformance import sample
from tests.indexed import directions, table

BAD = "no\x1b]0;pwn\x07\x1b[31m\x9b31m"
RAW = ("\x1b", "\x07", "\x9b")
SLOW = (("conformance", "export"),)
"""What takes any name for its output, and writes much: tried with less below."""


def verbs(group, words=()):
    """The words of each verb, and the verb."""
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        if isinstance(found, click.Group):
            yield from verbs(found, (*words, name))
        else:
            yield (*words, name), found


def said(*words):
    """As on a terminal: where there is none click drops colours, and nothing else would show."""
    done = CliRunner().invoke(command, words, color=True)
    assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
    return done


@pytest.mark.parametrize("words,verb", [pytest.param(w, v, id=" ".join(w))
                                        for w, v in (*verbs(command), ((), command))])
def test_what_cannot_be_read(words, verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tries = [[f"--{BAD}"], ["x", f"--{BAD}=1"], [BAD] * 9]
    tries += [[f"{BAD}.npz"] * n for n in (1, 2, 3) if words not in SLOW]
    tries += [[p.opts[-1], BAD + end, *["x"] * n] for p in verb.params for n in (1, 2)
              for end in ("", ".csv") if isinstance(p, click.Option) and not p.is_flag
              and words not in SLOW]
    for more in tries:
        done = said(*words, *more)
        assert not any(raw in done.output for raw in RAW), (more, done.output)


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(f"{BAD}.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    np.save(f"{BAD}.npy", untrained.images(4, 1)[0])
    Path(f"{BAD}.txt").write_text("x")


@pytest.mark.parametrize("words", [
    ["validate", "X.bin"], ["where", "X.bin", "100"], ["layout", "X.bin"],
    ["diff", "X.bin", "X.txt"], ["extract", "X.bin", "stem.conv.w", "-o", "X.o.npy"],
    ["embed", "X.bin", "X.npy"], ["embed", "X.bin", "X.npy", "-o", "X.npz"],
    ["compare", "X.bin", "X.npy", "X.txt"], ["compare", "X.bin", "X.npy", "X.npy"],
    ["eval", "X.bin", "X.txt"], ["verify", "X.bin"], ["seal", "X.bin"], ["bench", "X.bin"],
    ["new", "X.bin", "-o", "X.n.bin"], ["convert", "X.bin", "X.c.npz"],
    ["convert", "X.txt", "X.npz"], ["conformance", "table", "X.txt"],
    ["conformance", "scaffold", "reader", "--lang", "python", "-o", "X"],
    ["conformance", "export", "--select", "smoke", "X"],
    ["conformance", "run", "--reader", "X", "--select", "smoke"],
], ids=" ".join)
def test_what_is_there(words, there):
    done = said(*(w.replace("X", BAD) for w in words))
    assert done.output or words[0] == "extract"
    assert not any(raw in done.output for raw in ("\x1b]", *RAW[1:], "\x1b[31m")), done.output


def test_a_table_of_a_stranger(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, two = directions(2)
    name = table(f"{BAD}.jsonl", [Row(BAD, 0, one), Row(f"{BAD}2", 0, two),
                                  Row(f"{BAD}3", error="F013", reason=BAD)])
    # A code is a code where it is written; read it may be anything.
    Path(name).write_text(Path(name).read_text().replace("F013", "F\\u001b[31m\\u0007"))
    for words in (["search", name, name], ["search", name, "--row", f"{BAD}3"], ["dedupe", name],
                  ["search", name, "--row", BAD], ["dedupe", name, "--threshold", "-1"]):
        done = said(*words)
        assert done.output and not any(raw in done.output for raw in RAW), done.output
