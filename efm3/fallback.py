# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Embeddings with the C engine, and where it was not built, in numpy: the same, more slowly."""

from __future__ import annotations

import sysconfig
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from efm3.arrays import Array, Floats
from efm3.engine import Engine, EngineMissing, Held, batch
from efm3.model import Model, load
from efm3.precision import PRECISIONS
from efm3.reference import forward, prepare

if TYPE_CHECKING:
    import numpy.typing as npt

    from efm3.scan import Scan
    from efm3.source import Source

C, NUMPY = "c", "numpy"
"""What computes embeddings, as JSON says it under `engine`."""
MOST_THREADS = 64
_PIECE = 8
"""Pictures that pass the layers together: their maps are in memory at once, as float32."""
_TELL: ContextVar[Callable[[str], object] | None] = ContextVar("_TELL", default=None)


class NoEngine(UserWarning):
    """The C engine was not built, and numpy computes in its place."""


def missing() -> str:
    """Why there is no C engine, "" where there is one."""
    try:
        import_module("efm3._engine")
    except ImportError as e:
        return " ".join(str(e).split()) or type(e).__name__
    return ""


def how() -> str:
    """How the C engine is got on this machine, as the end of a sentence."""
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return (f"install the wheel for this platform ({platform}), or from the sources with a C "
            f"compiler [{missing()}]")


def note() -> str:
    """What is said where numpy computes."""
    return ("there is no C engine here: numpy computes, with the same result and many times "
            f"slower; for the engine {how()}")


class Numpy(Held):
    """A loaded network that numpy runs in float32, within `arithmetic.TOLERANCE` of the C engine.

    It has what a program that embeds needs of Engine, and can be used in the same way, also by
    several threads. Raises what `opened` says.
    """

    isa: str | None = None
    """There is no instruction set to tell of."""
    precision = arithmetic = PRECISIONS[0]

    def __init__(self, source: Source | Model | Scan, threads: int = 1) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int):
            raise TypeError(f"threads is {threads!r}, not an integer")
        if not 1 <= threads <= MOST_THREADS:
            raise ValueError(f"threads is {threads}, not 1..{MOST_THREADS}")
        # The engine does not read the mirror either, but for the picture.
        self._handle = model = (source if isinstance(source, Model)
                                else load(source, level="structure"))
        self.embedding_dim, self.threads = model.arch.embedding_dim, threads

    def __repr__(self) -> str:
        what = "closed" if self._handle is None else f"[{self.embedding_dim}]"
        return f"<efm3.fallback.Numpy {what}>"

    @property
    def turned(self) -> bool:
        """True where the file's network takes its picture turned by 180 degrees.

        Raises Efm3Error M043 where the file says something unknown of its picture.
        """
        return bool(self._live().turned)

    def embed(self, images: npt.ArrayLike) -> Floats:
        """Embeddings of length 1: float32 [N, D], or [D] for one image; see `Engine.embed`.

        `images` are upright: uint8 RGB [112, 112, 3] or [N, 112, 112, 3], or float32
        [3, 112, 112] or [N, 3, 112, 112] with values (p - 127.5) / 128; or a list of such.
        Raises TypeError for another type, ValueError for another shape, Efm3Error M043.
        """
        pixels, single = batch(images)
        model = self._live()

        def piece(at: int) -> Array:
            x = pixels[at:at + _PIECE]
            return forward(model, prepare(x) if x.dtype == np.uint8 else x, np.float32)

        starts = range(0, len(pixels), _PIECE)
        if min(self.threads, len(starts)) > 1:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(self.threads) as pool:
                parts = [*pool.map(piece, starts)]
        else:
            parts = [piece(at) for at in starts]
        out = np.concatenate([np.empty((0, self.embedding_dim), np.float32), *parts])
        return out[0] if single else out


Network = Engine | Numpy


def opened(source: Source | Model | Scan, *, isa: str | None = None, threads: int = 1,
           precision: str = PRECISIONS[0]) -> Network:
    """The file's network in the C engine, in numpy where that was not built; says nothing of it.

    The arguments are those of Engine. Raises Efm3Error where the file is refused, and EngineMissing
    where there is no engine and numpy is not what was asked for: an `isa`, a `precision` below
    float32, which numpy would not compute faster.
    """
    if not missing():
        return Engine(source, isa=isa, threads=threads, precision=precision)
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}, not one of {', '.join(PRECISIONS)}")
    asked = "an instruction set" if isa is not None else (
        f"precision {precision}" if precision != PRECISIONS[0] else "")
    if asked:
        raise EngineMissing(f"{asked} needs the C engine, which is not here: {how()}")
    return Numpy(source, threads)


def engine_of(network: Network) -> str:
    """C or NUMPY."""
    return NUMPY if isinstance(network, Numpy) else C


def embedder(source: Source | Model | Scan, *, isa: str | None = None, threads: int = 1,
             precision: str = PRECISIONS[0]) -> Network:
    """`opened`, and where numpy computes a warning NoEngine, of Python or where `telling` says.

    `with efm3.embedder("f.bin") as network: network.embed(pictures)` works in every installation.
    """
    network = opened(source, isa=isa, threads=threads, precision=precision)
    if isinstance(network, Numpy):
        if tell := _TELL.get():
            tell(note())
        else:
            warnings.warn(note(), NoEngine, stacklevel=2)
    return network


@contextmanager
def telling(tell: Callable[[str], object]) -> Iterator[None]:
    """In this block `embedder` tells of numpy with `tell`, the first time, and warns no more."""
    told: list[str] = []

    def once(text: str) -> None:
        if not told:
            told.append(text)
            tell(text)

    token = _TELL.set(once)
    try:
        yield
    finally:
        _TELL.reset(token)
