# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Outputs: begun, cut at any point, gone on with; nothing lost, nothing doubled, nothing foreign
touched."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efm3 import Efm3Error
from efm3.bulk import Job, Row, _done
from efm3.bulk._table import Held, Manifest, block_of, counts_of
from efm3.bulk.output import open_output
from efm3.bulk.tables import MANIFEST, open_table
from tests.bulk.rows import (
    DIM,
    ENDS,
    JOB,
    NAMES,
    SOME,
    cut,
    expected,
    killed_at,
    picture,
    refused,
    rows_in,
    written,
)

pytestmark = pytest.mark.usefixtures("no_sync")


@pytest.mark.parametrize("end", ENDS)
def test_a_cut_run_goes_on(end, tmp_path):
    path = f"{tmp_path}/x{end}"
    cut(path, SOME, 3, part_rows=2)
    parts = Path(path if end == "/" else path + ".parts")
    assert not json.loads((parts / MANIFEST).read_text())["complete"]
    assert rows_in(str(parts)) == expected(SOME[:3]) if end in ("/", ".parquet") else parts.is_dir()
    assert "has the parts of a run" in refused("B001", open_output, path, JOB)
    cut(path, SOME, 2, part_rows=2, resume=True)
    with open_output(path, JOB, resume=True) as out:
        assert (out.done.pictures, out.done.faces, out.done.errors) == (5, 7, 1)
        assert [out.done.take(n) for n in SOME] == [True] * 5 + [False] * 2
        for name in SOME[5:]:
            out.add(picture(name))
        manifest = out.finish({})
        assert out.added == 2 and (manifest["pictures"], manifest["faces"]) == (7, 9)
    assert rows_in(path) == expected(SOME)
    assert parts.exists() == (end == "/")
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("end", ENDS)
def test_a_finished_table_takes_more(end, tmp_path):
    path = f"{tmp_path}/x{end}"
    names = [n for n in NAMES if n != ""]
    written(path, names[:4], part_rows=2)
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*.*"))
    assert "is there already" in refused("B001", open_output, path, JOB)
    with open_output(path, JOB, resume=True) as out:
        assert out.done.pictures == 4 and all(map(out.done.take, names[:4]))
        assert out.finish({})["pictures"] == 4 and out.added == 0
    assert sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*.*")) == before
    cut(path, names, 3, resume=True, part_rows=2)
    if end != "/":
        assert rows_in(path) == expected(names[:4])  # as it was, until the new one is whole
    written(path, names, resume=True)
    assert rows_in(path) == expected(names)
    written(path, ["z"], force=True)
    assert rows_in(path) == expected(["z"])


def test_where_nothing_was_written_nothing_stays(tmp_path):
    for end in ENDS:
        path = f"{tmp_path}/x{end}"
        with pytest.raises(ZeroDivisionError), open_output(path, JOB):
            _ = 1 / 0
        with open_output(path, JOB, resume=True):
            pass
        assert os.listdir(tmp_path) == []


def test_parts_are_written_when_full_or_old(tmp_path):
    path = f"{tmp_path}/x/"
    with open_output(path, JOB, part_rows=3, part_seconds=1e9) as out:
        out.add(picture("a2"))
        assert "part-000000.parquet" not in os.listdir(path)
        out.add(picture("b2"))  # all rows of a picture stay together
        assert rows_in(f"{path}part-000000.parquet") == expected(["a2", "b2"])
        out.add(picture("a"))
        out.finish({})
    with open_output(path, JOB, part_seconds=0, resume=True) as out:
        out.add(picture("b"))
        assert rows_in(f"{path}part-000002.parquet") == expected(["b"])


def test_the_same_job_or_none(tmp_path):
    path = f"{tmp_path}/x.npz"
    cut(path, SOME, 3)
    for job, told in [
            (Job("f" * 64, DIM, JOB.options), "model: '0123456789ab...' there, 'ffffffffffff..."),
            (Job(JOB.model, 5, JOB.options), "dim: 4 there, 5 now"),
            (Job(JOB.model, DIM, {**JOB.options, "align": 1}), "align: True there, 1 now"),
            (Job(JOB.model, DIM, {**JOB.options, "resize": True}), "resize: None there, True now"),
            (Job(JOB.model, DIM, {}), "face: 'all' there, None now")]:
        assert told in refused("B004", open_output, path, job, resume=True)
    written(path, SOME, resume=True)
    refused("B004", open_output, path, Job("f" * 64, DIM, JOB.options), resume=True)
    assert rows_in(path) == expected(SOME)
    with pytest.raises(ValueError, match="not both"):
        open_output(path, JOB, resume=True, force=True)


