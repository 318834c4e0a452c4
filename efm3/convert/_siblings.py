# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of several convolutions in one module a BatchNorm or a PReLU belongs to, by their names.

conv1 and bn1, conv_dw and bn_dw, expand and expand_bn: names that are alike but for words that
say what they are. No word has a meaning here, and numbers have to be the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MOST_WORDS, OTHER_WORDS = 8, 2
"""Words and numbers of a name, and those of them that may differ, which are words."""
_WORD = re.compile(r"[0-9]+|[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

Shared = tuple[tuple[str, ...], tuple[str, ...]]
"""The words in front and at the end that two names share."""


def owners(convs: Sequence[str], others: Sequence[str]) -> list[int] | None:
    """The place among `convs` of each other's convolution, where each has one of its own that its
    name is most like; else None."""
    known: dict[Shared, tuple[int, int]] = {}
    for at, name in enumerate(convs):
        for shared, rest in _parts(name):
            least, _ = known.get(shared, (OTHER_WORDS + 1, -1))
            if rest <= least:
                # Two that are alike in the same words: neither.
                known[shared] = rest, at if rest < least else -1
    found = [_owner(name, known) for name in others]
    return None if -1 in found or len(set(found)) < len(found) else found


def _owner(name: str, known: dict[Shared, tuple[int, int]]) -> int:
    parts = [shared for shared, rest in _parts(name) if rest and shared in known]
    most = max((_count(p) for p in parts), default=0)
    best = sorted(known[p] for p in parts if _count(p) == most)
    if not best or (len(best) > 1 and best[0][0] == best[1][0] and best[0][1] != best[1][1]):
        return -1
    return best[0][1]


def _count(shared: Shared) -> int:
    return len(shared[0]) + len(shared[1])


def _parts(name: str) -> Iterator[tuple[Shared, int]]:
    """A name's words in front and at the end, for each way to leave out a few words between."""
    words = [w.lower() for w in _WORD.findall(name[:200])]
    if len(words) > MOST_WORDS or len(name) > 200:
        return
    for rest in range(OTHER_WORDS + 1):
        for at in range(len(words) - rest + 1):
            left_out = words[at:at + rest]
            if not any(w.isdecimal() for w in left_out):
                yield (tuple(words[:at]), tuple(words[at + rest:])), rest
