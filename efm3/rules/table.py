# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on the tensor table: its count, its sizes against the layout, and its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from efm3 import format as fmt
from efm3.rules._context import Context, Found
from efm3.rules._registry import rule
from efm3.scan import TensorSpan

F = Iterator[Found]


def _entry(ctx: Context, t: TensorSpan, message: str) -> Found:
    return ctx.at(message, offset=t.offset, length=fmt.COUNT_SIZE,
                  path=t.name or f"tensors[{t.number}].size", found=t.size, expected=t.expected)


@rule("T001")
def count(ctx: Context) -> F:
    s = ctx.scan
    explained = ctx.cause or ctx.table_cause[0] in ("T008", "T009")
    if s.arch and s.n_tensors is not None and s.n_tensors != len(s.layout) and not explained:
        yield ctx.at(f"the table has {s.n_tensors} tensors, the layout {len(s.layout)}",
                     offset=fmt.PREFIX_SIZE + (s.json_len or 0), length=fmt.COUNT_SIZE,
                     path="n_tensors", found=s.n_tensors, expected=len(s.layout))


@rule("T002")
def size(ctx: Context) -> F:
    if ctx.table_cause[0] or ctx.cause:
        return
    bad = (t for t in ctx.scan.tensors.misfits() if t.size and t.size % 4 == 0)
    for t in islice(bad, 20):
        yield _entry(ctx, t, f"{t.name} has {t.size} bytes, its shape "
                             f"{'x'.join(map(str, t.shape))} needs {t.expected}")


def _inferred(ctx: Context, code: str, words: str) -> F:
    found, t = ctx.table_cause
    if found == code:
        assert t is not None
        yield _entry(ctx, t, f"{t.name}: {words}")


@rule("T003")
def fp16(ctx: Context) -> F:
    return _inferred(ctx, "T003", "this and all others have 2 bytes per value, as FP16 or BF16")


@rule("T004")
def fp64(ctx: Context) -> F:
    return _inferred(ctx, "T004", "this and all others have 8 bytes per value, as FP64")


@rule("T005")
def size_in_elements(ctx: Context) -> F:
    return _inferred(ctx, "T005", "the size is the number of values, not of bytes")


@rule("T006")
def size_big_endian(ctx: Context) -> F:
    return _inferred(ctx, "T006", "the size is right when its bytes are reversed")


@rule("T007")
def sizes_swapped(ctx: Context) -> F:
    return _inferred(ctx, "T007", "this tensor and a later one have each other's size")


@rule("T008")
def tensor_missing(ctx: Context) -> F:
    return _inferred(ctx, "T008", "this tensor is missing; all that follow are shifted by one")


@rule("T009")
def tensor_extra(ctx: Context) -> F:
    return _inferred(ctx, "T009", "an extra tensor precedes this one")


@rule("T010")
def size_zero(ctx: Context) -> F:
    for t in ctx.scan.tensors.misfits() if not ctx.table_cause[0] and not ctx.cause else ():
        if t.size == 0:
            yield _entry(ctx, t, f"{t.name} is empty")
            return


@rule("T011")
def size_not_whole(ctx: Context) -> F:
    for t in ctx.scan.tensors.misfits() if not ctx.table_cause[0] and not ctx.cause else ():
        if t.size % 4:
            yield _entry(ctx, t, f"{t.name} has {t.size} bytes, not a multiple of 4")
            return


@rule("T012")
def truncated(ctx: Context) -> F:
    s = ctx.scan
    last = s.tensors[-1] if s.tensors else None
    explained = ctx.cause or ctx.table_cause[0] in ("T005", "T006") or s.more
    if last and last.data_offset + last.size > s.size and not explained:
        present = s.size - last.data_offset
        if last.size == last.expected and s.n_tensors == len(s.layout):
            missing = f"{s.stated - s.size} bytes are missing in all"
        else:
            missing = "by its own size field"
        yield ctx.at(f"the file ends {last.size - present} bytes before the end of "
                     f"{last.name or f'tensor {last.number}'}; {missing}",
                     offset=last.data_offset, length=present,
                     path=last.name or f"tensors[{last.number}].data",
                     found=present, expected=last.size)


@rule("T013")
def table_short(ctx: Context) -> F:
    s = ctx.scan
    want = min(s.n_tensors or 0, 2 * len(s.layout) or s.n_tensors or 0)
    miscounted = s.arch is not None and len(s.tensors) == len(s.layout)
    # Not where a tensor's values are cut, nor where reading stopped.
    ends = s.end + fmt.COUNT_SIZE > s.size and not s.more
    if len(s.tensors) < want and ends and not miscounted and not ctx.cause:
        n = len(s.tensors)
        name = s.layout[n][0] if n < len(s.layout) else f"tensor {n}"
        yield ctx.at(f"the file ends where the size of {name} should be",
                     offset=s.end, length=s.size - s.end, path=f"tensors[{n}].size",
                     found=f"{n} tensors", expected=f"{s.n_tensors} tensors")


def _tail(ctx: Context) -> bytes | None:
    s = ctx.scan
    if len(s.tensors) != s.n_tensors or s.end >= s.size or ctx.cause:
        return None
    if ctx.table_cause[0] in ("T005", "T006"):
        return None
    if s.tensors and s.tensors[-1].present < s.tensors[-1].size:
        return None
    return bytes(s.data[s.end:s.end + 16])


# What may follow the table: rule, its first bytes, text.
TAILS = (("T015", fmt.MAGIC, "a second EFM3 file"), ("T016", b"PK\x03\x04", "a zip archive"))


def _trailing(ctx: Context, words: str) -> Found:
    s = ctx.scan
    least = "at least " if s.more else ""
    return ctx.at(f"{least}{s.size - s.end} bytes follow the last tensor{words}", offset=s.end,
                  length=s.size - s.end, path="trailing", found=s.size, expected=s.end)


@rule("T014")
def trailing(ctx: Context) -> F:
    tail = _tail(ctx)
    if tail is not None and not tail.startswith(tuple(magic for _, magic, _ in TAILS)):
        yield _trailing(ctx, "")


def _known_tail(code: str, magic: bytes, words: str) -> Callable[[Context], F]:
    def check(ctx: Context) -> F:
        tail = _tail(ctx)
        if tail is not None and tail.startswith(magic):
            yield _trailing(ctx, f": {words}")
    return check


for _row in TAILS:
    rule(_row[0])(_known_tail(*_row))
