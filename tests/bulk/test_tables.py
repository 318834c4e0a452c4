# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every form comes back as it was written, and nothing else is taken for a table."""

import csv
import dataclasses
import hashlib
import importlib.util
import io
import json
import os
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efm3 import Efm3Error
from efm3.bulk import _lines, _npz, _parquet, _table
from efm3.bulk.output import open_output
from efm3.bulk.row import FORMAT, Row
from efm3.bulk.tables import FORMS, Table, form_of, open_table
from efm3.source import Unreadable
from tests.bulk.rows import DIM, ENDS, JOB, NAMES, expected, rows_in, told, written

FILES = tuple(FORMS)


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    """What is durable shows after a power cut alone, and takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


def refused(code, call, *args):
    with pytest.raises(Efm3Error) as caught:
        call(*args)
    assert caught.value.code == code, caught.value
    return str(caught.value)


def whole(path):
    """Read all of a table, both ways."""
    with open_table(path) as table:
        list(table.blocks())
        table.embeddings()


@pytest.mark.parametrize("end", ENDS)
def test_round_trip(end, tmp_path):
    path = f"{tmp_path}/x{end}"
    manifest = written(path, NAMES, part_rows=5)
    want = expected(NAMES)
    assert rows_in(path) == rows_in(path, 3) == want
    faces = sum(row[6] is None for row in want)
    assert {k: v for k, v in manifest.items() if k not in ("table", "rows_table")} == {
        "format": FORMAT, "model": JOB.model, "dim": DIM, "options": JOB.options,
        "version": manifest["version"], "rows": len(want), "pictures": len(NAMES),
        "faces": faces, "errors": 2, "codes": {"F010": 2}, "complete": True, "skipped": 3}
    with open_table(path) as table:
        assert (table.model, table.dim, table.options, table.count) == (
            JOB.model, DIM, JOB.options, len(want))
        blocks = list(table.blocks(4))
        assert max(len(b.path) for b in blocks) <= 4
        matrix = table.embeddings()
        assert matrix.dtype == np.float32 and matrix.shape == (len(want), DIM)
        assert np.array_equal(matrix, np.concatenate([b.embedding for b in blocks]), equal_nan=True)
        assert [np.isnan(row).all() for row in matrix] == [w[6] is not None for w in want]
        assert all(b.face.dtype == np.int32 and b.score.dtype == np.float32 for b in blocks)
        paths = [p for found in table.columns(("path",), 2) for p in found["path"]]
        assert paths == [w[0] for w in want]
    if end != "/":
        data = Path(path).read_bytes()
        manifest["table"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if end == ".npy":
        data = Path(path + ".rows.csv").read_bytes()
        manifest["rows_table"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    beside = tmp_path / ("x/_manifest.json" if end == "/" else f"x{end}.manifest.json")
    assert json.loads(beside.read_text()) == manifest


@pytest.mark.parametrize("end", ENDS)
def test_a_table_without_rows(end, tmp_path):
    path = f"{tmp_path}/x{end}"
    assert written(path, [])["rows"] == 0
    assert rows_in(path) == []
    with open_table(path) as table:
        assert table.embeddings().shape == (0, DIM)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
FLOAT = st.floats(width=32, allow_nan=False, allow_infinity=False)
ROW = st.builds(
    lambda path, face, values, at, score, bad: Row(path, face, error="F010", reason=path or None)
    if bad else Row(path, face, np.array(values, np.float32), tuple(at[:4]), tuple(at), score),
    TEXT, st.integers(-2**31, 2**31 - 1), st.lists(FLOAT, min_size=DIM, max_size=DIM),
    st.lists(FLOAT, min_size=10, max_size=10), FLOAT, st.booleans())


@settings(max_examples=12, deadline=None)
@given(st.lists(ROW, max_size=6))
def test_any_row_comes_back_from_every_form(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("any")
    counts = _table.counts_of(rows, len(rows))
    manifest = _table.Manifest(JOB, counts, complete=True)
    held = _table.Held(manifest, _table.block_of(rows, DIM))
    for end, form in FORMS.items():
        path = folder / f"x{end}"
        path.write_bytes(b"".join(form.write(manifest, held)))
        (folder / f"x{end}.manifest.json").write_text(manifest.text())
        if form.beside:
            (folder / f"x{end}.rows.csv").write_bytes(b"".join(form.beside(held)))
        assert rows_in(str(path)) == list(map(told, rows)), end


def test_npz_opens_with_numpy_and_maps_its_embeddings(tmp_path):
    path = str(tmp_path / "x.npz")
    names = [n for n in NAMES if len(n) < 99]
    written(path, names)
    with np.load(path) as z, open_table(path) as table:
        assert set(z) == {"meta", "path", "face", "embedding", "box", "points", "score", "error",
                          "reason"}
        assert z["path"].tolist() == [row[0] for row in expected(names)]
        assert np.array_equal(z["embedding"], table.embeddings(), equal_nan=True)
        assert json.loads(str(z["meta"]))["skipped"] == 3
        mapped = table.embeddings()
        assert isinstance(mapped, np.memmap) and mapped.ctypes.data % 64 == 0


def test_npz_long_texts_take_their_own_length(tmp_path, monkeypatch):
    path = str(tmp_path / "x.npz")
    monkeypatch.setattr(_npz, "WIDE_BYTES", 1 << 10)
    written(path, NAMES)
    with np.load(path) as z:
        assert "path" not in z and z["path_offsets"][-1] == len(z["path_bytes"])
    for step in (1, 50, 5000, 1 << 20):
        monkeypatch.setattr(_npz, "_STEP", step)
        assert rows_in(path) == expected(NAMES)


def test_csv_and_jsonl_are_what_their_libraries_read(tmp_path):
    for end in (".csv", ".jsonl", ".npy"):
        written(str(tmp_path / f"x{end}"), NAMES)
    want = expected(NAMES)
    with open(tmp_path / "x.csv", encoding="utf-8", newline="") as f:
        table = list(csv.DictReader(f))
    assert [r["path"] for r in table] == [w[0] for w in want]
    assert [r["e3"] for r in table] == ["" if w[2] is None else f"{w[2][3]:.9g}" for w in want]
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [tuple(v) for v in lines] == [Row._fields] * len(want)
    assert [np.float32(v["embedding"]).tolist() if v["embedding"] else None for v in lines] == [
        w[2] and list(w[2]) for w in want]
    assert np.load(tmp_path / "x.npy").shape == (len(want), DIM)
    head = (tmp_path / "x.npy.rows.csv").read_text().split("\n")[0]
    assert head.startswith("path,face,error,reason,score,left,top,right,bottom,left_eye_x,")
    assert head.endswith(",right_mouth_x,right_mouth_y")


def test_a_form_is_named_by_the_end(tmp_path):
    assert form_of("A.NPZ") is FORMS[".npz"]
    for name in ("x", "x.txt", ".npz", "x.npz.gz"):
        assert ".parquet .npz .npy .csv .jsonl" in refused("B002", form_of, name)


def test_what_is_no_table(tmp_path):
    for end in FILES:
        path = f"{tmp_path}/x{end}"
        with pytest.raises(Unreadable):
            open_table(path)
        for data in (b"", b"\0", b"PK\5\6" + bytes(18), b"path,face\n", b"{}", b"PAR1PAR1"):
            Path(path).write_bytes(data)
            with pytest.raises((Efm3Error, Unreadable)) as caught:
                whole(path)
            assert getattr(caught.value, "code", "B008") == "B008"
    assert "without _manifest.json" in refused("B008", open_table, str(tmp_path))
    np.savez(tmp_path / "y.npz", a=np.zeros(3))
    assert "without meta" in refused("B008", open_table, str(tmp_path / "y.npz"))
    np.savez_compressed(tmp_path / "y.npz", a=np.zeros(3))
    assert "compressed" in refused("B008", open_table, str(tmp_path / "y.npz"))


@pytest.mark.parametrize("end", FILES)
def test_no_damage_is_a_traceback_or_a_flood(end, tmp_path):
    """Bytes of small tables changed, and each cut: a refusal, or a table."""
    path = tmp_path / f"x{end}"
    written(str(path), ["a2", "bad"])
    data = path.read_bytes()
    rng = np.random.default_rng(1)
    places = rng.integers(0, len(data), 30)
    refusals = 0
    for at in places:
        for new in (data[:at], data[:at] + bytes([data[at] ^ 1 << int(at) % 8]) + data[at + 1:]):
            path.write_bytes(new)
            try:
                whole(str(path))
            except (Efm3Error, Unreadable) as e:
                assert isinstance(e, Unreadable) or e.code in ("B008", "B009"), e
                refusals += 1
    assert refusals > len(places)  # every cut, and some of the changes


def test_an_archive_that_moves_below_its_begin(tmp_path):
    """zipfile counts from where the directory is: bytes that are gone make offsets negative."""
    path = tmp_path / "x.npz"
    written(str(path), ["a"] * 9)
    data = path.read_bytes()
    for cut in (1, 8, 64, 300):
        path.write_bytes(data[:900] + data[900 + cut:])
        refused("B008", open_table, str(path))


def test_checksums_are_compared(tmp_path):
    for end in (".npz", ".parquet"):
        path = tmp_path / f"x{end}"
        written(str(path), ["a"])
        value = expected(["a"])[0][2][1]
        data = path.read_bytes()
        assert data.count(struct.pack("<f", value)) == 1
        path.write_bytes(data.replace(struct.pack("<f", value), struct.pack("<f", 9)))
        refused("B008", whole, str(path))


def test_the_manifest_is_bounded_and_typed(tmp_path):
    path = tmp_path / "x.jsonl"
    written(str(path), ["a"])
    beside = tmp_path / "x.jsonl.manifest.json"
    good = json.loads(beside.read_text())
    for key, value in [("format", "efm3.embeddings/2"), ("model", "x" * 64), ("model", None),
                       ("dim", 0), ("dim", True), ("dim", 1 << 17), ("faces", -1), ("faces", 1.0),
                       ("codes", {"F010": "1"}), ("codes", {"dim": 1, "x": "2"}),
                       ("options", []), ("complete", 1), ("faces", 2), ("pictures", 1 << 50)]:
        beside.write_text(json.dumps({**good, key: value}))
        refused("B008", whole, str(path))
    beside.write_text(json.dumps({**good, "codes": {"dim": 1, "faces": 2, "x": 3}}))
    with open_table(str(path)) as table:
        assert table.manifest.counts.codes == {"dim": 1, "faces": 2, "x": 3}
    for text in ("[" * 100_000, "[]", "nonsense", json.dumps({**good, "x": "y" * (1 << 20)})):
        beside.write_text(text)
        refused("B008", whole, str(path))


@pytest.mark.parametrize("end", [".npz", ".parquet"])
def test_a_name_without_an_encoding_is_json_in_the_manifest(end, tmp_path):
    """And the job is the same when the run goes on."""
    if end == ".parquet":
        pytest.importorskip("pyarrow", reason="pyarrow not installed")
    job = dataclasses.replace(JOB, options={"detector": "a\udcff"})
    path = str(tmp_path / f"x{end}")
    for resume in (False, True):
        with open_output(path, job, resume=resume) as out:
            out.add([Row("b", error="F010", reason="c")])
            out.finish({})
    with open_table(path) as table:
        assert table.manifest.job.options == {"detector": "a\\udcff"} and table.count == 2


def test_lines_are_bounded(tmp_path):
    csv_path, json_path = tmp_path / "x.csv", tmp_path / "x.jsonl"
    for path in (csv_path, json_path):
        written(str(path), ["a"])
    head, row = csv_path.read_bytes().split(b"\n")[:2]
    huge = b"9" * (4 << 20)
    for body in (row[:-1] + b",1", huge, b'"' + b"\n" * (4 << 20), row + b"," + huge,
                 row.replace(b",0,", b",x,", 1), row.replace(b",0,", b",1" + b"0" * 20 + b",", 1),
                 b"\xff" + row, row + b"\n" + row, row + b"inf", row[:30], b"", b"\0" + b"," * 22):
        csv_path.write_bytes(head + b"\n" + body + b"\n")
        refused("B008", whole, str(csv_path))
    line = json.loads(json_path.read_text())
    for change in ({"path": 1}, {"path": "\ud800"}, {"face": 0.5}, {"face": 1 << 40}, {"score": []},
                   {"embedding": None}, {"embedding": [1] * 5}, {"embedding": [[1]] * 4},
                   {"embedding": [10**999] * 4}, {"embedding": [1e300] * 4},
                   {"error": "F010"}, {"box": "abcd"}, {"reason": "x" * 70_000},
                   {"points": [None] * 10}):
        json_path.write_text(json.dumps({**line, **change}) + "\n")
        refused("B008", whole, str(json_path))


def again(archive, changed):
    """Write an archive with other arrays."""
    with np.load(archive) as z:
        arrays = {**{k: z[k] for k in z}, **changed}
    np.savez(archive, **{k: v for k, v in arrays.items() if v is not None})


def test_hostile_archives(tmp_path):
    path = str(tmp_path / "x.npz")
    written(path, ["a"])
    good = Path(path).read_bytes()
    for changed, word in [
            ({"face": np.zeros(1, np.int64)}, "face is int64"),
            ({"embedding": np.zeros((1, 5), np.float32)}, "embedding is float32"),
            ({"embedding": np.zeros((1, DIM), ">f4")}, "embedding is >f4"),
            ({"path": np.array(["a", "b"])}, "path is <U1 [2]"),
            ({"path": None}, "without path_bytes"), ({"meta": np.zeros(1)}, "meta is not one text"),
            ({"path": np.array(["x" * 70_000])}, "70000 characters wide"),
            ({"score": np.array([object()])}, "score"),
            ({"path": np.frombuffer(struct.pack("<I", 0xD800), "<U1")}, "no characters"),
            ({"path": None, "path_bytes": np.zeros(3, np.uint8),
              "path_offsets": np.array([0, 9])}, "do not ascend"),
            ({"path": None, "path_bytes": np.full(3, 255, np.uint8),
              "path_offsets": np.array([0, 3])}, "not UTF-8")]:
        Path(path).write_bytes(good)
        again(path, changed)
        assert word in refused("B008", whole, path)
    Path(path).write_bytes(good)
    with zipfile.ZipFile(path, "a") as z:
        for i in range(40):
            z.writestr(f"{i}.npy", b"")
    assert "archive of 49 entries" in refused("B008", whole, path)


def test_code_points_that_are_none(tmp_path):
    """numpy makes a text of them that crashes whatever reads it."""
    path = tmp_path / "x.npz"
    written(str(path), ["a"])
    data = path.read_bytes()
    start = data.index(b"path.npy")
    at = data.index(b"a\0\0\0", data.index(b"\n", start))
    path.write_bytes(data[:at] + b"\xff\xff\xff\xff" + data[at + 4:])
    assert "no characters" in refused("B008", whole, str(path))


def test_parquet_pages_are_read_as_the_library_reads_them(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow", reason="pyarrow not installed")
    path = f"{tmp_path}/x.parquet"
    names = [f"{i}.jpg" for i in range(3000)] + ["bad", "c3"]
    written(path, names, part_rows=700)
    with open_table(path) as table:
        assert _parquet.plain(table._file, ("embedding", "list", "element"))
        got = [table.embeddings(), *(b.embedding for b in table.blocks(7))]
        monkeypatch.setattr(_parquet, "plain", lambda *_: None)
        want = table.embeddings()
    assert np.array_equal(got[0], want, equal_nan=True)
    assert np.array_equal(np.concatenate(got[1:]), want, equal_nan=True)
    assert np.isnan(want).all(1).sum() == 1


@pytest.mark.parametrize("head", [
    b"", b"\x15", b"\x15" + b"\xff" * 11, b"\x1c" * 9, b"\x18\xff\xff\xff\x7f", b"\x19\x00",
    b"\x05\x00", b"\x00"])
def test_heads_of_pages_that_are_none(head):
    from efm3.bulk._pages import Numbers

    with pytest.raises(ValueError):
        Numbers(io.BytesIO(head), [(0, 99)]).take(1)


def test_parquet_of_others(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow not installed")
    import pyarrow.parquet as pq

    path = str(tmp_path / "x.parquet")
    pq.write_table(pa.table({"path": ["a"]}), path)
    assert "without the metadata" in refused("B008", open_table, path)
    os.unlink(path)
    written(path, ["a2", "bad"])
    good = pq.read_table(path)
    for i, column in enumerate(good.column_names):
        pq.write_table(good.remove_column(i), path)
        assert f"column {column} is None" in refused("B008", open_table, path)
    pq.write_table(good.slice(1), path)
    assert "it has 2 rows and states 3" in refused("B008", open_table, path)
    long = good.set_column(0, good.schema.field("path"), pa.array(["x" * 70_000] * 3))
    pq.write_table(long, path)
    assert "path of more than" in refused("B008", whole, path)
    keys = {**good.schema.metadata, b"efm3.counts": b"[" * 100_000}
    pq.write_table(good.replace_schema_metadata(keys), path)
    refused("B008", open_table, path)


def test_a_matrix_that_does_not_fit_is_refused(tmp_path, monkeypatch):
    path = str(tmp_path / "x.csv")
    written(path, ["a"])
    with open_table(path) as table:
        monkeypatch.setattr(np, "empty", lambda *_: (_ for _ in ()).throw(MemoryError))
        assert "need 16 bytes" in refused("B009", table.embeddings)


def test_npy_and_its_rows_belong_together(tmp_path):
    path = tmp_path / "x.npy"
    written(str(path), ["a2", "b"])
    with open_table(str(path)) as table:
        np.save(path, np.zeros((2, DIM), np.float32))
        refused("B008", lambda: list(table.blocks()))
    refused("B008", open_table, str(path))
    assert _lines.BESIDE == ".manifest.json"


def test_parquet_needs_pyarrow_and_the_others_do_not(tmp_path, monkeypatch):
    for end in FILES:
        written(str(tmp_path / f"x{end}"), ["a"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    refused("X002", open_table, str(tmp_path / "x.parquet"))
    for end in FILES[1:]:
        assert rows_in(str(tmp_path / f"x{end}")) == expected(["a"])
    assert importlib.util.find_spec("efm3.bulk.tables") and issubclass(type(Table), type)
