# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph as found in a file: values, their producers and consumers, constants.

Nothing here trusts the file: names may be missing, produced twice or in a cycle, and tensors
may state shapes that their data does not have.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.findings import Efm3Error, refuse
from efm3.source import Unreadable, open_regular

FLOAT = 1
DTYPES = {FLOAT: ("<f4", "float_data"), 11: ("<f8", "double_data"), 7: ("<i8", "int64_data"),
          6: ("<i4", "int32_data")}
"""ONNX element types that are read: their dtype in raw_data, and the field of typed values."""
EXTERNAL = 1
MIN_OPSET = 9
MOST_STEPS = 8
"""Reshaping steps between an initializer and its use."""
DOMAINS = ("", "ai.onnx")


class Node:
    """A node: its operation, display name, inputs, outputs, attributes."""

    def __init__(self, proto: Any, number: int) -> None:
        self.op: str = proto.op_type
        self.inputs: list[str] = list(proto.input)
        self.outputs: list[str] = list(proto.output)
        own = proto.name or (self.outputs[0] if self.outputs else f"#{number}")
        self.name = f"{own} ({self.op})"
        self.domain: str = proto.domain
        self.attributes = {a.name: a for a in proto.attribute}

    @property
    def output(self) -> str:
        """Its first output."""
        return self.outputs[0] if self.outputs else ""

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        return int(self.attributes[name].i) if name in self.attributes else default

    def real(self, name: str, default: float) -> float:
        """A float attribute."""
        return float(self.attributes[name].f) if name in self.attributes else default

    def integers(self, name: str) -> list[int] | None:
        """A list of integers, or None where the attribute is not there."""
        return list(self.attributes[name].ints) if name in self.attributes else None

    def text(self, name: str) -> str:
        """A text attribute, "" where it is not there."""
        return (self.attributes[name].s.decode("utf-8", "replace")
                if name in self.attributes else "")


CONSTANTS = {"value_float": ("f", "<f4"), "value_floats": ("floats", "<f4"),
             "value_int": ("i", "<i8"), "value_ints": ("ints", "<i8")}
"""Attributes of Constant beside `value`, their field and type."""


def axes_of(node: Node, more: Sequence[Array]) -> tuple[int, ...] | None:
    """The axes of a node, an attribute in older opsets and an input in newer ones."""
    axes = node.integers("axes") if not more else [int(v) for v in more[0].reshape(-1)]
    return tuple(axes) if axes else None


def _reshape(node: Node, x: Array, shape: Array) -> Array:
    want = [int(v) for v in shape.reshape(-1)]
    return x.reshape([x.shape[i] if v == 0 else v for i, v in enumerate(want)])


RESHAPING: dict[str, Callable[..., Array]] = {
    "Identity": lambda n, x: x,
    "Reshape": _reshape,
    "Flatten": lambda n, x: x.reshape(math.prod(x.shape[:n.integer("axis", 1)]), -1),
    "Squeeze": lambda n, x, *a: np.squeeze(x, axes_of(n, a)),
    "Unsqueeze": lambda n, x, *a: np.expand_dims(x, axes_of(n, a) or ()),
    "Transpose": lambda n, x: np.transpose(x, n.integers("perm")),
    "Concat": lambda n, *x: np.concatenate(x, axis=n.integer("axis", 0)),
}
"""Operations that move values without changing them, in numpy."""


