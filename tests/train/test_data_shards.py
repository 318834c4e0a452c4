# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""WebDataset shards: read, shuffled, dealt out, damaged."""


import io
import json
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from efm3 import Efm3Error
from efm3.train import data
from efm3.train.data import _shards

NEEDS = ("torch", "PIL",)


def encoded(number):
    buffer = io.BytesIO()
    Image.fromarray(np.full((112, 112, 3), (number, 9, 7), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def packed(files, form=tarfile.PAX_FORMAT, **kw):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in kw.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def sample(number):
    """Sample `number` has this colour, and identity number // 2."""
    return [(f"{number:06d}.png", encoded(number)), (f"{number:06d}.cls", b"%d" % (number // 2))]


@pytest.fixture
def shards(tmp_path):
    """Five shards of four samples, ten identities."""
    for s in range(5):
        files = [f for n in range(4 * s, 4 * s + 4) for f in sample(n)]
        (tmp_path / f"train-{s:04d}.tar").write_bytes(packed(files, mtime=1.5))
    return tmp_path


def numbers(stream):
    return [(int(x[0, 0, 0]), label) for x, label in stream]


def refused(spec):
    with pytest.raises(Efm3Error) as e:
        list(data.open_data(str(spec)))
    f = e.value.finding
    assert f.path and f.found and f.expected, f
    return f.code


WANT = [(n, n // 2) for n in range(20)]


@pytest.mark.parametrize("name", ["train-*.tar", "train-{0000..0004}.tar"])
def test_read(shards, name):
    stream = data.open_data(str(shards / name))
    assert isinstance(stream, data.Stream)
    assert isinstance(stream, torch.utils.data.IterableDataset)
    assert len(stream) == 20 and stream.classes == 10
    got = numbers(stream)
    assert sorted(got) == WANT and got != WANT and stream.skipped == 0
    assert numbers(stream) == got
    stream.set_epoch(1)
    assert sorted(numbers(stream)) == WANT and numbers(stream) != got
    stream.set_epoch(0)
    assert numbers(stream) == got
    x, label = next(iter(stream))
    assert x.shape == (3, 112, 112) and x.dtype == torch.uint8 and isinstance(label, int)


def test_one_shard_and_no_shuffle(shards):
    assert len(data.open_data(str(shards / "train-0001.tar"))) == 4
    stream = _shards.ShardStream(str(shards / "train-*.tar"), 112, shuffle=False)
    assert numbers(stream) == WANT
    assert numbers(_shards.ShardStream(str(shards / "train-*.tar"), 112, seed=1)) != numbers(
        _shards.ShardStream(str(shards / "train-*.tar"), 112, seed=2))


def test_the_buffer_mixes_shards():
    rng = _shards.random.Random(1)
    got = list(_shards._shuffled(iter(range(1000)), 100, rng))
    assert sorted(got) == list(range(1000)) and got != sorted(got)
    assert max(abs(v - i) for i, v in enumerate(got)) > 100
    assert min(got.index(v) for v in range(900, 1000)) >= 800


@pytest.mark.parametrize("workers,world", [(1, 2), (2, 2), (3, 3), (2, 5)])
def test_shards_are_dealt_out(shards, monkeypatch, workers, world):
    got = []
    for rank in range(world):
        monkeypatch.setattr(_shards, "_rank", lambda rank=rank: (rank, world))
        for worker in range(workers):
            info = type("Info", (), {"num_workers": workers, "id": worker})
            monkeypatch.setattr(_shards, "get_worker_info", lambda info=info: info)
            got.append(numbers(data.open_data(str(shards / "train-*.tar"))))
    assert sorted(s for part in got for s in part) == WANT
    assert all(part for part in got)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_loader_with_workers(shards):
    stream = data.open_data(str(shards / "train-*.tar"))
    loader = torch.utils.data.DataLoader(stream, batch_size=4, num_workers=2,
                                         collate_fn=data.collate)
    batches = list(loader)
    assert sorted(torch.cat([b[1] for b in batches]).tolist()) == [n // 2 for n in range(20)]
    assert batches[0][0].shape == (4, 3, 112, 112) and batches[0][1].dtype == torch.int64


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_resuming_inside_an_epoch(shards, monkeypatch, workers):
    """A loader that begins after `done` batches gives the rest of the same epoch."""
    (shards / "train-0001.tar").write_bytes(packed([("x.png", b"junk"), ("x.cls", b"1"),
                                                    *sample(4), *sample(5)]))
    stream = data.open_data(str(shards / "train-*.tar"))

    def batches(done):
        """What a DataLoader with these workers makes of it."""
        stream.set_epoch(3, done, 3)
        parts = []
        for worker in range(workers):
            info = type("Info", (), {"num_workers": workers, "id": worker})
            monkeypatch.setattr(_shards, "get_worker_info", lambda info=info: info)
            mine = numbers(stream)
            parts.append([mine[i:i + 3] for i in range(0, len(mine) - 2, 3)])
        turn = done % workers
        return [part[k] for k in range(len(parts[0]) + 1)
                for part in (*parts[turn:], *parts[:turn]) if k < len(part)]

    whole = batches(0)
    full = min(3, len(whole))
    for done in range(full):
        assert batches(done)[:full - done] == whole[done:full]


def test_every_form_of_tar(tmp_path):
    long = "a/" * 120
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        files = [(long * (form != tarfile.USTAR_FORMAT) + name, c)
                 for n in range(4) for name, c in sample(n)]
        (tmp_path / "x.tar").write_bytes(packed(files))
        assert sorted(numbers(data.open_data(str(tmp_path / "x.tar")))) == WANT[:4], form


def test_other_files_beside_a_sample(tmp_path):
    files = [("README", b"none"), ("a/1.json", b"{}"), ("a/1.JPG", encoded(1)),
             ("a/1.cls", b" 0\n"), ("b/1.png", encoded(2)), ("b/1.cls", b"1"),
             ("only.png", encoded(3)), ("nothing.cls", b"1"), (".png", encoded(4)), (".cls", b"1")]
    buffer = io.BytesIO(packed(files))
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        for kind, name in ((tarfile.SYMTYPE, "9.png"), (tarfile.LNKTYPE, "9.jpg"),
                           (tarfile.DIRTYPE, "9.cls"), (tarfile.CHRTYPE, "8.png")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    (tmp_path / "x.tar").write_bytes(buffer.getvalue())
    stream = data.open_data(str(tmp_path / "x.tar"))
    assert sorted(numbers(stream)) == [(1, 0), (2, 1)] and len(stream) == 2


def test_corrupt_samples_are_counted(tmp_path):
    files = [*sample(0), ("1.png", b"junk"), ("1.cls", b"0"), *sample(2), ("3.png", encoded(3)),
             ("3.cls", b"x"), ("4.png", encoded(4)), ("4.cls", b"-1"), *sample(5)]
    (tmp_path / "x.tar").write_bytes(packed(files))
    stream = data.open_data(str(tmp_path / "x.tar"))
    assert sorted(numbers(stream)) == [WANT[0], WANT[2], WANT[5]]
    assert stream.skipped == 3 and stream.classes == 3 and len(stream) == 6


def test_damaged_shards_are_counted(shards):
    third = shards / "train-0002.tar"
    whole = third.read_bytes()
    third.write_bytes(whole[:len(whole) // 2])
    broken = bytearray((shards / "train-0003.tar").read_bytes())
    broken[0:100] = b"\xff" * 100
    (shards / "train-0003.tar").write_bytes(broken)
    (shards / "train-0004.tar").write_bytes(b"")
    stream = data.open_data(str(shards / "train-*.tar"))
    got = numbers(stream)
    assert set(got) > set(WANT[:8]) and len(got) < 12 and stream.skipped == 3


def tampered(size=None, kind=None):
    """A shard whose second header says another size, or kind."""
    raw = bytearray(packed([f for n in range(3) for f in sample(n)], tarfile.USTAR_FORMAT))
    at = 512 + (len(encoded(0)) + 511) // 512 * 512
    assert raw[at:at + 10] == b"000000.cls"
    if size is not None:
        raw[at + 124:at + 136] = size
    if kind is not None:
        raw[at + 156:at + 157] = kind
    raw[at + 148:at + 156] = b" " * 8
    raw[at + 148:at + 156] = b"%06o\0 " % sum(raw[at:at + 512])
    return bytes(raw)


@pytest.mark.parametrize("kw", [
    {"size": b"77777777777\0"}, {"size": b"\xff" * 12}, {"size": b"\xff" * 10 + b"\xfc\0"},
    {"size": b"\x80" + b"\x7f" * 11},
    {"size": b"zzzzzzzzzzz\0"}, {"size": b"00000200000\0", "kind": b"x"},
    {"size": b"00000200000\0", "kind": b"L"}, {"kind": b"x"},
])
def test_hostile_headers(tmp_path, kw):
    (tmp_path / "x.tar").write_bytes(tampered(**kw))
    (tmp_path / "y.tar").write_bytes(packed(sample(7)))
    stream = data.open_data(str(tmp_path / "*.tar"))
    assert (7, 3) in numbers(stream) and stream.skipped >= 1


def test_random_damage(tmp_path):
    rng = np.random.default_rng(1)
    whole = packed([f for n in range(3) for f in sample(n)])
    (tmp_path / "good.tar").write_bytes(packed(sample(19)))
    for _ in range(40):
        broken = bytearray(whole)
        for at in rng.integers(0, len(whole), 5):
            broken[at] = rng.integers(256)
        (tmp_path / "bad.tar").write_bytes(broken[:rng.integers(len(whole))])
        assert (19, 9) in numbers(data.open_data(str(tmp_path / "*.tar")))


def test_the_index_spares_the_walk(shards, monkeypatch):
    (shards / "shards.json").write_text(json.dumps({"classes": 12, "samples": 20}))
    monkeypatch.setattr(_shards.ShardStream, "_counted", None)
    stream = data.open_data(str(shards / "train-*.tar"))
    assert stream.classes == 12 and len(stream) == 20 and sorted(numbers(stream)) == WANT
    for text in ("", "[]", "{}", '{"classes": 0, "samples": 1}', '{"classes": "1", "samples": 1}',
                 "[" * 100000, '{"classes": 1.5, "samples": 1}'):
        (shards / "shards.json").write_text(text)
        assert refused(shards / "train-*.tar") == "F023"
    (shards / "shards.json").write_text('{"classes": 5, "samples": 20}')
    stream = data.open_data(str(shards / "train-*.tar"))
    assert sorted(numbers(stream)) == WANT[:10] and stream.skipped == 10


def test_what_is_no_shard(shards, tmp_path):
    assert refused(tmp_path / "none.tar") == "F023"
    assert refused(tmp_path / "none-*.tar") == "F023"
    assert refused(shards / "train-{0000..0005}.tar") == "F023"
    assert refused(shards / "train-{0004..0000}.tar") == "F020"
    assert refused(shards / "train-{0..999999999}.tar") == "F020"
    for junk in (b"", b"<html>", bytes(2000), b"x" * 2000, packed([("a.txt", b"x")])):
        (tmp_path / "junk.tar").write_bytes(junk)
        assert refused(tmp_path / "junk.tar") == "F023"


def test_nothing_that_can_be_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(_shards, "BAD_IN_A_ROW", 3)
    files = [(f"{n}.{s}", c) for n in range(4) for s, c in (("png", b"junk"), ("cls", b"0"))]
    (tmp_path / "x.tar").write_bytes(packed(files))
    assert refused(tmp_path / "x.tar") == "F025"