def test_a_part_of_another_job_is_not_joined(tmp_path):
    one, two = f"{tmp_path}/x.npz", f"{tmp_path}/y.npz"
    cut(one, SOME, 3)
    with open_output(two, Job("f" * 64, DIM, {})) as out:
        out.add(picture("a"))
    os.rename(f"{two}.parts/part-000000.npz", f"{one}.parts/part-000001.npz")
    refused("B004", open_output, one, JOB, resume=True)


@pytest.mark.parametrize("end", [".npz", ".parquet", "/"])
def test_a_damaged_part_is_named_and_can_be_left_out(end, tmp_path):
    path = f"{tmp_path}/x{end}"
    cut(path, SOME, 5, part_rows=2)
    part = next(tmp_path.rglob("part-000001.*"))
    data = part.read_bytes()
    other = data.replace("c3".encode("utf-32-le"), "c4".encode("utf-32-le")).replace(b"c3", b"c4")
    for bad in (data[:-5], b"", other):
        part.write_bytes(bad)
        with pytest.raises(Efm3Error, match=r"B007.*part-000001"):
            written(path, SOME, resume=True)
    part.unlink()
    written(path, SOME, resume=True)
    assert Counter(rows_in(path)) == Counter(expected(SOME))


@pytest.mark.parametrize("end", ENDS[:-1])
def test_damage_to_a_part_is_told_before_any_work(end, tmp_path):
    path = f"{tmp_path}/x{end}"
    cut(path, SOME, 5, part_rows=2)
    part = next(tmp_path.rglob("part-000001.*"))
    data, value = part.read_bytes(), picture("c3.jpg")[0].embedding.tobytes()
    assert data.count(value) == 1
    part.write_bytes(data.replace(value, value[::-1]))
    assert "part-000001" in refused("B007", open_output, path, JOB, resume=True)


def test_what_is_foreign_is_not_touched(tmp_path):
    def both(path, word, code="B006"):
        for kw in ({"resume": True}, {"force": True}, {}):
            assert word in refused(code, open_output, path, JOB, **kw)

    (tmp_path / "d.npz").mkdir()
    both(f"{tmp_path}/d.npz", "no regular file")
    os.mkfifo(tmp_path / "f.npz")
    both(f"{tmp_path}/f.npz", "no regular file")
    (tmp_path / "p.npz.parts").write_text("x")
    both(f"{tmp_path}/p.npz", "is no folder")
    (tmp_path / "q.npz.parts").mkdir()
    (tmp_path / "q.npz.parts" / "mine\n.txt").write_text("x")
    both(f"{tmp_path}/q.npz", "mine\\n.txt")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("x")
    both(f"{tmp_path}/photos/", "a.jpg in it")
    (tmp_path / "photos" / MANIFEST).write_text("{}")
    both(f"{tmp_path}/photos/", f"B006 {tmp_path}/photos/{MANIFEST}: no bulk run's: its manifest")
    both(f"{tmp_path}/photos", "no bulk run's")
    (tmp_path / "photos" / MANIFEST).unlink()
    (tmp_path / "photos" / MANIFEST).symlink_to(MANIFEST)
    both(f"{tmp_path}/photos", f"/photos/{MANIFEST}: no bulk run's: Too many levels")
    both(f"{tmp_path}/x", "ends in none of", "B002")
    (tmp_path / "t.npz").write_text("my own")
    refused("B008", open_output, f"{tmp_path}/t.npz", JOB, resume=True)
    assert (tmp_path / "t.npz").read_text() == "my own"
    assert not list(tmp_path.glob("t.npz.*")) and not list(tmp_path.rglob(".lock"))
    cut(f"{tmp_path}/u.npz", SOME, 2)
    os.unlink(tmp_path / "u.npz.parts" / MANIFEST)
    assert f"parts without {MANIFEST}" in refused(
        "B006", open_output, f"{tmp_path}/u.npz", JOB, resume=True)


