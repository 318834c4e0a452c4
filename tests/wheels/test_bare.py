# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An extension that a program loads: its embedding is held against the reference's."""

import sys

import pytest

from efm3 import pictures
from efm3.engine import Engine
from tools.release import BuildFailed
from tools.wheels import bare
from tools.wheels.targets import TARGETS

NEEDS = ("elftools",)
(TARGET,) = (t for t in TARGETS if t.platform == "musllinux_1_2_x86_64")


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """attempt(code): with Python code in place of the program, which has the right answer."""
    pixels = pictures.read(bare.PICTURE).pixels
    with Engine(bare.WEIGHTS, isa="scalar") as engine:
        right = engine.embed(pixels)
    monkeypatch.setattr(bare.pack, "members", lambda path: {TARGET.member: b"extension"})
    monkeypatch.setattr(bare.compiled, "python_names", lambda path: ["PyLong_FromLong"])
    monkeypatch.setattr(bare.compiled, "run", lambda words, folder: "")

    def run(code):
        program = tmp_path / "program.py"
        program.write_text(f"import sys\nright = {[float(x) for x in right]}\n"
                           f"pixels = sys.stdin.buffer.read()\n{code}\n")
        return bare.attempt(tmp_path / "a.whl", TARGET, [sys.executable, str(program)], tmp_path)
    return run


def test_the_right_embedding(attempt, tmp_path):
    said = attempt("assert len(pixels) == 112 * 112 * 3\nprint('neon', *right)")
    assert said.endswith("computed with neon")
    assert (tmp_path / "names.h").read_text() == "NAME(PyLong_FromLong)\n"


@pytest.mark.parametrize("code,words", [
    ("right[3] += 1e-3\nprint('neon', *right)", "an embedding is 0.001 from"),
    ("right[3] = float('nan')\nprint('neon', *right)", "an embedding is nan from"),
    ("sys.exit('Error relocating x')", "exit 1\nError relocating x")])
def test_what_is_wrong_is_told(attempt, code, words):
    with pytest.raises(BuildFailed, match=words):
        attempt(code)
