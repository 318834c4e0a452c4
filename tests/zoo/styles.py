# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a style and a near-miss of the zoo are, and what is checked of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.arrays import Array, Doubles, Floats
from efm3.convert._base import Wanted
from efm3.convert.checked import Conversion, convert
from tests.zoo.base import base, pictures, turned

LIMIT = 1e-5
"""Largest difference of a component of a unit embedding."""


class Writer(Protocol):
    """What makes a style's file."""

    kind: str
    says_range: bool
    """True where the file shows which pixels its input stands for."""
    unsaid: tuple[str, ...]
    """Words of what such a file never says."""

    def save(self, folder: Path) -> Path:
        """Writes the file, and all that belongs to it, into the folder."""

    def run(self, path: Path, x: Floats) -> Array | None:
        """What the format's own runtime gives for EFM3's input x; None where it has none here."""


@dataclass(frozen=True)
class Style:
    """A way of writing the network. `options` are Wanted's, and verify: convert's own check is
    left out unless the style is one that could mislead it, since the result is compared here.
    `assumed` has words of each sentence that is reported as assumed, beside what every graph
    leaves open."""

    writer: Callable[[], Writer]
    options: Mapping[str, Any] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Miss:
    """A network that is not quite EFM3's: `words` are in the refusal; `options` are Wanted's, and
    strict."""

    writer: Callable[[], Writer]
    code: str
    words: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


class Styles(dict[str, Style]):
    """A module's styles by name."""

    def style(self, *assumed: str, **options: Any) -> Callable[[type], type]:
        """A class decorator: this writer is a style."""
        def add(writer: type) -> type:
            self[writer.__name__] = Style(writer, options, assumed)
            return writer
        return add


class Misses(dict[str, Miss]):
    """A module's near-misses by name."""

    def miss(self, code: str, *words: str, **options: Any) -> Callable[[type], type]:
        """A class decorator: this writer is a near-miss."""
        def add(writer: type) -> type:
            self[writer.__name__] = Miss(writer, code, words, options)
            return writer
        return add


def unit(y: Array) -> Doubles:
    """Rows of length 1."""
    flat = y.reshape(len(y), -1).astype(np.float64)
    out: Doubles = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return out


@cache
def right(kind: str, needs_turning: bool = False) -> Doubles:
    """The base network's embeddings of the pictures, or of the turned pictures."""
    x = pictures()
    return base(kind).embeddings(turned(x) if needs_turning else x)


def run(path: Path, options: Mapping[str, Any]) -> Conversion:
    """Converts the file to out.bin beside it."""
    own = {k: v for k, v in options.items() if k not in ("strict", "verify")}
    return convert(path, path.parent / "out.bin", wanted=Wanted(**own),
                   strict=options.get("strict", False), verify=options.get("verify", False))


def converts(style: Style, folder: Path) -> None:
    """The style's file is the base network, and becomes it."""
    writer = style.writer()
    path, x = writer.save(folder), pictures()
    needs_turning = bool(style.options.get("turned"))
    want = right(writer.kind, needs_turning)
    own = writer.run(path, x)
    if own is not None:
        # Else the style itself would be another network.
        assert np.abs(unit(own) - want).max() < LIMIT
    done = run(path, style.options)
    model = efm3.load(folder / "out.bin")
    assert done.turned == model.turned == needs_turning
    have = reference.forward(model, x)
    assert np.abs(have - want).max() < LIMIT
    assumed = [*style.assumed, *open_to(writer, style.options)]
    for word in assumed:
        assert any(word in line for line in done.assumed), (word, done.assumed)
    assert len(done.assumed) == len(assumed), done.assumed


def open_to(writer: Writer, options: Mapping[str, Any]) -> list[str]:
    """What such a file does not say, and the caller does not either."""
    out = [*writer.unsaid, *([] if "bgr" in options else ["red first"])]
    return out if writer.says_range or "input_range" in options else [*out, "127.5) / 128"]


def refused(miss: Miss, folder: Path) -> None:
    """The near-miss is refused for the true reason, and leaves no file."""
    path = miss.writer().save(folder)
    with pytest.raises(efm3.Efm3Error) as e:
        run(path, miss.options)
    assert e.value.code == miss.code, e.value
    for word in miss.words:
        assert word in str(e.value), (word, str(e.value))
    assert not (folder / "out.bin").exists()
