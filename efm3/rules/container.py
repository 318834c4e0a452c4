# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on the container: magic, version, lengths, and what a wrong file really is."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from efm3 import format as fmt
from efm3.findings import Finding
from efm3.rules import Context, rule
from efm3.scan import Scan, scan

F = Iterator[Finding]


def _head(s: Scan, n: int = 512) -> bytes:
    return bytes(s.data[:n])


def _safetensors(s: Scan, head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < s.size


def _onnx(s: Scan, head: bytes) -> bool:
    # ModelProto: field 1 (ir_version) as a small varint, then producer_name (2) or a later field.
    return head[:1] == b"\x08" and len(head) > 3 and head[1] < 32 and head[2] in (0x12, 0x3A, 0x42)


def _html(s: Scan, head: bytes) -> bool:
    return head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head"))


def _text_mode(s: Scan, head: bytes) -> bool:
    """CR LF where a lone LF was, or UTF-8 of Latin-1: both break counts inside the prefix."""
    if not head.startswith(fmt.MAGIC) or s.complete:
        return False
    widened = head.count(b"\r\n") and scan(bytes(s.data).replace(b"\r\n", b"\n")).complete
    replaced = bytes(s.data[:1 << 16]).count(b"\xef\xbf\xbd") > 8
    return bool(widened or replaced)


def _big_endian(s: Scan, head: bytes) -> bool:
    return head[:4] == fmt.MAGIC and head[4:8] == struct.pack(">I", fmt.VERSION)


def _starts(*magics: bytes) -> Callable[[Scan, bytes], bool]:
    return lambda s, head: head.startswith(magics)


# What a file really is, most telling first: rule code, test of scan and first bytes, words.
CAUSES: tuple[tuple[str, Callable[[Scan, bytes], bool], str], ...] = (
    ("C010", _starts(b"version https://git-lfs"), "a Git LFS pointer, not the weights"),
    ("C011", _html, "an HTML or XML page, as a server sends for an error or a login"),
    ("C012", _starts(b"\x1f\x8b"), "a gzip file"),
    ("C013", _starts(b"PK\x03\x04", b"PK\x05\x06"), "a zip archive, as torch.save and .npz write"),
    ("C014", _starts(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a Python pickle"),
    ("C015", _onnx, "an ONNX model"),
    ("C016", _safetensors, "a safetensors file"),
    ("C017", _starts(b"GGUF"), "a GGUF file"),
    ("C018", _starts(b"\x93NUMPY"), "a NumPy .npy file"),
    ("C019", _starts(b"EFXS", b"EFX2"), "an older file of the FaceX family (EFXS, EFX2)"),
    ("C020", _big_endian, "written big-endian: the version's bytes are the other way round"),
    ("C021", _starts(b"3MFE"), "byte-swapped in words of four: the magic reads 3MFE"),
    ("C022", _starts(b"efm3", b"Efm3"), "marked with a magic in the wrong case"),
    ("C023", _starts(b"\xef\xbb\xbfEFM3"), "an EFM3 file with a byte order mark before it"),
    ("C024", _text_mode, "damaged by a transfer in text mode: line ends or bytes were rewritten"),
    ("C025", lambda s, head: s.size > 3 and not any(head), "all zero bytes at its start"),
    ("C026", _starts(b"{", b"["), "a JSON text"),
)


_START = fmt.MAGIC + struct.pack("<I", fmt.VERSION)
_LATER = [row for row in CAUSES if row[1] is _text_mode]


def infer(s: Scan) -> tuple[str, str]:
    """(rule code, words) of what the bytes really are, or ("", "").

    A wrong magic or version is cause enough too, unless all that follows is as it should be.
    """
    head, version = _head(s), s.values.get("version", fmt.VERSION)
    for code, test, words in CAUSES if head[:8] != _START else _LATER:
        if test(s, head):
            return code, words
    if not fmt.MAGIC.startswith(head[:4]) and not s.complete:
        return "C002", "no EFM3 file"
    if version != fmt.VERSION and not s.complete:
        return "C003", "of another version"
    return "", ""


def _cause(ctx: Context) -> F:
    assert ctx.rule is not None
    code, words = ctx.cause
    if code == ctx.rule.code:
        subject = "this is" if words.startswith(("a ", "an ")) else "the file is"
        yield ctx.at(f"{subject} {words}", offset=0, length=min(8, ctx.scan.size), path="magic",
                     found=ascii(_head(ctx.scan, 8))[1:], expected="EFM3")


def _declare_causes() -> None:
    fixes = {
        "C010": "run `git lfs pull`, or fetch the file itself",
        "C011": "download again and look at the server's answer first",
        "C012": "unpack it with gunzip",
        "C013": "convert the checkpoint; do not rename it",
        "C014": "convert the checkpoint; never unpickle what you do not trust",
        "C015": "convert the model; do not rename it",
        "C016": "convert the file; do not rename it",
        "C017": "give the right file: GGUF holds other networks",
        "C018": "save all tensors of the layout with efm3.save",
        "C019": "export the network again as EFM3",
        "C020": "write every integer and float little-endian",
        "C021": "write the magic as four bytes, not as an integer, and integers little-endian",
        "C022": "write the magic as the bytes 45 46 4D 33",
        "C023": "open the file in binary mode, and write no byte order mark",
        "C024": "transfer again in binary mode (ftp: `binary`; git: mark *.bin as -text)",
        "C025": "download again: the space was reserved and never written",
        "C026": "give the .bin, not its description",
    }
    for code, _, words in CAUSES:
        def check(ctx: Context) -> F:
            return _cause(ctx) if ctx.cause[0] else iter(())
        check.__name__ = "cause_" + code.lower()
        check.__doc__ = (f"What: The file is {words}. Why: No engine can read it as EFM3, and the "
                         f"findings that would follow explain nothing. Fix: {fixes[code]}")
        rule(code)(check)


@rule("C001")
def empty(ctx: Context) -> F:
    """What: The file has no bytes.
    Why: A download or a save stopped before its first byte.
    Fix: fetch or write the file again
    """
    if ctx.scan.size == 0:
        yield ctx.at("the file is empty", offset=0, length=0, found=0, expected="EFM3 ...")


@rule("C002")
def magic(ctx: Context) -> F:
    """What: The first four bytes are not `EFM3`, and nothing says what the file is instead.
    Why: Engines refuse it at once.
    Fix: check that this is the file you meant
    """
    head = _head(ctx.scan, 4)
    if head != fmt.MAGIC[:len(head)] and ctx.cause[0] in ("", "C002"):
        yield ctx.at("the file does not start with EFM3", offset=0, length=len(head), path="magic",
                     found=head.hex(" "), expected=fmt.MAGIC.hex(" "))


@rule("C003")
def version(ctx: Context) -> F:
    """What: The container's version is not 3.
    Why: Another version may lay out every later byte in another way.
    Fix: use a newer suite for a newer file; write version 3 in an exporter
    """
    v = ctx.scan.values.get("version")
    if v is not None and v != fmt.VERSION and ctx.cause[0] in ("", "C003") and _is_efm3(ctx):
        yield ctx.field("version", f"version {v} is not {fmt.VERSION}")


def _is_efm3(ctx: Context) -> bool:
    return _head(ctx.scan, 4) == fmt.MAGIC


@rule("C004")
def prefix_truncated(ctx: Context) -> F:
    """What: The file ends inside its fixed first 92 bytes.
    Why: The arch header or the mirror's length is not all there.
    Fix: fetch the file again; compare its size with the source's
    """
    n = ctx.scan.size
    if 0 < n < fmt.PREFIX_SIZE and not ctx.cause[0]:  # without a cause it starts with EFM3
        inside = next(f.path for f in fmt.FIELDS.values() if n < f.offset + f.size)
        yield ctx.at(f"the file ends after {n} bytes, inside {inside}", offset=n, length=0,
                     path=inside, found=n, expected=f"at least {fmt.PREFIX_SIZE}")


@rule("C005")
def json_len_limit(ctx: Context) -> F:
    """What: json_len is over 1 MiB.
    Why: The mirror is a debugging aid of a few hundred bytes; a huge length is a damaged field.
    Fix: write the mirror's real byte length
    """
    n = ctx.scan.values.get("json_len", 0)
    if n > fmt.MAX_JSON_LEN and not ctx.cause[0]:
        yield ctx.field("json_len", f"json_len is {n}, over the limit of {fmt.MAX_JSON_LEN}")


@rule("C006")
def json_past_end(ctx: Context) -> F:
    """What: The mirror would reach past the end of the file.
    Why: Either the file was cut inside the mirror or json_len is wrong.
    Fix: fetch the file again, or write the mirror's real byte length
    """
    n = ctx.scan.values.get("json_len", 0)
    rest = max(ctx.scan.size - fmt.PREFIX_SIZE, 0)
    if rest < n <= fmt.MAX_JSON_LEN and not ctx.cause[0]:
        yield ctx.field("json_len", f"the mirror needs {n} bytes, {rest} remain",
                        expected=f"at most {rest}")


@rule("C007")
def count_missing(ctx: Context) -> F:
    """What: The file ends before the whole tensor count after the mirror.
    Why: It was cut there, or json_len swallows the table.
    Fix: fetch the file again, or write the mirror's real byte length
    """
    s = ctx.scan
    if s.json_len is not None and s.n_tensors is None and not ctx.cause[0]:
        at = fmt.PREFIX_SIZE + s.json_len
        yield ctx.at(f"{s.size - at} of the tensor count's {fmt.COUNT_SIZE} bytes remain",
                     offset=at, length=s.size - at, path="n_tensors", found=s.size - at,
                     expected=fmt.COUNT_SIZE)


_declare_causes()
