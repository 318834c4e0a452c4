# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Does the engine compute what the file says? Every instruction set against the reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from efm3 import engine, reference, untrained
from efm3.arithmetic import TOLERANCE
from efm3.arrays import Array, Doubles, Floats
from efm3.findings import refuse
from efm3.model import Model
from efm3.network import Layer, layers
from efm3.precision import LEAST

LAYER_BUDGET = 256 * 2.0**-24
"""Largest error of a layer, relative to its largest magnitude: 256 roundings of float32,
five times the most that was seen on the four sizes and the odd ones."""


@dataclass(frozen=True)
class Stray:
    """The first layer over its error budget: error, budget, and a guess at the cause."""

    layer: str
    max_error: float
    budget: float
    guess: str


@dataclass(frozen=True)
class Outcome:
    """Result of one instruction set: worst component, mean and worst cosine, first differing
    layer."""

    isa: str
    max_error: float
    mean_cosine: float
    min_cosine: float
    ok: bool
    stray: Stray | None = None

    def to_json(self) -> dict[str, Any]:
        """The outcome as a JSON object; a word for NaN and infinities."""
        return asdict(self, dict_factory=_worded)


def _worded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of these keys and values, with words for what JSON cannot express."""
    return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in pairs}


def inputs() -> Floats:
    """Fixed inputs [4, 3, 112, 112]: two drawn pictures, noise, and a grey picture."""
    noise = untrained.images(13, 1)[:, ::-1, :, ::-1]
    grey = np.full_like(noise, 128)
    return reference.prepare(np.concatenate([untrained.images(11, 2), noise, grey]))


def verify(model: Model, isas: Iterable[str] | None = None,
           tolerance: float = TOLERANCE) -> list[Outcome]:
    """The engine on every instruction set this machine has (or on `isas`), on `inputs()`.

    Raises Efm3Error for an instruction set that is unknown or not supported.
    """
    wanted = [n for n, here in engine.isas().items() if here] if isas is None else list(isas)
    x = inputs()
    want = reference.forward(model, x)
    out = []
    for isa in wanted:
        with engine.Engine(model, isa=isa) as e:
            have = e.embed(x).astype(np.float64)
            out.append(_outcome(model, e, x, want, have, tolerance))
    return out


@dataclass(frozen=True)
class Grade:
    """A precision below f32 on one instruction set, beside the float64 reference.

    `arithmetic` is what the pointwise layers run in. `max_error`, of a component, is over all
    pictures, `mean_cosine` and `min_cosine` over the drawn ones; `constant_cosine` is the least of
    pictures of one colour and of noise, which are no faces and decide nothing.
    """

    isa: str
    precision: str
    arithmetic: str
    weight_bytes: int
    max_error: float
    mean_cosine: float
    min_cosine: float
    constant_cosine: float
    ok: bool

    def to_json(self) -> dict[str, Any]:
        """The grade as a JSON object; a word for NaN and infinities."""
        return asdict(self, dict_factory=_worded)


DRAWN = 12
"""Drawn pictures that a precision is graded on: `untrained.images`, the same on every machine and
without a library. For facex_nano in 8 bits their mean cosine is that of a thousand drawn heads
within 6e-5; the least of a thousand is lower than that of any twelve pictures."""


def grades(model: Model, precisions: Iterable[str],
           isas: Iterable[str] | None = None) -> list[Grade]:
    """Each of the precisions below f32 on every instruction set this machine has, or on `isas`.

    The engine takes the pictures as bytes, as users give them: floats have another stem. Good is
    one whose least cosine on drawn pictures is what it promises (`precision.LEAST`).
    Raises Efm3Error for an instruction set that is unknown or not supported, ValueError for a
    precision that promises no cosine.
    """
    precisions = list(precisions)
    for name in precisions:
        if name not in LEAST:
            raise ValueError(f"precision is {name!r}, not one of {', '.join(LEAST)}")
    wanted = [n for n, here in engine.isas().items() if here] if isas is None else list(isas)
    flat = np.stack([np.full((engine.SIDE, engine.SIDE, 3), v, np.uint8) for v in (0, 128, 255)])
    noise = np.random.default_rng(17).integers(0, 256, flat[:1].shape, np.uint8)
    pictures = np.concatenate([untrained.images(23, DRAWN), flat, noise])
    want = reference.forward(model, reference.prepare(pictures))
    out = []
    for isa in wanted:
        for precision in precisions:
            with engine.Engine(model, isa=isa, precision=precision) as e:
                have = e.embed(pictures).astype(np.float64)
                ran, arithmetic, size = e.isa, e.arithmetic, e.weight_bytes
            error, alike = distance(have, want)[0], cosines(have, want)
            drawn, least = alike[:DRAWN], float(alike[:DRAWN].min())
            out.append(Grade(ran, precision, arithmetic, size, error, float(drawn.mean()), least,
                             float(alike[DRAWN:].min()), least >= LEAST[precision]))
    return out


def verify_against(model: Model, source: Callable[[Array], Array], x: Array,
                   isas: Iterable[str] | None = None,
                   tolerance: float = TOLERANCE) -> list[Outcome]:
    """The float64 reference and the engine's instruction sets against `source`'s result for `x`.

    `source` maps inputs [N, 3, 112, 112] to embeddings [N, D] of length 1. The first outcome is
    called `reference`. Raises Efm3Error, and EngineMissing where the extension was not built.
    """
    wanted = [n for n, here in engine.isas().items() if here] if isas is None else list(isas)
    want = np.asarray(source(x), np.float64)
    found = [("reference", reference.forward(model, x))]
    for isa in wanted:
        with engine.Engine(model, isa=isa) as e:
            found.append((e.isa, e.embed(x).astype(np.float64)))
    out = []
    for name, have in found:
        error, least = distance(have, want)
        out.append(Outcome(name, error, float(cosines(have, want).mean()), least,
                           error <= tolerance and shows(error, want)))
    return out


def _outcome(model: Model, e: engine.Engine, x: Array, want: Array, have: Array,
             tolerance: float) -> Outcome:
    error, cosine = distance(have, want)
    ok = error <= tolerance
    stray = None
    if not ok:
        worst = int(np.abs(have - want).max(axis=1).argmax())
        stray = first_stray(model, e.activations(x[worst]),
                            reference.activations(model, x[worst:worst + 1]))
    return Outcome(e.isa, error, float(cosines(have, want).mean()), cosine, ok, stray)


def distance(have: Array, want: Array) -> tuple[float, float]:
    """Largest absolute error of a component and smallest cosine of embeddings [N, D].

    Raises Efm3Error X011 where the two are of different lengths.
    """
    if have.shape != want.shape:
        refuse("X011", f"one network gives embeddings of {have.shape[1]} values, the other of "
                       f"{want.shape[1]}", "embedding", have.shape[1], want.shape[1])
    return float(np.abs(have - want).max()), float(cosines(have, want).min())


def cosines(have: Array, want: Array) -> Doubles:
    """The cosine of each two embeddings [N, D], as [N]; 0 where one has the length 0."""
    norms = np.linalg.norm(have, axis=1) * np.linalg.norm(want, axis=1)
    return np.asarray(np.sum(have * want, axis=1) / np.where(norms == 0, 1, norms), np.float64)


APART = 10
"""An error shows something where it is this much smaller than what pictures differ by."""


def shows(error: float, want: Array) -> bool:
    """True where the embeddings [N, D] differ enough from picture to picture for an error to show
    anything: a network with drawn weights may give nearly the same one for all."""
    spread = float(np.abs(want - want.mean(axis=0)).max())
    return len(want) < 2 or error * APART <= spread


def first_stray(model: Model, have: dict[str, Any], want: dict[str, Any]) -> Stray | None:
    """The first layer beyond its budget; `have` maps names to [C, H, W], `want` to [1, C, H, W].

    Layers that are not in `have` are skipped.
    """
    for layer in layers(model.arch):
        if layer.name not in have:
            continue
        a, b = have[layer.name], want[layer.name][0]
        budget = LAYER_BUDGET * float(np.abs(b).max())
        with np.errstate(invalid="ignore"):  # equal infinities differ by NaN
            error = np.abs(a - b)
            if not error.max() <= budget:
                return Stray(layer.name, float(error.max()), budget, guess(layer, a, b, budget))
    return None


def guess(layer: Layer, have: Array, want: Array, budget: float) -> str:
    """The kind of mistake that causes errors at these positions; maps [C, H, W]."""
    bad = ~(np.abs(have - want) <= budget)
    inner = bad[:, 1:-1, 1:-1]
    channels = np.flatnonzero(bad.any(axis=(1, 2)))
    width, named = _tail(channels, layer.out_channels), _listed(channels)
    tests: Sequence[tuple[bool, str]] = (
        (not np.isfinite(want).all(), "values that are not finite in the reference either: the "
                                      "file's weights"),
        (not np.isfinite(have).all(), "values that are not finite: overflow, or memory never set"),
        (inner.size > 0 and not inner.any(), "only the map's border: padding"),
        (bool(width), f"only the last channels: the tail beyond a multiple of {width}"),
        (len(channels) < min(layer.out_channels, max(2, layer.out_channels // 4)),
         f"a few channels, {named}: their weights or BN"),
        (layer.act and not (bad & (want > 0)).any(), "only negative outputs: the PReLU slopes"),
        (len(channels) < layer.out_channels,
         f"{len(channels)} of {layer.out_channels} channels, {named}: their weights or BN"),
        (bool(layer.residual), "the whole map of a residual layer: the addition, or its input"),
    )
    return next((words for hit, words in tests if hit),
                "the whole map: the weights' order, BatchNorm's fold, or the stride")


VECTORS = (16, 8, 4, 32, 64)
"""Widths of a kernel's vectors, the likeliest first."""

LISTED = 6
"""Most channels that are listed."""


def _tail(wrong: Array, channels: int) -> int:
    """The vectors' width where just the channels after the last whole one are wrong, 0 elsewhere.

    A layer with less than one vector has no such tail: there every channel is one of the rest.
    """
    return next((n for n in VECTORS
                 if n <= channels and np.array_equal(wrong, range(channels // n * n, channels))
                 and wrong.size), 0)


def _listed(wrong: Array) -> str:
    """The channels in words."""
    more = f" and {wrong.size - LISTED} more" if wrong.size > LISTED else ""
    return ", ".join(map(str, wrong[:LISTED])) + more
