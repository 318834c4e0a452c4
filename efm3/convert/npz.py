# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""NumPy archives: our names, and the arch and the mirror as text beside them.

An entry's own header is trusted only after it was compared with the archive's directory,
so that a small file cannot cause the allocation of a large array.
"""

from __future__ import annotations

import io
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from efm3.arch import Arch
from efm3.convert._base import Network
from efm3.convert._meta import ARCH_KEY, MAX_TEXT, MIRROR_KEY, texts
from efm3.convert._named import network_of
from efm3.findings import Efm3Error, refuse
from efm3.model import Model
from efm3.source import Unreadable, open_regular

MOST, SPARE = 8, 1 << 20
"""An archive may unpack to this many times its size, and a MiB: weights hardly compress."""


def read(path: str, arch: Arch | None) -> Network:
    """The network in an archive. Raises Efm3Error."""
    found: dict[str, Any] = {}
    try:
        with open_regular(path) as f, zipfile.ZipFile(f) as z:
            size = os.fstat(f.fileno()).st_size
            total = sum(i.file_size for i in z.infolist())
            if total > MOST * size + SPARE:
                refuse("X003", f"{path} has {size:,} bytes and unpacks to {total:,}", path, total)
            for info in z.infolist():
                key = info.filename.removesuffix(".npy")
                found[key] = _entry(z, info, key)
    except (Unreadable, Efm3Error):
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError,
            ValueError, SyntaxError, TypeError, MemoryError, RecursionError,
            tokenize.TokenError) as e:
        refuse("X003", f"{path} is not a NumPy archive, or is damaged: {e}", path)
    return network_of(found, found, arch, path)


def _entry(z: zipfile.ZipFile, info: zipfile.ZipInfo, key: str) -> Any:
    data = z.read(info)
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    header: Any = {(1, 0): np.lib.format.read_array_header_1_0,
                   (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if header is None:
        refuse("X003", f"{key} has .npy version {version}", key)
    shape, fortran, dtype = header(stream)
    if dtype.kind not in "fiubU" or len(shape) > 4:
        refuse("X006", f"{key} is {dtype} {list(shape)}, not numbers of at most 4 dimensions", key)
    if dtype.itemsize * math.prod(shape) != len(data) - stream.tell():
        refuse("X006", f"{key} states {list(shape)} of {dtype} and holds "
                       f"{len(data) - stream.tell()} bytes", key)
    array = np.frombuffer(data, dtype, math.prod(shape), stream.tell())
    array = array.reshape(shape, order="F" if fortran else "C")
    if key in (ARCH_KEY, MIRROR_KEY):
        if array.dtype.kind != "U" or array.size != 1 or array.nbytes > 4 * MAX_TEXT:
            refuse("X012", f"{key} is {dtype} {list(shape)}, not one text", key)
        return str(array.reshape(())[()])
    return array


def parts(model: Model, path: str, fold: bool) -> Iterable[memoryview]:
    """The archive's bytes, in pieces: stored, not compressed."""
    stream = io.BytesIO()
    # The mirror's trailing spaces, which align the tensors, are kept: numpy strips only NULs.
    entries: dict[str, Any] = {k: np.array(v) for k, v in texts(model).items()}
    np.savez(stream, **entries, **model.tensors)
    yield stream.getbuffer()
