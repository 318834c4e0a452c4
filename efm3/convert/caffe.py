# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Caffe: a network's text (`.prototxt`) and its weights (`.caffemodel`), given either of them.

Where no text is beside a caffemodel, the structure that it holds itself is taken. Caffe is no
package that can be installed: so no runtime is offered here, and a conversion is compared with
the float64 evaluation of the layers themselves.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from efm3.convert._base import Source, Wanted
from efm3.convert._beside import partner
from efm3.convert._caffe_layers import OLD, TABLE, Layer
from efm3.convert._caffe_model import Model
from efm3.convert._layers import Made, built, output
from efm3.convert._protobuf import Message
from efm3.convert._prototxt import parse
from efm3.convert._unread import Data
from efm3.convert._unread import read as read_checked
from efm3.convert.graph import Builder, Graph, Node
from efm3.findings import printable, refuse

INPUT, TEST = "Input", "TEST"
PHASES = ("TRAIN", TEST)
DATA = ("Data", "ImageData", "HDF5Data", "MemoryData", "WindowData", "DummyData", "Python")
"""Layers that read pictures from elsewhere, for training."""
MOST_LISTED = 12
HEAD = 4096


def read(path: str, wanted: Wanted) -> Source:
    """The graph of a network's layers and weights. Raises Efm3Error, Unreadable."""
    assumed: list[str] = []
    data = read_checked(path, lambda d: _either(d, path))
    other: str | None
    given = _either(data, path)
    if isinstance(given, Message):
        net = given
        other = _model_of(path, assumed)
        model = _weights(other)
    else:
        model = given
        other = _text_of(path, assumed)
        if other is None and not any(m.words("top") for m in model.net.all("layer")):
            refuse("X005", f"{printable(path)} holds weights alone: its structure, a .prototxt, "
                           "is not beside it", path)
        net = model.net if other is None else _structure(other)
    network = _Network(net, model, printable(path))
    graph = network.graph(wanted.output)
    graph.assumed[:0] = assumed
    return Source(graph, files=(other,) if other else ())


def _either(data: Data, path: str) -> Message | Model:
    """A text's structure, or a caffemodel, which has control characters from its first layer on."""
    text = not any(b < 9 or 13 < b < 32 for b in bytes(data[:HEAD]))
    return parse(data, path) if text else Model(data, path)


def _weights(path: str) -> Model:
    return Model(read_checked(path, lambda d: Model(d, path)), path)


def _structure(path: str) -> Message:
    return parse(read_checked(path, lambda d: parse(d, path)), path)


def _stem(path: str) -> str:
    stem = os.path.splitext(os.path.basename(path))[0]
    return re.escape(re.sub(r"(?i)[-_.]?(deploy|iter_\d+)$", "", stem) or stem)


def _text_of(path: str, assumed: list[str]) -> str | None:
    own = _stem(path)
    return partner(path, "structure", [f"{own}\\.prototxt", f"{own}[-_.]?deploy\\.prototxt",
                                       r"deploy\.prototxt"], r".+\.prototxt", assumed)


def _model_of(path: str, assumed: list[str]) -> str:
    found = partner(path, "weights", [f"{_stem(path)}\\.caffemodel"], r".+\.caffemodel", assumed)
    if found is None:
        stem = os.path.splitext(os.path.basename(path))[0]
        refuse("X005", f"{printable(path)} holds no weights: {printable(stem)}.caffemodel is not "
                       "beside it", path)
    return found


@dataclass(eq=False, slots=True)
class _Step:
    """A layer with where its inputs come from: a step, and which of its outputs."""

    message: Message
    name: str
    type: str
    place: str
    bottoms: list[tuple[_Step, int]] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)


