# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What training and evaluation read, for fuzz_python.py: RecordIO, shards, caches, and sets of
pairs as pickles and as texts. All but the pairs need PyTorch."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import tarfile
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from efm3 import Efm3Error
from efm3.evaluation import sets
from efm3.source import Unreadable
from tests.fuzz import packs
from tests.fuzz.checkpoints import _stream as opcodes
from tests.fuzz.mutators import raw, text
from tests.fuzz.table_files import tar

MAGIC = struct.pack("<I", 0xCED7230A)
SIDE = 112
REFUSED = ("F020", "F021", "F022", "F023", "F024", "F025")
OF_PAIRS = ("F001", "F002", "F003", "F004", "F005", "F007", "F009", "F010", "F011", "F012", "IO001")


@lru_cache(maxsize=4)
def encoded(shade: int) -> bytes:
    """A small picture."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), (shade, 9, 7)).save(buffer, "PNG")
    return buffer.getvalue()


def _item(labels: list[float], picture: bytes) -> bytes:
    one = len(labels) == 1
    head = struct.pack("<IfQQ", 0 if one else len(labels), labels[0] if one else 0, 1, 0)
    return head + (b"" if one else struct.pack(f"<{len(labels)}f", *labels)) + picture


def records() -> list[bytes]:
    """A .rec of four pictures of two people, with its .idx and without."""
    payloads = [_item([5, 7], b""), *(_item([i // 2], encoded(i)) for i in range(4)),
                _item([1, 3], b""), _item([3, 5], b"")]
    out, index, at = b"", [], 0
    for key, payload in enumerate(payloads):
        record = MAGIC + struct.pack("<I", len(payload)) + payload + bytes(-len(payload) % 4)
        index.append(f"{key}\t{at}\n")
        at += len(record)
        out += record
    cut = MAGIC + struct.pack("<I", 1 << 29 | 28) + _item([1], MAGIC)
    cut += MAGIC + struct.pack("<I", 3 << 29 | 4) + b"abcd"
    return [packs.packed("".join(index).encode(), out), packs.packed(b"", out + cut)]


line = packs.lines((b"0", b"-1", b"4", b"3", b"9" * 20, b"1e3", b"x"), b"\t")
"""A mutator of an index."""


def record(rng: random.Random, data: bytes) -> bytes:
    """A word of a record's head, its labels, a line of the index, or any byte."""
    index, body = packs.split(data)
    kind = rng.randrange(6)
    if kind == 0:
        return packs.packed(raw(rng, index), body)
    if kind == 1:
        return packs.packed(index, raw(rng, body))
    if kind == 2:
        return packs.packed(line(rng, index), body)
    places = [i for i in range(0, len(body) - 40, 4) if body[i:i + 4] == MAGIC]
    if not places:
        return packs.packed(index, raw(rng, body))
    at = rng.choice(places) + rng.choice((4, 4, 8, 12, 32, 36))
    word = rng.choice((0, 1, 2, 3, 24, 64, 65, 0x3f800000, 0x7fc00000, 0x4b800000, 0xff800000,
                       1 << 29, 2 << 29 | 8, 3 << 29 | 8, (1 << 29) - 1, rng.getrandbits(32)))
    return packs.packed(index, body[:at] + struct.pack("<I", word) + body[at + 4:])


def _opened(path: str) -> str:
    """The first samples of a source, or the code of why there are none."""
    from efm3.train.data import Source, open_data

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            source = open_data(path, SIDE)
            assert source.classes > 0 and len(source) > 0
            if isinstance(source, Source):
                for i in {0, len(source) - 1}:
                    picture, label = source[i]
                    assert picture.shape == (3, SIDE, SIDE) and 0 <= label < source.classes
            else:
                for n, (picture, label) in enumerate(source):
                    assert picture.shape == (3, SIDE, SIDE) and 0 <= label < source.classes
                    if n == 3:
                        break
        except Efm3Error as e:
            assert e.code in REFUSED, e
            return e.code
    return f"{min(source.classes, 9)} {source.skipped and 'skipped'}"


def check_records(data: bytes) -> str:
    """Samples with labels that are below the number of classes, or Efm3Error."""
    paths = [os.path.join(packs.folder(), f"train.{end}") for end in ("idx", "rec")]
    for path, part in zip(paths, packs.split(data), strict=True):
        with open(path, "wb") as f:
            f.write(part)
    if not packs.split(data)[0]:
        os.remove(paths[0])
    return _opened(paths[1])


