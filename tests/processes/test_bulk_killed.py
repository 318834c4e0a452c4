# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Outputs of bulk runs that are killed: before each system call in turn, and by SIGKILL at random
moments, again and again until one run comes to its end."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from efm3 import Efm3Error
from tests.bulk.rows import ENDS, SOME, expected, killed_at, rows_in, written

MANY = [f"{i}.jpg" for i in range(400)]
CHILD = """
import sys
from tests.bulk.rows import JOB, open_output, picture
with open_output(sys.argv[1], JOB, part_rows=25, resume=True) as out:
    for name in [f"{i}.jpg" for i in range(400)]:
        if not out.done.take(name):
            out.add(picture(name))
    out.finish({})
"""


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("first", [0, 3])
def test_killed_before_each_system_call(end, first, tmp_path, monkeypatch):
    """`first` pictures are in a finished table. Of the run that goes on, a part is killed too."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    after = 0
    while True:
        path = f"{tmp_path}/{after}{end}"
        if first:
            written(path, SOME[:first], part_rows=2)
        run = lambda: written(path, SOME, part_rows=3, resume=True)  # noqa: B023, E731
        if killed_at(monkeypatch, run, after):
            break
        killed_at(monkeypatch, run, after // 2 + 3)
        run()
        assert Counter(rows_in(path)) == Counter(expected(SOME)), after
        assert not [p for p in tmp_path.rglob("*") if p.suffix in (".tmp", ".parts", ".lock")]
        after += 1
    assert after > 30


@pytest.mark.parametrize("end", ENDS)
def test_anew_and_killed_before_each_system_call(end, tmp_path, monkeypatch):
    """Either the run had not begun, and the earlier table counts; or none of its rows does."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    old, seen = ["old2.jpg", "old.jpg"], []
    both, new = Counter(expected(old + SOME)), Counter(expected(SOME))
    for after in itertools.count():
        path = f"{tmp_path}/{after}{end}"
        written(path, old)
        run = lambda: written(path, SOME, part_rows=3, force=True)  # noqa: B023, E731
        if killed_at(monkeypatch, run, after):
            break
        try:
            written(path, SOME, part_rows=3, resume=True)
        except Efm3Error as e:  # the manifest of a folder goes before its parts
            assert (end, e.code) == ("/", "B006")
            written(path, SOME, part_rows=3, force=True)
        found = Counter(rows_in(path))
        assert found in (both, new), after
        seen.append(found == new)
        assert not [p for p in tmp_path.rglob("*") if p.suffix in (".tmp", ".parts", ".lock")]
    assert seen == sorted(seen) and 0 < seen.index(True) < 15


@pytest.mark.parametrize("end,seed", [(".npz", 1), (".parquet", 2), (".csv", 3), ("/", 4)])
def test_killed_by_the_system_at_random_moments(end, seed, tmp_path):
    path, moment = f"{tmp_path}/x{end}", random.Random(seed)
    want = Counter(expected(MANY))
    kills = 0
    while kills < 20:
        with subprocess.Popen([sys.executable, "-c", CHILD, path],
                              cwd=Path(__file__).parents[2]) as child:
            # The start takes a part of it; the more often, the later: some kills are in the end.
            time.sleep(moment.uniform(0.1, 1.2))
            child.send_signal(signal.SIGKILL)
            code = child.wait()
        kills += code == -signal.SIGKILL
        if code == 0:
            assert Counter(rows_in(path)) == want
            # Once more from a state that the next run has to join again.
            written(path, MANY[:moment.randrange(400)], part_rows=25, force=True)
    written(path, MANY, part_rows=25, resume=True)
    assert Counter(rows_in(path)) == want
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".tmp", ".parts", ".lock")]
