# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on the weights. Each reads the one pass first and checks closely only on a hit."""

from __future__ import annotations

from collections.abc import Iterator

from efm3.rules._context import Context, Found
from efm3.rules._registry import rule
from efm3.rules._stats import (
    INFINITE,
    NAN,
    NEGATIVE,
    ONE,
    SUBNORMAL,
    ZERO,
    Kind,
    Stats,
    Values,
    all_are,
    between,
    beyond,
    has,
    over,
)
from efm3.scan import TensorSpan

F = Iterator[Found]

MAX_SHOWN = 20
"""Findings of one value rule in one file; the last one says how many more there are."""

# Far outside what trained networks of this family hold; see spec/decisions/0002-value-bounds.md.
LARGE_WEIGHT = 1e4
LARGE_VAR = 1e8
LARGE_SCALE = 1e4
USUAL_SLOPE = 4.0
SENSIBLE = between(1e-12, 1e9)
"""Variances of which a network can have many."""


def _each(ctx: Context, kinds: tuple[str, ...], kind: Kind, words: str, expected: str) -> F:
    """One finding per tensor of these kinds that has values of a kind."""
    stats = ctx.stats
    assert stats is not None
    hits = []
    for t in stats.tensors(*kinds):
        n, first = stats.values(t).hits(kind)
        if n:
            hits.append((t, first, n))
    for t, first, n in hits[:MAX_SHOWN]:
        more = f" ({len(hits)} tensors in all)" if len(hits) > MAX_SHOWN else ""
        yield _value(ctx, t, first, f"{t.name}: {n} of {t.size // 4} values {words}{more}",
                     stats.number(t, first), expected)


def _value(ctx: Context, t: TensorSpan, first: int, message: str, found: float,
           expected: str) -> Found:
    index: list[int] = []
    rest = first
    for side in reversed(t.shape):
        rest, place = divmod(rest, side)
        index.insert(0, place)
    return ctx.at(message, offset=t.data_offset + 4 * first, length=4,
                  path=f"{t.name}[{','.join(map(str, index))}]", found=f"{found:.9g}",
                  expected=expected)


def _sane(ctx: Context) -> Stats | None:
    """The weights where no value is NaN or infinite and the bytes are not swapped."""
    stats = ctx.stats
    return stats if stats is not None and stats.finite and not _swapped(stats) else None


def _swapped(stats: Stats) -> bool:
    """True where the BatchNorm variances make sense only with their bytes reversed."""
    def sense(values: Values) -> float:
        return values.hits(SENSIBLE)[0] / len(values)

    var = stats.vectors["bn.var"]
    return sense(var) < 0.5 and sense(var.swapped()) > 0.9


@rule("V001")
def big_endian(ctx: Context) -> F:
    if ctx.stats is not None and _swapped(ctx.stats):
        t = ctx.stats.tensors("bn.var")[0]
        yield _value(ctx, t, 0, "the weights are big-endian", ctx.stats.number(t, 0),
                     f"{ctx.stats.number(t, 0, '>'):.9g}")


@rule("V002")
def nan(ctx: Context) -> F:
    if ctx.stats is not None and not ctx.stats.finite and not _swapped(ctx.stats):
        yield from _each(ctx, (), NAN, "are NaN", "a finite number")


@rule("V003")
def infinite(ctx: Context) -> F:
    if ctx.stats is not None and not ctx.stats.finite and not _swapped(ctx.stats):
        yield from _each(ctx, (), INFINITE, "are infinite", "a finite number")


@rule("V004")
def var_negative(ctx: Context) -> F:
    s = _sane(ctx)
    if s and has(s.vectors["bn.var"], NEGATIVE):
        yield from _each(ctx, ("bn.var",), NEGATIVE, "are negative", ">= 0")


@rule("V005")
def var_zero(ctx: Context) -> F:
    s = _sane(ctx)
    if s and has(s.vectors["bn.var"], ZERO):
        yield from _each(ctx, ("bn.var",), ZERO, "are zero", "> 0")


