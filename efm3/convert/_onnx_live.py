# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The part of an ONNX graph that one output depends on, in an order of execution.

Nothing here trusts the file: names may be missing, produced twice or in a cycle.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from efm3.convert._onnx_file import NODE, File
from efm3.convert._protobuf import Message, Span
from efm3.findings import refuse

DOMAINS = ("", "ai.onnx")


class Item:
    """A node of the file: its operation, its name as a refusal quotes it, inputs, outputs."""

    __slots__ = ("attributes", "inputs", "op", "outputs", "place", "span")

    def __init__(self, node: Message, span: Span, number: int) -> None:
        self.span = span
        op, domain = node.word("op_type"), node.word("domain")
        self.op = op if domain in DOMAINS else f"{domain}.{op}"
        self.inputs = node.words("input")
        self.outputs = node.words("output")
        self.attributes = node.spans("attribute")
        own = node.word("name") or next(filter(None, self.outputs), f"#{number}")
        self.place = f"{own} ({self.op})"


class Live:
    """The items that `output` depends on, each after those it takes from, and what they take:
    initializers, and `fed`, the inputs of the model among them."""

    def __init__(self, file: File, output: str) -> None:
        graph = file.graph
        self.tensors = _named(graph.all("initializer"))
        self._sparse = {s.sub("values").word("name") for s in graph.all("sparse_initializer")}
        self.inputs = {name: v for v in graph.all("input")
                       if (name := v.word("name")) not in self.tensors}
        self.items = self._order(self._makers(file), output)
        used = dict.fromkeys(name for item in self.items for name in item.inputs)
        self.fed = [self.inputs[name] for name in used if name in self.inputs]

    def _makers(self, file: File) -> dict[str, Item]:
        """The item that makes each value. Raises X007."""
        made: dict[str, Item] = {}
        for number, span in enumerate(file.graph.spans("node")):
            item = Item(file.wire.message(span, NODE), span, number)
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
        entered, done = {id(made[output])}, set()
        stack = [(made[output], iter(made[output].inputs))]
        while stack:
            item, rest = stack[-1]
            for name in rest:
                if not name or name in self.inputs or name in self.tensors:
                    continue
                if name not in made:
                    self._unknown(item, name)
                below = made[name]
                if id(below) in done:
                    continue
                if id(below) in entered:
                    refuse("X007", f"a cycle: {item.place} takes {name}, which depends on it",
                           item.place)
                entered.add(id(below))
                stack.append((below, iter(below.inputs)))
                break
            else:
                done.add(id(item))
                order.append(item)
                stack.pop()
        return order

    def _unknown(self, item: Item, name: str) -> NoReturn:
        if name in self._sparse:
            refuse("X008", f"{item.place} takes {name}, a sparse initializer, which is not read",
                   item.place)
        refuse("X007", f"{item.place} takes {name}, which no node produces", item.place)


def _named(tensors: Iterable[Message]) -> dict[str, Message]:
    out: dict[str, Message] = {}
    for t in tensors:
        name = t.word("name")
        if name in out:
            refuse("X007", f"two initializers are called {name}", name)
        out[name] = t
    return out
