# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""No more is read of a source than its header allows, and the findings are those of all of it."""

import io
import os
import tracemalloc

import numpy as np
import pytest

import efm3
from efm3 import reading, untrained
from efm3.bulk.run import Run
from efm3.conformance import sample
from efm3.inspection import inspect
from efm3.network import file_size
from efm3.places import describe
from efm3.reading import GROWTH, LIMIT, LOOK, scan_of
from efm3.scan import scan
from efm3.sniff import TAIL
from tests.indexed import rows, table

BASE = sample.base()
LONG = 3 << 30
BROKEN = sample.put(10, b"\0")(BASE)  # a kernel without a side


@pytest.fixture
def counted(monkeypatch):
    """Counts the bytes that are read of paths."""
    given = []
    real = os.read
    monkeypatch.setattr(os, "read", lambda fd, n: given.append(real(fd, n)) or given[-1])
    return lambda: sum(map(len, given))


class Stream(io.RawIOBase):
    """`data`, then zeros without end, in pieces of at most 500 bytes."""

    def __init__(self, data):
        self.data, self.given = data, 0

    def read(self, count=-1):
        piece = self.data[self.given:self.given + min(count, 500)] or bytes(min(count, 500))
        self.given += len(piece)
        return piece


def sparse(path, data, size=LONG):
    path.write_bytes(data)
    os.truncate(path, size)
    return path


def peak_of(call):
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("use", [
    lambda p: efm3.validate(p).findings[0], lambda p: refusal(efm3.load, p)])
def test_a_long_file_is_read_as_far_as_its_header_allows(tmp_path, counted, use):
    path = sparse(tmp_path / "x.bin", BASE)
    found = use(path)
    assert found.code == "T014" and found.message == (
        f"{LONG - len(BASE)} bytes follow the last tensor")
    # The prefix twice: the file's length follows from it.
    assert counted() == 92 + len(BASE) + LOOK
    assert peak_of(lambda: use(path)) < 2 << 20


def refusal(use, source):
    with pytest.raises(efm3.Efm3Error) as e:
        use(source)
    return e.value.finding


def test_the_engine_reads_no_more_either(tmp_path, counted):
    path = sparse(tmp_path / "x.bin", BASE)
    found = refusal(efm3.Engine, path)
    assert (found.code, found.message) == (
        "E_TRAILING", f"the header asks for {len(BASE)} bytes, the file has {LONG}")
    assert counted() == 92 + len(BASE) + LOOK
    # A bulk run keeps the bytes for its workers.
    assert peak_of(lambda: refusal(Run, path)) < 2 << 20
    assert counted() == 2 * (92 + len(BASE) + LOOK)
    found = refusal(efm3.Engine, sparse(path, b"no model"))
    assert found.message.endswith(f"EFM3; read no further, of {LONG:,} bytes")


def test_a_stream_is_read_as_far_as_its_header_allows():
    stream = Stream(BASE)
    report = efm3.validate(stream)
    assert stream.given == len(BASE) + LOOK == report.size
    assert [f.message for f in report.findings] == [
        f"at least {LOOK} bytes follow the last tensor"]
    stream = Stream(BASE)
    assert refusal(efm3.Engine, stream).message == (
        f"the header asks for {len(BASE)} bytes, what is read has at least {stream.given}")
    assert stream.given == len(BASE) + LOOK


@pytest.mark.parametrize("words", [
    ["compare", "-", "p.npy", "p.npy"], ["eval", "-", "p.npy"], ["embed", "-", "p.npy"],
    ["eval", "-", "p.npy", "--precision", "all"], ["search", "t.npz", "p.npy", "--model", "-"],
    ["cluster", "t.npz", "--model", "-"], ["verify", "-"], ["bench", "-"], ["inspect", "-"],
    ["validate", "-"], ["where", "-", "9"], ["layout", "-"], ["new", "-", "-o", "x.bin"],
    ["extract", "-", "stem.conv.w", "-o", "-"], ["diff", "p.npy", "-"], ["seal", "-"],
    ["convert", "-", "x.npz"]], ids=" ".join)
def test_standard_input_is_read_as_far_as_its_header_allows(cli, tmp_path, monkeypatch, words):
    """By every verb that reads it; where a verb does not, it says so, or finds no such file."""
    monkeypatch.chdir(tmp_path)
    np.save("p.npy", untrained.images(4, 1)[0])
    table("t.npz", rows(np.eye(2, 8)))
    stream = Stream(BASE)
    result = cli(*words, input=stream)
    assert isinstance(result.exception, (SystemExit, type(None))), result.output
    assert stream.given <= len(BASE) + LOOK and result.output
    if words[0] in ("compare", "eval", "embed", "search", "cluster"):
        assert stream.given == len(BASE) + LOOK and "E_TRAILING" in result.output, result.output


