# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on the 80-byte arch header. Limits of an arch and their codes are in `arch.problems`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from efm3 import format as fmt
from efm3.arch import PROBLEM_CODES
from efm3.rules._context import Context, Found
from efm3.rules._registry import rule

F = Iterator[Found]


@rule("H001")
def hdr_version(ctx: Context) -> F:
    v = ctx.scan.values.get("arch.hdr_version", fmt.HDR_VERSION)
    if v != fmt.HDR_VERSION and not ctx.cause:
        yield ctx.field("arch.hdr_version", f"hdr_version is {v}, not {fmt.HDR_VERSION}")


@rule("H002")
def pad(ctx: Context) -> F:
    v = ctx.scan.values.get("arch.pad", b"")
    if any(v) and not ctx.cause:
        yield ctx.field("arch.pad", "pad bytes are not zero", expected="00 00 00")


def _problem(code: str) -> Callable[[Context], F]:
    def check(ctx: Context) -> F:
        for p in ctx.arch_problems:
            if p.code == code:
                f = fmt.FIELDS.get(f"arch.{p.path}") or fmt.FIELDS["arch.stages[0].t"]
                size = f.size if p.path != "stages" else fmt.STAGE_SLOTS * fmt.STAGE_SIZE
                yield ctx.at(p.message, offset=f.offset, length=size, path=f"arch.{p.path}",
                             found=p.found, expected=p.expected)
    return check


for _code in PROBLEM_CODES:
    rule(_code)(_problem(_code))


@rule("H017")
def stage_reserved(ctx: Context) -> F:
    for i, k, path in _records(ctx, used=True):
        if k in ("pad", "reserved") and ctx.scan.values[path]:
            yield ctx.field(path, f"stage {i + 1}'s {k} is not zero")


@rule("H018")
def unused_stage(ctx: Context) -> F:
    for i, k, path in _records(ctx, used=False):
        if ctx.scan.values[path]:
            yield ctx.field(path, f"unused record {i + 1} has {k} set", expected="0")


_RECORDS = [[(i, k, f"arch.stages[{i}].{k}") for k in ("t", "n", "s", "pad", "reserved")]
            for i in range(fmt.STAGE_SLOTS)]


def _records(ctx: Context, used: bool) -> Iterator[tuple[int, str, str]]:
    if "json_len" not in ctx.scan.values or ctx.cause:
        return
    n = ctx.scan.values["arch.n_stages"]
    if n > fmt.STAGE_SLOTS:
        return
    yield from chain(*(_RECORDS[:n] if used else _RECORDS[n:]))
