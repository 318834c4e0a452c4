# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on what the weights hold. Each asks the one pass first and looks closer on a hit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from efm3.findings import Finding
from efm3.rules import Context, rule
from efm3.rules._stats import INFINITY, SMALLEST_NORMAL, Stats
from efm3.scan import TensorSpan

F = Iterator[Finding]

MAX_SHOWN = 20
"""Findings of one value rule in one file; the last one says how many more there are."""

# Far outside what trained networks of this family hold; see spec/decisions/0002-value-bounds.md.
LARGE_WEIGHT = 1e4
LARGE_VAR = 1e8
LARGE_SCALE = 1e4
USUAL_SLOPE = 4.0


def _each(ctx: Context, kinds: tuple[str, ...], test: Callable[[Any], Any], words: str,
          expected: str) -> F:
    """A finding for each tensor of these kinds in which `test` marks values."""
    stats = ctx.stats
    assert stats is not None
    hits = []
    for t in stats.tensors(*kinds):
        values = stats.values(t)
        with np.errstate(all="ignore"):
            at = np.flatnonzero(test(values))
        if len(at):
            hits.append((t, int(at[0]), len(at), values))
    for t, first, n, values in hits[:MAX_SHOWN]:
        more = f" ({len(hits)} tensors in all)" if len(hits) > MAX_SHOWN else ""
        yield _value(ctx, t, first, f"{t.name}: {n} of {len(values)} values {words}{more}",
                     float(values[first]), expected)


def _value(ctx: Context, t: TensorSpan, first: int, message: str, found: float,
           expected: str) -> Finding:
    index = ",".join(map(str, np.unravel_index(first, t.shape)))
    return ctx.at(message, offset=t.data_offset + 4 * first, length=4,
                  path=f"{t.name}[{index}]", found=f"{found:.9g}", expected=expected)


def _bits(values: Any) -> Any:
    return values.view(np.uint32) & 0x7FFFFFFF


def _sane(ctx: Context) -> Stats | None:
    """The statistics where no value is NaN or infinite and the bytes are not swapped."""
    stats = ctx.stats
    return stats if stats is not None and stats.finite and not _swapped(stats) else None


def _swapped(stats: Stats) -> bool:
    """True where the BatchNorm variances make sense only with their bytes reversed."""
    def sense(values: Any) -> float:
        with np.errstate(all="ignore"):
            return float(np.mean((values > 1e-12) & (values < 1e9)))

    var = stats.vectors["bn.var"]
    return sense(var) < 0.5 and sense(var.byteswap()) > 0.9


@rule("V001", "values")
def big_endian(ctx: Context) -> F:
    """What: The weights make sense only with their bytes reversed.
    Why: They were written big-endian; every value is another one.
    Fix: write float32 little-endian
    """
    if ctx.stats is not None and _swapped(ctx.stats):
        t = ctx.stats.tensors("bn.var")[0]
        values = ctx.stats.values(t)
        yield _value(ctx, t, 0, "the weights are big-endian", float(values[0]),
                     f"{float(values.byteswap()[0]):.9g}")


@rule("V002", "values")
def nan(ctx: Context) -> F:
    """What: A weight is NaN.
    Why: It spreads to every component of the embedding.
    Fix: look for the step of training or conversion that made it
    """
    if ctx.stats is not None and not ctx.stats.finite and not _swapped(ctx.stats):
        yield from _each(ctx, (), np.isnan, "are NaN", "a finite number")


@rule("V003", "values")
def infinite(ctx: Context) -> F:
    """What: A weight is infinite.
    Why: Products with it are infinite or NaN.
    Fix: look for the step of training or conversion that made it
    """
    if ctx.stats is not None and not ctx.stats.finite and not _swapped(ctx.stats):
        yield from _each(ctx, (), lambda v: _bits(v) == INFINITY, "are infinite",
                         "a finite number")


@rule("V004", "values")
def var_negative(ctx: Context) -> F:
    """What: A BatchNorm variance is negative.
    Why: Its root is no number; no training makes one.
    Fix: check the order of the tensors: mean comes before var
    """
    s = _sane(ctx)
    if s and bool((s.vectors["bn.var"] < 0).any()):
        yield from _each(ctx, ("bn.var",), lambda v: v < 0, "are negative", ">= 0")


@rule("V005", "values", "warning")
def var_zero(ctx: Context) -> F:
    """What: A BatchNorm variance is exactly zero.
    Why: The channel never varied: it is dead, or the statistics were never gathered.
    Fix: check the channel; run calibration where statistics are missing
    """
    s = _sane(ctx)
    if s and bool((s.vectors["bn.var"] == 0).any()):
        yield from _each(ctx, ("bn.var",), lambda v: v == 0, "are zero", "> 0")


@rule("V006", "values", "warning")
def var_huge(ctx: Context) -> F:
    """What: A BatchNorm variance is over 1e8.
    Why: No activation of this network spreads so far; the value is damaged or misplaced.
    Fix: compare the tensor with the checkpoint
    """
    s = _sane(ctx)
    if s and bool((s.vectors["bn.var"] > LARGE_VAR).any()):
        yield from _each(ctx, ("bn.var",), lambda v: v > LARGE_VAR, "are over 1e8", "<= 1e8")


@rule("V007", "values", "warning")
def zero_channel(ctx: Context) -> F:
    """What: A convolution has output channels whose weights are all zero.
    Why: The channel is dead; engines still pay for it.
    Fix: prune it, or check the export
    """
    s = _sane(ctx)
    for owner, channels in (s.zero_channels() if s else {}).items():
        t = ctx.scan.tensors[owner]
        if t.name.endswith("conv.w") and len(channels) < t.shape[0]:
            each = t.size // t.shape[0]
            yield ctx.at(f"{t.name}: {len(channels)} of {t.shape[0]} channels are all zero",
                         offset=t.data_offset + each * int(channels[0]), length=each,
                         path=f"{t.name}[{channels[0]}]", found=0, expected="some weight")


