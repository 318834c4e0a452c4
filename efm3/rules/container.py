# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on the container: magic, version, lengths, and recognised files of other kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from efm3 import format as fmt
from efm3.rules._causes import CAUSES, head
from efm3.rules._context import Context, Found
from efm3.rules._registry import rule

F = Iterator[Found]


def _cause(code: str) -> Callable[[Context], F]:
    def check(ctx: Context) -> F:
        if ctx.cause == code:
            yield ctx.at(ctx.cause_words, offset=0, length=min(8, ctx.scan.size), path="magic",
                         found=ascii(head(ctx.scan))[1:], expected="EFM3")
    return check


for _code in CAUSES:
    rule(_code)(_cause(_code))


@rule("C001")
def empty(ctx: Context) -> F:
    if ctx.scan.size == 0:
        yield ctx.at("the file is empty", offset=0, length=0, found=0, expected="EFM3 ...")


@rule("C002")
def magic(ctx: Context) -> F:
    first = head(ctx.scan, 4)
    if first != fmt.MAGIC[:len(first)] and ctx.cause in ("", "C002"):
        yield ctx.at("the file does not start with EFM3", offset=0, length=len(first), path="magic",
                     found=first.hex(" "), expected=fmt.MAGIC.hex(" "))


@rule("C003")
def version(ctx: Context) -> F:
    v = ctx.scan.values.get("version")
    if v is not None and v != fmt.VERSION and ctx.cause in ("", "C003") and _is_efm3(ctx):
        yield ctx.field("version", f"version {v} is not {fmt.VERSION}")


def _is_efm3(ctx: Context) -> bool:
    return head(ctx.scan, 4) == fmt.MAGIC


@rule("C004")
def prefix_truncated(ctx: Context) -> F:
    n = ctx.scan.size
    if 0 < n < fmt.PREFIX_SIZE and not ctx.cause:  # without a cause it starts with EFM3
        inside = next(f.path for f in fmt.FIELDS.values() if n < f.offset + f.size)
        yield ctx.at(f"the file ends after {n} bytes, inside {inside}", offset=n, length=0,
                     path=inside, found=n, expected=f"at least {fmt.PREFIX_SIZE}")


@rule("C005")
def json_len_limit(ctx: Context) -> F:
    n = ctx.scan.values.get("json_len", 0)
    if n > fmt.MAX_JSON_LEN and not ctx.cause:
        yield ctx.field("json_len", f"json_len is {n}, over the limit of {fmt.MAX_JSON_LEN}")


@rule("C006")
def json_past_end(ctx: Context) -> F:
    n = ctx.scan.values.get("json_len", 0)
    rest = max(ctx.scan.size - fmt.PREFIX_SIZE, 0)
    if rest < n <= fmt.MAX_JSON_LEN and not ctx.cause:
        yield ctx.field("json_len", f"the mirror needs {n} bytes, {rest} remain",
                        expected=f"at most {rest}")


@rule("C007")
def count_missing(ctx: Context) -> F:
    s = ctx.scan
    if s.json_len is not None and s.n_tensors is None and not ctx.cause:
        at = fmt.PREFIX_SIZE + s.json_len
        yield ctx.at(f"{s.size - at} of the tensor count's {fmt.COUNT_SIZE} bytes remain",
                     offset=at, length=s.size - at, path="n_tensors", found=s.size - at,
                     expected=fmt.COUNT_SIZE)
