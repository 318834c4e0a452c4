# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Mutators for fuzz_python.py: mutate.c as a library, and one for each text and archive.

Every mutator takes a `random.Random` and a whole input, and gives another one that mostly holds
but for one mistake: what stands around the mistake (lengths, checksums) is repaired.
"""

from __future__ import annotations

import ctypes
import io
import json
import random
import shutil
import struct
import subprocess
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.conformance import sample
from efm3.convert import _meta, c_array
from efm3.scan import scan

Mutator = Callable[[random.Random, bytes], bytes]

ROOT = Path(__file__).resolve().parents[2]
MOST = 4096
WORDS = (b"0", b"-1", b"1e999", b"NaN", b"null", b"true", b"[]", b"{}", b'""', b'"\\u0000"',
         b'"\\ud800"', b"1.0", b"1" * 25, b"[" * 40, b'{"t":1,"n":1,"s":1}', b'"x":1,',
         b'"meta":{"sha256":"0"},', b"\xff", b"\xef\xbb\xbf", b" ", b"\\", b'"', b",", b":")
CHANCE = 2
"""One of so many mutated files gets a mirror that fits its header."""


class Native:
    """tests/fuzz/mutate.c, built as a shared library under build/fuzz."""

    def __init__(self) -> None:
        cc = shutil.which("cc")
        if cc is None:
            raise RuntimeError("no C compiler: the mutator cannot be built")
        home = ROOT / "build" / "fuzz"
        home.mkdir(parents=True, exist_ok=True)
        path = home / "mutate.so"
        # Built beside and renamed: another process may hold the old one.
        part = home / f"mutate-{id(self)}.part"
        subprocess.run([cc, "-std=c11", "-O2", "-shared", "-fPIC", f"-I{ROOT}/engine/include",
                        f"-I{ROOT}/engine/src", ROOT / "tests/fuzz/mutate.c",
                        ROOT / "engine/src/network.c", "-o", part], check=True)
        part.replace(path)
        self._lib = ctypes.CDLL(str(path))
        self._lib.fuzz_mutate.restype = self._lib.fuzz_bytes.restype = ctypes.c_size_t
        self._lib.fuzz_mutate.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t,
                                          ctypes.c_uint64, ctypes.c_void_p]
        self._bytes = ctypes.cast(self._lib.fuzz_bytes, ctypes.c_void_p)
        self._buffer = ctypes.create_string_buffer(MOST)

    def __call__(self, rng: random.Random, data: bytes) -> bytes:
        """`data`, at most MOST bytes, mutated as the C targets' inputs are."""
        buffer = self._buffer
        ctypes.memmove(buffer, data, len(data))
        n = self._lib.fuzz_mutate(buffer, len(data), MOST, rng.getrandbits(64), self._bytes)
        return ctypes.string_at(buffer, n)


def raw(rng: random.Random, data: bytes) -> bytes:
    """One to three changes without regard to what the bytes mean."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(6)
        if kind == 0 and out:
            out[at % len(out)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at:at + 1] = rng.randbytes(1)
        elif kind == 2:
            del out[at:at + rng.choice((1, 1, 4, 64))]
        elif kind == 3:
            out[at:at] = rng.choice(WORDS)
        elif kind == 4:
            out[at:at + 4] = struct.pack("<I", rng.choice((0, 1, 255, 2**31 - 1, 2**31, 2**32 - 1)))
        else:
            other = rng.randrange(len(out) + 1)
            out[at:at] = out[other:other + rng.randrange(32)]
    return bytes(out)


def text(rng: random.Random, data: bytes) -> bytes:
    """A JSON text with a value replaced, a key lost or twice, or raw damage."""
    kind = rng.randrange(4)
    if kind == 0:
        return raw(rng, data)
    try:
        value = json.loads(data)
        keys = sorted(value)
    except (ValueError, RecursionError, TypeError):
        return raw(rng, data)
    if not isinstance(value, dict) or not keys:
        return raw(rng, data)
    key = rng.choice(keys)
    if kind == 1:
        del value[key]
    elif kind == 2 and isinstance(value[key], list) and value[key]:
        inner = rng.choice(value[key])
        if isinstance(inner, dict) and inner:
            inner[rng.choice([*sorted(inner), "x"])] = rng.choice((0, 1, 2, -1, 1.5, "1", None))
    else:
        value[key] = rng.choice((0, 1, -1, 7, 2**40, 1.0, 1e-9, True, None, "", "\u202e", [], {}))
    out = json.dumps(value, separators=(",", ":")).encode()
    if rng.randrange(8) == 0:
        at = rng.choice([i for i, c in enumerate(out) if c in b",:{"])
        out = out[:at + 1] + rng.choice(WORDS) + out[at + 1:]
    return out


def mirrored(rng: random.Random, data: bytes) -> bytes:
    """`data` with a mirror that its header allows, or nearly."""
    s = scan(data)
    if s.arch is None or s.mirror is None:
        return data
    extra = rng.choice(({}, {}, {"meta": {"sha256": "0" * 64}}, {"x": [1, "\u00e9"]}))
    arch = s.arch
    object.__setattr__(arch, "name", rng.choice(("", "nano", "x")))
    object.__setattr__(arch, "width_mult", rng.choice((0.25, 1.0)))
    own = mirrors.canonical(arch, extra, align=rng.random() < 0.5)
    return sample.text(text(rng, own) if rng.randrange(3) == 0 else own)(data)


class Container:
    """EFM3 files: the C mutator, and mirrors that fit what it made."""

    def __init__(self) -> None:
        self._native = Native()

    def __call__(self, rng: random.Random, data: bytes) -> bytes:
        out = self._native(rng, data[:MOST])
        if rng.randrange(CHANCE) == 0 and len(out) >= fmt.PREFIX_SIZE:
            out = mirrored(rng, out)
        return out


def entries_of(data: bytes) -> list[tuple[str, bytes]] | None:
    """The entries of a zip archive, None where it is too damaged: zipfile raises anything."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            return [(i.filename, z.read(i)) for i in z.infolist()]
    except Exception:
        return None


