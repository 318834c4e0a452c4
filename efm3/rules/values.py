# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on the weights. Each reads the one pass first and checks closely only on a hit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from efm3.rules._context import Context, Found
from efm3.rules._registry import rule
from efm3.rules._stats import INFINITY, SMALLEST_NORMAL, Stats
from efm3.scan import TensorSpan

F = Iterator[Found]

MAX_SHOWN = 20
"""Findings of one value rule in one file; the last one says how many more there are."""

# Far outside what trained networks of this family hold; see spec/decisions/0002-value-bounds.md.
LARGE_WEIGHT = 1e4
LARGE_VAR = 1e8
LARGE_SCALE = 1e4
USUAL_SLOPE = 4.0


def _each(ctx: Context, kinds: tuple[str, ...], test: Callable[[Any], Any], words: str,
          expected: str) -> F:
    """One finding per tensor of these kinds in which `test` marks values."""
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
           expected: str) -> Found:
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


@rule("V001")
def big_endian(ctx: Context) -> F:
    if ctx.stats is not None and _swapped(ctx.stats):
        t = ctx.stats.tensors("bn.var")[0]
        values = ctx.stats.values(t)
        yield _value(ctx, t, 0, "the weights are big-endian", float(values[0]),
                     f"{float(values.byteswap()[0]):.9g}")


@rule("V002")
def nan(ctx: Context) -> F:
    if ctx.stats is not None and not ctx.stats.finite and not _swapped(ctx.stats):
        yield from _each(ctx, (), np.isnan, "are NaN", "a finite number")


@rule("V003")
def infinite(ctx: Context) -> F:
    if ctx.stats is not None and not ctx.stats.finite and not _swapped(ctx.stats):
        yield from _each(ctx, (), lambda v: _bits(v) == INFINITY, "are infinite",
                         "a finite number")


@rule("V004")
def var_negative(ctx: Context) -> F:
    s = _sane(ctx)
    if s and bool((s.vectors["bn.var"] < 0).any()):
        yield from _each(ctx, ("bn.var",), lambda v: v < 0, "are negative", ">= 0")


@rule("V005")
def var_zero(ctx: Context) -> F:
    s = _sane(ctx)
    if s and bool((s.vectors["bn.var"] == 0).any()):
        yield from _each(ctx, ("bn.var",), lambda v: v == 0, "are zero", "> 0")


@rule("V006")
def var_huge(ctx: Context) -> F:
    s = _sane(ctx)
    if s and bool((s.vectors["bn.var"] > LARGE_VAR).any()):
        yield from _each(ctx, ("bn.var",), lambda v: v > LARGE_VAR, "are over 1e8", "<= 1e8")


@rule("V007")
def zero_channel(ctx: Context) -> F:
    s = _sane(ctx)
    for owner, channels in (s.zero_channels() if s else {}).items():
        t = ctx.scan.tensors[owner]
        if t.name.endswith("conv.w") and len(channels) < t.shape[0]:
            each = t.size // t.shape[0]
            yield ctx.at(f"{t.name}: {len(channels)} of {t.shape[0]} channels are all zero",
                         offset=t.data_offset + each * int(channels[0]), length=each,
                         path=f"{t.name}[{channels[0]}]", found=0, expected="some weight")


@rule("V008")
def zero_tensor(ctx: Context) -> F:
    s = _sane(ctx)
    for owner, channels in (s.zero_channels() if s else {}).items():
        t = ctx.scan.tensors[owner]
        conv = t.name.endswith("conv.w") and len(channels) == t.shape[0]
        if conv or t.name.endswith("bn.w"):
            yield ctx.at(f"{t.name}: all values are zero", offset=t.data_offset, length=t.size,
                         path=t.name, found=0, expected="some weight")


@rule("V009")
def subnormal(ctx: Context) -> F:
    s = _sane(ctx)
    if s and s.has_subnormal:
        yield from _each(ctx, (), lambda v: (_bits(v) > 0) & (_bits(v) < SMALLEST_NORMAL),
                         "are subnormal", "0 or at least 1.18e-38")


@rule("V010")
def weight_huge(ctx: Context) -> F:
    s = _sane(ctx)
    limit = int(np.float32(LARGE_WEIGHT).view(np.uint32))
    if s and bool((s.channel_max > limit).any()):
        yield from _each(ctx, ("conv.w", "bn.w", "bn.b", "bn.mean", "act.w"),
                         lambda v: _bits(v) > limit, "are over 1e4", "<= 1e4")


@rule("V011")
def slope_unusual(ctx: Context) -> F:
    s = _sane(ctx)
    if s and bool((np.abs(s.vectors["act.w"]) > USUAL_SLOPE).any()):
        yield from _each(ctx, ("act.w",), lambda v: np.abs(v) > USUAL_SLOPE,
                         "are over 4 in magnitude", "about 0..1")


@rule("V012")
def slope_one(ctx: Context) -> F:
    s = _sane(ctx)
    if s and bool((s.vectors["act.w"] == 1).any()):
        for t in s.tensors("act.w"):
            if bool((s.values(t) == 1).all()):
                yield ctx.at(f"{t.name}: every slope is 1", offset=t.data_offset, length=t.size,
                             path=t.name, found=1, expected="slopes below 1")


@rule("V013")
def scale_huge(ctx: Context) -> F:
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


@rule("V014")
def identity_bn(ctx: Context) -> F:
    s = _sane(ctx)
    if s and all(bool((s.vectors[k] == v).all())
                 for k, v in (("bn.w", 1), ("bn.b", 0), ("bn.mean", 0), ("bn.var", 1))):
        t = s.tensors("bn.w")[0]
        yield ctx.at("every BatchNorm is the identity", offset=t.data_offset, length=t.size,
                     path=t.name)


@rule("V015")
def constant_conv(ctx: Context) -> F:
    s = _sane(ctx)
    if s is None:
        return
    for t in s.tensors("conv.w"):
        head = bytes(ctx.scan.data[t.data_offset:t.data_offset + min(t.size, 64)])
        if t.size > 4 and head == head[:4] * (len(head) // 4):
            values = s.values(t)
            if values[0] != 0 and bool((values == values[0]).all()):
                yield ctx.at(f"{t.name}: every weight is {float(values[0]):.6g}",
                             offset=t.data_offset, length=t.size, path=t.name,
                             found=f"{float(values[0]):.9g}", expected="varied weights")
