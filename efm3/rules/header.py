# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on the 80-byte arch header. What an arch may be is `arch.problems`; codes are its."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from efm3 import format as fmt
from efm3.findings import Finding
from efm3.rules import Context, rule

F = Iterator[Finding]


@rule("H001")
def hdr_version(ctx: Context) -> F:
    """What: hdr_version is not 1.
    Why: Another version may give the 80 bytes another meaning.
    Fix: write 1, or use a suite that knows the newer header
    """
    v = ctx.scan.values.get("arch.hdr_version", fmt.HDR_VERSION)
    if v != fmt.HDR_VERSION and not ctx.cause[0]:
        yield ctx.field("arch.hdr_version", f"hdr_version is {v}, not {fmt.HDR_VERSION}")


@rule("H002")
def pad(ctx: Context) -> F:
    """What: One of the three pad bytes is not zero.
    Why: Each network has one encoding; a stray byte is a writer's uninitialised memory.
    Fix: write zeros
    """
    v = ctx.scan.values.get("arch.pad", b"")
    if any(v) and not ctx.cause[0]:
        yield ctx.field("arch.pad", "pad bytes are not zero", expected="00 00 00")


def _problems(ctx: Context) -> F:
    assert ctx.rule is not None
    for p in ctx.arch_problems:
        if p.code == ctx.rule.code:
            f = fmt.FIELDS.get(f"arch.{p.path}") or fmt.FIELDS["arch.stages[0].t"]
            size = f.size if p.path != "stages" else fmt.STAGE_SLOTS * fmt.STAGE_SIZE
            yield ctx.at(p.message, offset=f.offset, length=size, path=f"arch.{p.path}",
                         found=p.found, expected=p.expected)


@rule("H003")
def n_stages(ctx: Context) -> F:
    """What: n_stages is 0 or more than the 8 records.
    Why: A network has at least one stage; a ninth record would be the mirror's length.
    Fix: write the number of used stage records
    """
    return _problems(ctx)


@rule("H004")
def stem_kernel(ctx: Context) -> F:
    """What: stem_kernel is even, zero or over 15.
    Why: The padding is kernel/2; with an even kernel the map would be off centre.
    Fix: write the kernel's side, 3 in every known network
    """
    return _problems(ctx)


@rule("H005")
def stem_stride(ctx: Context) -> F:
    """What: stem_stride is not 1..4.
    Why: Zero would divide by zero; more throws most of the image away.
    Fix: write the stride, 2 in every known network
    """
    return _problems(ctx)


@rule("H006")
def stem_channels(ctx: Context) -> F:
    """What: stem_channels is zero.
    Why: A layer without channels computes nothing.
    Fix: write the number of channels
    """
    return _problems(ctx)


@rule("H007")
def block_channels(ctx: Context) -> F:
    """What: block_channels is zero.
    Why: A layer without channels computes nothing.
    Fix: write the number of channels
    """
    return _problems(ctx)


@rule("H008")
def final_channels(ctx: Context) -> F:
    """What: final_channels is zero.
    Why: A layer without channels computes nothing.
    Fix: write the number of channels
    """
    return _problems(ctx)


@rule("H009")
def embedding_dim(ctx: Context) -> F:
    """What: embedding_dim is zero.
    Why: An embedding without components compares with nothing.
    Fix: write the length of the embedding
    """
    return _problems(ctx)


@rule("H010")
def gdc_kernel(ctx: Context) -> F:
    """What: gdc_kernel is zero or larger than the input.
    Why: No feature map can have that side.
    Fix: write the side of the last feature map, 7 in the published sizes
    """
    return _problems(ctx)


@rule("H011")
def expansion(ctx: Context) -> F:
    """What: A used stage record has expansion factor 0.
    Why: The blocks of the stage would have no channels.
    Fix: write t >= 1, or n_stages without that record
    """
    return _problems(ctx)


@rule("H012")
def blocks(ctx: Context) -> F:
    """What: A used stage record has no blocks.
    Why: A stage without blocks cannot change the map, and readers disagree on its stride.
    Fix: write n >= 1, or leave the record out
    """
    return _problems(ctx)


@rule("H013")
def stride(ctx: Context) -> F:
    """What: A stage's stride is not 1..4.
    Why: Zero would divide by zero; more throws most of the map away.
    Fix: write the stride of the stage's first block
    """
    return _problems(ctx)


@rule("H014")
def too_many_blocks(ctx: Context) -> F:
    """What: The stages hold more than 256 blocks together.
    Why: Engines plan their memory for a bounded number of layers.
    Fix: use fewer blocks
    """
    return _problems(ctx)


@rule("H015")
def expanded_width(ctx: Context) -> F:
    """What: A block expands to more than 65535 channels.
    Why: The format's channel fields are 16 bits wide, and engines count channels so.
    Fix: use fewer channels or a smaller t
    """
    return _problems(ctx)


@rule("H016")
def gdc_side(ctx: Context) -> F:
    """What: gdc_kernel is not the side of the last feature map.
    Why: gdconv must reduce the map to one point; any other kernel reads past it or leaves a map.
    Fix: write the side that the strides give
    """
    return _problems(ctx)


@rule("H017")
def stage_reserved(ctx: Context) -> F:
    """What: A used stage record's pad or reserved field is not zero.
    Why: Each network has one encoding, and a later version may give these bytes a meaning.
    Fix: write zeros
    """
    for i, k, path in _records(ctx, used=True):
        if k in ("pad", "reserved") and ctx.scan.values[path]:
            yield ctx.field(path, f"stage {i + 1}'s {k} is not zero")


@rule("H018")
def unused_stage(ctx: Context) -> F:
    """What: A stage record after the used ones is not all zero.
    Why: Either n_stages is too small or a writer left old bytes behind.
    Fix: write zeros, or the right n_stages
    """
    for i, k, path in _records(ctx, used=False):
        if ctx.scan.values[path]:
            yield ctx.field(path, f"unused record {i + 1} has {k} set", expected="0")


_RECORDS = [[(i, k, f"arch.stages[{i}].{k}") for k in ("t", "n", "s", "pad", "reserved")]
            for i in range(fmt.STAGE_SLOTS)]


def _records(ctx: Context, used: bool) -> Iterator[tuple[int, str, str]]:
    if "json_len" not in ctx.scan.values or ctx.cause[0]:
        return
    n = ctx.scan.values["arch.n_stages"]
    if n > fmt.STAGE_SLOTS:
        return
    yield from chain(*(_RECORDS[:n] if used else _RECORDS[n:]))
