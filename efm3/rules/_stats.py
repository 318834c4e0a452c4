# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One pass over the weights that tells every value rule whether it needs a closer check.

All tensors share one residue modulo 4, so the whole table is one array of 32-bit
words once it is copied to an aligned buffer. The size fields in between are
overwritten with 1.0, which no rule reports.
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from efm3 import format as fmt
from efm3.arch import Arch
from efm3.arrays import Floats, Words
from efm3.arrays import Indices as Index
from efm3.network import tensor_layout
from efm3.scan import Scan, TensorSpan

INFINITY = 0x7F800000
SMALLEST_NORMAL = 0x00800000
ONE = 0x3F800000
KINDS = ("conv.w", "bn.w", "bn.b", "bn.mean", "bn.var", "act.w")


class Plan:
    """Word positions in the table of one layout, relative to its first size field."""

    def __init__(self, layout: tuple[tuple[str, tuple[int, ...]], ...]) -> None:
        sizes, starts, owners = [], [], []
        vectors: dict[str, list[Index]] = {k: [] for k in KINDS[1:]}
        at = 0
        for i, (name, shape) in enumerate(layout):
            sizes.append(at)
            starts.append(np.array([at], np.int64))
            owners.append(np.array([-1], np.int64))
            count = math.prod(shape)
            kind = ".".join(name.rsplit(".", 2)[1:])
            step = count // shape[0] if kind == "conv.w" else count
            starts.append(np.arange(at + 1, at + 1 + count, step))
            owners.append(np.full(len(starts[-1]), i, np.int64))
            if kind != "conv.w":
                vectors[kind].append(np.arange(at + 1, at + 1 + count))
            at += 1 + count
        self.sizes = np.array(sizes, np.int64)
        self.starts = np.concatenate(starts)
        self.owners = np.concatenate(owners)
        self.vectors = {k: np.concatenate(v) for k, v in vectors.items() if v}
        self.words = at


@lru_cache(maxsize=4)
def _plan(arch: Arch) -> Plan:
    return Plan(tensor_layout(arch))


class Stats:
    """Statistics that the value rules read first; `scan` must be complete."""

    def __init__(self, scan: Scan) -> None:
        assert scan.arch is not None and scan.table_offset is not None
        self.scan = scan
        self.plan = _plan(scan.arch)
        raw = np.frombuffer(scan.data, np.uint8, offset=scan.table_offset)
        words: Words = raw.copy().view("<u4").astype(np.uint32, copy=False)
        words[self.plan.sizes] = ONE
        self.vectors: dict[str, Floats] = {
            k: words[at].view(np.float32) for k, at in self.plan.vectors.items()}
        np.bitwise_and(words, 0x7FFFFFFF, out=words)
        self.channel_max: Words = np.maximum.reduceat(words, self.plan.starts)
        # 0 - 1 wraps to the largest word, so that a zero is not a subnormal.
        np.subtract(words, 1, out=words)
        self.has_subnormal = bool(words.min() < SMALLEST_NORMAL - 1)

    @cached_property
    def finite(self) -> bool:
        """True where no weight is NaN or infinite."""
        return bool(self.channel_max.max() < INFINITY)

    def values(self, t: TensorSpan) -> Floats:
        """A tensor's values, flat, copied to an aligned buffer."""
        raw = np.frombuffer(self.scan.data, np.uint8, t.size, t.data_offset)
        return raw.copy().view("<f4").astype(np.float32, copy=False)

    def tensors(self, *kinds: str) -> list[TensorSpan]:
        """The table's entries of these kinds (all where none is named)."""
        return [t for t in self.scan.tensors if not kinds or t.name.endswith(kinds)]

    def zero_channels(self) -> dict[int, Index]:
        """Table index of a convolution to its output channels that are all zero."""
        hits = np.flatnonzero(self.channel_max == 0)
        out: dict[int, Any] = {}
        for owner in sorted(set(self.plan.owners[hits].tolist())):  # np.unique imports numpy.ma
            first = int(np.flatnonzero(self.plan.owners == owner)[0])
            out[int(owner)] = hits[self.plan.owners[hits] == owner] - first
        return out

    def folded_scale(self) -> Floats:
        """|bn.w| / sqrt(bn.var + eps) of every channel, in float64's range."""
        var = self.vectors["bn.var"].astype(np.float64)
        with np.errstate(all="ignore"):
            scale = np.abs(self.vectors["bn.w"]) / np.sqrt(var + fmt.BN_EPS)
            return np.asarray(scale, np.float32)
