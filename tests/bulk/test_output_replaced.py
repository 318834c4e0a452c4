# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Outputs: what stands in their place already is replaced, gone on with, or left alone."""

import hashlib
import itertools
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.bulk.output import open_output
from tests.bulk.rows import (
    DIM,
    ENDS,
    JOB,
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
def test_what_starts_anew_stays_anew(end, tmp_path):
    """Killed before its first part; nothing of the earlier table is taken for its rows."""
    path = f"{tmp_path}/x{end}"
    written(path, SOME)
    cut(path, SOME, 0, force=True)
    if end != "/":
        assert rows_in(path) == expected(SOME)  # until the new one is whole
    with open_output(path, JOB, resume=True) as out:
        assert (out.done.pictures, out.done.take(SOME[0])) == (0, False)
        out.add(picture("z"))
        assert out.finish({})["pictures"] == 1
    assert rows_in(path) == expected(["z"])


@pytest.mark.parametrize("end", ENDS[:-1])
def test_nothing_but_tables_is_replaced(end, tmp_path):
    path = tmp_path / f"x{end}"
    np.save(tmp_path / "mine.npy", np.zeros((2, DIM), np.float32))
    mine = (tmp_path / "mine.npy").read_bytes()
    path.write_bytes(mine)
    for kw in ({}, {"force": True}):
        assert "no table of a bulk run" in refused("B006", open_output, str(path), JOB, **kw)
    assert path.read_bytes() == mine and len(os.listdir(tmp_path)) == 2
    path.unlink()
    written(str(path), SOME)
    path.write_bytes(mine)  # in the place of a table, whose manifest is still there
    refused("B006", open_output, str(path), JOB, force=True)
    path.unlink()
    cut(str(path), SOME, 2)
    path.write_bytes(mine)  # while a run's parts stand beside
    refused("B006", open_output, str(path), JOB, resume=True)
    path.unlink()
    with open_output(str(path), JOB, resume=True) as out:
        path.write_bytes(mine)  # in the middle of a run
        refused("B006", out.finish, {})
    assert path.read_bytes() == mine


def test_nothing_beside_a_table_is_replaced(tmp_path):
    path = f"{tmp_path}/x.npy"
    for end in (".rows.csv", ".manifest.json"):
        Path(path + end).write_text("mine")
        assert f"x.npy{end}: it would stand beside" in refused("B006", open_output, path, JOB)
        with pytest.raises(Efm3Error, match="B006"):
            written(path, SOME, force=True)
        assert Path(path + end).read_text() == "mine"
        Path(path + end).unlink()
    for lost in ("", ".manifest.json"):  # what is left of a table
        written(path, SOME)
        os.unlink(path)
        if lost:
            os.unlink(path + lost)
        written(path, ["z"])
        assert rows_in(path) == expected(["z"])
        written(path, ["z"], force=True)
        for end in ("", ".rows.csv", ".manifest.json"):
            os.unlink(path + end)


def test_a_matrix_without_its_rows_is_not_replaced(tmp_path):
    path = f"{tmp_path}/x.npy"
    written(path, SOME)
    os.unlink(path + ".rows.csv")
    refused("B006", open_output, path, JOB, force=True)
    for end in (".npz", ".parquet"):  # these know what they are
        path = f"{tmp_path}/x{end}"
        written(path, SOME)
        os.unlink(path + ".manifest.json")
        written(path, ["z"], force=True)
        assert rows_in(path) == expected(["z"])


@pytest.mark.parametrize("name", [*(f"x{end}" for end in ENDS[:-1]), "x.npy.rows.csv"])
def test_a_changed_table_is_told_before_any_work(name, tmp_path):
    path = str(tmp_path / name.removesuffix(".rows.csv"))
    manifest = written(path, SOME)
    data = (tmp_path / name).read_bytes()
    key = "rows_table" if name.endswith(".rows.csv") else "table"
    assert manifest[key] == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    for at, new in [(data.rindex(b"1"), b"7"), (len(data), b"\n")]:
        (tmp_path / name).write_bytes(data[:at] + new + data[at + 1:])
        refused("B008", open_output, path, JOB, resume=True)
    (tmp_path / name).write_bytes(data)
    beside = Path(path + ".manifest.json")
    for other in ([], "x", {"bytes": len(data), "sha256": 5}, {}):
        beside.write_text(json.dumps({**manifest, key: other}))
        assert "was changed" in refused("B008", open_output, path, JOB, resume=True)
    beside.write_text(json.dumps({k: v for k, v in manifest.items() if k != key}))
    written(path, SOME, resume=True)  # as nothing is stated, nothing is compared


def test_files_of_two_runs_are_no_table(tmp_path, monkeypatch):
    """Killed between the files of one table: what is there cannot be taken for a whole one."""
    want, seen = [expected(["a", "b"]), expected(["c", "d"])], set()
    for after in itertools.count():
        path = f"{tmp_path}/{after}.npy"
        written(path, ["a", "b"])
        run = lambda: written(path, ["c", "d"], force=True)  # noqa: B023, E731
        if killed_at(monkeypatch, run, after):
            break
        try:
            seen.add(want.index(rows_in(path)))
        except Efm3Error as e:
            assert e.code == "B008"
            seen.add("refused")
            written(path, ["c", "d"], resume=True)
            assert rows_in(path) == want[1]
    assert seen == {0, 1, "refused"}


def test_a_folder_with_a_part_too_many_or_too_few(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow not installed")
    path = f"{tmp_path}/x/"
    written(path, SOME, part_rows=3)
    part = Path(f"{path}part-000000.parquet")
    Path(f"{path}part-000007.parquet").write_bytes(part.read_bytes())
    assert "13 rows and its manifest states 10" in refused(
        "B008", open_output, path, JOB, resume=True)
    Path(f"{path}part-000007.parquet").unlink()
    part.unlink()  # as the advice for a damaged part says
    written(path, [], resume=True)
    assert rows_in(path) == expected(SOME[2:])
    written(path, SOME, resume=True)
    assert Counter(rows_in(path)) == Counter(expected(SOME))
