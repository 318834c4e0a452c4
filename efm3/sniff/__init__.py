# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What kind of file some bytes are. The bytes decide; the name only where a kind has no mark.

`of_path` looks at a file, `of_data` at bytes, `kind` at a head and a tail. Each looks at a bounded
number of bytes and takes any. KINDS is the table of what is known. Converters choose their reader
by `Kind.format`; the validator names a file by `Kind.rule`; `Kind.says` are the words for a person.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable

from efm3 import format as fmt
from efm3.findings import printable
from efm3.sniff import _packed, _texts
from efm3.sniff._kinds import KINDS as KINDS
from efm3.sniff._kinds import MAGICS as MAGICS
from efm3.sniff._kinds import Kind as Kind
from efm3.source import Unreadable, open_regular

HEAD, TAIL = 1 << 12, 1 << 16
"""Bytes that are looked at from a file's start and from its end."""
ZEROS = 512
"""A file whose first bytes, this many, are zero was never written."""

Beside = Callable[[str], bytes]
"""The head of the file of this name in the same folder, b"" where there is none."""

_VERSION = struct.pack("<I", fmt.VERSION)
_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1", b"avif", b"avis"}
_TGA = b"TRUEVISION-XFILE.\0"
_JPEG = re.compile(rb"\xff\xd8\xff[\xc0-\xcf\xdb\xe0-\xef\xfe]")
_GZIP = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
_PNM = re.compile(rb"P[1-6]\s(?:\s*#[^\n]*\n)*\s*[0-9]{1,6}\s+[0-9]{1,6}\s")
_PICKLE = re.compile(
    rb"\x80[\x02\x03](?:(?:\(|K.|M..|N){0,4}(?:[}\])](?:q\0|\(|\.)|c[\w.]{1,80}\n[\w.]{1,80}\n|"
    rb"X..\0\0|\x8a\x0a)|(?:K.|M..|N)\.)|"
    rb"\x80[\x04\x05](?:\x95.{3}(?:.{0,2}\Z|.{2}\0{3})|[}\])N][\x94.])|[}\]]q\0", re.S)
_SHARD = re.compile(r"(?:(.+)-)?(?:group\d+-)?shard\d+(?:of\d+)?(?:\.bin)?")


def kind(head: bytes, size: int, *, tail: bytes = b"", name: str = "",
         beside: Beside | None = None) -> Kind | None:
    """The kind of a file of `size` bytes, or None where nothing is known.

    `head` is its first HEAD bytes, `tail` its last TAIL; fewer make fewer kinds certain. `name`
    and `beside` tell files apart that have no mark, and find what belongs to one.
    """
    found = _by_bytes(head[:HEAD], tail[-TAIL:], size)
    if found is not None and found.name != "ncnn_bin":
        return found
    base = os.path.basename(name)
    near = _by_neighbour(base, beside) if beside else None
    return near or _alone(head[:HEAD], size, base)


def of_data(data: bytes | bytearray | memoryview, path: str = "", size: int = -1,
            tail: bytes = b"") -> Kind | None:
    """`kind` of a file's bytes; `path` is where it is, "" for nowhere.

    They are the whole file, or the beginning of one that has `size` bytes and ends in `tail`.
    """
    view = memoryview(data).cast("B")
    whole = size in (-1, len(view))
    return kind(bytes(view[:HEAD]), len(view) if whole else size,
                tail=bytes(view[-TAIL:]) if whole else tail, name=path,
                beside=_folder_of(path) if path else None)


def of_path(path: str | os.PathLike[str]) -> Kind | None:
    """`kind` of the file at `path`. Raises Unreadable."""
    path = os.fspath(path)
    with open_regular(path) as f:
        try:
            size = os.fstat(f.fileno()).st_size
            head = f.read(HEAD)
            f.seek(max(0, size - TAIL))
            tail = f.read(TAIL)
        except OSError as e:
            raise Unreadable(f"{path}: {e.strerror or e}") from None
    return kind(head, size, tail=tail, name=path, beside=_folder_of(path))


def _folder_of(path: str) -> Beside:
    folder = os.path.dirname(path)

    def beside(name: str) -> bytes:
        try:
            with open_regular(os.path.join(folder, name)) as f:
                return f.read(HEAD)
        except OSError:
            return b""
    return beside