@pytest.mark.parametrize("data,code", [
    (b"", "C025"), (BROKEN, "H004"), (b"\x89PNG\r\n\x1a\n", None), (b"no model", "C002")])
def test_what_has_no_valid_header_is_read_to_the_limit(tmp_path, counted, monkeypatch, data, code):
    monkeypatch.setattr(reading, "LIMIT", 1 << 16)
    stream = Stream(data)
    found = {f.code for f in efm3.validate(stream).findings}
    assert stream.given == 1 << 16 and found and (code is None or code in found)
    # Nothing says that a stream, or a file of which this is the beginning, ends too early.
    assert not found & {"T012", "T013", "C004", "C006", "C007"}
    path = sparse(tmp_path / "x.bin", data)
    assert {f.code for f in efm3.validate(path).findings} == found
    assert counted() <= 92 + (1 << 16) + TAIL


def test_the_limit_holds_every_published_size():
    assert all(GROWTH * file_size(a, 1 << 20) <= LIMIT for a in efm3.ARCHS.values())


@pytest.mark.parametrize("damage", [
    lambda b: b + b"x", lambda b: b + bytes(LOOK), lambda b: b + bytes(9 * len(b)), lambda b: b + b,
    lambda b: b + bytes(3) + b, lambda b: b + b"PK\x03\x04" + bytes(5 * len(b)),
    lambda b: b.decode("latin-1").encode(), lambda b: b.replace(b"\n", b"\r\n"),
    lambda b: b.decode("utf-8", "replace").encode(), lambda b: b[:-5], lambda b: b[:92],
    lambda b: sample.put(sample.spans(b).tensors[3].offset, b"\xff" * 4)(b) + bytes(9 * len(b)),
    lambda b: sample.put(sample.spans(b).table_offset - 4, b"\xff" * 4)(b) + bytes(9 * len(b)),
])
def test_the_findings_are_those_of_the_whole_file(tmp_path, damage):
    data = damage(BASE)
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    whole, by_path = efm3.validate(data), efm3.validate(path)
    assert [f.to_json() for f in by_path.findings] == [f.to_json() for f in whole.findings]
    assert by_path.size == whole.size == len(data) and by_path.ok == whole.ok
    by_stream = efm3.validate(io.BytesIO(data))
    # Nobody knows how a stream ends behind the place where reading stopped.
    ends = ("T012", "T013") if len(data) > GROWTH * len(BASE) else ()
    assert [f.code for f in by_stream.findings] == [
        f.code for f in whole.findings if f.code not in ends]


def test_a_walk_that_leaves_what_was_read_ends_there(tmp_path):
    """Its first entry that is wrong is refused; those behind it are not looked for."""
    damaged = sample.put(sample.spans(BASE).tensors[3].offset, b"\xff\xff\0\0")(BASE)
    path = sparse(tmp_path / "x.bin", damaged)
    assert [f.code for f in efm3.validate(path).findings] == ["T011"]
    assert refusal(efm3.load, path).path == "stem.bn.mean"


def test_a_table_that_is_not_the_headers_is_looked_for_in_more(tmp_path):
    """FP64 has twice the bytes; of a file that no damage makes so long no more is read."""
    wide = sample.base()
    parts = [wide[:sample.spans(wide).table_offset]]
    for t in sample.spans(wide).tensors:
        parts += [(2 * t.size).to_bytes(4, "little"), bytes(2 * t.size)]
    data = b"".join(parts)
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    assert [f.code for f in efm3.validate(path).findings] == ["T004"]
    assert [f.code for f in efm3.validate(io.BytesIO(data)).findings] == ["T004"]
    most = GROWTH * scan(data).stated
    for size, read in ((most, most), (most + 1, scan(data).stated + LOOK)):
        os.truncate(path, size)
        assert len(scan_of(path).data) == read


def test_every_part_of_a_long_file_is_named(tmp_path):
    """Spans tile the file, and nothing is computed of bytes that were not read."""
    data = sample.put(sample.spans(BASE).tensors[3].offset, b"\xff\xff\xff\x00")(BASE)
    s = scan_of(sparse(tmp_path / "x.bin", data))
    assert s.size == LONG and not s.whole and len(s.data) == len(BASE) + LOOK
    at = 0
    for span in s.spans():
        assert span.offset == at
        at += span.length
    assert at == LONG
    last = s.tensors[-1]
    assert last.size == 0xffffff and last.data_offset + last.present == len(s.data)
    seen = inspect(s, tensors="*", part="trailing")
    assert seen["sizes"]["file"] == LONG and not seen["card"]["verdict"]["ok"]
    assert describe(s, LONG - 1)["field"] == "trailing"
