# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Weight files, pictures, tables and pairs that ask for much or for what is not theirs, by name."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np

from efm3.conformance import sample

Files = dict[str, bytes]
HUGE = 1 << 31


def weights() -> Iterator[tuple[str, Files]]:
    """EFM3 files; their mirrors are hostile where the table is whole."""
    base = sample.base()

    def one(data: bytes) -> Files:
        return {"net.bin": data}
    for name, text in (
            ("nested", b"[" * 900_000), ("keys", _keys(40_000)), ("digits", b"9" * 900_000),
            ("escapes", b'{"a":"' + b"\\u202e" * 100_000 + b'"}'), ("point", b"0." * 400_000),
            ("pairs", b"[" * 450_000 + b"]" * 450_000),
            ("strings", b'{"a":"' + b"x" * 900_000 + b'"}'), ("quotes", b'"' * 900_000),
            ("surrogates", b'{"a":"' + b"\\ud800" * 100_000 + b'"}'), ("blank", b" " * 900_000),
            ("exponent", b'{"a":1e' + b"9" * 900_000 + b"}"), ("bytes", b"\xff" * 900_000),
            ("braces", b'{"a":' * 180_000), ("commas", b"[" + b"1," * 450_000)):
        yield f"mirror {name}", one(sample.build(text=text))
    for at in range(8, 92, 4):
        yield f"word {at}", one(base[:at] + b"\xff\xff\xff\x7f" + base[at + 4:])
    yield "twice", one(base + base)
    yield "a zip behind", one(base + _zip({"a": b"x"}))
    yield "no bytes", one(b"")
    yield "magic alone", one(b"EFM3" * 100_000)


def _keys(count: int) -> bytes:
    return json.dumps({f"{i}": i for i in range(count)}).encode()


