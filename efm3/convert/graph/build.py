# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds a graph operation by operation: shapes are inferred, constants are computed, once each.

Nothing here trusts the source. A constant is computed only where its size, known beforehand from
the shapes, is within a budget that grows with the source's own size; so a small file cannot ask
for much memory or time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import numpy as np

from efm3.convert.graph.nodes import CONST, INPUT, Graph, Node, Shape
from efm3.convert.graph.ops import MOST_RANK, MOVING, OPS, TRUTHS
from efm3.findings import refuse

SPARE = 1 << 20
"""Values of constants that may be made, beside as many as the source has bytes / 4."""
MOST_SIZE = 1 << 40
"""Largest size of an axis: twice as many for each operation would soon be numbers without end."""
MOST_NODES = 10_000
"""Operations of a graph: the largest legal network, each layer in twelve operations, has 6,000."""


class Builder:
    """Makes nodes for one source of `size` bytes. `assumed` collects what the reader assumed."""

    def __init__(self, size: int, most: int = MOST_NODES) -> None:
        self.assumed: list[str] = []
        self._most = most
        self._left = size // 4 + SPARE
        self._count = 0

    def input(self, shape: Sequence[int | None], place: str) -> Node:
        """The picture, [N, 3, 112, 112] or [N, 112, 112, 3]."""
        return Node(INPUT, place, shape=tuple(shape))

    def const(self, value: Any, place: str) -> Node:
        """A constant; its array is kept as it is, not copied."""
        a = np.asarray(value)
        if a.ndim > MOST_RANK or a.dtype.kind not in "fiub":
            refuse("X006", f"{place} is {a.dtype} of {a.ndim} dimensions", place)
        return Node(CONST, place, shape=a.shape, value=a)

    def add(self, op: str, *inputs: Node, place: str, **attrs: Any) -> Node:
        """The operation's node; a constant where all its inputs are.

        An operation that is not in `OPS` is kept, and refused when it is met. Raises X006 where
        shapes do not fit, X007 for a wrong number of inputs, X008 beyond the budget.
        """
        self._count += 1
        if self._count > self._most:
            refuse("X008", f"it has more than {self._most:,} operations", place, self._count,
                   f"at most {self._most:,}")
        row = OPS.get(op)
        if row is None:
            return Node(op, place, inputs, attrs)
        if not row.least <= len(inputs) <= row.most:
            refuse("X007", f"{place} has {len(inputs)} inputs, not {row.least}", place,
                   len(inputs), row.least)
        if (op == "Cast" and attrs["kind"] == "float" and inputs[0].value is None
                and inputs[0].op not in TRUTHS):
            return inputs[0]
        try:
            shape = row.shape(attrs, [i.shape for i in inputs])
        except (ValueError, TypeError, KeyError, OverflowError) as e:
            refuse("X006", f"{place}: {e}", place)
        if shape is not None and len(shape) > MOST_RANK:
            refuse("X006", f"{place} makes {len(shape)} dimensions", place)
        if shape is not None and any((s or 0) > MOST_SIZE for s in shape):
            refuse("X006", f"{place} makes a map of more than {MOST_SIZE:,} rows", place)
        node = Node(op, place, inputs, attrs, shape)
        return self._folded(node) if all(i.value is not None for i in inputs) else node

    def grow(self, size: int) -> None:
        """Count `size` bytes more as the source's: it keeps data in other files."""
        self._left += size // 4

    def spend(self, size: int, place: str) -> None:
        """Take a constant of `size` values, made of others, from the budget. Raises X008."""
        self._left -= size + 16
        if self._left < 0:
            self._beyond(size, place)

    def _beyond(self, size: int, place: str) -> NoReturn:
        refuse("X008", f"{place} computes more constants than the file holds", place, size)

    def _folded(self, node: Node) -> Node:
        size = math.prod(s or 0 for s in node.shape or ())
        # A view costs nothing, but a step does; what is not in order is copied to be reshaped.
        first = node.inputs[0].value
        view = node.op in ("Transpose", "Slice") or (
            node.op == "Reshape" and first is not None and first.flags.c_contiguous)
        self.spend(0 if view else size, node.place)
        if size > SPARE and node.op == "Expand":
            self._beyond(size, node.place)
        args = [i.value for i in node.inputs if i.value is not None]
        # Copies in float64, for the time being.
        if node.op not in MOVING and self._left < sum(
                a.size for a in args if a.dtype == np.float32):
            self._beyond(size, node.place)
        try:
            with np.errstate(all="ignore"):
                # Whole numbers stay whole: shapes are computed with them.
                args = [a if node.op in MOVING or a.dtype.kind in "iub"
                        else a.astype(np.float64, copy=False) for a in args]
                value = np.asarray(OPS[node.op].run(node.attrs, *args))
        except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError) as e:
            refuse("X006", f"{node.place} cannot be computed: {e}", node.place)
        return Node(CONST, node.place, shape=value.shape, value=value)

    def reshape(self, x: Node, want: Iterable[int], place: str, *, zero: bool = True) -> Node:
        """x in another shape: -1 once for the rest, 0 for the input's own size (unless `zero` is
        False)."""
        asked = [int(w) for w in want]
        shape = list(asked)
        if x.shape is None:
            return self.add("Reshape?", x, place=place)
        for i, w in enumerate(shape):
            if w == 0 and zero and i < len(x.shape):
                shape[i] = x.shape[i] or 0
        if shape.count(-1) == 1 and None not in x.shape:
            rest = math.prod(w for w in shape if w != -1)
            total = math.prod(s or 0 for s in x.shape)
            if rest and total % rest == 0:
                shape[shape.index(-1)] = total // rest
        if any(w < 0 for w in shape):
            refuse("X006", f"{place}: shape {[*x.shape]} cannot become {asked}", place)
        if tuple(shape) == x.shape:
            return x
        return self.add("Reshape", x, place=place, shape=tuple(shape))

    def shape_of(self, x: Node, place: str) -> Node:
        """x's shape, as a constant. Raises X008 where it is not known."""
        if x.shape is None or None in x.shape:
            refuse("X008", f"{place} takes a shape that is not known", place)
        return self.const(np.array(x.shape, np.int64), place)

    def numbers(self, node: Node, place: str) -> list[int]:
        """A constant's whole numbers, at most 64. Raises X008, X006."""
        if node.value is None:
            refuse("X008", f"{place} takes {node.place} where only a constant can be expressed",
                   place)
        if node.value.size > 64 or node.value.dtype.kind not in "iu":
            refuse("X006", f"{place} takes {node.value.dtype} {[*node.value.shape]}, not a few "
                           "whole numbers", place)
        return [int(v) for v in node.value.reshape(-1)]

    def normalised(self, x: Node, axes: tuple[int, ...], place: str, *, least: float = 0.0,
                   added: float = 0.0) -> Node:
        """x / sqrt(max(sum of x² over axes + added, least))."""
        total = self.add("ReduceSumSquare", x, place=place, axes=axes, keepdims=True)
        if added:
            total = self.add("Add", total, self.const(added, place), place=place)
        if least:
            total = self.add("Max", total, self.const(least, place), place=place)
        norm = self.add("Sqrt", total, place=place)
        return self.add("Div", x, norm, place=place)

    def graph(self, picture: Node, output: Node) -> Graph:
        """The graph from the picture to one output. Raises X008 where it does not depend on it."""
        shape: Shape = picture.shape
        batch = shape[0] if shape and shape[0] else 1
        out = Graph(picture, output, batch, self.assumed)
        if picture not in out.nodes:
            refuse("X008", f"{output.place} does not depend on the picture", output.place)
        return out