def _by_bytes(head: bytes, tail: bytes, size: int) -> Kind | None:
    if size == 0:
        return KINDS["empty"]
    if head.startswith(fmt.MAGIC + _VERSION):
        return KINDS["efm3"]
    text, encoding = _texts.decode(head, whole=len(head) == size)
    if _texts.is_text(text, encoding):
        found = KINDS["pnm"] if _PNM.match(head) else _texts.of_text(text, encoding, tail)
        if found is not None:
            return found
    if _texts.is_replaced(text):
        return KINDS["replaced"]
    if head.startswith(fmt.MAGIC):
        return KINDS["efm3_big" if head[4:8] == _VERSION[::-1] else "efm3"]
    if len(head) > 3 and not any(head[:ZEROS]):
        return KINDS["zeros"]
    for known, at, magic in MAGICS:
        if head.startswith(magic, at):
            return _packed.of_zip(head, tail, size) if known == "zip" else KINDS[known]
    if tail.endswith(_TGA):
        return KINDS["tga"]
    return next((KINDS[known] for known, fits in _PROOFS if fits(head, size)), None)


def _is_safetensors(head: bytes, size: int) -> bool:
    return head[8:10] in (b'{"', b"{}", b"{ ", b"{\n") and (
        int.from_bytes(head[:8], "little") <= size - 8)


def _is_bmp(head: bytes, size: int) -> bool:
    stated, header = (int.from_bytes(head[at:at + 4], "little") for at in (2, 14))
    return head.startswith(b"BM") and stated in (0, size) and header in (12, 40, 52, 56, 108, 124)


_PROOFS: tuple[tuple[str, Callable[[bytes, int], bool]], ...] = (
    ("safetensors", _is_safetensors),
    ("jpeg", lambda head, _: bool(_JPEG.match(head))),
    ("gzip", lambda head, _: bool(_GZIP.match(head))),
    ("pickle", lambda head, _: bool(_PICKLE.match(head))),
    ("heic", lambda head, _: head[4:8] == b"ftyp" and head[8:12] in _BRANDS),
    ("bmp", _is_bmp),
    ("pnm", lambda head, _: bool(_PNM.match(head))),
    ("onnx", lambda head, _: _packed.is_onnx(head)),
    ("saved_model", lambda head, _: _packed.is_saved_model(head)),
    ("coreml", lambda head, _: _packed.is_coreml(head)),
    ("tf_graph", lambda head, _: _packed.is_graph(head)),
    ("caffemodel", lambda head, _: _packed.is_caffe(head)),
)
"""Kinds that more than fixed bytes prove; no two fit one file."""


def _by_neighbour(base: str, beside: Beside) -> Kind | None:
    """What a file without a mark is by the file beside it, in which it is described."""
    stem = os.path.splitext(base)[0]
    for name in (f"{stem}.param", f"{stem}.param.bin", f"{base}.param"):
        if _kind_of(beside(name)) in ("ncnn_param", "ncnn_binary"):
            return KINDS["ncnn_bin"]._replace(detail=f" (its layers are in {printable(name)})",
                                              beside=name, source=name)
    if _kind_of(beside(f"{stem}.xml")) == "openvino_xml":
        return KINDS["openvino_bin"]._replace(
            detail=f" (its layers are in {printable(stem)}.xml)", beside=f"{stem}.xml")
    shard = _SHARD.fullmatch(base)
    for name in ("model.json", f"{shard[1]}-weights_manifest.json") if shard else ():
        if _kind_of(beside(name)) == "tfjs_model":
            return KINDS["tfjs_shard"]._replace(beside=name)
    return None


def _kind_of(head: bytes) -> str:
    found = _by_bytes(head, b"", len(head)) if head else None
    return found.name if found else ""


def _alone(head: bytes, size: int, base: str) -> Kind | None:
    """What a file without a mark and without a neighbour looks like."""
    root = int.from_bytes(head[:4], "little")
    if base.lower().endswith(".mnn") and 4 <= root < min(size, len(head)) and root % 4 == 0:
        return KINDS["mnn"]
    if any(head.startswith(m, at) for known, at, m in MAGICS if known == "ncnn_bin"):
        return _ALONE
    if head[:4] == bytes(4) and _plausible(head[4:]):
        return _ALONE._replace(detail=", by the look of its first numbers")
    return None


_ALONE = KINDS["ncnn_bin"]._replace(
    advice="its layers are in a .param file, which is not beside it: fetch that too")


def _plausible(data: bytes) -> bool:
    """True where float32 values are as weights are: none is large, hardly one tiny."""
    count = min(len(data) // 4, 64)
    values = [abs(v) for v in struct.unpack_from(f"<{count}f", data)]
    return count >= 16 and all(v < 100 for v in values) and (
        sum(v > 1e-9 for v in values) >= 0.9 * count)
