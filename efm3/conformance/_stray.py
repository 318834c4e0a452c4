# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The first layer that an engine computes wrongly, from the layers that it gave.

Each layer is computed from the engine's own input of that layer, so that an error which comes
from an earlier layer, or which grew from layer to layer, blames none that is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from efm3 import format as fmt
from efm3 import reference, verification
from efm3.arch import conv_side
from efm3.arithmetic import TOLERANCE
from efm3.arrays import Array
from efm3.findings import printable
from efm3.model import Model
from efm3.network import Layer, layers

BUDGET = 64 * 2.0**-24
"""Largest error of one layer by itself, relative to its largest magnitude: 64 roundings of
float32, more than twice the most of the reference in float32 and of our engine's kernels."""

NOISE = 2.0**-5
"""An error below this part of a layer's root mean square may be one of precision."""

STRIDES = range(fmt.ARCH_HEADER.stem_stride.lo, fmt.ARCH_HEADER.stem_stride.hi + 1)

STRANGERS = 3
"""Most unknown names that are told."""


class Stray(NamedTuple):
    """The layer, what is wrong with it in words, its flat output, and a guess at the cause.

    `taken` is the input that it was judged by and `want` its right output, [1, C, H, W] both.
    """

    layer: str
    words: str
    have: Array
    guess: str
    taken: Array = np.zeros(0)
    want: Array = np.zeros(0)


Room = Callable[[Layer, Array], Array]
"""How far each output of a layer may be off besides `BUDGET`, from its input; both [1, C, H, W]."""


def first(model: Model, x: Array, given: dict[str, Any],
          room: Room | None = None) -> Stray | None:
    """The first of the layers given (flat, by name) that does not follow from its input.

    With `room` a layer may round its input: what is not finite may then be another value that is
    not finite, and spread over a row; a layer after one that was not given is not judged.
    """
    a = np.asarray(x, np.float64)[None]
    block, absent = a, list[str]()
    with np.errstate(all="ignore"):
        for layer in layers(model.arch):
            if layer.name.endswith(".expand"):
                block = a
            taken, want = a, reference.apply(layer, model.tensors, a)
            if layer.residual:
                want = want + block
            a = want
            if layer.name not in given:
                absent.append(layer.name)
                continue
            have = np.asarray(given[layer.name], np.float64).reshape(-1)
            if room is not None and absent and have.size == want.size:
                # What the absent one rounded is not known.
                absent.clear()
                a = have.reshape(want.shape)
                continue
            stray = _compared(layer, have, want[0], None if room is None else room(layer, taken)[0])
            if stray is not None:
                missing = f" (the layer before it, {absent[-1]}, was not given)" if absent else ""
                return stray._replace(words=stray.words + missing, taken=taken, want=want)
            absent.clear()
            a = have.reshape(want.shape)
    return None


def _compared(layer: Layer, have: Array, want: Array, room: Array | None) -> Stray | None:
    if have.size != want.size:
        return Stray(layer.name, f"{layer.name}, {_sizes(layer, have.size)}", have, "")
    have = have.reshape(want.shape)
    finite = np.isfinite(want)
    if np.isfinite(have[~finite]).any() if room is not None else not np.array_equal(
            have[~finite], want[~finite], equal_nan=True):
        return Stray(layer.name, f"{layer.name}, where NaN and infinities are others than they "
                                 "must be", have.reshape(-1), "")
    budget = BUDGET * float(np.abs(want[finite]).max(initial=0))
    if room is not None:
        finite &= np.isfinite(room)
    error = np.abs(have[finite] - want[finite])
    over = error if room is None else error - room[finite]
    if float(over.max(initial=0)) <= budget:
        return None
    at = int(np.argmax(over))
    worst, budget = float(error[at]), budget if room is None else budget + float(room[finite][at])
    if not np.isfinite(worst):
        return Stray(layer.name, f"{layer.name}, with values that are not finite", have.reshape(-1),
                     "overflow, or memory never set")
    guess = _precision(have, want)
    if guess and room is None:
        guess += ": was a precision to be stated?"
    guess = guess or verification.guess(layer, have, want, budget)
    return Stray(layer.name, f"{layer.name}, off by {worst:.2e}, allowed {budget:.2e}",
                 have.reshape(-1), guess)


def _precision(have: Array, want: Array) -> str:
    """Words for an error that is small and without a pattern, "" for any other."""
    error, scale = have - want, float(np.sqrt(np.mean(want * want)))
    size = float(np.sqrt(np.mean(error * error))) / scale if scale else math.inf
    if not 0 < size < NOISE:
        return ""
    along = float(np.sum(error * want)) / (size * scale * scale * want.size)
    if abs(along) > 0.5:
        return ""
    return (f"an error without a pattern, as of arithmetic with about {round(-math.log2(size))} "
            "bits (float32 has 24, binary16 11, bfloat16 8)")


def _sizes(layer: Layer, count: int) -> str:
    """Both sizes in words, and what gives the wrong one."""
    right = f"[{layer.out_channels}, {layer.out_side}, {layer.out_side}]"
    side = math.isqrt(count // layer.out_channels)
    if not side or side * side * layer.out_channels != count:
        here = layer.out_side ** 2
        wrong = (f"[{count // here}, {layer.out_side}, {layer.out_side}]"
                 if count and count % here == 0 else f"{count} values")
        return f"{wrong} for {right}"
    causes = [f"padding {p} under a {layer.kernel}×{layer.kernel} kernel"
              for p in range(layer.kernel) if _side(layer._replace(padding=p)) == side]
    causes += [f"a stride of {s}, not {layer.stride}"
               for s in STRIDES
               if s != layer.stride and _side(layer._replace(stride=s)) == side]
    return (f"[{layer.out_channels}, {side}, {side}] for {right}"
            + (f": {' or '.join(causes[:2])}" if causes else ""))


def _side(layer: Layer) -> int:
    return conv_side(layer.in_side, layer.kernel, layer.stride, layer.padding)


def after(model: Model, given: dict[str, Any], have: Array) -> str:
    """Where to look when each layer that was given is right."""
    names = [layer.name for layer in layers(model.arch)]
    last = max((i for i, name in enumerate(names) if name in given), default=-1)
    if last < 0:
        return ""
    if last < len(names) - 1:
        return f"; every layer that was given is right, the last is {names[last]}: look after it"
    raw = np.asarray(given[names[-1]], np.float64).reshape(1, -1)
    if have.size == raw.size and np.abs(reference.normalised(raw)[0] - have).max() <= TOLERANCE:
        return "; every layer by itself is within its budget: small errors of many layers"
    return "; every layer that was given is right: look after the last"


def strangers(model: Model, given: dict[str, Any]) -> str:
    """Names of layers that the network has not."""
    known = {layer.name for layer in layers(model.arch)}
    names = sorted(name for name in given if name not in known)
    if not names:
        return ""
    shown = ", ".join(printable(name[:60]) for name in names[:STRANGERS])
    more = f" and {len(names) - STRANGERS} more" if len(names) > STRANGERS else ""
    return f"; the network has no layer {shown}{more} (names are those of the tensors)"
