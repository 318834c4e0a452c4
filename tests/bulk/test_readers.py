# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The Parquet that a run writes, one file or a folder of parts, as other programs read it."""

import json

import numpy as np
import pytest

from tests.bulk.rows import DIM, JOB, NAMES, expected, written

NEEDS = ("pandas", "duckdb", "polars", "daft", "pyarrow")
COLUMNS = ["path", "face", "embedding", "box", "points", "score", "error", "reason"]


@pytest.fixture(params=["x.parquet", "x/"])
def table(request, tmp_path):
    """Path of a table, and the pattern of its files."""
    path = f"{tmp_path}/{request.param}"
    written(path, NAMES, part_rows=5)
    return path, path + "*.parquet" if path.endswith("/") else path


def same(columns, order=list):
    """Whether columns, as lists, are what was written; in any order with order=sorted.

    Numbers that are missing are NaN, a score null.
    """
    assert list(columns) == COLUMNS
    found = [tuple(map(value, row)) for row in zip(*columns.values(), strict=True)]
    assert order(map(str, found)) == order(map(str, expected(NAMES)))


def value(found):
    """None for what is missing."""
    if found is None or np.ndim(found):
        vector = () if found is None else tuple(np.float32(found).tolist())
        return None if np.isnan(vector).all() else vector
    return None if found != found else found


def test_pandas(table):
    import pandas as pd

    found = pd.read_parquet(table[0])
    assert found["face"].dtype == np.int32 and found["score"].dtype == np.float32
    same({n: found[n].tolist() for n in found.columns})


def test_pyarrow_datasets_and_the_metadata(table):
    import pyarrow.dataset as ds

    found = ds.dataset(table[0], format="parquet")
    keys = {k.decode(): v.decode() for k, v in found.schema.metadata.items()}
    assert keys["efm3.format"] == "efm3.embeddings/1" and keys["efm3.model"] == JOB.model
    assert keys["efm3.dim"] == str(DIM) and json.loads(keys["efm3.options"]) == JOB.options
    assert {"efm3.version", "efm3.counts"} <= set(keys)
    assert str(found.schema.field("embedding").type) == \
        f"fixed_size_list<element: float not null>[{DIM}]"
    same(found.to_table().to_pydict())


def test_duckdb(table):
    import duckdb

    with duckdb.connect() as db:
        found = db.execute(f"select * from '{table[1]}'").fetchall()
        same(dict(zip(COLUMNS, map(list, zip(*found, strict=True)), strict=True)))
        faces = db.execute(f"select count(*) from '{table[1]}' where error is null "
                           f"and len(embedding) = {DIM}").fetchone()
    assert faces == (sum(row[6] is None for row in expected(NAMES)),)


def test_polars(table):
    import polars as pl

    found = pl.read_parquet(table[1])
    assert found.schema["embedding"] == pl.Array(pl.Float32, DIM)
    same(found.to_dict(as_series=False))


def test_daft(table):
    import daft

    found = daft.read_parquet(table[1])
    assert found.schema()["embedding"].dtype.is_fixed_size_list()
    same(found.to_pydict(), sorted)  # it reads the files of a folder in an order of its own