def test_what_a_killed_run_was_writing_is_removed(tmp_path):
    path = f"{tmp_path}/x.npz"
    cut(path, SOME, 2)
    ours = [f"{path}.parts/.part-000001.npz.{'a' * 16}.tmp",
            f"{path}.parts/.{MANIFEST}.{'b' * 16}.tmp",
            f"{tmp_path}/.x.npz.{'c' * 16}.tmp", f"{tmp_path}/.x.npz.manifest.json.{'d' * 16}.tmp"]
    others = [f"{tmp_path}/.x.npzz.{'c' * 16}.tmp", f"{tmp_path}/.y.npz.{'c' * 16}.tmp"]
    for name in (*ours, *others):
        Path(name).write_text("x")
    written(path, SOME, resume=True)
    Path(f"{tmp_path}/x").mkdir()
    Path(f"{tmp_path}/x/.{MANIFEST}.{'b' * 16}.tmp").write_text("x")  # killed before all else
    written(f"{tmp_path}/x/", SOME)
    assert not list(tmp_path.glob("x/.*"))
    assert not any(map(os.path.exists, ours)) and all(map(os.path.exists, others))
    assert rows_in(path) == expected(SOME)


def test_odd_places(tmp_path, monkeypatch):
    assert "No such file" in refused("B003", open_output, f"{tmp_path}/no/x.npz", JOB)
    for name in ("n" * 240 + ".npz", "\N{GRINNING FACE}" * 60 + ".npz"):
        assert "name too long" in refused("B003", open_output, f"{tmp_path}/{name}", JOB)
    (tmp_path / "real").mkdir()
    for name, to in [("y.npz", "real/y.npz"), ("loop.npz", "loop.npz")]:
        (tmp_path / name).symlink_to(to)  # beside which there would be no manifest
        assert "is a link" in refused("B006", open_output, f"{tmp_path}/{name}", JOB, force=True)
    (tmp_path / "z.npy.rows.csv").symlink_to("y.csv")
    assert "z.npy.rows.csv: it is a link" in refused("B006", open_output, f"{tmp_path}/z.npy", JOB)
    (tmp_path / "linked").symlink_to("real")
    written(f"{tmp_path}/linked/x.csv", SOME[:2])
    assert rows_in(f"{tmp_path}/real/x.csv") == expected(SOME[:2])
    written(f"{tmp_path}/x.npz", SOME)
    monkeypatch.setattr(os, "mkdir", lambda *_: (_ for _ in ()).throw(
        OSError(errno.EROFS, os.strerror(errno.EROFS))))
    assert "Read-only file system" in refused("B003", open_output, f"{tmp_path}/z.npz", JOB)
    monkeypatch.undo()
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(
        OSError(errno.EPERM, os.strerror(errno.EPERM))))
    written(f"{tmp_path}/x.npz", [*SOME, "new"], resume=True)  # a place without hard links
    assert rows_in(f"{tmp_path}/x.npz") == expected([*SOME, "new"])


def test_rows_that_are_no_picture(tmp_path):
    with open_output(f"{tmp_path}/x.npz", JOB) as out:
        for rows in ([], [*picture("a"), *picture("b")], picture("a2")[::-1],
                     [Row("a", 0, np.zeros(5))], [Row("a")]):
            with pytest.raises(ValueError):
                out.add(rows)
        values = np.ones(DIM, np.float32)
        for bad in (np.nan, np.inf, -np.inf):
            out.add([Row("a\0\udcff", 1, np.where([0, 1, 0, 0], bad, values), (1, 2, np.nan, 4),
                         (1e300,) * 10, np.inf)])
        out.add([Row("big", 0, values * 3e38)])
        manifest = out.finish({"format": "mine"})
    assert manifest["codes"] == {"F008": 3} and manifest["format"] == "efm3.embeddings/1"
    why = "the network gave an embedding that is not finite"
    assert rows_in(f"{tmp_path}/x.npz")[:3] == [
        ("a\\x00\\udcff", 1, None, None, None, None, "F008", why)] * 3
    assert rows_in(f"{tmp_path}/x.npz")[3][6] is None


