# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command where numpy cannot be imported: what does not need it says the same, to the byte;
what does says so in one line."""

import json
import subprocess
import sys

import pytest

from efm3.cli import VERBS
from efm3.conformance import sample as s
from efm3.conformance.cases import corpus, select
from tools import ROOT

PROGRAM = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "numpy":
            raise ModuleNotFoundError(f"No module named {name!r}", name="numpy")

if sys.argv[1] == "without":
    sys.meta_path.insert(0, Refuse())
from efm3.cli import cli

answers = []
for args in json.load(sys.stdin):
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            cli(args, prog_name="efm3")
        except SystemExit as e:
            code = e.code or 0
    out.flush()
    answers.append([code, out.buffer.getvalue().decode(), err.getvalue()])
json.dump(answers, sys.stdout)
"""

NEED = {"extract": "extract a.bin stem.conv.w -o x.npy", "embed": "embed a.bin a.png -o x.npz",
        "compare": "compare a.bin a.png b.png", "faces": "faces a.png -o x",
        "search": "search x.npz --model a.bin a.png", "cluster": "cluster x.npz",
        "dedupe": "dedupe x.npz", "verify": "verify a.bin", "eval": "eval a.bin drawn",
        "convert": "convert a.bin x.onnx", "new": "new nano -o x.bin", "seal": "seal a.bin",
        "bench": "bench a.bin", "conformance": "conformance list"}
"""Verb to a command that computes, or that writes weights."""
FREE = {"doctor": "it says that numpy is missing", "train": "PyTorch is missing first",
        "draw": "PyTorch is missing first", "examples": "it copies files"}
"""Verb to the reason why its answer may be another one."""


def ask(how, commands, folder):
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], cwd=folder, timeout=300,
                          input=json.dumps([c.split(" ") for c in commands]), text=True,
                          capture_output=True, env={"PYTHONPATH": str(ROOT), "NO_COLOR": "1",
                                                    "PYTHONUTF8": "1"})
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for case in select(corpus(), ["V0", "C010", "C02", "M022", "T012", "H004"]):
        if case.kind == "reader":
            (folder / f"{case.id.replace('/', '-')}.bin").write_bytes(case.data())
    (folder / "a.bin").write_bytes(s.base())
    (folder / "b.bin").write_bytes(s.weights("stem.conv.w", 1.5, -0.0, float("nan"))(s.base()))
    (folder / "lfs.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:"
                                    + "0" * 64 + "\nsize 826875\n")
    (folder / "zip.bin").write_bytes(b"PK\3\4" + bytes(60))
    return folder


def test_what_needs_no_numpy_says_the_same(folder):
    files = sorted(p.name for p in folder.glob("*.bin"))
    some = ["a.bin", "b.bin", "lfs.bin", "zip.bin"]
    commands = [f"validate {' '.join(files)} --format {form}"
                for form in ("text", "json", "jsonl", "sarif", "junit", "github")]
    commands += [f"inspect {f}{more}" for f in some
                 for more in (" --json", "", " --tensors", " --hex")]
    commands += [f"diff {a} {b}{more}" for a, b in (("a.bin", "b.bin"), ("b.bin", "a.bin"))
                 for more in ("", " --json", " --all")]
    commands += ["where b.bin 300", "where b.bin 300 --json", "where a.bin stem.conv.w",
                 "explain --all", "explain T012 V013", "explain C010", "layout nano --json",
                 "report a.bin b.bin lfs.bin zip.bin -o -", "spec text", "config",
                 "completion bash", "help validate"]
    with_it, without = (ask(how, commands, folder) for how in ("with", "without"))
    for command, a, b in zip(commands, with_it, without, strict=True):
        assert a == b, command
        assert not a[2] and a[1], (command, a[2])
    same = {c.split(" ")[0] for c in commands}
    assert same | NEED.keys() | FREE.keys() == VERBS.keys()


def test_what_needs_it_says_so_in_one_line(folder):
    answers = ask("without", NEED.values(), folder)
    for verb, (code, out, err) in zip(NEED, answers, strict=True):
        assert (code, out, err) == (3, "", f"efm3: {verb} needs numpy, which is not here\n"), verb


def test_the_doctor_finds_it_missing(folder):
    [(code, out, _)] = ask("without", ["doctor --json"], folder)
    assert code == 1 and "numpy" in out
