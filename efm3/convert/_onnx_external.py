# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Data that an ONNX model keeps in files beside it.

A model names such files, so a name must not give access to anything else: the real path lies in
the model file's own real folder. Hugging Face's cache keeps `snapshots/REVISION/model.onnx` and
the data beside it as links into `blobs/`, which is the model's real folder then. A hard link may
be any file of the disk, so one is refused, as the ONNX library refuses it.
"""

from __future__ import annotations

import os

from efm3.convert._protobuf import Message
from efm3.findings import printable, refuse
from efm3.source import Unreadable, open_regular

TIMES = 2
"""How often the bytes of the data files may be read in all: tied weights are stated twice."""
BLOBS, SNAPSHOTS = "blobs", "snapshots"


class External:
    """The data files of the model at `path`."""

    def __init__(self, path: str) -> None:
        self._folder = os.path.realpath(os.path.dirname(os.path.abspath(path)))
        self._real = os.path.dirname(os.path.realpath(path))
        self._sizes: dict[str, int] = {}
        self.taken = 0

    def read(self, name: str, tensor: Message, size: int) -> bytes:
        """The bytes of the tensor called `name`, which has `size` of them. Raises X005, X006."""
        entry = {e.word("key"): e.word("value") for e in tensor.all("external_data")}
        path = self._path(name, entry.get("location", ""))
        try:
            offset, length = int(entry.get("offset", 0)), int(entry.get("length", -1))
        except ValueError:
            refuse("X005", f"{name}: offset or length is not a number", name)
        try:
            with open_regular(path) as f:
                status = os.fstat(f.fileno())
                if status.st_nlink > 1:
                    refuse("X005", f"{name} lies in a file with {status.st_nlink} names (hard "
                                   "links): it may be any file of this disk", name)
                whole = self._sizes[path] = status.st_size
                length = whole - offset if "length" not in entry else length
                if offset < 0 or length < 0 or offset + length > whole:
                    refuse("X005", f"{name} lies at bytes {offset}..{offset + length} of a file "
                                   f"of {whole}", name)
                if length != size:
                    refuse("X006", f"{name} takes {size} bytes by its shape, and has {length} "
                                   "bytes", name, length, size)
                self.taken += length
                if self.taken > TIMES * sum(self._sizes.values()):
                    refuse("X005", f"{name}: the tensors state more data than their files hold",
                           name, self.taken)
                f.seek(offset)
                data = f.read(length)
        except (Unreadable, MemoryError) as e:
            refuse("X005", f"{name}: {printable(str(e))}", name)
        if len(data) != length:
            refuse("X005", f"{name}: its file changed while it was read", name)
        return data

    def _path(self, name: str, place: str) -> str:
        """The real path of a data file. Raises X005."""
        if place and "\0" not in place:
            path = os.path.realpath(os.path.join(self._real, place))
            link = os.path.join(self._folder, place)
            if (self._cached() and not os.path.exists(path)
                    and _inside(os.path.realpath(os.path.dirname(link)), self._folder)):
                path = os.path.realpath(link)
            if path != self._real and _inside(path, self._real):
                return path
        refuse("X005", f"{name} lies in {place!r}, outside the model's folder", name, place)

    def _cached(self) -> bool:
        """True where the model is a link of Hugging Face's cache: from a snapshot to a blob."""
        root, last = os.path.split(self._real)
        return last == BLOBS and _inside(self._folder, os.path.join(root, SNAPSHOTS))


def _inside(path: str, folder: str) -> bool:
    """True for the folder and what lies in it, not for what lies beside it under a longer name."""
    try:
        return os.path.commonpath([path, folder]) == folder
    except ValueError:
        # Windows: another drive.
        return False
