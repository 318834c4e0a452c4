# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The weights by numpy: one pass tells every value rule whether it needs a closer check.

All tensors share one residue modulo 4, so the whole table is one array of 32-bit
words once it is copied to an aligned buffer. The size fields in between are
overwritten with 1.0, which no rule reports.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from efm3 import format as fmt
from efm3.arch import Arch
from efm3.arrays import Indices as Index
from efm3.arrays import Words
from efm3.network import tensor_layout
from efm3.rules._stats import MAGNITUDE, ONE, SUBNORMAL, VECTORS, Kind, Stats, Values, is_conv
from efm3.scan import Scan, TensorSpan


class Plan:
    """Word positions in the table of one layout, relative to its first size field."""

    def __init__(self, layout: tuple[tuple[str, tuple[int, ...]], ...]) -> None:
        sizes, starts, owners = [], [], []
        vectors: dict[str, list[Index]] = {k: [] for k in VECTORS}
        at = 0
        for i, (name, shape) in enumerate(layout):
            sizes.append(at)
            starts.append(np.array([at], np.int64))
            owners.append(np.array([-1], np.int64))
            count = math.prod(shape)
            step = count // shape[0] if is_conv(name) else count
            starts.append(np.arange(at + 1, at + 1 + count, step))
            owners.append(np.full(len(starts[-1]), i, np.int64))
            if not is_conv(name):
                kind = ".".join(name.rsplit(".", 2)[1:])
                vectors[kind].append(np.arange(at + 1, at + 1 + count))
            at += 1 + count
        self.sizes = np.array(sizes, np.int64)
        self.starts = np.concatenate(starts)
        self.owners = np.concatenate(owners)
        self.vectors = {k: np.concatenate(v) for k, v in vectors.items() if v}


@lru_cache(maxsize=4)
def _plan(arch: Arch) -> Plan:
    return Plan(tensor_layout(arch))


class QuickValues:
    """Values as an array of their words."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def __len__(self) -> int:
        return len(self.words)

    def first(self) -> int:
        """See `Values`."""
        return int(self.words[0])

    def hits(self, kind: Kind) -> tuple[int, int]:
        """See `Values`."""
        # What is less wraps to a large word.
        found = (self.words & MAGNITUDE) - np.uint32(kind.low) <= kind.high - kind.low
        if kind.sign is not None:
            found &= self.words >> 31 == kind.sign
        count = int(np.count_nonzero(found))
        return count, int(found.argmax()) if count else -1

    def swapped(self) -> QuickValues:
        """See `Values`."""
        return QuickValues(self.words.byteswap())


class QuickStats(Stats):
    """The one pass, and closer looks."""

    def __init__(self, scan: Scan) -> None:
        super().__init__(scan)
        assert scan.arch is not None
        self.plan = _plan(scan.arch)
        raw = np.frombuffer(scan.data, np.uint8, offset=self.start)
        words: Words = raw.copy().view("<u4").astype(np.uint32, copy=False)
        words[self.plan.sizes] = ONE.low
        self._vectors = {k: QuickValues(words[at]) for k, at in self.plan.vectors.items()}
        np.bitwise_and(words, MAGNITUDE, out=words)
        self.channel_max: Words = np.maximum.reduceat(words, self.plan.starts)
        self._most = int(self.channel_max.max())
        # 0 - 1 wraps to the largest word, so that a zero is not a subnormal.
        np.subtract(words, 1, out=words)
        self._has_subnormal = bool(words.min() < SUBNORMAL.high)

    @property
    def vectors(self) -> dict[str, Values]:
        """See `Stats`."""
        return dict(self._vectors)

    def any(self, kind: Kind) -> bool:
        """See `Stats`."""
        return self._has_subnormal if kind == SUBNORMAL else self._most >= kind.low

    def values(self, t: TensorSpan) -> Values:
        """See `Stats`; the values are copied to an aligned buffer."""
        raw = np.frombuffer(self.scan.data, np.uint8, t.size, t.data_offset)
        return QuickValues(raw.copy().view("<u4").astype(np.uint32, copy=False))

    def _zero_channels(self) -> dict[int, list[int]]:
        """See `Stats`."""
        hits = np.flatnonzero(self.channel_max == 0)
        owners = self.plan.owners[hits]
        out: dict[int, list[int]] = {}
        for owner in sorted(set(owners.tolist())):  # np.unique imports numpy.ma
            first = int(np.flatnonzero(self.plan.owners == owner)[0])
            out[owner] = (hits[owners == owner] - first).tolist()
        return out

    def scaled(self, limit: float) -> tuple[int, int]:
        """See `Stats`."""
        scale, var = (self._vectors[k].words.view(np.float32) for k in ("bn.w", "bn.var"))
        with np.errstate(all="ignore"):
            folded = np.abs(scale) / np.sqrt(var.astype(np.float64) + fmt.BN_EPS)
            at = np.flatnonzero(folded.astype(np.float32) > limit)
        return len(at), int(at[0]) if len(at) else -1
