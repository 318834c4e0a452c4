# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on what is legal but slow or unsupported in some engines."""

from __future__ import annotations

from collections.abc import Iterator

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.arch import widest_expansion
from efm3.rules._context import Context, Found
from efm3.rules._registry import rule

F = Iterator[Found]

ORIGINAL_BLOCKS = 64
"""Blocks that the original engine's fixed array holds."""


@rule("P001")
def unaligned(ctx: Context) -> F:
    s = ctx.scan
    if s.complete and s.tensors[0].data_offset % fmt.TENSOR_ALIGN:
        off = s.tensors[0].data_offset % fmt.TENSOR_ALIGN
        yield ctx.at(f"every tensor starts {off} bytes past a multiple of {fmt.TENSOR_ALIGN}",
                     offset=s.tensors[0].data_offset, length=s.tensors[0].size,
                     path=s.tensors[0].name, found=off, expected=0)


@rule("P002")
def many_blocks(ctx: Context) -> F:
    arch = ctx.scan.arch
    n = sum(s.n for s in arch.stages) if arch else 0
    if n > ORIGINAL_BLOCKS:
        yield ctx.at(f"{n} blocks; the original engine holds {ORIGINAL_BLOCKS}",
                     offset=fmt.FIELDS["arch.stages[0].t"].offset,
                     length=fmt.STAGE_SLOTS * fmt.STAGE_SIZE, path="arch.stages", found=n,
                     expected=f"at most {ORIGINAL_BLOCKS}")


@rule("P003")
def unusual_stem(ctx: Context) -> F:
    arch = ctx.scan.arch
    if arch and (arch.stem_kernel, arch.stem_stride) != (3, 2):
        yield ctx.field("arch.stem_kernel",
                        f"stem {arch.stem_kernel}x{arch.stem_kernel}, stride {arch.stem_stride}",
                        expected="3x3, stride 2")


@rule("P004")
def unusual_stride(ctx: Context) -> F:
    for i, stage in enumerate(ctx.scan.arch.stages if ctx.scan.arch else ()):
        if stage.s > 2:
            yield ctx.field(f"arch.stages[{i}].s", f"stage {i + 1} has stride {stage.s}",
                            expected="1 or 2")


@rule("P005")
def odd_channels(ctx: Context) -> F:
    for key in ("stem_channels", "block_channels", "final_channels"):
        n = ctx.scan.values.get(f"arch.{key}", 0)
        if ctx.scan.arch and n % 8:
            yield ctx.field(f"arch.{key}", f"{key} {n} is not a multiple of 8",
                            expected="multiple of 8")


@rule("P006")
def large_embedding(ctx: Context) -> F:
    n = ctx.scan.values.get("arch.embedding_dim", 0)
    if ctx.scan.arch and n > 512:
        yield ctx.field("arch.embedding_dim", f"embedding of {n} components",
                        expected="at most 512")


@rule("P007")
def wide_expansion(ctx: Context) -> F:
    arch = ctx.scan.arch
    for i in range(len(arch.stages) if arch else 0):
        wide = widest_expansion(arch, i)
        if wide > 4096:
            yield ctx.field(f"arch.stages[{i}].t", f"stage {i + 1} expands to {wide} channels",
                            expected="at most 4096")


@rule("P008")
def unsealed(ctx: Context) -> F:
    m = ctx.mirror if ctx.scan.complete else None
    meta = (m or {}).get("meta")
    if m is not None and not (isinstance(meta, dict) and "sha256" in meta):
        yield ctx.at("no digest: damage to the weights cannot be seen", path="json.meta.sha256")


@rule("P009")
def turned_picture(ctx: Context) -> F:
    if mirrors.picture(ctx.mirror or {}) == fmt.TURNED:
        yield ctx.at("the network takes its picture turned by 180 degrees",
                     path=f"json.{fmt.META_KEY}.{fmt.PICTURE_KEY}", found=fmt.TURNED,
                     expected=fmt.UPRIGHT)
