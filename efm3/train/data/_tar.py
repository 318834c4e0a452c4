# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The files in a tar archive, one after the other, without unpacking any.

Python's `tarfile` parses the headers; its own walk takes a damaged header for the end of the
archive, and samples would be lost silently. The library `webdataset` would do too, but
it lets a name in the list of shards start a program (`pipe:`) and unpickles what ends in .pyd.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from efm3.train.data._source import MAX_BYTES, Corrupt

BLOCK = tarfile.BLOCKSIZE
MAX_NAME = 1 << 16


def members(f: BinaryIO, size: int) -> Iterator[tuple[str, int, int]]:
    """Name, offset and size of each regular file, with `f` left at its data.

    Links, devices and folders are skipped. Raises Corrupt where the archive is damaged.
    """
    name = ""
    at = f.tell()
    while True:
        header = f.read(BLOCK)
        if not header:
            raise Corrupt(f"the archive ends at byte {at}, without its end marker")
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the stubs lack it
            return
        except tarfile.HeaderError as e:
            raise Corrupt(f"byte {at}: {e}") from None
        data = at + BLOCK
        if info.size < 0 or data + info.size > size:
            raise Corrupt(f"byte {at}: {info.size} bytes announced, {size - data} left")
        if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
            if info.size > MAX_NAME:
                raise Corrupt(f"byte {at}: a name of {info.size} bytes")
            text = f.read(info.size)
            if info.type == tarfile.GNUTYPE_LONGNAME:
                name = text.rstrip(b"\0").decode("utf-8", "surrogateescape")
            else:
                name = _pax(text, at) or name
        else:
            if info.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                yield name or info.name, data, info.size
            name = ""
        at = data + (info.size + BLOCK - 1) // BLOCK * BLOCK
        f.seek(at)


def _pax(text: bytes, at: int) -> str:
    """The path in an extended header: lines of `length key=value`. Raises Corrupt."""
    path = ""
    while text:
        number = text.split(b" ", 1)[0]
        if not number.isdigit() or not len(number) < int(number[:9]) <= len(text):
            raise Corrupt(f"byte {at}: a damaged extended header")
        key, _, value = text[len(number) + 1:int(number)].rstrip(b"\n").partition(b"=")
        if key == b"path":
            path = value.decode("utf-8", "surrogateescape")
        if key == b"size":
            raise Corrupt(f"byte {at}: a file of 8 GB or more")
        text = text[int(number):]
    return path


def payload(f: BinaryIO, size: int) -> bytes:
    """The data of the member that was just met. Raises Corrupt."""
    if size > MAX_BYTES:
        raise Corrupt(f"a file of {size} bytes")
    data = f.read(size)
    if len(data) != size:
        raise Corrupt("the archive ends inside a file")
    return data
