# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A format's description, what its reader is asked for, and what its reader returns."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from efm3.arch import Arch
    from efm3.arrays import Array
    from efm3.convert.graph import Graph
    from efm3.model import Model

EmbedInputs = Callable[[Any], Any]
"""Inputs [N, 3, 112, 112] float32, (p - 127.5) / 128, to embeddings [N, D] float64 of length 1."""


@dataclass(frozen=True)
class Format:
    """A row of the registry: efm3/convert/<name>.py with `read`, `parts`, or both.

    `read(path, wanted) -> Source` and `parts(model, path, fold) -> Iterable[bytes]`.
    """

    name: str
    suffixes: tuple[str, ...]
    title: str
    reads: str = ""
    """How a file of it is read; "" where it cannot be."""
    writes: str = ""
    """What is written; "" where it cannot be."""
    extra: str = ""
    """The extra of this package that writing it needs, "" for none."""


@dataclass(frozen=True)
class Wanted:
    """What the caller states about a source, where the source itself does not; None for nothing.

    A reader uses `eps`, `act`, `key` and `output`; `bgr`, `input_range`, `turned` and `arch` are
    applied to its graph afterwards.
    """

    arch: Arch | None = None
    eps: float | None = None
    """BatchNorm's epsilon, for sources that do not state it."""
    act: str | None = None
    """The activation of sources that hold tensors alone: prelu, relu, or leaky:SLOPE."""
    key: str | None = None
    """Where in a checkpoint the network is: keys with dots between them."""
    output: str | None = None
    """The output to convert, where a source has several."""
    bgr: bool | None = None
    """True: the network takes blue first."""
    input_range: tuple[float, float] | None = None
    """What the network takes for pixels 0 and 255."""
    l2_norm: bool = False
    """True: the embedding is meant to be divided by its L2 norm, which the network does not do."""
    turned: bool = False
    """True: a network that needs its picture turned by 180 degrees is wanted all the same."""

    def stated(self) -> dict[str, str]:
        """What is stated, by the command's option."""
        out = {f"--{k}": f"--{k} {getattr(self, k)}" for k in ("eps", "act", "key", "output")
               if getattr(self, k) is not None}
        if self.bgr is not None:
            out["--bgr"] = "--bgr" if self.bgr else "--rgb"
        if self.input_range is not None:
            out["--input-range"] = "--input-range {:g}..{:g}".format(*self.input_range)
        for name, on in (("--l2-norm", self.l2_norm), ("--turned", self.turned)):
            if on:
                out[name] = name
        return out

    def words(self, unused: Sequence[str] = ()) -> str:
        """What is stated and of use, as the command's options; "" for nothing."""
        return " ".join(v for k, v in self.stated().items() if k not in unused)


@dataclass(frozen=True)
class Runtime:
    """The source's own runtime. `start()` gives the function from one batch, float32 in the shape
    and layout of the graph's input, to the chosen output. It raises Efm3Error, X002 where the
    runtime is not installed."""

    name: str
    start: Callable[[], Callable[[Array], Array]]


@dataclass
class Source:
    """What a reader found: a graph with EFM3's metadata if there are any; or a Model itself.

    `stated` is False where the source holds tensors alone, so that strides, padding and residual
    additions are not in its graph. `approximate` says why the values are not the source's own
    (weights of 8 bits), "" where they are.
    """

    graph: Graph | None = None
    model: Model | None = None
    texts: Mapping[str, Any] = field(default_factory=dict)
    runtime: Runtime | None = None
    stated: bool = True
    approximate: str = ""
    complete: Callable[[Arch], tuple[Graph, Runtime | None]] | None = None
    """For `stated` False: the source's own tensors as a graph with the arch's strides, padding
    and additions put in, as they are before any rewrite, and what runs it."""
    own: bool = False
    """True where the names are EFM3's, so that its input and epsilon are meant."""
    files: tuple[str, ...] = ()
    """The other files that were read, beside the one that was asked for."""


def spooled(save: Callable[[str], Any]) -> Iterator[bytes]:
    """What `save(path)` writes, in pieces, by way of a temporary file: libraries that only give
    the whole file would hold it in memory twice."""
    with tempfile.TemporaryDirectory(prefix="efm3-") as folder:
        path = os.path.join(folder, "x")
        save(path)
        with open(path, "rb") as f:
            while piece := f.read(1 << 20):
                yield piece


@dataclass
class Network:
    """A source read and matched: its Model, what had to be assumed, and what runs the source.

    `embed` is None where the file is an EFM3 model itself, which nothing else can run. `own` is
    True where the file has EFM3's metadata, `turned` where its pictures must be turned.
    """

    model: Model
    assumed: list[str] = field(default_factory=list)
    embed: Embedding | None = None
    own: bool = True
    turned: bool = False
    files: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    """Options that were stated and have no use for this source."""

    @property
    def framework(self) -> str:
        """What runs the source; known once it ran."""
        return "reference" if self.embed is None else self.embed.name

    def run(self, x: Any) -> Any:
        """The source's embeddings; see `EmbedInputs`."""
        if self.embed is not None:
            return self.embed(x)
        from efm3 import reference

        return reference.forward(self.model, x)


class Embedding:
    """The source's own function. `start` gives its name and the function, when it is first run."""

    def __init__(self, start: Callable[[], tuple[str, EmbedInputs]]) -> None:
        self._start = start
        self._run: EmbedInputs | None = None
        self.name = ""

    def __call__(self, x: Any) -> Any:
        if self._run is None:
            self.name, self._run = self._start()
        return self._run(x)
