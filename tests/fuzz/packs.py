# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Inputs of several files for fuzz_python.py: each but the last behind its length in four bytes."""

from __future__ import annotations

import atexit
import io
import os
import random
import shutil
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from functools import lru_cache

from tests.fuzz.mutators import Mutator, entries_of, raw


def packed(*files: bytes) -> bytes:
    """Files as one input."""
    return b"".join(struct.pack("<I", len(f)) + f for f in files[:-1]) + files[-1]


def split(data: bytes, count: int = 2) -> list[bytes]:
    """The `count` files of an input."""
    out, at = [], 0
    for _ in range(count - 1):
        size = int.from_bytes(data[at:at + 4], "little")
        out.append(data[at + 4:at + 4 + size])
        at += 4 + size
    return [*out, data[at:]]


def one_of(*each: Mutator) -> Mutator:
    """A mutator of packed files: one of them is changed by its own."""
    def mutate(rng: random.Random, data: bytes) -> bytes:
        files = split(data, len(each))
        at = rng.randrange(len(each))
        files[at] = each[at](rng, files[at])
        return packed(*files)
    return mutate


@lru_cache(maxsize=1)
def folder() -> str:
    """A folder that goes with the process; in memory where the system has that."""
    shared = "/dev/shm"
    made = tempfile.mkdtemp(prefix="efm3-", dir=shared if os.path.isdir(shared) else None)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def placed(data: bytes, names: Sequence[str]) -> list[str]:
    """The files of an input under these names; their paths."""
    paths = [os.path.join(folder(), name) for name in names]
    for path, part in zip(paths, split(data, len(names)), strict=True):
        with open(path, "wb") as f:
            f.write(part)
    return paths


def lines(words: Sequence[bytes], separator: bytes) -> Mutator:
    """A mutator of a text of lines: one is lost, twice, or has another word."""
    def mutate(rng: random.Random, data: bytes) -> bytes:
        if rng.randrange(5) == 0:
            return raw(rng, data)
        rows = data.split(b"\n")
        at = rng.randrange(len(rows))
        kind = rng.randrange(6)
        if kind == 0:
            rows[at:at + 1] = rng.choice(([], [rows[at]] * 2, [rng.choice(rows)]))
        else:
            fields = rows[at].split(separator)
            i = rng.randrange(len(fields))
            if kind == 1:
                fields[i:i + 1] = rng.choice(([], [fields[i]] * 2))
            elif kind == 2:
                fields[i] = raw(rng, fields[i])
            else:
                fields[i] = rng.choice(words)
            rows[at] = separator.join(fields)
        return b"\n".join(rows)
    return mutate


def zipped(inner: Mutator, names: Sequence[str] = ()) -> Mutator:
    """A mutator of a zip archive: one entry by `inner`, its checksums right; or raw damage."""
    def mutate(rng: random.Random, data: bytes) -> bytes:
        if rng.randrange(4) == 0:
            return raw(rng, data)
        entries = entries_of(data)
        if not entries:
            return raw(rng, data)
        at = rng.randrange(len(entries))
        name, body = entries[at]
        if rng.randrange(6) == 0:
            entries[at:at + 1] = rng.choice(([], [entries[at]] * 2, [rng.choice(entries)], [
                (rng.choice((*names, f"{name}x", "../x", "")), body)]))
        else:
            entries[at] = name, inner(rng, body)
        out = io.BytesIO()
        way = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with warnings.catch_warnings(), zipfile.ZipFile(out, "w", way) as z:
            warnings.simplefilter("ignore")
            for name, body in entries:
                z.writestr(zipfile.ZipInfo(name), body, way)
        return out.getvalue()
    return mutate


def array(rng: random.Random, data: bytes) -> bytes:
    """A .npy with a change that is mostly of its header, which is what is believed."""
    head = min(len(data), 128)
    if rng.randrange(3) == 0 or not head:
        return raw(rng, data)
    old = data[10:head]
    shapes: tuple[bytes, ...] = (b"(0,)", b"()", b"(1, 1)", b"(9999999999999999999,)", b"(-1, 4)",
                                 b"(True, 2)", b"(4294967296, 4294967296)", b"(2, 3, 4, 5)")
    kinds: tuple[bytes, ...] = (b"'<f4'", b"'>f4'", b"'|O'", b"'<f8'", b"'|u1'", b"'<U9'", b"'<i8'",
                                b"[('a', '<f4')]", b"'|V4'", b"'<M8[s]'", b"'x'", b"'|S0'")
    key, choice = rng.choice(((b"'shape': ", shapes), (b"'descr': ", kinds),
                              (b"'fortran_order': ", (b"True", b"1", b"None"))))
    start, found, rest = old.partition(key)
    if not found:
        return raw(rng, data[:head]) + data[head:]
    # The value ends at its closing bracket or comma; what stands behind it is the next key.
    end = rest.find(b", '") if b", '" in rest else rest.find(b"}")
    new = start + key + rng.choice(choice) + rest[max(end, 0):].rstrip(b" \n")
    new = new.ljust(len(old) - 1) + b"\n"
    return data[:8] + struct.pack("<H", len(new)) + new + data[head:]

