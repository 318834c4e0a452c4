# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on what is legal and yet slow or unread somewhere."""

from __future__ import annotations

from collections.abc import Iterator

from efm3 import format as fmt
from efm3.arch import widest_expansion
from efm3.findings import Finding
from efm3.rules import Context, rule

F = Iterator[Finding]

ORIGINAL_BLOCKS = 64
"""Blocks that the original engine's fixed array holds."""


@rule("P001", severity="info")
def unaligned(ctx: Context) -> F:
    """What: The tensors do not start at multiples of 4.
    Why: Readers that cast instead of copying fault on strict machines; others only lose time.
    Fix: save with align=True, or `efm3 seal --align`
    """
    s = ctx.scan
    if s.complete and s.tensors[0].data_offset % fmt.TENSOR_ALIGN:
        off = s.tensors[0].data_offset % fmt.TENSOR_ALIGN
        yield ctx.at(f"every tensor starts {off} bytes past a multiple of {fmt.TENSOR_ALIGN}",
                     offset=s.tensors[0].data_offset, length=s.tensors[0].size,
                     path=s.tensors[0].name, found=off, expected=0)


@rule("P002", severity="warning")
def many_blocks(ctx: Context) -> F:
    """What: The network has more than 64 blocks.
    Why: The original engine keeps its blocks in an array of 64.
    Fix: use fewer blocks, or tell your users
    """
    arch = ctx.scan.arch
    n = sum(s.n for s in arch.stages) if arch else 0
    if n > ORIGINAL_BLOCKS:
        yield ctx.at(f"{n} blocks; the original engine holds {ORIGINAL_BLOCKS}",
                     offset=fmt.FIELDS["arch.stages[0].t"].offset,
                     length=fmt.STAGE_SLOTS * fmt.STAGE_SIZE, path="arch.stages", found=n,
                     expected=f"at most {ORIGINAL_BLOCKS}")


@rule("P003", severity="warning")
def unusual_stem(ctx: Context) -> F:
    """What: The stem is not the 3x3 convolution with stride 2 of every known file.
    Why: Engines may have that stem built in, and the mirror does not state it.
    Fix: use 3 and 2, or test the engines you mean to run on
    """
    arch = ctx.scan.arch
    if arch and (arch.stem_kernel, arch.stem_stride) != (3, 2):
        yield ctx.field("arch.stem_kernel",
                        f"stem {arch.stem_kernel}x{arch.stem_kernel}, stride {arch.stem_stride}",
                        expected="3x3, stride 2")


@rule("P004", severity="warning")
def unusual_stride(ctx: Context) -> F:
    """What: A stage has a stride over 2.
    Why: Engines have fast paths, and tests, for strides 1 and 2.
    Fix: use two stages of stride 2
    """
    for i, stage in enumerate(ctx.scan.arch.stages if ctx.scan.arch else ()):
        if stage.s > 2:
            yield ctx.field(f"arch.stages[{i}].s", f"stage {i + 1} has stride {stage.s}",
                            expected="1 or 2")


@rule("P005", severity="info")
def odd_channels(ctx: Context) -> F:
    """What: A channel count is no multiple of 8.
    Why: SIMD kernels pad it, so that some of the work is lost.
    Fix: round to a multiple of 8, as the published sizes do
    """
    for key in ("stem_channels", "block_channels", "final_channels"):
        n = ctx.scan.values.get(f"arch.{key}", 0)
        if ctx.scan.arch and n % 8:
            yield ctx.field(f"arch.{key}", f"{key} {n} is no multiple of 8",
                            expected="multiple of 8")


@rule("P006", severity="info")
def large_embedding(ctx: Context) -> F:
    """What: The embedding has more than 512 components.
    Why: The page's own example gives the engine room for 512.
    Fix: use at most 512, or tell your users how much room to give
    """
    n = ctx.scan.values.get("arch.embedding_dim", 0)
    if ctx.scan.arch and n > 512:
        yield ctx.field("arch.embedding_dim", f"embedding of {n} components",
                        expected="at most 512")


@rule("P007", severity="warning")
def wide_expansion(ctx: Context) -> F:
    """What: A block expands to more than 4096 channels.
    Why: Its feature map alone needs tens of megabytes, which small devices lack.
    Fix: use a smaller t
    """
    arch = ctx.scan.arch
    for i in range(len(arch.stages) if arch else 0):
        wide = widest_expansion(arch, i)
        if wide > 4096:
            yield ctx.field(f"arch.stages[{i}].t", f"stage {i + 1} expands to {wide} channels",
                            expected="at most 4096")


@rule("P008", "coherence", "info")
def unsealed(ctx: Context) -> F:
    """What: The file has no digest of its tensor table.
    Why: A flipped bit in a weight cannot be seen.
    Fix: run `efm3 seal`
    """
    m = ctx.mirror if ctx.scan.complete else None
    meta = (m or {}).get("meta")
    if m is not None and not (isinstance(meta, dict) and "sha256" in meta):
        yield ctx.at("no digest: damage to the weights cannot be seen", path="json.meta.sha256")