def archive(rng: random.Random, data: bytes) -> bytes:
    """A .npz with an entry's bytes changed and all its checksums right, or raw damage."""
    if rng.randrange(4) == 0:
        return raw(rng, data)
    entries = entries_of(data)
    if entries is None:
        return raw(rng, data)
    if entries:
        at = rng.randrange(rng.choice((2, len(entries)))) % len(entries)
        name, body = entries[at]
        kind = rng.randrange(5)
        if name in (f"{_meta.ARCH_KEY}.npy", f"{_meta.MIRROR_KEY}.npy") and kind < 3:
            entries[at] = (name, _text_array(rng, body))
        elif kind == 0:
            entries[at] = (rng.choice((name + "x", "../" + name, "", "efm3.arch.npy")), body)
        elif kind == 1:
            entries[at] = rng.choice(entries)
        elif kind == 2:
            del entries[at]
        else:
            # Mostly the entry's header, which is what is believed.
            head = rng.randrange(1, 129)
            entries[at] = (name, raw(rng, body[:head]) + body[head:])
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(
            out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as z:
        warnings.simplefilter("ignore")
        for name, body in entries:
            z.writestr(zipfile.ZipInfo(name), body)
    return out.getvalue()


def _text_array(rng: random.Random, body: bytes) -> bytes:
    try:
        old = str(np.load(io.BytesIO(body)))
    except Exception:
        return raw(rng, body)
    out = io.BytesIO()
    np.save(out, np.array(text(rng, old.encode("utf-8", "replace")).decode("utf-8", "replace")))
    return out.getvalue()


def headed(rng: random.Random, data: bytes) -> bytes:
    """A .safetensors with its JSON header changed and the header's length right."""
    if rng.randrange(5) == 0 or len(data) < 8:
        return raw(rng, data)
    size = int.from_bytes(data[:8], "little")
    head = data[8:8 + size]
    try:
        value = json.loads(head)
        own = value["__metadata__"]
        key = rng.choice([k for k in value if k != "__metadata__"])
        name = rng.choice(sorted(own.keys()))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return raw(rng, data)
    kind = rng.randrange(6)
    if kind == 0:
        head = text(rng, head)
    else:
        entry = value[key]
        if kind == 1 and isinstance(entry, dict):
            shape = entry.get("shape")
            entry |= rng.choice(({"shape": [shape, 1]}, {"dtype": "I32"},
                                 {"shape": [*(shape if isinstance(shape, list) else ()), 1]},
                                 {"dtype": "BF16"}, {"shape": [0]}, {"data_offsets": [4, 0]}))
        elif kind == 2:
            new = rng.choice((key + "x", key.replace("bn", "norm"), "stem.conv.w"))
            value[new] = value.pop(key)
        elif kind == 3:
            del own[name]
        elif isinstance(own[name], str):
            own[name] = text(rng, own[name].encode()).decode("utf-8", "replace")
        head = json.dumps(value, separators=(",", ":")).encode()
    return struct.pack("<Q", len(head)) + head + data[8 + size:]


def listed(container: Mutator) -> Mutator:
    """A mutator of C arrays: the array's bytes by `container`, or raw damage of the text."""
    def mutate(rng: random.Random, data: bytes) -> bytes:
        if rng.randrange(4) == 0:
            return raw(rng, data)
        head, opened, rest = data.partition(c_array.OPEN)
        body, closed, tail = rest.partition(c_array.CLOSE)
        try:
            inner = bytes.fromhex(body.decode().replace("0x", "").replace(",", ""))
        except ValueError:
            return raw(rng, data)
        rows = b"".join(c_array._rows([container(rng, inner)]))
        return head + opened + rows + closed + tail
    return mutate