class _Network:
    """The layers of the test phase, in order, each name bound to what made it last."""

    def __init__(self, net: Message, model: Model, path: str) -> None:
        self.model, self.path = model, path
        self.steps: list[_Step] = []
        self.bound: dict[str, tuple[_Step, int]] = {}
        self.free: dict[str, tuple[_Step, int]] = {}
        self.shapes: dict[int, list[int]] = {}
        self._inputs(net)
        for layer in net.all("layer") or net.all("layers"):
            if _included(layer):
                self._add(layer)
        if not self.steps:
            refuse("X003", f"{path} has no layers: it is no network of Caffe's", path)

    def _inputs(self, net: Message) -> None:
        """Inputs without a layer, as texts had them before Input layers."""
        dims = net.wholes("input_dim")
        shapes = [s.wholes("dim") for s in net.all("input_shape")] or [
            dims[i:i + 4] for i in range(0, len(dims), 4)]
        for i, name in enumerate(net.words("input")):
            step = _Step(net, name, INPUT, printable(f"{name} (input)"), tops=[name])
            self.shapes[id(step)] = shapes[i] if i < len(shapes) else []
            self._bind(step)

    def _add(self, m: Message) -> None:
        name, kind = m.word("name"), m.choice("type", (), "")
        kind = OLD.get(kind, kind)
        step = _Step(m, name, kind, printable(f"{name} ({kind})"), tops=m.words("top"))
        for bottom in m.words("bottom"):
            if bottom not in self.bound:
                refuse("X007", f"{step.place} takes {printable(bottom)}, which no layer before it "
                               "makes", step.place)
            step.bottoms.append(self.bound[bottom])
        for top in step.tops:
            if top in self.bound and top not in m.words("bottom"):
                refuse("X007", f"{step.place} makes {printable(top)}, which "
                               f"{self.bound[top][0].place} makes as well", step.place)
        for bottom in m.words("bottom"):
            self.free.pop(bottom, None)
        if kind == INPUT:
            shapes = [s.wholes("dim") for s in m.sub("input_param").all("shape")]
            self.shapes[id(step)] = shapes[0] if len(shapes) == 1 else []
        self._bind(step)

    def _bind(self, step: _Step) -> None:
        self.steps.append(step)
        for i, top in enumerate(step.tops):
            self.bound[top] = self.free[top] = (step, i)

    def _output(self, wanted: str | None) -> tuple[_Step, int]:
        """The chosen output: a name's last value, a layer's, or the only one that nobody takes."""
        if wanted is None:
            if not self.free:
                refuse("X007", f"{self.path} has no output: layers take all that it makes",
                       self.path)
            if len(self.free) != 1:
                refuse("X018", f"{self.path} has the outputs {_listed([*self.free])}; choose with "
                               "--output", self.path, len(self.free), 1)
            return next(iter(self.free.values()))
        if wanted in self.bound:
            return self.bound[wanted]
        steps = [s for s in self.steps if s.name == wanted and len(s.tops) == 1]
        if len(steps) != 1:
            refuse("X018", f"{self.path} has no output {printable(wanted)}; it has "
                           f"{_listed([*self.bound][::-1])}", printable(wanted))
        return steps[0], 0

    def graph(self, wanted: str | None) -> Graph:
        """The graph of what the output depends on."""
        last, number = self._output(wanted)
        live = self._live(last)
        entries = [s for s in live if not s.bottoms]
        odd = next((s for s in entries if s.type != INPUT), None)
        if odd is not None:
            what = "reads its pictures from a file, as for training" if odd.type in DATA else (
                "takes nothing")
            refuse("X016", f"{odd.place} {what}: give the network's deploy text, which begins "
                           "with an Input layer", odd.place)
        if len(entries) != 1 or len(entries[0].tops) != 1:
            names = [t for s in entries for t in s.tops]
            refuse("X016", f"{self.path} takes {len(names)} inputs, {_listed(names)}, not one "
                           "picture", self.path, len(names), 1)
        shape = self.shapes[id(entries[0])]
        if len(shape) != 4 or min(shape) < 1:
            refuse("X016", f"{entries[0].place} states the shape {shape[:9]}, not that of a "
                           "picture", entries[0].place, shape[:9])
        builder = Builder(self.model.size)
        picture = builder.input(shape, entries[0].place)
        made: dict[int, Made] = {id(entries[0]): [picture]}
        for s in live:
            if id(s) not in made:
                made[id(s)] = self._built(builder, s, made)
        return builder.graph(picture, output(made[id(last)], number, last.place))

    def _built(self, builder: Builder, s: _Step, made: dict[int, Made]) -> Made:
        inputs: list[Node] = [output(made[id(b)], n, b.place) for b, n in s.bottoms]
        return built(Layer(builder, s.type, s.place, inputs, s.message, self.model, len(s.tops)),
                     TABLE)

    def _live(self, last: _Step) -> list[_Step]:
        needed = {id(last)}
        out = []
        for s in reversed(self.steps):
            if id(s) in needed:
                out.append(s)
                needed.update(id(b) for b, _ in s.bottoms)
        return out[::-1]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(printable(n) for n in names[:MOST_LISTED]) + more


def _included(layer: Message) -> bool:
    """Whether the layer is there in the test phase, by its rules."""
    include, exclude = layer.all("include"), layer.all("exclude")
    if include:
        return any(_met(r) for r in include)
    return not any(_met(r) for r in exclude)


def _met(rule: Message) -> bool:
    """A net for testing is at level 0 and in no stage."""
    return (rule.choice("phase", PHASES, TEST) == TEST and rule.whole("min_level", 0) <= 0
            and rule.whole("max_level", 0) >= 0 and not rule.words("stage"))