def shards() -> list[bytes]:
    """A shard with and without its index."""
    out = []
    for form in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as t:
            for i in range(3):
                for end, body in (("cls", b"%d\n" % (i % 2)), ("png", encoded(i))):
                    info = tarfile.TarInfo(f"{'k' * (120 * (form > 0))}{i}.{end}"[-90 - 60 * form:])
                    info.size = len(body)
                    t.addfile(info, io.BytesIO(body))
        body = buffer.getvalue().rstrip(b"\0") + bytes(1024)
        out += [packs.packed(b"", body), packs.packed(b'{"samples": 3, "classes": 2}', body)]
    return out


def check_shards(data: bytes) -> str:
    """Samples, or Efm3Error."""
    home = os.path.join(packs.folder(), "shards")
    os.makedirs(home, exist_ok=True)
    index, body = packs.split(data)
    with open(os.path.join(home, "s.tar"), "wb") as f:
        f.write(body)
    known = os.path.join(home, "index.json")
    if index:
        with open(known, "wb") as f:
            f.write(index)
    elif os.path.exists(known):
        os.remove(known)
    return _opened(os.path.join(home, "s.tar"))


def caches() -> list[bytes]:
    """A cache: the facts, the labels, and pictures of which all are alike."""
    def array(a: Any) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, a)
        return buffer.getvalue()

    facts = json.dumps({"seed": 1, "classes": 2, "shots": 1, "first": 0}).encode()
    return [packs.packed(facts, array(np.arange(2)), array(np.zeros((2, 3, SIDE, SIDE), np.uint8)))]


def check_cache(data: bytes) -> str:
    """Samples, or Efm3Error."""
    home = os.path.join(packs.folder(), "cache")
    os.makedirs(home, exist_ok=True)
    packs.placed(data, [os.path.join("cache", n)
                        for n in ("synth.json", "labels.npy", "images.npy")])
    return _opened(home)


def pickles() -> list[bytes]:
    """Sets of ten pairs as pickles of several protocols."""
    pictures, same = [encoded(i % 4) for i in range(20)], [i % 2 == 0 for i in range(10)]
    return [*(pickle.dumps((pictures, same), p) for p in (0, 2, 4)),
            pickle.dumps(([np.frombuffer(p, np.uint8) for p in pictures], np.array(same, np.uint8)),
                         2)]


def pickled(rng: random.Random, data: bytes) -> bytes:
    """An opcode for another, or any byte."""
    return opcodes(rng, data) if rng.randrange(3) else raw(rng, data)


def pairs() -> list[bytes]:
    """Texts of pairs: LFW's form with folds and without, and one of paths."""
    rows = [f"a\t{i}\t{i + 1}" for i in range(1, 6)] + [f"a\t{i}\tb\t{i}" for i in range(1, 6)]
    paths = [f"a/{i}.png b/{i}.png {i % 2}" for i in range(10)]
    return ["\n".join(t).encode() for t in (["1\t5", *rows], ["2\t5", *rows, *rows], ["5", *rows],
                                            paths, [p.replace(" ", ",") for p in paths])]


def check_pairs(name: str) -> Callable[[bytes], str]:
    """A check of a set of pairs in a file of this name."""
    def verdict(data: bytes) -> str:
        path = os.path.join(packs.folder(), name)
        with open(path, "wb") as f:
            f.write(data)
        try:
            found = sets.open_pairs(path)
            assert len(found.first) == len(found.second) == len(found.same) == len(found.fold)
            assert found.folds >= 2 and max(found.first.max(), found.second.max()) < found.count
            picture = found.load(0)
            assert picture.shape == (SIDE, SIDE, 3) and picture.dtype == np.uint8
        except Efm3Error as e:
            assert e.code in OF_PAIRS, e
            return e.code
        except Unreadable:
            return "unreadable"
        return f"{min(found.count, 9)} {found.folds}"
    return verdict


PAIR_WORDS = (b"", b"0", b"1", b"-1", b"a", b"../a", b"/etc/x", b"9999999999", b"5", b"1.0", b"#",
              b"\x00", b"\xe9", b"x" * 300, b"a.png")
change_shards = packs.one_of(text, tar)
change_cache = packs.one_of(text, packs.array, packs.array)