def _zip(entries: dict[str, bytes], packed: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as z:
        for name, data in entries.items():
            z.writestr(name, data)
    return out.getvalue()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *more: bytes, depth: int = 8, colour: int = 2,
        data: bytes = b"") -> bytes:
    """A PNG of these claims."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + b"".join(more)
            + _chunk(b"IDAT", data or zlib.compress(bytes(99))) + _chunk(b"IEND", b""))


def _tiff(*tags: tuple[int, int, int, int], begin: int = 8) -> bytes:
    body = b"".join(struct.pack("<HHII", *t) for t in tags)
    return struct.pack("<2sHI", b"II", 42, begin) + struct.pack("<H", len(tags)) + body + bytes(4)


def pictures() -> Iterator[tuple[str, Files]]:
    """Small files that state large, deep or impossible pictures."""
    def one(name: str, data: bytes) -> tuple[str, Files]:
        return name, {"face": data}
    bomb = zlib.compress(bytes(40 << 20))
    yield one("PNG wide", png(HUGE - 1, 1))
    yield one("PNG square", png(30_000, 30_000))
    yield one("PNG none", png(0, 112))
    yield one("PNG data", png(112, 112, data=bomb[:-9]))
    yield one("PNG text", png(112, 112, _chunk(b"zTXt", b"a\0\0" + bomb)))
    yield one("PNG profile", png(112, 112, _chunk(b"iCCP", b"a\0\0" + bomb)))
    yield one("PNG depth", png(112, 112, depth=99))
    yield one("PNG colour", png(112, 112, colour=77))
    yield one("PNG palette", png(112, 112, _chunk(b"PLTE", bytes(300_000)), colour=3))
    yield one("PNG chunks", png(112, 112, *[_chunk(b"teSt", b"")] * 90_000))
    yield one("PNG length", png(112, 112)[:33] + b"\xff\xff\xff\xffIDAT")
    side = [(256, 4, 1, 112), (257, 4, 1, 112)]
    yield one("TIFF itself", _tiff(*side, (34665, 4, 1, 8)))
    yield one("TIFF large", _tiff((256, 4, 1, 60_000), (257, 4, 1, 60_000), (273, 4, 1, 8),
                                  (279, 4, 1, 9)))
    yield one("TIFF strips", _tiff(*side, (273, 4, HUGE - 1, 8), (279, 4, HUGE - 1, 8)))
    yield one("TIFF begin", _tiff(*side, begin=HUGE))
    yield one("TIFF bits", _tiff(*side, (258, 3, 60_000, 8), (277, 3, 1, 60_000)))
    yield one("TIFF tiles", _tiff(*side, (322, 4, 1, 1), (323, 4, 1, 1), (324, 4, 12544, 8)))
    yield one("BMP", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, HUGE - 1, -HUGE, 1,
                                         24, 0, 0, 0, 0, 0, 0))
    yield one("BMP colours", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 112, 112, 1,
                                                 8, 0, 0, 0, 0, HUGE, 0))
    yield one("GIF frames", b"GIF89a" + struct.pack("<HHBBB", 112, 112, 0, 0, 0)
              + (b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\0") * 20_000)
    yield one("GIF large", b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b",")
    yield one("JPEG large", b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, 65535, 65535, 3)
              + b"\1\x22\0\2\x11\1\3\x11\1")
    yield one("JPEG marks", b"\xff\xd8" + b"\xff\xe1\0\2" * 60_000)
    yield one("JPEG fill", b"\xff\xd8" + b"\xff" * 900_000)
    yield one("JPEG none", b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, 0, 0, 3))
    yield one("WebP", b"RIFF\xff\xff\xff\x7fWEBPVP8X" + struct.pack("<I", 10) + b"\2\0\0\0"
              + b"\xff" * 6)
    yield one("WebP lossless", b"RIFF\x40\0\0\0WEBPVP8L\5\0\0\0\x2f" + b"\xff" * 4)
    yield one("JP2 boxes", b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\0ftyp" + b"\0\0\0\x08jp2h" * 9000)
    yield one("JP2 code", b"\xff\x4f\xff\x51\0\x2f\0\0" + b"\xff\xff\xff\xff" * 8 + b"\xff\xff")
    yield one("AVIF items", b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + b"\0\0\0\x08meta" * 9000)
    yield one("AVIF size", b"\0\0\0\x18ftypavif\0\0\0\0avifmif1\0\0\0\1meta" + b"\xff" * 60)
    yield one("PNM", b"P6 " + b"9" * 90_000)
    yield one("PNM large", b"P6 60000 60000 255\n")
    yield one("PNM words", b"P6" + b"#\n" * 90_000)
    yield one("PFM", b"Pf\n112 112\n" + b"9" * 9000 + b"\n")
    yield one("TGA", bytes([0, 0, 2]) + bytes(9) + b"\xff\xff\xff\xff\x18\0" + bytes(30)
              + b"TRUEVISION-XFILE.\0")
    yield one("EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 112 112\n(w) run\n")
    yield one("SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>')
    yield one("array", b"\x93NUMPY\1\0" + struct.pack("<H", 60)
              + b"{'descr':'|u1','fortran_order':False,'shape':(10**9,)}".ljust(60))
    yield one("array of objects", b"\x93NUMPY\1\0" + struct.pack("<H", 70) + (
        b"{'descr': '|O', 'fortran_order': False, 'shape': (112, 112, 3), }").ljust(70)
        + b"cos\nsystem\n(S'true'\ntR.")


def tables() -> Iterator[tuple[str, Files]]:
    """Tables of embeddings that a stranger wrote."""
    for name, text in (
            ("nested", b"[" * 300_000), ("null", b"null"),
            ("line", b'{"path":"' + b"a" * (3 << 20)),
            ("numbers", b'{"embedding":[' + b"9" * 300_000 + b"]}"), ("NUL", b"\0" * 300_000),
            ("keys", _keys(20_000)), ("lists", b'{"embedding":[' + b"[]," * 100_000),
            ("infinity", b'{"path":"a","face":0,"embedding":[Infinity,NaN,1e999]}')):
        yield f"lines {name}", {"t.jsonl": text + b"\n", "t.jsonl.manifest.json": _manifest()}
    for name, text in (("quote", b'"' + b"\n" * (1 << 20)), ("cells", b"," * (1 << 20)),
                       ("head", b"path,face\n" * 9), ("wide", b"a" * (1 << 20))):
        yield f"cells {name}", {"t.csv": text, "t.csv.manifest.json": _manifest()}
    for name, text in (("nested", b"[" * 900_000), ("empty", b""), ("list", b"[]"),
                       ("long", b" " * (2 << 20)), ("number", b'{"rows":' + b"9" * 90_000 + b"}"),
                       ("twice", b'{"format":1,"format":2}')):
        yield f"manifest {name}", {"t.jsonl": b"{}\n", "t.jsonl.manifest.json": text}
    whole = io.BytesIO()
    np.savez(whole, embedding=np.zeros((1, 4), np.float32))
    yield "archive of one", {"t.npz": whole.getvalue()}
    yield "bomb", {"t.npz": _zip({"embedding.npy": bytes(200 << 20)}, packed=True)}
    yield "many entries", {"t.npz": _zip({f"{i}.npy": b"" for i in range(9000)})}
    yield "objects", {"t.npz": _zip({"meta.npy": b"\x93NUMPY\1\0\x46\0" + (
        b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }").ljust(70)
        + b"cos\nsystem\n(S'true'\ntR."})}
    yield "matrix", {"t.npy": b"\x93NUMPY\1\0\x46\0" + (
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 512), }" % (1 << 50)).ljust(70)}
    yield "parquet", {"t.parquet": b"PAR1" + b"\xff" * 4000 + struct.pack("<I", 4000) + b"PAR1"}
    yield "parquet foot", {"t.parquet": b"PAR1" + bytes(100) + struct.pack("<I", HUGE) + b"PAR1"}


def _manifest() -> bytes:
    return json.dumps({"format": "efm3.embeddings/1", "model": "ab" * 32, "dim": 4, "rows": 1 << 60,
                       "pictures": 1, "faces": 1, "errors": 0, "codes": {}, "options": {},
                       "complete": True}).encode()


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os
        return os.system, ("touch ran",)


def pairs() -> Iterator[tuple[str, Files]]:
    """Pairs of faces: pickles that would run or grow, and texts that lead elsewhere."""
    def text(body: str) -> Files:
        return {"pairs.txt": body.encode("utf-8", "surrogateescape")}
    for place in ("../up", "/etc/passwd", "a/../../up", "a\0b", "~/x", "//host/x", "x" * 70_000,
                  "\x1b]0;x\x07", "\udcff"):
        yield f"place {place[:12]!a}", text(f"{place}\t{place}\t1\n" * 2)
    for line in ("9" * 5000, "a 1 b", "a 99999999999 2", "a b 2", "1 2 3 4 5 6", "\t\t\t\t",
                 "a b 1 99", "\u202ea b 1 x", "a" * 900_000, "0 0", "999999999 999999999"):
        yield f"line {line[:16]!a}", text(f"{line}\n" * 2)
    for protocol in range(6):
        yield f"pickle {protocol}", {"set.bin": pickle.dumps(([b"x"] * 2, [_Runs()]), protocol)}
    for name, body in (("laughs", b"]" + b"(2" * 40 + b"l" * 40), ("memo", b"Nr\xff\xff\xff\x7f"),
                       ("long", b"\x8b\xff\xff\xff\x7f"), ("text", b"\x8d" + b"\xff" * 8),
                       ("many", b"(" + b"N" * 3_000_000), ("global", b"cbuiltins\neval\n"),
                       ("stack", b"\x8c\x02os\x8c\x06system\x93"), ("build", b"}}b"),
                       ("persistent", b"Pid\n"), ("buffer", b"\x97"),
                       ("object", b"(cos\nsystem\no")):
        yield f"opcodes {name}", {"set.bin": b"\x80\x04" + body + b"."}


KINDS = {"weights": weights, "pictures": pictures, "tables": tables, "pairs": pairs}
