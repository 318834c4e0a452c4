# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Completion in real shells, each in a terminal: keys are typed, TAB is pressed, the line is read.

The words themselves are tested in tests/cli/test_completion.py; PowerShell's only there, for none
was ever at hand.
"""

import os

import pytest

from efm3.conformance import sample
from tests.shells import START, last, missing, shell

HOSTILE = ("a b.bin", "$(touch gone).bin", "it's.bin", "semi;touch gone.bin", "new\nline.bin")

LINES = [
    ("efm3 expl", "efm3 explain"),
    ("efm3 inspect weig", "efm3 inspect weights.bin"),
    ("efm3 inspect a", "efm3 inspect a\\ b.bin"),
    ("efm3 inspect '$", "efm3 inspect '$(touch gone).bin'"),
    ("efm3 inspect se", "efm3 inspect semi\\;touch\\ gone.bin"),
    ("efm3 extract weights.bin stem.conv", "efm3 extract weights.bin stem.conv.w"),
    ("efm3 where weights.bin 'arch.stages[1].t", "efm3 where weights.bin 'arch.stages[1].t'"),
    ("efm3 where weights.bin arch.stages[1].t", "efm3 where weights.bin arch.stages\\[1\\].t"),
    ("efm3 explain t012", "efm3 explain T012"),
    ("efm3 layout st", "efm3 layout standard"),
    ("efm3 conformance list bad-c001", "efm3 conformance list bad-c001-empty"),
    ("efm3 extract x y --output=weig", "efm3 extract x y --output=weights.bin"),
    ("efm3 eval x y --plots su", "efm3 eval x y --plots sub/"),
]
"""What is typed, and what TAB makes of it."""


@pytest.mark.parametrize("name", list(START))
def test_tab(name, tmp_path):
    if why := missing("tmux", name):
        pytest.skip(why)
    (tmp_path / "weights.bin").write_bytes(sample.base())
    (tmp_path / "sub").mkdir()
    for file in HOSTILE:
        (tmp_path / file).write_bytes(b"")
    before = sorted(os.listdir(tmp_path))
    with shell(name, tmp_path) as terminal:
        for typed, want in LINES:
            terminal.type(typed)
            terminal.press("Tab")
            terminal.wait(lambda s, want=want: last(s).splitlines()[:1] == [want], want)
            terminal.press("C-u")
        # What was completed is one word, and nothing in it is run.
        for typed in ("efm3 validate '$", "efm3 validate se", "efm3 validate new"):
            terminal.type(typed)
            terminal.press("Tab")
            terminal.wait(lambda s, typed=typed: ".bin" in last(s), "the whole name")
            terminal.press("Enter")
            terminal.wait(lambda s: "INVALID" in s and last(s) == "", "the verdict")
            terminal.type("clear")
            terminal.press("Enter")
            terminal.wait(lambda s: s.count("\n") == 0, "an empty screen")
        terminal.type("efm3 explain E_MAG")
        terminal.press("Tab")
        terminal.wait(lambda s: last(s) == "efm3 explain E_MAGIC", "the status")
    assert sorted(set(os.listdir(tmp_path)) - {".home"}) == before