class Graph:
    """The part of a model's graph that its output depends on, in an order of execution."""

    def __init__(self, model: Any, folder: str) -> None:
        if not model.HasField("graph") or not model.graph.node:
            refuse("X003", "it holds no graph: it is not an ONNX model, or is truncated")
        versions = {o.domain: o.version for o in model.opset_import}
        self.opset = next((versions[d] for d in DOMAINS if d in versions), 0)
        if self.opset < MIN_OPSET:
            refuse("X008", f"it states opset {self.opset}; {MIN_OPSET} or newer is read",
                   "opset_import", self.opset, f"at least {MIN_OPSET}")
        proto = model.graph
        self.folder = folder
        self._tensors = {t.name: t for t in proto.initializer}
        if proto.sparse_initializer:
            refuse("X008", "sparse initializers are not read", "sparse_initializer")
        self._steps: dict[str, tuple[Node, int]] = {}
        nodes = [node for i, n in enumerate(proto.node) if not self._fixed(node := Node(n, i))]
        inputs = [v for v in proto.input if not self.is_constant(v.name)]
        self.output = self._output(proto)
        self.nodes = self._live(nodes, {v.name for v in inputs})
        used = {name for n in self.nodes for name in n.inputs}
        fed = [v for v in inputs if v.name in used]
        if len(fed) != 1:
            refuse("X008", f"its output depends on {len(fed)} inputs, not on one picture",
                   ", ".join(v.name for v in fed), len(fed), 1)
        self.input: str = fed[0].name
        self.input_type = fed[0].type.tensor_type
        self.consumers: dict[str, list[Node]] = {}
        for n in self.nodes:
            for name in dict.fromkeys(n.inputs):
                self.consumers.setdefault(name, []).append(n)

    def _fixed(self, node: Node) -> bool:
        """True for a Constant, and for a constant in another shape; both are kept."""
        if node.output in self._tensors or node.output in self._steps:
            refuse("X007", f"{node.name} produces {node.output}, which is produced elsewhere too",
                   node.name)
        if node.op == "Constant" and "value" in node.attributes:
            self._tensors[node.output] = node.attributes["value"].t
        elif node.op == "Constant" and set(node.attributes) & set(CONSTANTS):
            self._steps[node.output] = node, 1
        elif node.op in RESHAPING and all(self.is_constant(i) for i in node.inputs):
            depth = 1 + max((self._steps[i][1] for i in node.inputs if i in self._steps), default=0)
            if depth > MOST_STEPS:
                return False
            self._steps[node.output] = node, depth
        else:
            return False
        return True

    def _output(self, proto: Any) -> str:
        names = [v.name for v in proto.output]
        if len(names) != 1:
            refuse("X008", f"it has {len(names)} outputs ({', '.join(names[:5])}), not the "
                           "embedding alone", "output", len(names), 1)
        return str(names[0])

    def _live(self, nodes: list[Node], inputs: set[str]) -> list[Node]:
        """The nodes that the output depends on, sorted; a cycle or an unknown value is refused."""
        maker: dict[str, Node] = {}
        for n in nodes:
            for out in filter(None, n.outputs):
                if out in maker or out in inputs or self.is_constant(out):
                    refuse("X007", f"{n.name} produces {out}, which is produced elsewhere too",
                           n.name)
                maker[out] = n
        order: list[Node] = []
        state: dict[int, int] = {}
        if self.output not in maker:
            refuse("X007", f"no node produces the output {self.output}", self.output)
        # Depth first with an explicit stack: a hostile graph may be arbitrarily deep.
        stack = [(maker[self.output], iter(maker[self.output].inputs))]
        state[id(maker[self.output])] = 1
        while stack:
            node, rest = stack[-1]
            for name in rest:
                if not name or name in inputs or self.is_constant(name):
                    continue
                if name not in maker:
                    refuse("X007", f"{node.name} takes {name}, which no node produces", node.name)
                below = maker[name]
                if state.get(id(below)) == 1:
                    refuse("X007", f"a cycle: {node.name} takes {name}, which depends on it",
                           node.name)
                if id(below) not in state:
                    state[id(below)] = 1
                    stack.append((below, iter(below.inputs)))
                    break
            else:
                state[id(node)] = 2
                order.append(node)
                stack.pop()
        for n in order:
            if n.domain not in DOMAINS:
                refuse("X008", f"{n.name} is an operation of {n.domain}: EFM3 has no such layer",
                       n.name)
        return order

    def is_constant(self, name: str) -> bool:
        """True for an initializer, a Constant's output, and either in another shape."""
        return name in self._tensors or name in self._steps

    def constant(self, name: str, node: Node) -> Array:
        """A constant's values. Raises X005, X006, X008."""
        if name in self._steps:
            return self._made(*self._steps[name])
        if name not in self._tensors:
            refuse("X008", f"{node.name} takes {name or 'nothing'} where only a constant can be "
                           "expressed", node.name)
        t = self._tensors[name]
        dims = list(t.dims)
        if t.data_type not in DTYPES:
            refuse("X006", f"{name} has element type {t.data_type}, not float32", name,
                   t.data_type, FLOAT)
        dtype, typed = DTYPES[t.data_type]
        if any(d < 0 for d in dims) or len(dims) > 8:
            refuse("X006", f"{name} states shape {dims}", name, dims)
        if t.data_location == EXTERNAL:
            raw = self._external(name, t)
        elif t.HasField("raw_data"):
            raw = t.raw_data
        else:
            raw = np.asarray(getattr(t, typed), dtype).tobytes()
        if len(raw) != math.prod(dims) * np.dtype(dtype).itemsize:
            refuse("X006", f"{name} states shape {dims} and holds {len(raw)} bytes", name,
                   len(raw), math.prod(dims) * np.dtype(dtype).itemsize)
        return np.frombuffer(raw, dtype).reshape(dims)

    def _made(self, node: Node, depth: int) -> Array:
        if node.op == "Constant":
            key = next(k for k in CONSTANTS if k in node.attributes)
            field, dtype = CONSTANTS[key]
            return np.asarray(getattr(node.attributes[key], field), dtype)
        values = [self.constant(i, node) for i in node.inputs]
        try:
            return RESHAPING[node.op](node, *values)
        except (TypeError, ValueError, IndexError, OverflowError) as e:
            refuse("X006", f"{node.name} cannot be computed: {e}", node.name)

    def floats(self, name: str, node: Node) -> Array:
        """A float32 constant's values. Raises X006 for another type."""
        value = self.constant(name, node)
        if value.dtype != np.float32:
            refuse("X006", f"{name} holds {value.dtype}, not float32", name, value.dtype,
                   "float32")
        return value

    def _external(self, name: str, t: Any) -> bytes:
        entry = {e.key: e.value for e in t.external_data}
        base, place = os.path.realpath(self.folder), entry.get("location", "")
        # A path with a NUL is invalid; realpath raises ValueError for it.
        path = base if "\0" in place else os.path.realpath(os.path.join(base, place))
        if os.path.commonpath([base, path]) != base or path == base:
            refuse("X005", f"{name} lies in {place!r}, outside the model's folder", name, place)
        try:
            offset, length = int(entry.get("offset", 0)), int(entry.get("length", -1))
            with open_regular(path) as f:
                size = f.seek(0, os.SEEK_END)
                length = size - offset if "length" not in entry else length
                if offset < 0 or length < 0 or offset + length > size:
                    refuse("X005", f"{name} lies at bytes {offset}..{offset + length} of a file "
                                   f"of {size}", name)
                f.seek(offset)
                return f.read(length)
        except (Unreadable, OverflowError) as e:
            refuse("X005", f"{name}: {e}", name)
        except Efm3Error:
            raise
        except ValueError:
            refuse("X005", f"{name}: offset or length is not a number", name)

    def after(self, value: str) -> Iterator[Node]:
        """The nodes that use a value; none twice."""
        yield from self.consumers.get(value, ())
