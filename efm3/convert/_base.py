# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A format's description, and the result of its reader."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from efm3.model import Model

EmbedInputs = Callable[[Any], Any]
"""Inputs [N, 3, 112, 112] float32, (p - 127.5) / 128, to embeddings [N, D] float64 of length 1."""


@dataclass(frozen=True)
class Format:
    """A row of the registry: efm3/convert/<name>.py with `read`, `parts`, or both.

    `read(path, arch) -> Network` and `parts(model, path, fold) -> Iterable[bytes]`.
    """

    name: str
    suffixes: tuple[str, ...]
    title: str
    reads: str = ""
    """How a file of it is read; "" where it cannot be."""
    writes: str = ""
    """What is written; "" where it cannot be."""
    extra: str = ""
    """The extra of this package that it needs, "" for none."""


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
    """A source: its Model, what had to be assumed, and the framework that runs the source itself.

    Without `embed` the float64 reference replaces the source.
    """

    model: Model
    assumed: list[str] = field(default_factory=list)
    framework: str = "reference"
    embed: EmbedInputs | None = None

    def run(self, x: Any) -> Any:
        """The source's embeddings; see `EmbedInputs`."""
        if self.embed is not None:
            return self.embed(x)
        from efm3 import reference

        return reference.forward(self.model, x)
