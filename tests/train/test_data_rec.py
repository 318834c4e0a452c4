# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""InsightFace's train.rec and train.idx, written here as MXNet writes them, and damaged."""


import io
import pickle
import struct
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from PIL import Image

from efm3 import Efm3Error
from efm3.train import data
from efm3.train.data import _rec

NEEDS = ("torch", "PIL",)

MAGIC = struct.pack("<I", 0xCED7230A)


def encoded(number, form="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(np.full((112, 112, 3), (number, 9, 7), np.uint8)).save(buffer, form)
    return buffer.getvalue()


def record(payload):
    """MXNet cuts a record where the magic number lies at a multiple of four, and drops it."""
    cuts = [i for i in range(0, len(payload) - 3, 4) if payload[i:i + 4] == MAGIC]
    ends = [*cuts, len(payload)]
    starts = [0, *(c + 4 for c in cuts)]
    out = b""
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        kind = 0 if not cuts else 1 if n == 0 else 3 if n == len(cuts) else 2
        part = payload[start:end]
        out += MAGIC + struct.pack("<I", kind << 29 | len(part)) + part + bytes(-len(part) % 4)
    return out


def item(label, picture, number=0):
    if isinstance(label, (int, float)):
        return struct.pack("<IfQQ", 0, label, number, 0) + picture
    head = struct.pack("<IfQQ", len(label), 0, number, 0)
    return head + struct.pack(f"<{len(label)}f", *label) + picture


PEOPLE = [0, 0, 1, 2, 2, 2]


def payloads(pictures=None, labels=PEOPLE):
    """Record 0, the pictures from key 1, then one record an identity."""
    pictures = pictures or [encoded(10 + i) for i in range(len(labels))]
    end = len(pictures) + 1
    people = max(int(label) for label in labels) + 1
    out = [item([end, end + people], b"")]
    out += [item([label, 0.0] if i % 2 else label, p, i)
            for i, (label, p) in enumerate(zip(labels, pictures, strict=True))]
    return out + [item([0, 1], b"") for _ in range(people)]


def write(folder, records, index=True, shuffled=False):
    offsets, at = [], 0
    for r in records:
        offsets.append(at)
        at += len(r)
    (folder / "train.rec").write_bytes(b"".join(records))
    lines = [f"{key}\t{offset}\n" for key, offset in enumerate(offsets)]
    if shuffled:
        lines.reverse()
    if index:
        (folder / "train.idx").write_text("".join(lines))
    return str(folder / "train.rec")


def write_keyed(folder, parts):
    """A .rec of (key, payload) pairs; the .idx has the keys that are not None."""
    lines, whole = "", b""
    for key, payload in parts:
        if key is not None:
            lines += f"{key}\t{len(whole)}\n"
        whole += record(payload)
    (folder / "train.rec").write_bytes(whole)
    (folder / "train.idx").write_text(lines)
    return str(folder / "train.rec")


def refused(spec):
    with pytest.raises(Efm3Error) as e:
        data.open_data(str(spec))
    f = e.value.finding
    assert f.path and f.found and f.expected, f
    return f.code


def numbers(source):
    return [(int(x[0, 0, 0]), label) for x, label in (source[i] for i in range(len(source)))]


WANT = [(10 + i, label) for i, label in enumerate(PEOPLE)]


@pytest.mark.parametrize("index,shuffled", [(True, False), (True, True), (False, False)])
def test_read(tmp_path, index, shuffled):
    path = write(tmp_path, [record(p) for p in payloads()], index, shuffled)
    source = data.open_data(path)
    assert len(source) == 6 and source.classes == 3 and source.name == path
    assert numbers(source) == WANT and source.skipped == 0
    assert source.fetch([5, 0])[1].tolist() == [2, 0]


def test_records_in_parts(tmp_path):
    """Pictures that hold the magic number, once, twice, and at their end."""
    tails = [b"", MAGIC, b"abc" + MAGIC, MAGIC + b"1234" + MAGIC, MAGIC * 3, b"ab"]
    pictures = [encoded(10 + i) for i in range(6)]
    pictures = [p + bytes(-len(p) % 4) + t for p, t in zip(pictures, tails, strict=True)]
    records = [record(p) for p in payloads(pictures)]
    assert sum(struct.unpack_from("<I", r, 4)[0] >> 29 for r in records) > 0
    for index in (True, False):
        path = write(tmp_path, records, index)
        source = data.open_data(path)
        assert numbers(source) == WANT and source.skipped == 0
        for i, offset in enumerate(source._offsets):
            assert source._record(int(offset)).endswith(pictures[i])
        (tmp_path / "train.idx").unlink(missing_ok=True)


def test_without_record_0(tmp_path):
    """As im2rec alone writes it: classes are what the labels say."""
    records = [record(item(label, encoded(10 + i))) for i, label in enumerate(PEOPLE)]
    source = data.open_data(write(tmp_path, records))
    assert numbers(source) == WANT and source.classes == 3
    records = [record(item(7 + label, encoded(10 + i))) for i, label in enumerate(PEOPLE)]
    source = data.open_data(write(tmp_path, records))
    assert numbers(source) == WANT and source.classes == 3


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_read_the_same(tmp_path):
    source = data.open_data(write(tmp_path, [record(p) for p in payloads()]))
    assert numbers(source) == WANT
    loader = torch.utils.data.DataLoader(source, batch_size=2, num_workers=1,
                                         collate_fn=data.collate, multiprocessing_context="fork")
    got = list(loader)
    assert torch.cat([b[1] for b in got]).tolist() == PEOPLE
    assert torch.cat([b[0][:, 0, 0, 0] for b in got]).tolist() == [w[0] for w in WANT]
    # What a spawned worker gets: it opens the file itself.
    again = pickle.loads(bytes(ForkingPickler.dumps(source)))
    assert again._file is None and numbers(again) == WANT


def test_corrupt_records_are_counted(tmp_path):
    whole = payloads()
    whole[2] = item(0, b"junk")
    whole[3] = item(99, encoded(1))
    whole[4] = item(float("nan"), encoded(1))
    whole[5] = struct.pack("<IfQQ", 4_000_000_000, 0, 0, 0)
    source = data.open_data(write(tmp_path, [record(p) for p in whole]))
    assert numbers(source) == [(10, 0), (15, 2), (15, 2), (15, 2), (15, 2), (15, 2)]
    assert source.skipped == 4 + 3 + 2 + 1


@pytest.mark.parametrize("head", [
    struct.pack("<II", 0x12345678, 40), MAGIC + struct.pack("<I", 0x1FFFFFFF),
    MAGIC + struct.pack("<I", 2 << 29 | 40), MAGIC + struct.pack("<I", 5 << 29 | 40),
    MAGIC + struct.pack("<I", 1 << 29 | 40), MAGIC + struct.pack("<I", 1 << 29 | 0x1FFFFFFF),
    MAGIC + struct.pack("<I", 10),
])
def test_damaged_record_heads(tmp_path, head):
    records = [record(p) for p in payloads()]
    records[2] = head + records[2][8:]
    source = data.open_data(write(tmp_path, records))
    assert numbers(source) == [WANT[0], WANT[2], *WANT[2:]] and source.skipped == 1


def test_a_file_that_ends_early(tmp_path):
    records = [record(p) for p in payloads()]
    path = write(tmp_path, records)
    whole = (tmp_path / "train.rec").read_bytes()
    cut = sum(map(len, records[:6])) + 50
    (tmp_path / "train.rec").write_bytes(whole[:cut])
    # The index names bytes that are not there: another file's.
    assert refused(path) == "F022"
    (tmp_path / "train.idx").unlink()
    source = data.open_data(path)
    assert numbers(source) == [*WANT[:5], WANT[0]] and source.skipped == 1


def test_a_chain_without_end(tmp_path):
    """First parts that are followed by middle parts of no bytes, to the end of the file."""
    middle = MAGIC + struct.pack("<I", 2 << 29)
    records = [record(p) for p in payloads()]
    records[6] = MAGIC + struct.pack("<I", 1 << 29) + middle * 5000
    source = data.open_data(write(tmp_path, records))
    assert numbers(source) == [*WANT[:5], WANT[0]] and source.skipped == 1


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "x.rec"
    assert refused(path) == "F020"
    for junk in (b"", b"<html>not found</html>", bytes(1000), b"PK\x03\x04" + bytes(100)):
        path.write_bytes(junk)
        assert refused(path) == "F021", junk[:9]
    path.write_bytes(record(item(0, b""))[:20])
    assert refused(path) == "F021"
    path.write_bytes(record(b"short"))
    assert refused(path) == "F021"
    path.write_bytes(record(item(-1, b"")))
    assert refused(path) == "F021"


@pytest.mark.parametrize("text", ["a\tb\n", "1\n", "0\t0\n1\t3\n", "0\t0\n1\t99999999\n", "",
                                  "0\t-4\n", "0\t0\n0\t4\n", "-1\t0\n", "0 0 0\n",
                                  "99999999999999999999999\t0\n", "x" * 9000, "\0" * 100])
def test_a_wrong_index(tmp_path, text):
    path = write(tmp_path, [record(p) for p in payloads()])
    (tmp_path / "train.idx").write_text(text)
    assert refused(path) in ("F022", "F021")


@pytest.mark.parametrize("head", [[7, 7], [7, 3], [0, 3], [1, 3], [7, 1e30], [float("inf"), 9],
                                  [7.5, 9], [float("nan"), 9]])
def test_a_wrong_record_0(tmp_path, head):
    records = [record(p) for p in [item(head, b""), *payloads()[1:]]]
    assert refused(write(tmp_path, records)) == "F021"


def test_no_picture_among_the_keys(tmp_path):
    path = write(tmp_path, [record(p) for p in payloads()])
    (tmp_path / "train.idx").write_text("0\t0\n50\t0\n")
    assert refused(path) == "F022"


FAR = 1 << 24


@pytest.mark.parametrize("first", [FAR - 8, FAR - 5, FAR - 1, FAR, FAR + 1, FAR + 2, 3 * FAR + 3])
def test_keys_past_what_float32_holds(tmp_path, first):
    """Record 0 is float32: its two numbers are off by one or more."""
    end = first + len(PEOPLE)
    pictures = [(first + i, item(label, encoded(10 + i))) for i, label in enumerate(PEOPLE)]
    # Enough identities that the numbers still differ in float32.
    people = [(end + i, item([0, 1], b"")) for i in range(16)]
    parts = [(0, item([end, end + 16], b"")), *pictures, *people]
    source = data.open_data(write_keyed(tmp_path, parts))
    assert numbers(source) == WANT and source.classes == 16 and source.skipped == 0
    # Without the identities nothing says where the pictures end.
    if end > FAR:
        assert refused(write_keyed(tmp_path, parts[:-16])) == "F021"


def test_an_index_without_key_0(tmp_path):
    whole = payloads()
    parts = [(None, whole[0]), *enumerate(whole[1:], 1)]
    source = data.open_data(write_keyed(tmp_path, parts))
    assert numbers(source) == WANT and source.classes == 3 and len(source) == 6
    # An identity of which no picture is left is one all the same.
    source = data.open_data(write_keyed(tmp_path, [*parts, (len(parts), whole[-1])]))
    assert numbers(source) == WANT and source.classes == 4


@pytest.mark.parametrize("wrong", [
    # Record 0 says fewer identities than there are records of them; more of them.
    lambda parts: [(0, item([7, 9], b"")), *parts[1:]],
    lambda parts: [(0, item([7, 11], b"")), *parts[1:]],
    # It says that the pictures end one early, or one late.
    lambda parts: [(0, item([6, 9], b"")), *parts[1:]],
    lambda parts: [(0, item([8, 11], b"")), *parts[1:]],
    # Labels of more identities than there are, with record 0 and without.
    lambda parts: [*parts[:2], *[(k, item(7, encoded(1))) for k in range(2, 5)], *parts[5:]],
    lambda parts: [*parts[1:2], *[(k, item(7, encoded(1))) for k in range(2, 5)], *parts[5:]],
])
def test_contradictions(tmp_path, wrong):
    parts = list(enumerate(payloads()))
    assert numbers(data.open_data(write_keyed(tmp_path, parts))) == WANT
    assert refused(write_keyed(tmp_path, wrong(parts))) == "F021"


def test_a_long_index_comes_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(_rec, "CHUNK", 7)
    source = data.open_data(write(tmp_path, [record(p) for p in payloads()]))
    assert numbers(source) == WANT


def test_a_record_of_too_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(_rec, "MAX_BYTES", 1000)
    records = [record(p) for p in payloads()]
    records[1] = record(item(0, encoded(1) + bytes(2000)))
    records[2] = record(item(0, encoded(1) + bytes(-len(encoded(1)) % 4) + MAGIC + bytes(2000)))
    source = data.open_data(write(tmp_path, records))
    assert numbers(source)[:3] == [WANT[2]] * 3 and source.skipped == 3
