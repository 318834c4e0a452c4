# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""More than three hundred hostile files of our own: what each room promises, tried on each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from efm3.codes import CODES
from tests.promises import data, networks

ROOT = Path(__file__).resolve().parents[2]
ROOM = {"weights": (7, 1 << 20), "pictures": (3, 8 << 20), "tables": (3, 8 << 20),
        "pairs": (9, 1 << 20)}
"""Kind to the most memory: times the files' bytes, and bytes more. Converters have the last row."""
CONVERTERS = 3, 64 << 20
TAKEN = {"PNG data", "GIF frames"}
"""What is not refused: a picture whose data go on behind it, and one of many frames."""
LONGEST = 1000
"""Characters of a message, of which a path of this machine is a part."""


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Kind to what its process said; each kind is tried once."""
    known = {}

    def of(kind):
        if kind not in known:
            home = tmp_path_factory.mktemp(kind)
            done = subprocess.run([sys.executable, "-W", "error", "-m", "tests.promises.tried",
                                   kind, home], cwd=ROOT, capture_output=True, text=True,
                                  timeout=1800,
                                  env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
            # Neither a traceback nor a warning: nothing but the lines.
            assert (done.returncode, done.stderr) == (0, ""), done.stderr[-2000:]
            known[kind] = home, [json.loads(line) for line in done.stdout.splitlines()]
        return known[kind]
    return of


KINDS = [*data.KINDS, *networks.KINDS]
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_each_is_refused_in_one_line(kind, lines):
    """With a code of the catalogue, the same at both times."""
    _, found = lines(kind)
    assert len(found) > 4
    for line in found:
        first, second = line["found"]
        assert first == second
        if line["name"] not in TAKEN:
            code = first.split()[0]
            assert code == "unreadable" or code in CODES, (line["name"], first)
        assert len(first) <= LONGEST and "\n" not in first, line["name"]


@every_kind
def test_memory_stays_within_the_bound(kind, lines):
    _, found = lines(kind)
    times, more = ROOM.get(kind, CONVERTERS)
    assert max(line["peak"] for line in found) > 0
    for line in found:
        assert line["peak"] <= times * line["size"] + more, line["name"]


@every_kind
def test_nothing_is_run_and_nothing_else_is_opened(kind, lines):
    """By the interpreter's own events: no program, no import, no name of a pickle, no connection;
    no file outside the folder of the given one, and none is made or changed."""
    home, found = lines(kind)
    opened = 0
    for line in found:
        assert line["asked"] == [], line["name"]
        assert line["left"] == [] and not line["made"], line["name"]
        for place in line["opened"]:
            # A file object is opened upon the number that the path's own open gave.
            assert place.isdigit() or place.strip("'").startswith(f"{home}{os.sep}"), line
            opened += not place.isdigit()
    assert opened >= len(found)


def test_there_are_more_than_three_hundred():
    makers = {**data.KINDS, **networks.KINDS}
    assert sum(1 for make in makers.values() for _ in make()) > 300
