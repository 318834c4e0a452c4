# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The end of a graph: x / ||x|| in any spelling, or nothing.

There are many forms, so what follows the last layer is run on a few vectors, and the result is
compared.
"""

from __future__ import annotations

import math

import numpy as np

from efm3 import format as fmt
from efm3.arithmetic import TOLERANCE
from efm3.convert.graph import run
from efm3.convert.graph.nodes import Graph, Node, live
from efm3.convert.graph.ops import OPS
from efm3.findings import refuse

MOST_NODES, MOST_VALUES = 200, 1 << 20
SIZES = (3.0, 1.0, 40.0)
"""Lengths of the vectors, about: those of embeddings."""


def normalises(graph: Graph, last: Node) -> bool:
    """True where `last`, the embedding, becomes x / ||x||; False where it stays as it is.

    Raises X008 for anything else.
    """
    nodes = live(graph.output)
    above = _above(nodes, last)
    odd = next((n for n in nodes if id(n) in above and any(
        i is not last and id(i) not in above and i.value is None for i in n.inputs)), None)
    if odd is not None:
        refuse("X008", f"{odd.place} takes more than the embedding", odd.place)
    chain = [n for n in nodes if id(n) in above]
    for n in chain:
        if n.op not in OPS:
            refuse("X008", f"{n.place} follows the embedding: EFM3 has no such layer", n.place)
        if math.prod(s or 0 for s in n.shape or ()) > MOST_VALUES:
            refuse("X008", f"{n.place} makes {[*(n.shape or ())]} of an embedding", n.place)
    fed = {id(i) for n in chain for i in n.inputs}
    needed = [n for n in nodes if id(n) in above or (n.value is not None and id(n) in fed)]
    if len(chain) > MOST_NODES:
        refuse("X008", f"{len(chain)} operations follow the embedding", chain[0].place)
    if last.shape is None or None in last.shape:
        if chain:
            refuse("X008", f"{chain[-1].place} follows the embedding", chain[-1].place)
        return False
    kept, unit = True, True
    shape = tuple(s or 1 for s in last.shape)
    for seed, size in enumerate(SIZES, 1):
        count = math.prod(shape)
        x = np.sin(np.arange(1, count + 1) * seed * 1.7).reshape(shape[0], -1)
        x *= size / math.sqrt(x.shape[1])
        have = run.values([last, *needed], graph.output, {id(last): x.reshape(shape)}).reshape(-1)
        norm = np.sqrt(np.sum(x * x, axis=1, keepdims=True))
        for want, word in (((x / np.maximum(norm, fmt.L2_EPS)), "unit"), (x, "kept")):
            same = have.size == want.size and np.abs(have - want.reshape(-1)).max() < TOLERANCE
            unit, kept = (unit and same, kept) if word == "unit" else (unit, kept and same)
    if not unit and not kept:
        place = chain[-1].place if chain else graph.output.place
        refuse("X008", f"{place} and what leads to it do not divide the embedding by its L2 norm",
               place)
    return bool(unit)


def _above(nodes: list[Node], last: Node) -> set[int]:
    above: set[int] = set()
    for n in nodes:
        if any(i is last or id(i) in above for i in n.inputs):
            above.add(id(n))
    return above
