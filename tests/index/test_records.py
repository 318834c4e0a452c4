# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows as files of three forms."""

import csv
import json

import pytest

from efm3.bulk.fields import csv_texts
from efm3.index import records

COLUMNS = {"path": "string", "n": "int64", "x": "float64"}
ROWS = [("a,\"b\"\nc", 1, 0.1), ("é😀", None, None), ("cr/a\rb.png", 2, None), ("=1", -1, 1 / 3)]


def read(path):
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as f:
            return [(*csv_texts([r["path"]]), int(r["n"]) if r["n"] else None,
                     float(r["x"]) if r["x"] else None)
                    for r in csv.DictReader(f)]
    if path.suffix == ".jsonl":
        return [tuple(json.loads(line).values()) for line in path.read_text().splitlines()]
    import pyarrow.parquet as pq

    return [tuple(r.values()) for r in pq.read_table(path).to_pylist()]


@pytest.mark.parametrize("form", sorted(records.FORMS))
@pytest.mark.parametrize("times", [0, 1, 4000])
def test_what_is_written_is_read(form, times, tmp_path):
    if form == ".parquet":
        pytest.importorskip("pyarrow", reason="pyarrow not installed")
    path = tmp_path / f"x{form.upper()}"
    records.write(str(path), COLUMNS, iter(ROWS * times))
    assert read(path.rename(tmp_path / f"y{form}")) == ROWS * times


def test_a_name_of_no_form_and_rows_that_fail(tmp_path):
    with pytest.raises(ValueError, match="must end in"):
        records.write(str(tmp_path / "x.txt"), COLUMNS, [])
    path = tmp_path / "x.csv"
    path.write_text("before")

    def rows():
        yield ROWS[0]
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        records.write(str(path), COLUMNS, rows())
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["x.csv"]