@rule("V008", "values", "warning")
def zero_tensor(ctx: Context) -> F:
    """What: A whole convolution or all BatchNorm scales of a layer are zero.
    Why: The layer passes nothing of its input on.
    Fix: check that the export filled this tensor
    """
    s = _sane(ctx)
    for owner, channels in (s.zero_channels() if s else {}).items():
        t = ctx.scan.tensors[owner]
        conv = t.name.endswith("conv.w") and len(channels) == t.shape[0]
        if conv or t.name.endswith("bn.w"):
            yield ctx.at(f"{t.name}: all values are zero", offset=t.data_offset, length=t.size,
                         path=t.name, found=0, expected="some weight")


@rule("V009", "values", "warning")
def subnormal(ctx: Context) -> F:
    """What: A weight is subnormal: smaller than 1.2e-38 and not zero.
    Why: Arithmetic with it is up to a hundred times slower on many processors.
    Fix: set such weights to zero
    """
    s = _sane(ctx)
    if s and s.has_subnormal:
        yield from _each(ctx, (), lambda v: (_bits(v) > 0) & (_bits(v) < SMALLEST_NORMAL),
                         "are subnormal", "0 or at least 1.18e-38")


@rule("V010", "values", "warning")
def weight_huge(ctx: Context) -> F:
    """What: A weight other than a variance is over 1e4 in magnitude.
    Why: Trained networks of this family stay far below; a flipped exponent bit looks so.
    Fix: compare the tensor with the checkpoint
    """
    s = _sane(ctx)
    limit = int(np.float32(LARGE_WEIGHT).view(np.uint32))
    if s and bool((s.channel_max > limit).any()):
        yield from _each(ctx, ("conv.w", "bn.w", "bn.b", "bn.mean", "act.w"),
                         lambda v: _bits(v) > limit, "are over 1e4", "<= 1e4")


@rule("V011", "values", "warning")
def slope_unusual(ctx: Context) -> F:
    """What: A PReLU slope is over 4 in magnitude.
    Why: Trained slopes lie near 0..1; others hint at tensors in the wrong order.
    Fix: check that act.w holds the slopes
    """
    s = _sane(ctx)
    if s and bool((np.abs(s.vectors["act.w"]) > USUAL_SLOPE).any()):
        yield from _each(ctx, ("act.w",), lambda v: np.abs(v) > USUAL_SLOPE,
                         "are over 4 in magnitude", "about 0..1")


@rule("V012", "values", "info")
def slope_one(ctx: Context) -> F:
    """What: All PReLU slopes of a layer are exactly 1.
    Why: The activation does nothing; a network of such layers is linear.
    Fix: check that the slopes were exported
    """
    s = _sane(ctx)
    if s and bool((s.vectors["act.w"] == 1).any()):
        for t in s.tensors("act.w"):
            if bool((s.values(t) == 1).all()):
                yield ctx.at(f"{t.name}: every slope is 1", offset=t.data_offset, length=t.size,
                             path=t.name, found=1, expected="slopes below 1")


@rule("V013", "values", "warning")
def scale_huge(ctx: Context) -> F:
    """What: BatchNorm multiplies a channel by more than 1e4.
    Why: Rounding errors of the convolution grow with it; the folded weights lose their digits.
    Fix: check the variance; prune the channel where it is dead
    """
    s = _sane(ctx)
    if s and not bool((s.vectors["bn.var"] < 0).any()):
        at = np.flatnonzero(s.folded_scale() > LARGE_SCALE)
        if len(at):
            word = int(s.plan.vectors["bn.var"][at[0]])
            t = next(t for t in reversed(s.tensors("bn.var"))
                     if t.data_offset <= (ctx.scan.table_offset or 0) + 4 * word)
            first = ((ctx.scan.table_offset or 0) + 4 * word - t.data_offset) // 4
            yield _value(ctx, t, first, f"{len(at)} channels are scaled by more than 1e4",
                         float(s.vectors["bn.var"][at[0]]), "a larger variance")


@rule("V014", "values", "info")
def identity_bn(ctx: Context) -> F:
    """What: Every BatchNorm is the identity (scale 1, bias 0, mean 0, variance 1).
    Why: Statistics were never gathered: a fresh network, or an export that lost them.
    Fix: export the running statistics, or calibrate
    """
    s = _sane(ctx)
    if s and all(bool((s.vectors[k] == v).all())
                 for k, v in (("bn.w", 1), ("bn.b", 0), ("bn.mean", 0), ("bn.var", 1))):
        t = s.tensors("bn.w")[0]
        yield ctx.at("every BatchNorm is the identity", offset=t.data_offset, length=t.size,
                     path=t.name)


@rule("V015", "values", "warning")
def constant_conv(ctx: Context) -> F:
    """What: All weights of a convolution are one non-zero value.
    Why: Every channel computes the same; the tensor was filled, not trained.
    Fix: check that the export wrote this tensor
    """
    s = _sane(ctx)
    if s is None:
        return
    for t in s.tensors("conv.w"):
        head = np.frombuffer(ctx.scan.data, np.uint8, min(t.size, 64), t.data_offset)
        if t.size > 64 and bytes(head[:4]) * 16 == bytes(head) and any(head[:4]):
            values = s.values(t)
            if bool((values == values[0]).all()):
                yield ctx.at(f"{t.name}: every weight is {float(values[0]):.6g}",
                             offset=t.data_offset, length=t.size, path=t.name,
                             found=f"{float(values[0]):.9g}", expected="varied weights")
