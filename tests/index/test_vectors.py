# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Embeddings read by block: from memory, a file, a reader; which have a direction."""

import os
import threading

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.index import vectors
from efm3.index.vectors import Held, Joined, Stored, Streamed, cosines, settled, taken, unit
from tests.indexed import directions

ROWS = directions(150, 8)


def whole(source, rows):
    return np.concatenate([load() for _, load in source.parts(rows)])


@pytest.fixture(params=["held", "stored", "streamed", "joined", "slow"])
def source(request, tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"head" + ROWS.tobytes())

    def stored():
        return Stored.at(str(path), 4, 150, 8)
    if request.param == "slow":  # a system without preadv
        monkeypatch.delattr(os, "preadv")
    return {"held": lambda: Held(ROWS), "stored": stored, "slow": stored,
            "streamed": lambda: Streamed(lambda n: (ROWS[i:i + 7] for i in range(0, 150, 7)),
                                         150, 8, "x"),
            "joined": lambda: Joined([Held(ROWS[:60]), Held(ROWS[60:])])}[request.param]()


def test_the_same_rows_from_everywhere(source):
    assert (source.count, source.dim) == (150, 8)
    starts = [start for start, _ in source.parts(64)]
    assert starts[0] == 0 and starts == sorted({*starts})
    for rows in (1, 64, 1000):
        assert np.array_equal(whole(source, rows), ROWS)
    stayed = settled(source)
    assert np.array_equal(stayed.read(3, 77), ROWS[3:77])
    some = np.array([0, 1, 2, 70, 72, 149])
    assert np.array_equal(taken(stayed, some), ROWS[some])
    assert len(taken(stayed, some[:0])) == 0


def test_reads_from_many_threads_do_not_mix(source):
    stayed, wrong = settled(source), []

    def look():
        for i in range(0, 150, 10):
            if not np.array_equal(stayed.read(i, i + 10), ROWS[i:i + 10]):
                wrong.append(i)
    some = [threading.Thread(target=look) for _ in range(4)]
    for t in some:
        t.start()
    for t in some:
        t.join()
    assert wrong == []


def test_a_file_that_is_cut_meanwhile_is_an_error_and_no_signal(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(ROWS.tobytes())
    stored = Stored.at(str(path), 0, 150, 8)
    os.truncate(path, 1000)
    with pytest.raises(Efm3Error) as caught:
        stored.read(0, 150)
    assert caught.value.code == "B024" and np.array_equal(stored.read(0, 30), ROWS[:30])


@pytest.mark.parametrize("there", [149, 151])
def test_a_reader_that_gives_other_rows_is_refused(there):
    rows = np.resize(ROWS, (there, 8))
    with pytest.raises(Efm3Error, match="B024"):
        whole(Streamed(lambda n: [rows], 150, 8, "x"), 64)


def test_unit():
    assert unit(ROWS)[0] is ROWS and unit(ROWS)[1] is None
    odd = ROWS.copy()
    odd[1], odd[2], odd[3, 0], odd[4] = np.nan, 0, np.inf, 3e38
    odd[5] *= 1e-20
    odd[6] *= 1000
    before = odd.copy()
    scaled, good = unit(odd)
    assert np.flatnonzero(~good).tolist() == [1, 2, 3] and not scaled[1:4].any()
    assert np.allclose(np.linalg.norm(scaled[good], axis=1), 1, atol=1e-6)
    assert np.allclose(scaled[5:7], ROWS[5:7], atol=1e-6)
    assert np.array_equal(odd, before, equal_nan=True)


def test_a_cosine_does_not_depend_on_where_rows_stand():
    a, b = directions(300, 37, 2), np.repeat(directions(1, 37, 3), 300, 0)
    assert np.array_equal(cosines(a, b), np.concatenate([cosines(a[i:i + 1], b[:1])
                                                         for i in range(300)]))
    assert cosines(a, a).max() <= 1


def test_blocks_are_bounded():
    for dim in (1, 128, 512, 65536):
        rows = vectors.rows_of(dim)
        assert rows >= 64 and (rows == 64 or rows * dim * 4 <= vectors.BLOCK)
        beside = vectors.rows_of(dim, 10_000)
        assert beside == 64 or beside * 10_000 * 4 <= 8 * vectors.BLOCK
        assert vectors.rows_of(dim, 1_000_000) == 64
