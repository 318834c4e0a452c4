# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The exhaustive sets and mutated files in short: one verdict of four readers, within the limits.

The whole of them is `python -m tools.evidence --long exhaustive differential limits`.
"""

import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

import efm3
from tools.evidence import _damage, _hostile, _mutants, differential, exhaustive, limits

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


@pytest.fixture(scope="module")
def guard(tmp_path_factory):
    return _hostile.Guard(tmp_path_factory.mktemp("guard"), "-O0")


def test_the_sets_leave_nothing_out():
    """Their sizes are what their names say, and the files are the ones they speak of."""
    damage = _damage
    files = damage.bases()
    scans = {name: efm3.scan.scan(data) for name, data in files.items()}
    assert all(s.complete for s in scans.values())
    assert scans["odd"].json_len % 2 == 1 and len(scans["deep"].tensors) > 250
    tiny = files["tiny"]
    count = {name: sum(1 for _ in make("tiny", tiny)) for name, make in damage.SETS.items()}
    words = 23 + 1 + 45
    assert list(count.values()) == [len(tiny), 8 * len(tiny), 25600, 40 * words]
    assert len(set(damage.EDGES)) == 40 and set(damage.FEW) < set(damage.EDGES)
    pairs = list(islice(damage.pairs("tiny", tiny, (0, 1)), 4 * words * (words - 1)))
    assert len(pairs) == 2 * words * (words - 1)
    assert len(set(pairs)) == len(pairs)
    far = {where[2] for where, _ in damage.flips("deep", files["deep"])}
    assert set(damage.size_fields(files["deep"])) < far and max(far) > damage.HEAD


def test_each_figure_is_of_its_own_set():
    files = _damage.bases()
    kinds = {}
    for name, (inputs, more) in exhaustive.plan(files).items():
        seen = {(where[0], where[1]) for where, _ in islice(inputs, 0, None, 1000)}
        kinds[name] = {kind for kind, _ in seen}
        assert {file for _, file in seen} == ({"tiny"} if "pair" in name else set(files))
        assert (next(more, None) is None) == ("pair" not in name)
    assert list(kinds.values()) == [{"cut"}, {"flip"}, {"byte"}, {"u32"}, {"pair"}]


def test_all_damage_to_the_tiny_file(guard):
    """Every cut, bit, byte and u32 in C, one in 29 through all four."""
    damage, tally = _damage, _hostile.Tally(guard)
    for make in damage.SETS.values():
        _hostile.through(tally, make("tiny", damage.bases()["tiny"]), 29)
    numbers = tally.numbers()
    assert numbers["C loader"] == 1556 * 9 + 25600 + 2760
    assert numbers["all four readers"] > 1400 and numbers["accepted"] > 3000
    assert "slowest refusal by all three in Python" in numbers


def test_pairs_of_fields(guard):
    damage, tally = _damage, _hostile.Tally(guard)
    pairs = damage.pairs("tiny", damage.bases()["tiny"], damage.FEW)
    _hostile.through(tally, islice(pairs, 0, None, 97), 11)
    assert tally.numbers()["refused"] > 3000


def test_mutated_files(guard):
    """A seed gives the same files; both verdicts are met often."""
    tally, left = differential.one_slice(guard, 7, differential.Seen(), 1200)
    assert tally.inputs == tally.through_python == 1200 - left
    assert tally.numbers()["disagreements"] == 0
    assert tally.accepted > 150 and tally.refused > 500
    files = [list(_mutants.mutated(guard, 3, 200)) for _ in range(2)]
    assert files[0] == files[1]


def test_memory_of_refusals_in_python(guard):
    numbers = limits.measure(islice(limits.inputs(guard), 0, None, 801))
    assert numbers["refused files"] > 25 and 0 < numbers["most part of the bound"] <= 1
    assert len(numbers) == 9  # validate and load at three levels, inspect


def test_times_of_refusals_in_python(guard, monkeypatch):
    some = list(islice(limits.inputs(guard), 0, 3204, 801))
    numbers = limits.times(iter(some))
    assert set(numbers["slowest refusal, ms"]) == set(limits.READERS)
    assert numbers["refused files"] > 0
    monkeypatch.setattr(limits, "MOST_NS", 1)
    with pytest.raises(RuntimeError, match="structure takes"):
        limits.times(iter(some))


@pytest.mark.parametrize("reader", ["validate", "load"])
def test_a_reader_that_differs_is_seen(guard, monkeypatch, reader):
    tally, tiny = _hostile.Tally(guard), _damage.bases()["tiny"]
    real, bad = getattr(efm3, reader), tiny[:-1]
    monkeypatch.setattr(_hostile.efm3, reader,
                        lambda data, *a, **k: real(tiny if data == bad else data, *a, **k))
    tally.all_four(("whole",), tiny)
    assert tally.numbers()["disagreements"] == 0
    tally.all_four(("cut",), bad)
    assert f"{reader} True" in tally.split[0] and "C False" in tally.split[0]
    assert (guard.work / "split-0.bin").read_bytes() == bad
    with pytest.raises(RuntimeError, match="1 splits"):
        tally.numbers()


def test_a_scan_that_forgets_a_constant_is_seen():
    """Every constant of the prefix is the scan's own affair too."""
    tiny = _damage.bases()["tiny"]
    scan = efm3.scan.scan
    assert _hostile.scan_accepts(scan(tiny))
    for at in (0, 4, 8, 21, 27, 28, 32, 33, 34, 35, 36, 87):
        bad = tiny[:at] + bytes([tiny[at] ^ 1]) + tiny[at + 1:]
        assert not _hostile.scan_accepts(scan(bad)), at


def test_a_refusal_over_the_limit_is_seen(guard, monkeypatch):
    monkeypatch.setattr(_hostile, "SLACK", 0)
    tally = _hostile.Tally(guard)
    tally.c_only(("cut",), _damage.bases()["tiny"][:-1])
    assert tally.over == 1
    with pytest.raises(RuntimeError, match="1 over a limit"):
        tally.numbers()


BROKEN = """
from pathlib import Path
from tools.evidence import _engine
_engine.SOURCES = sorted(Path({src!r}).rglob("*.c"))
from tools.evidence import _damage, _hostile
guard = _hostile.Guard(Path({work!r}), "-O0", Path({src!r}))
data = _damage.bases()["tiny"]
for n in range(len(data)):
    guard.accepts(data[:n])
"""


def test_a_byte_read_behind_the_end_faults(tmp_path):
    """With the bound of the cursor off by one, the guarded page ends the process."""
    src = tmp_path / "src"
    shutil.copytree(ROOT / "engine" / "src", src)
    cursor = src / "cursor.h"
    text = cursor.read_text(encoding="utf-8")
    bound = "n <= c->size - c->at"
    assert bound in text
    cursor.write_text(text.replace(bound, "n <= c->size - c->at + 1"), encoding="utf-8")
    code = BROKEN.format(src=str(src),
                         work=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -11, done.stderr
    assert "guard: crash, input kept" in done.stderr
    assert 0 < len((tmp_path / "crash.bin").read_bytes()) < 92
