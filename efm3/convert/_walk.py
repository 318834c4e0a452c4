# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph, walked from its input to its output, to units."""

from __future__ import annotations

import numpy as np

from efm3 import format as fmt
from efm3.arrays import Array
from efm3.convert import _norm
from efm3.convert._fold import identity_bn
from efm3.convert._graph import Graph, Node
from efm3.convert._input import Input
from efm3.convert._units import Unit
from efm3.findings import refuse

SQUEEZE = ("GlobalAveragePool", "Sigmoid", "HardSigmoid", "ReduceMean", "HardSwish")
LAYERS = ("Conv", "Gemm", "MatMul", "BatchNormalization", "PRelu")
SLOPED = ("PRelu", "Relu", "LeakyRelu")
SHAPED = ("Flatten", "Reshape", "Squeeze")
AFFINE = ("Add", "Sub", "Mul", "Div")
BATCH = -2
"""Placeholder for the batch size in a shape that the graph computes."""


class Walk:
    """The units of a graph, its input's preprocessing, and what had to be assumed."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.units: list[Unit] = []
        self.assumed: list[str] = []
        self.input = Input(graph)
        self.flat = False
        self.bare_slopes: list[str] = []
        self._entries: list[str] = []
        self._batches: dict[str, list[int]] = {}
        self._skips: list[Node] = []
        self._scaled: Unit | None = None
        self._left = {id(n): n for n in graph.nodes}
        self._at = graph.input
        while self._at != graph.output:
            node = self._next()
            if node is None:
                break
            self._step(node)
        if self._skips:
            refuse("X008", f"{self._skips[0].name}: its other input is not added back",
                   self._skips[0].name)
        if self.units and self.input.changed:
            first = self.units[0]
            first.weight = self.input.undone(first.weight, first.place)

    def _next(self) -> Node | None:
        """The next node; None where the norm at the end begins, and is valid."""
        for n in self.graph.after(self._at):
            if n.op == "Reshape" and len(n.inputs) == 2:
                self._batch_of(n.inputs[1])
        users = [n for n in self.graph.after(self._at) if id(n) in self._left]
        if len(users) == 1:
            node = users[0]
        else:
            adds = [n for n in users if n.op == "Add" and not self._constant(n)]
            ahead = [n for n in users if n not in adds]
            if len(adds) != 1 or [n.op for n in ahead] != ["Conv"]:
                self._forks(users)
                return None
            self._skips += adds
            node = ahead[0]
        layer = (node.op in SHAPED or node.op == "Identity" or node in self._skips
                 or (node.op in AFFINE and self._constant(node)))
        if self.units and node.op in _norm.OPS and not layer:
            self._norm(node)
            return None
        return node

    def _forks(self, users: list[Node]) -> None:
        """A value with more consumers than a block's: the norm at the end, or refused."""
        odd = [n for n in users if n.op in SQUEEZE] + [
            n for n in users if n.op not in _norm.OPS and n.op != "Conv"]
        if odd:
            self._no(odd[0])
        if not users or any(n.op not in _norm.OPS for n in users):
            names = ", ".join(n.name for n in users) or "nobody"
            refuse("X008", f"{self._at} goes to {names}: EFM3's blocks add their input to their "
                           "output, and no more", users[0].name if users else self._at)
        self._norm(users[0])

    def _constant(self, node: Node) -> bool:
        return any(self.graph.is_constant(i) for i in node.inputs)

    def _norm(self, node: Node) -> None:
        rest = [n for n in self.graph.nodes if id(n) in self._left]
        odd = next((n for n in rest if n.op not in _norm.OPS), None)
        if odd is not None or not self.units:
            # Where layers follow, this node is the wrong one.
            self._no(node if odd is None or odd.op in LAYERS else odd)
        _norm.check(self.graph, rest, self._at, self.flat, len(self.units[-1].weight))

    def _no(self, node: Node) -> None:
        if node.op in SQUEEZE:
            refuse("X008", f"SE block or pooling at {node.name}: EFM3 has neither", node.name)
        refuse("X008", f"{node.name}: EFM3 has no such layer", node.name)

    def _step(self, node: Node) -> None:
        del self._left[id(node)]
        if node.op in ("Conv", "Gemm", "MatMul"):
            self._entries.append(self._at)
            make = {"Conv": self._conv, "Gemm": self._gemm, "MatMul": self._matmul}[node.op]
            self.units.append(make(node))
        elif node.op == "BatchNormalization" and self.units:
            self._bn(node)
        elif node.op in SLOPED and self.units:
            self._slope(node)
        elif node.op == "Add" and node in self._skips:
            self._residual(node)
        elif not self.units:
            self.input.take(node, self._at)
        elif node.op in AFFINE and self._constant(node):
            self._affine(node)
        elif node.op in SHAPED:
            self._shape(node)
        elif node.op == "Dropout" and not any(node.inputs[2:]):
            pass
        elif node.op != "Identity":
            self._no(node)
        self._at = node.output

    def _first(self, node: Node) -> None:
        if not node.inputs or node.inputs[0] != self._at:
            refuse("X008", f"{node.name} takes {self._at} as a parameter", node.name)

    def _conv(self, node: Node) -> Unit:
        self._first(node)
        weight = self._weight(node, 4)
        kernel = list(weight.shape[2:])
        stated = node.integers("kernel_shape")
        if stated is not None and stated != kernel:
            refuse("X006", f"{node.name} states kernel_shape {stated}, its weight has {kernel}",
                   node.name, kernel, stated)
        strides, dilations = node.integers("strides") or [1, 1], node.integers("dilations")
        if dilations is not None and set(dilations) != {1}:
            refuse("X009", f"{node.name} has dilations {dilations}: EFM3 has none", node.name)
        if len(strides) != 2 or strides[0] != strides[1]:
            refuse("X009", f"{node.name} has strides {strides}, EFM3's are square", node.name)
        pads = node.integers("pads") or [0] * 4
        auto = node.text("auto_pad")
        if auto.startswith("SAME") and set(strides) == {1} and all(k % 2 for k in kernel):
            pads = [k // 2 for k in kernel] * 2
        elif auto not in ("", "NOTSET", "VALID"):
            refuse("X009", f"{node.name} has auto_pad {auto} with strides {strides}: it pads one "
                           "side more than the other, EFM3 pads both alike", node.name)
        if len(set(pads)) != 1:
            refuse("X009", f"{node.name} has pads {pads}, EFM3's are the same on all sides",
                   node.name, pads)
        return Unit(node.name, weight, self._bias(node, len(weight)),
                    groups=node.integer("group", 1), stride=strides[0], padding=pads[0],
                    adds=False)

    def _gemm(self, node: Node) -> Unit:
        self._first(node)
        if node.real("alpha", 1) != 1 or node.real("beta", 1) != 1 or node.integer("transA", 0):
            refuse("X009", f"{node.name} has alpha, beta or transA", node.name)
        weight = self._weight(node, 2)
        return self._dense(node, weight if node.integer("transB", 0) else weight.T)

    def _matmul(self, node: Node) -> Unit:
        self._first(node)
        return self._dense(node, self._weight(node, 2).T)

    def _dense(self, node: Node, weight: Array) -> Unit:
        if not self.flat:
            refuse("X008", f"{node.name} comes before the map is flattened", node.name)
        bias = self._bias(node, len(weight)) if node.op == "Gemm" else None
        return Unit(node.name, np.ascontiguousarray(weight)[:, :, None, None], bias, groups=1,
                    stride=1, padding=0, adds=False)

    def _weight(self, node: Node, rank: int) -> Array:
        if len(node.inputs) < 2:
            refuse("X007", f"{node.name} has no weight", node.name)
        value = self.graph.floats(node.inputs[1], node)
        if value.ndim != rank or 0 in value.shape:
            refuse("X006", f"{node.name}'s weight {node.inputs[1]} has shape {list(value.shape)}, "
                           f"not {rank} dimensions", node.name, list(value.shape))
        return value

    def _bias(self, node: Node, out: int) -> Array | None:
        if len(node.inputs) < 3 or not node.inputs[2]:
            return None
        return self._vector(node, node.inputs[2], out)

    def _vector(self, node: Node, name: str, out: int) -> Array:
        value = self.graph.floats(name, node)
        if value.size != out or max(value.shape, default=0) != out:
            refuse("X006", f"{node.name} takes {name} of shape {list(value.shape)} for {out} "
                           "channels", node.name, list(value.shape), [out])
        return value.reshape(-1)

    def _bn(self, node: Node) -> None:
        self._first(node)
        unit = self.units[-1]
        if unit.bn is not None or unit.slope is not None or unit.adds:
            refuse("X008", f"{node.name} does not follow a convolution", node.name)
        if node.integer("training_mode", 0) or not node.integer("spatial", 1):
            refuse("X009", f"{node.name} is in training mode or not per channel", node.name)
        if len(node.inputs) != 5:
            refuse("X007", f"{node.name} has {len(node.inputs)} inputs, not 5", node.name)
        out = len(unit.weight)
        names = ("bn.w", "bn.b", "bn.mean", "bn.var")
        unit.bn = {k: self._vector(node, i, out)
                   for k, i in zip(names, node.inputs[1:], strict=True)}
        eps = node.real("epsilon", fmt.BN_EPS)
        if np.float32(eps) != np.float32(fmt.BN_EPS):
            unit.bn["bn.var"] = (unit.bn["bn.var"].astype(np.float64) + (eps - fmt.BN_EPS)
                                 ).astype(np.float32)
            if not (unit.bn["bn.var"] >= 0).all():
                refuse("X009", f"{node.name} has epsilon {eps:g}: with EFM3's {fmt.BN_EPS:g} a "
                               "variance would be negative", node.name, eps, fmt.BN_EPS)
            self.assumed.append(f"{node.name} has epsilon {eps:g}: the difference to "
                                f"{fmt.BN_EPS:g} went into its variance")

    def _slope(self, node: Node) -> None:
        unit = self.units[-1]
        out = len(unit.weight)
        if unit.slope is not None or unit.adds:
            refuse("X009", f"{node.name} follows no convolution: EFM3's residual sums and "
                           "activations have no activation", node.name)
        if node.op != "PRelu":
            alpha = node.real("alpha", 0.01) if node.op == "LeakyRelu" else 0.0
            unit.slope = np.full(out, alpha, np.float32)
            return
        self._first(node)
        if len(node.inputs) != 2:
            refuse("X007", f"{node.name} has no slope", node.name)
        name = node.inputs[1]
        value = self.graph.floats(name, node)
        if value.size == 1:
            unit.slope = np.full(out, value.reshape(-1)[0], np.float32)
            return
        if value.shape == (out,) and not self.flat:
            # By the ONNX text these apply along the width; exporters meant the channels.
            self.bare_slopes.append(name)
        elif value.shape not in ((out, 1, 1), (1, out, 1, 1)):
            refuse("X006", f"{node.name} takes a slope of shape {list(value.shape)} for {out} "
                           "channels", node.name, list(value.shape), [out, 1, 1])
        unit.slope = value.reshape(-1)

    def _residual(self, node: Node) -> None:
        self._skips.remove(node)
        other = [i for i in node.inputs if i != self._at]
        unit = self.units[-1]
        if len(self.units) < 5 or other != [self._entries[-3]] or unit.slope is not None:
            refuse("X008", f"{node.name} adds {', '.join(other)}, not the input of a block of "
                           "three convolutions to its output", node.name)
        unit.adds = True

    def _affine(self, node: Node) -> None:
        """A constant added to, or multiplied with, each channel: a decomposed BatchNorm."""
        unit = self.units[-1]
        constant = node.inputs[1 - node.inputs.index(self._at)] if len(node.inputs) == 2 else ""
        late = unit.slope is not None or unit.adds or node.op not in ("Add", "Mul")
        scaled = self._scaled is unit and node.op == "Add"
        whole = (unit.bn is not None and not scaled) or (
            node.op == "Mul" and unit.bias is not None)
        if late or whole:
            self._no(node)
        value = self.graph.floats(constant, node)
        out = len(unit.weight)
        if value.shape not in ([(out,), (1, out)] if self.flat else [(out, 1, 1),
                                                                     (1, out, 1, 1)]):
            refuse("X006", f"{node.name} takes {list(value.shape)} for {out} channels", node.name)
        if scaled and unit.bn is not None:
            unit.bn["bn.b"], self._scaled = value.reshape(-1), None
        elif node.op == "Add" and unit.bias is None:
            unit.bias = value.reshape(-1)
        elif node.op == "Add":
            refuse("X009", f"{node.name} adds a second bias", node.name)
        else:
            unit.bn = {**identity_bn(out), "bn.w": value.reshape(-1)}
            self._scaled = unit

    def _shape(self, node: Node) -> None:
        """Flatten, Reshape or Squeeze of a 1x1 map to [N, D]; nothing else can be expressed."""
        self._first(node)
        out = len(self.units[-1].weight)
        ok = True
        if node.op == "Flatten":
            ok = node.integer("axis", 1) == 1
        elif node.op == "Reshape" and len(node.inputs) == 2:
            want = self._shape_of(node)
            first = [BATCH, 0, 1, *([-1] if want[1:] == [out] else [])]
            ok = len(want) == 2 and want[0] in first and want[1] in (-1, out)
        elif node.op == "Squeeze":
            axes = (node.integers("axes") if len(node.inputs) < 2
                    else self.graph.constant(node.inputs[1], node).reshape(-1).tolist())
            ok = sorted(a % 4 for a in axes or []) == [2, 3]
        if not ok:
            refuse("X008", f"{node.name} produces another shape than [N, {out}]", node.name)
        self.flat = True

    def _shape_of(self, node: Node) -> list[int]:
        name = node.inputs[1]
        if name in self._batches:
            return [BATCH, *self._batches[name]]
        return [int(v) for v in self.graph.constant(name, node).reshape(-1)]

    def _batch_of(self, name: str) -> None:
        """Removes the nodes that compute the shape [batch, constant] of the current value.

        Exporters make Shape, Gather, Unsqueeze and Concat of x.view(x.size(0), -1).
        """
        maker = {n.output: n for n in self.graph.nodes}
        node = maker.get(name)
        if node is None or node.op != "Concat" or len(node.inputs) != 2:
            return
        used, at = [node], maker.get(node.inputs[0])
        for op in ("Unsqueeze", "Gather", "Shape"):
            if at is None or at.op != op:
                return
            used.append(at)
            if op == "Gather" and self.graph.constant(at.inputs[1], at).reshape(-1).tolist() != [0]:
                return
            below = at.inputs[0]
            at = maker.get(below)
        if below == self._at and self.graph.is_constant(node.inputs[1]):
            self._batches[name] = self.graph.constant(node.inputs[1], node).reshape(-1).tolist()
            for n in used:
                self._left.pop(id(n), None)
