# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network's shape as the tensor table's sizes alone tell it.

A table has 12 tensors for stem and dw_stem, 17 a block (expand 6, dw 6, project 5) and
16 for final_conv, gdconv and embed_proj. So every tensor's place follows from their
number, and channel counts are sizes of `bn.w`. Strides leave no trace in a size.
"""

from __future__ import annotations

import math
from itertools import groupby

from efm3 import format as fmt
from efm3.scan import Scan

HEAD, BLOCK, TAIL = 12, 17, 16


def from_table(scan: Scan) -> dict[str, int]:
    """Header field (below `arch.`) to the value that the table gives; unknown ones are absent."""
    out: dict[str, int] = {}
    counts = {t.number: t.size // 4 for t in scan.tensors if t.size and t.size % 4 == 0}

    def put(key: str, value: int | None) -> None:
        if value is not None:
            out[key] = value

    stem = counts.get(1)
    put("stem_channels", stem)
    put("stem_kernel", _kernel(counts.get(0), (stem or 0) * fmt.INPUT_CHANNELS))
    rest = (scan.n_tensors or 0) - HEAD - TAIL
    if rest < 0 or rest % BLOCK:
        return out
    tail = HEAD + rest
    put("final_channels", counts.get(tail + 1))
    put("gdc_kernel", _kernel(counts.get(tail + 6), counts.get(tail + 1) or 0))
    put("embedding_dim", counts.get(tail + 12))
    blocks = _blocks(counts, rest // BLOCK)
    if blocks and len(blocks) == rest // BLOCK:
        runs = _stages(scan, blocks)
        put("n_stages", len(runs))
        if len(runs) > 1:
            put("block_channels", blocks[-1][1])
        for i, (t, n) in enumerate(runs):
            out |= {f"stages[{i}].t": t, f"stages[{i}].n": n}
    return out


def _kernel(weights: int | None, filters: int) -> int | None:
    """k where `weights` = filters x k x k."""
    if not weights or not filters or weights % filters:
        return None
    k = math.isqrt(weights // filters)
    return k if k * k * filters == weights else None


def _blocks(counts: dict[int, int], n: int) -> list[tuple[int, int]]:
    """(t, output channels) of the leading blocks whose sizes are there and divide."""
    out: list[tuple[int, int]] = []
    c = counts.get(1)
    for at in range(HEAD, HEAD + BLOCK * n, BLOCK):
        wide, o = counts.get(at + 1), counts.get(at + 13)
        if not (c and wide and o) or wide % c:
            break
        out.append((wide // c, o))
        c = o
    return out


def _stages(scan: Scan, blocks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(t, n) of each stage.

    A stage shows in the sizes where t or the channels change. Two neighbours with the
    same t look like one, so the header's own cut stands wherever the blocks allow it.
    """
    claimed = [scan.values.get(f"arch.stages[{i}].n", 0)
               for i in range(min(scan.values.get("arch.n_stages", 0), fmt.STAGE_SLOTS))]
    cut, at = [], 0
    for n in claimed:
        cut.append(blocks[at:at + n])
        at += n
    if at == len(blocks) and all(len(set(part)) == 1 for part in cut):
        return [(part[0][0], len(part)) for part in cut]
    return [(key[0], len(list(same))) for key, same in groupby(blocks)]
