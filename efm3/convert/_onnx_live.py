# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The part of an ONNX graph that one output depends on, in an order of execution.

Nothing here trusts the file: names may be missing, produced twice or in a cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from efm3.convert._onnx_file import text
from efm3.findings import refuse

DOMAINS = ("", "ai.onnx")


class Item:
    """A node of the file: its operation, its name as a refusal quotes it, inputs, outputs."""

    __slots__ = ("inputs", "op", "outputs", "place", "proto")

    def __init__(self, proto: Any, number: int) -> None:
        self.proto = proto
        op, domain = text(proto.op_type), text(proto.domain)
        self.op = op if domain in DOMAINS else f"{domain}.{op}"
        self.inputs = [text(i) for i in proto.input]
        self.outputs = [text(o) for o in proto.output]
        own = text(proto.name) or next(filter(None, self.outputs), f"#{number}")
        self.place = f"{own} ({self.op})"


class Live:
    """The items that `output` depends on, each after those it takes from, and what they take."""

    def __init__(self, graph: Any, output: str) -> None:
        self.tensors = {text(t.name): t for t in graph.initializer}
        if len(self.tensors) != len(graph.initializer):
            refuse("X007", f"{_twice(text(t.name) for t in graph.initializer)} is the name of two "
                           "initializers", "initializer")
        self.sparse = {text(t.values.name) for t in graph.sparse_initializer}
        self.inputs = {name: v for v in graph.input if (name := text(v.name)) not in self.tensors}
        self.items = self._order(self._makers(graph), output)
        used = dict.fromkeys(name for item in self.items for name in item.inputs)
        self.fed = [self.inputs[name] for name in used if name in self.inputs]

    def _makers(self, graph: Any) -> dict[str, Item]:
        """The item that makes each value. Raises X007."""
        made: dict[str, Item] = {}
        for number, proto in enumerate(graph.node):
            item = Item(proto, number)
            for name in filter(None, item.outputs):
                if name in made or name in self.inputs or name in self.tensors:
                    refuse("X007", f"{item.place} produces {name}, which is produced elsewhere "
                                   "too", item.place)
                made[name] = item
        return made

    def _order(self, made: dict[str, Item], output: str) -> list[Item]:
        """Depth first with an explicit stack: a hostile graph may be arbitrarily deep."""
        if output not in made:
            refuse("X007", f"no node produces the output {output}", output)
        order: list[Item] = []
        open_, done = {id(made[output])}, set()
        stack = [(made[output], iter(made[output].inputs))]
        while stack:
            item, rest = stack[-1]
            for name in rest:
                if not name or name in self.inputs or name in self.tensors:
                    continue
                below = made.get(name)
                if below is None:
                    self._unknown(item, name)
                if id(below) in open_:
                    refuse("X007", f"a cycle: {item.place} takes {name}, which depends on it",
                           item.place)
                if id(below) not in done:
                    open_.add(id(below))
                    stack.append((below, iter(below.inputs)))
                    break
            else:
                open_.discard(id(item))
                done.add(id(item))
                order.append(item)
                stack.pop()
        return order

    def _unknown(self, item: Item, name: str) -> Any:
        if name in self.sparse:
            refuse("X008", f"{item.place} takes {name}, a sparse initializer, which is not read",
                   item.place)
        refuse("X007", f"{item.place} takes {name}, which no node produces", item.place)


def _twice(names: Iterator[str]) -> str:
    seen: set[str] = set()
    return next((n for n in names if n in seen or seen.add(n)), "")  # type: ignore[func-returns-value]
