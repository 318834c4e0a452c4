# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network's shape from three sources: the header, the mirror, the tensor table.

The table's sizes alone give most of it. A table has 12 tensors for stem and dw_stem, 17 per
block (expand 6, dw 6, project 5) and 16 for final_conv, gdconv and embed_proj. So every
tensor's position follows from their number, and channel counts are sizes of `bn.w`. Strides
do not affect any size.
"""

from __future__ import annotations

import json
import math
from itertools import groupby
from typing import Any, TypedDict

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.grammar import PIECE
from efm3.network import file_size
from efm3.scan import Scan

HEAD, BLOCK, TAIL = 12, 17, 16


class Coherence(TypedDict):
    """One fact and its value by each source; null is not stated. `table` is from sizes alone."""

    path: str
    header: int | None
    mirror: Any
    table: int | None
    agree: bool


def coherence(scan: Scan, mirror: dict[str, Any]) -> list[Coherence]:
    """Every fact that more than one part of the file may state; none for a foreign file."""
    values = scan.values
    if values.get("magic") != fmt.MAGIC and scan.arch is None:
        return []
    table = from_table(scan)
    stages = mirror.get("stages")
    stages = stages if isinstance(stages, list) else []
    used = max(min(values.get("arch.n_stages", 0), fmt.STAGE_SLOTS),
               min(len(stages), fmt.STAGE_SLOTS), min(table.get("n_stages", 0), fmt.STAGE_SLOTS))
    told = {k: mirror.get(k) for k, _ in fmt.MIRROR_KEYS if k != "stages"}
    if stages:
        told["n_stages"] = len(stages)
    for i, stage in enumerate(stages[:fmt.STAGE_SLOTS]):
        if isinstance(stage, dict):
            told |= {f"stages[{i}].{k}": stage.get(k) for k in "tns"}
    names = ["n_stages", "stem_kernel", "stem_stride", "stem_channels", "block_channels",
             "final_channels", "embedding_dim", "gdc_kernel"]
    names += [f"stages[{i}].{k}" for i in range(used) for k in "tns"]
    own_stages = values.get("arch.n_stages", 0)
    rows = []
    for n in names:
        beyond = n[:7] == "stages[" and int(n[7]) >= own_stages
        rows.append(_row(f"arch.{n}", None if beyond else values.get(f"arch.{n}"),
                         told.get(n), table.get(n)))
    arch = scan.arch
    rows.append(_row("n_tensors", len(scan.layout) if arch else None, None, scan.n_tensors))
    expected = file_size(arch, scan.json_len) if arch and scan.json_len is not None else None
    rows.append(_row("bytes", expected, None, scan.size))
    return rows


def _row(path: str, header: int | None, mirror: Any, table: int | None) -> Coherence:
    known = [v for v in (header, mirror, table) if v is not None]
    # True == 1 and 1.0 == 1, yet neither is the integer that the format states.
    agree = all(mirrors.is_kind(v, "integer") and v == known[0] for v in known)
    return Coherence(path=path, header=header, mirror=mirror, table=table, agree=agree)


def lenient(text: bytes | memoryview) -> dict[str, Any]:
    """The mirror as far as readable: a text that breaks the grammar may still be parsed."""
    try:
        return mirrors.outline(text).value
    except mirrors.MirrorProblem as e:
        if e.kind == "depth" or len(text) > PIECE:  # which would be parsed in one piece
            return {}
    # Words instead of NaN and infinity, which JSON cannot express.
    decoder = json.JSONDecoder(parse_constant=str, parse_float=lambda t: (
        v if math.isfinite(v := float(t)) else t))
    try:
        value, _ = decoder.raw_decode(str(text, "utf-8-sig", "replace").lstrip())
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


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
    same t look like one, so the header's division is kept wherever the blocks allow it.
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