@rule("V006")
def var_huge(ctx: Context) -> F:
    s = _sane(ctx)
    if s and has(s.vectors["bn.var"], over(LARGE_VAR)):
        yield from _each(ctx, ("bn.var",), over(LARGE_VAR), "are over 1e8", "<= 1e8")


@rule("V007")
def zero_channel(ctx: Context) -> F:
    s = _sane(ctx)
    for owner, channels in (s.zero_channels if s else {}).items():
        t = ctx.scan.tensors[owner]
        if t.name.endswith("conv.w") and len(channels) < t.shape[0]:
            each = t.size // t.shape[0]
            yield ctx.at(f"{t.name}: {len(channels)} of {t.shape[0]} channels are all zero",
                         offset=t.data_offset + each * channels[0], length=each,
                         path=f"{t.name}[{channels[0]}]", found=0, expected="some weight")


@rule("V008")
def zero_tensor(ctx: Context) -> F:
    s = _sane(ctx)
    for owner, channels in (s.zero_channels if s else {}).items():
        t = ctx.scan.tensors[owner]
        conv = t.name.endswith("conv.w") and len(channels) == t.shape[0]
        if conv or t.name.endswith("bn.w"):
            yield ctx.at(f"{t.name}: all values are zero", offset=t.data_offset, length=t.size,
                         path=t.name, found=0, expected="some weight")


@rule("V009")
def subnormal(ctx: Context) -> F:
    s = _sane(ctx)
    if s and s.any(SUBNORMAL):
        yield from _each(ctx, (), SUBNORMAL, "are subnormal", "0 or at least 1.18e-38")


@rule("V010")
def weight_huge(ctx: Context) -> F:
    s, large = _sane(ctx), beyond(LARGE_WEIGHT)
    if s and s.any(large):
        yield from _each(ctx, ("conv.w", "bn.w", "bn.b", "bn.mean", "act.w"), large,
                         "are over 1e4", "<= 1e4")


@rule("V011")
def slope_unusual(ctx: Context) -> F:
    s, large = _sane(ctx), beyond(USUAL_SLOPE)
    if s and has(s.vectors["act.w"], large):
        yield from _each(ctx, ("act.w",), large, "are over 4 in magnitude", "about 0..1")


@rule("V012")
def slope_one(ctx: Context) -> F:
    s = _sane(ctx)
    if s and has(s.vectors["act.w"], ONE):
        for t in s.tensors("act.w"):
            if all_are(s.values(t), ONE):
                yield ctx.at(f"{t.name}: every slope is 1", offset=t.data_offset, length=t.size,
                             path=t.name, found=1, expected="slopes below 1")


@rule("V013")
def scale_huge(ctx: Context) -> F:
    s = _sane(ctx)
    if s and not has(s.vectors["bn.var"], NEGATIVE):
        n, first = s.scaled(LARGE_SCALE)
        if n:
            t, at = s.place("bn.var", first)
            yield _value(ctx, t, at, f"{n} channels are scaled by more than 1e4",
                         s.number(t, at), "a larger variance")


@rule("V014")
def identity_bn(ctx: Context) -> F:
    s = _sane(ctx)
    if s and all(all_are(s.vectors[k], kind) for k, kind in (
            ("bn.w", ONE), ("bn.b", ZERO), ("bn.mean", ZERO), ("bn.var", ONE))):
        t = s.tensors("bn.w")[0]
        yield ctx.at("every BatchNorm is the identity", offset=t.data_offset, length=t.size,
                     path=t.name)


@rule("V015")
def constant_conv(ctx: Context) -> F:
    s = _sane(ctx)
    if s is None:
        return
    for t in s.tensors("conv.w"):
        data = ctx.scan.data[t.data_offset:t.data_offset + t.size]
        head = bytes(data[:64])
        if t.size > 4 and head == head[:4] * (len(head) // 4) and (
                first := s.number(t, 0)) != 0 and data == head[:4] * (t.size // 4):
            yield ctx.at(f"{t.name}: every weight is {first:.6g}",
                         offset=t.data_offset, length=t.size, path=t.name,
                         found=f"{first:.9g}", expected="varied weights")