@pytest.mark.parametrize("end", ENDS)
def test_a_full_disk(end, tmp_path, monkeypatch):
    """After any number of bytes: one clear line, and what is finished stays."""
    path, real = f"{tmp_path}/x{end}", os.write

    def run(room):
        def write(fd, data):
            nonlocal room
            if room <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            room -= len(data)
            return real(fd, data)
        with monkeypatch.context() as m:
            m.setattr(os, "write", write)
            written(path, SOME, part_rows=2, resume=True)
    lines = set()
    for room in (0, 100, 2000, 4000, 5000, 7000, 9000, 12000, 16000):
        try:
            run(room)
        except Efm3Error as e:
            assert e.code == "B003" and "No space left on device" in str(e)
            lines.add("--resume goes on" in str(e))
            assert not list(tmp_path.rglob("*.tmp"))
    assert lines == {True, False}
    written(path, SOME, resume=True)
    assert rows_in(path) == expected(SOME)


@pytest.mark.parametrize("end,first,step", [
    (".npz", 3, 13), (".csv", 3, 17), (".parquet", 3, 29), ("/", 3, 19)])
def test_killed_before_any_system_call(end, first, step, tmp_path, monkeypatch):
    """`first` pictures are in a finished table; the run that adds the others is killed before one
    of its system calls, the next one again a bit later; then one goes on to the end.
    tests/processes/test_bulk_killed.py does it before each."""
    want = Counter(expected(SOME))
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
        assert Counter(rows_in(path)) == want, after
        assert not [p for p in tmp_path.rglob("*") if p.suffix in (".tmp", ".parts", ".lock")]
        after += step
    assert after > 20


CHILD = """
import sys
from tests.bulk.rows import *
with open_output(sys.argv[1], JOB, part_rows=3) as out:
    for i in range(8):
        out.add(picture(f"{i}.jpg"))
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_two_runs_on_one_output_and_one_that_is_killed(tmp_path):
    path = f"{tmp_path}/x.npz"
    with subprocess.Popen([sys.executable, "-c", CHILD, path], cwd=Path(__file__).parents[2],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline().strip() == b"ready"
        for kw in ({}, {"resume": True}, {"force": True}):
            assert "another run writes to it" in refused("B005", open_output, path, JOB, **kw)
        child.send_signal(signal.SIGKILL)
        child.wait()
    names = [f"{i}.jpg" for i in range(9)]
    with open_output(path, JOB, resume=True) as out:
        refused("B005", open_output, path, JOB, resume=True)  # of one process, too
        assert [out.done.take(n) for n in names] == [True] * 7 + [False] * 2
        for name in names[7:]:
            out.add(picture(name))
        out.finish({})
    assert rows_in(path) == expected(names)


NAME = st.sampled_from(["a", "b", "c2", "d", "e3", "bad"])


@settings(max_examples=100, deadline=None)
@given(st.lists(NAME, max_size=8), st.lists(NAME, max_size=10))
def test_each_done_picture_is_taken_once(before, now):
    """Whatever the folder has become: in any order, with more, with fewer, the same name twice."""
    rows = [row for name in before for row in picture(name)]
    counts = counts_of(rows, len(before))
    done = _done.Done(Held(Manifest(JOB, counts), block_of(rows, DIM)), counts)
    left = Counter(before)
    for name in now:
        assert done.take(name) == (left[name] > 0), (before, now, name)
        left[name] -= left[name] > 0


@settings(max_examples=10, deadline=None)
@given(st.lists(NAME, min_size=1, max_size=8), st.integers(0, 8), st.randoms(),
       st.sampled_from([".npz", ".parquet", ".csv"]))
def test_any_cut_and_any_change_of_the_folder(tmp_path_factory, names, after, random, end):
    path = f"{tmp_path_factory.mktemp('any')}/x{end}"
    cut(path, names, after, part_rows=2)
    changed = [n for n in names if random.random() < 0.8] + ["new"]
    random.shuffle(changed)
    written(path, changed, part_rows=2, resume=True)
    wanted = Counter(names[:after]) | Counter(changed)
    assert Counter(rows_in(path)) == Counter(expected(list(wanted.elements())))
    assert rows_in(path)[:len(expected(names[:after]))] == expected(names[:after])
    with open_table(path) as table:
        assert table.manifest.counts.pictures == sum(wanted.values())
