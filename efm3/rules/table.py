# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on the tensor table: its count, its sizes against the layout, and its end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from efm3 import format as fmt
from efm3.findings import Finding
from efm3.network import file_size
from efm3.rules import Context, rule
from efm3.scan import Scan, TensorSpan

F = Iterator[Finding]


def infer(s: Scan) -> tuple[str, TensorSpan | None]:
    """(rule code, first entry) of one mistake that explains the whole table, or ("", None)."""
    bad = list(islice(s.tensors.misfits(), 3))
    if not bad:
        return "", None
    first = bad[0]
    have, full = s.tensors.sizes, s.tensors.expected
    if 1 < len(have) <= len(full):
        if all(2 * h == w for h, w in zip(have, full, strict=False)):
            return "T003", first
        if all(h == 2 * w for h, w in zip(have, full, strict=False)):
            return "T004", first
    i = first.number
    if s.n_tensors == len(full) - 1 and have[i:] == full[i + 1:]:
        return "T008", first
    if len(have) == s.n_tensors and have[i + 1:] == full[i:]:
        return "T009", first
    if first.size * 4 == first.expected:
        return "T005", first
    if int.from_bytes(first.size.to_bytes(4, "little"), "big") == first.expected:
        return "T006", first
    if len(bad) == 2 and (bad[0].size, bad[1].size) == (bad[1].expected, bad[0].expected):
        return "T007", first
    return "", None


def _entry(ctx: Context, t: TensorSpan, message: str) -> Finding:
    return ctx.at(message, offset=t.offset, length=fmt.COUNT_SIZE,
                  path=t.name or f"tensors[{t.number}].size", found=t.size, expected=t.expected)


@rule("T001")
def count(ctx: Context) -> F:
    """What: n_tensors is not the number of tensors in the layout.
    Why: Tensors are known by their place alone; one more or less shifts all that follow.
    Fix: write the tensors of the layout, all of them and no others (`efm3 layout`)
    """
    s = ctx.scan
    explained = ctx.cause[0] or ctx.table_cause[0] in ("T008", "T009")
    if s.arch and s.n_tensors is not None and s.n_tensors != len(s.layout) and not explained:
        yield ctx.at(f"the table has {s.n_tensors} tensors, the layout {len(s.layout)}",
                     offset=fmt.PREFIX_SIZE + (s.json_len or 0), length=fmt.COUNT_SIZE,
                     path="n_tensors", found=s.n_tensors, expected=len(s.layout))


@rule("T002")
def size(ctx: Context) -> F:
    """What: A tensor's size is not what its shape needs.
    Why: An engine would read a neighbour's bytes as this tensor's.
    Fix: write 4 x the product of the shape, in bytes
    """
    if ctx.table_cause[0] or ctx.cause[0]:
        return
    bad = (t for t in ctx.scan.tensors.misfits() if t.size and t.size % 4 == 0)
    for t in islice(bad, 20):
        yield _entry(ctx, t, f"{t.name} has {t.size} bytes, its shape "
                             f"{'x'.join(map(str, t.shape))} needs {t.expected}")


def _inferred(ctx: Context, words: str) -> F:
    assert ctx.rule is not None
    code, t = ctx.table_cause
    if code == ctx.rule.code:
        assert t is not None
        yield _entry(ctx, t, f"{t.name}: {words}")


@rule("T003")
def fp16(ctx: Context) -> F:
    """What: Every tensor has half its size: the payload is FP16 or BF16.
    Why: The format holds float32 only.
    Fix: convert the weights to float32 before writing
    """
    return _inferred(ctx, "this and all others have 2 bytes a value, as FP16 or BF16")


@rule("T004")
def fp64(ctx: Context) -> F:
    """What: Every tensor has twice its size: the payload is FP64.
    Why: The format holds float32 only.
    Fix: convert the weights to float32 before writing
    """
    return _inferred(ctx, "this and all others have 8 bytes a value, as FP64")


@rule("T005")
def size_in_elements(ctx: Context) -> F:
    """What: A size field counts values, not bytes.
    Why: A reader takes a quarter of the tensor and then reads weights as a size.
    Fix: write the size in bytes, 4 x the number of values
    """
    return _inferred(ctx, "the size is the number of values, not of bytes")


@rule("T006")
def size_big_endian(ctx: Context) -> F:
    """What: A size field is written big-endian.
    Why: Every integer of the format is little-endian; the file ends before such a size does.
    Fix: write sizes little-endian
    """
    return _inferred(ctx, "the size is right when its bytes are read the other way round")


@rule("T007")
def sizes_swapped(ctx: Context) -> F:
    """What: Two tensors have each other's size.
    Why: They were written in the wrong order; a total alone would not show it.
    Fix: write the tensors in layout order
    """
    return _inferred(ctx, "this tensor and a later one have each other's size")


@rule("T008")
def tensor_missing(ctx: Context) -> F:
    """What: The table is the layout without one tensor.
    Why: Everything after the gap would land in the tensor before its own.
    Fix: write the missing tensor
    """
    return _inferred(ctx, "this tensor is missing; all that follow have moved up by one")


