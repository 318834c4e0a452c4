# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What Daft runs in its workers, on this machine or on others: an engine, opened once a worker."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from efm3.bulk import _frames
from efm3.bulk.rows import Maker, Plan
from efm3.findings import Efm3Error, Finding, error
from efm3.version import __version__

COUNT = struct.Struct("<Q")
"""Before an answer: how many pictures it is about, then the position of each, then a frame."""


class Actor:
    """Pictures to answers; one lives in each worker. It is sent there as these arguments.

    `alive` is a file of this machine that is there as long as the run wants answers: Daft has no
    way to end a query but that it fails. Else nothing is raised, for not every way of running Daft
    brings an exception home: an answer is the rows of some pictures, or the refusal that ends the
    run.
    """

    def __init__(self, version: str, model: bytes, plan: dict[str, Any], alive: str = "") -> None:
        self._version, self._model, self._plan = version, model, plan
        self._alive = alive
        self._maker: Any = None

    def answers(self, at: Any, names: Any, paths: Any, data: Any) -> Any:
        """For a batch (Daft's Series) as many values: the first is the answer, the others null.

        A picture is a path of bytes, or data; one that has neither could not be downloaded.
        """
        import pyarrow as pa

        if self._alive and not os.path.exists(self._alive):
            raise InterruptedError
        positions = at.to_arrow().to_numpy()
        try:
            if self._maker is None:
                self._maker = self.opened()
            told = self._answer(names.to_arrow().to_pylist(), paths.to_arrow().to_pylist(),
                                data.to_arrow().to_pylist())
        except Efm3Error as e:
            told = _frames.refusal(e)
        except Exception as e:
            told = _frames.refusal(error("B016", f"a worker fails: {type(e).__name__}: {e}"[:500]))
        first = b"".join((COUNT.pack(len(positions)), positions.astype("<i8").tobytes(), told))
        return pa.array([first, *[None] * (len(positions) - 1)], pa.large_binary())

    def opened(self) -> Any:
        """The maker of this worker. Raises what Maker raises, and Efm3Error B016."""
        if self._version != __version__:
            raise error("B016", f"a worker has efm3 {__version__}, and the run {self._version}", "",
                        __version__, self._version)
        return Maker(self._model, Plan(**self._plan))

    def _answer(self, names: Sequence[str], paths: Sequence[bytes | None],
                data: Sequence[bytes | None]) -> bytes:
        start = time.perf_counter()
        pictures = [(name, _source(name, path, bytes_))
                    for name, path, bytes_ in zip(names, paths, data, strict=True)]
        return _frames.answer(self._maker.made(pictures), time.perf_counter() - start)


def _source(name: str, path: bytes | None, data: bytes | None) -> str | bytes | Finding:
    if path is not None:
        return os.fsdecode(path)
    if data is not None:
        return data
    return error("B015", "it could not be downloaded", name).finding


def read_answer(data: bytes) -> tuple[list[int], dict[str, Any], bytes]:
    """The positions of the pictures that an answer is about, and its frame. Raises Garbled."""
    if len(data) < COUNT.size:
        raise _frames.Garbled("an answer that is cut")
    count, = COUNT.unpack_from(data)
    end = COUNT.size + 8 * count
    if end > len(data):
        raise _frames.Garbled("an answer that is cut")
    positions = np.frombuffer(data, "<i8", count, COUNT.size).tolist()
    rest = memoryview(data)[end:]

    def read(n: int) -> bytes:
        nonlocal rest
        found, rest = bytes(rest[:n]), rest[n:]
        return found

    try:
        return positions, *_frames.read_frame(read)
    except EOFError:
        raise _frames.Garbled("an answer that is cut") from None