@rule("T009")
def tensor_extra(ctx: Context) -> F:
    """What: The table is the layout with one tensor too many, such as a convolution's bias.
    Why: Everything after it would land in the tensor behind its own.
    Fix: leave the tensor out; fold a bias into bn.b
    """
    return _inferred(ctx, "an extra tensor stands before this one")


@rule("T010")
def size_zero(ctx: Context) -> F:
    """What: A tensor has size 0.
    Why: No tensor of the layout is empty.
    Fix: write the tensor's values
    """
    for t in ctx.scan.tensors.misfits() if not ctx.table_cause[0] and not ctx.cause[0] else ():
        if t.size == 0:
            yield _entry(ctx, t, f"{t.name} is empty")
            return


@rule("T011")
def size_not_whole(ctx: Context) -> F:
    """What: A tensor's size is no multiple of 4.
    Why: float32 values have four bytes; the last one would be cut.
    Fix: write whole float32 values
    """
    for t in ctx.scan.tensors.misfits() if not ctx.table_cause[0] and not ctx.cause[0] else ():
        if t.size % 4:
            yield _entry(ctx, t, f"{t.name} has {t.size} bytes, no multiple of 4")
            return


@rule("T012")
def truncated(ctx: Context) -> F:
    """What: The file ends inside a tensor's values.
    Why: A download or a copy stopped early; the rest of the weights is missing.
    Fix: fetch the file again; compare its size with the source's
    """
    s = ctx.scan
    last = s.tensors[-1] if s.tensors else None
    explained = ctx.cause[0] or ctx.table_cause[0] in ("T005", "T006")
    if last and last.present < last.size and not explained:
        if last.size == last.expected and s.n_tensors == len(s.layout):
            assert s.arch is not None
            missing = f"{file_size(s.arch, s.json_len or 0) - s.size} bytes are missing in all"
        else:
            missing = "by its own size field"
        yield ctx.at(f"the file ends {last.size - last.present} bytes before the end of "
                     f"{last.name or f'tensor {last.number}'}; {missing}",
                     offset=last.data_offset, length=last.present,
                     path=last.name or f"tensors[{last.number}].data",
                     found=last.present, expected=last.size)


@rule("T013")
def table_short(ctx: Context) -> F:
    """What: The file ends between two tensors or inside a size field.
    Why: A download or a copy stopped early, or the writer stopped before the last tensor.
    Fix: fetch the file again; compare its size with the source's
    """
    s = ctx.scan
    want = min(s.n_tensors or 0, 2 * len(s.layout) or s.n_tensors or 0)
    miscounted = s.arch is not None and len(s.tensors) == len(s.layout)
    ends = s.end + fmt.COUNT_SIZE > s.size  # not where a tensor's values are cut
    if len(s.tensors) < want and ends and not miscounted and not ctx.cause[0]:
        n = len(s.tensors)
        name = s.layout[n][0] if n < len(s.layout) else f"tensor {n}"
        yield ctx.at(f"the file ends where the size of {name} should stand",
                     offset=s.end, length=s.size - s.end, path=f"tensors[{n}].size",
                     found=f"{n} tensors", expected=f"{s.n_tensors} tensors")


def _tail(ctx: Context) -> bytes | None:
    s = ctx.scan
    if len(s.tensors) != s.n_tensors or s.end >= s.size or ctx.cause[0]:
        return None
    if ctx.table_cause[0] in ("T005", "T006"):
        return None
    if s.tensors and s.tensors[-1].present < s.tensors[-1].size:
        return None
    return bytes(s.data[s.end:s.end + 16])


# What may stand behind the table: rule, its first bytes, words.
TAILS = (("T015", fmt.MAGIC, "a second EFM3 file"), ("T016", b"PK\x03\x04", "a zip archive"))


def _trailing(ctx: Context, words: str) -> Finding:
    s = ctx.scan
    return ctx.at(f"{s.size - s.end} bytes follow the last tensor{words}", offset=s.end,
                  length=s.size - s.end, path="trailing", found=s.size, expected=s.end)


@rule("T014")
def trailing(ctx: Context) -> F:
    """What: Bytes follow the last tensor.
    Why: Every byte belongs to a field; a tail is damage, or hides something.
    Fix: cut the file after the last tensor
    """
    tail = _tail(ctx)
    if tail is not None and not tail.startswith(tuple(magic for _, magic, _ in TAILS)):
        yield _trailing(ctx, "")


def _known_tail(ctx: Context) -> F:
    assert ctx.rule is not None
    tail = _tail(ctx)
    for code, magic, words in TAILS:
        if tail is not None and code == ctx.rule.code and tail.startswith(magic):
            yield _trailing(ctx, f": {words}")


@rule("T015")
def second_file(ctx: Context) -> F:
    """What: A second EFM3 file follows the first.
    Why: Two files were joined; which one counts is nobody's guess.
    Fix: split them
    """
    return _known_tail(ctx)


@rule("T016")
def polyglot(ctx: Context) -> F:
    """What: A zip archive follows the last tensor.
    Why: The file is two formats at once, which scanners and readers see differently.
    Fix: cut the file after the last tensor
    """
    return _known_tail(ctx)
