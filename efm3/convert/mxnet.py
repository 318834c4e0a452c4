# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""MXNet: a symbol (`NAME-symbol.json`) and its arrays (`NAME-0000.params`), given either of them;
or the arrays that Gluon's save_parameters writes, which are named tensors without a graph.

MXNet is retired, and its last release needs an older NumPy than this package: so no runtime is
offered here, and a conversion is compared with the float64 evaluation of the symbol itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from efm3.arrays import Array
from efm3.convert import _mxnet_params, _mxnet_symbol, _named
from efm3.convert._base import Source, Wanted
from efm3.convert._beside import partner
from efm3.convert._layers import Made, built, output
from efm3.convert._mxnet_ops import TABLE, Op
from efm3.convert._mxnet_symbol import VARIABLE, Entry, Ref, Symbol
from efm3.convert._unread import Data
from efm3.convert._unread import read as read_checked
from efm3.convert.graph import Builder, Graph, Node
from efm3.findings import Efm3Error, printable, refuse

SIDE = 112
SHAPES = ((1, 3, SIDE, SIDE), (1, SIDE, SIDE, 3))
"""Shapes of the picture where the symbol states none: the first one that fits."""
PARAMETERS = ("weight", "bias", "gamma", "beta", "alpha", "mean", "var", "label")
"""Last words of the names of variables that are no picture."""
LOSSES = ("SoftmaxOutput", "Softmax", "SVMOutput", "MakeLoss", "make_loss", "CTCLoss",
          "LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput",
          "softmax_cross_entropy")
"""Outputs for training, which give no embedding."""
MOST_LISTED = 12


def read(path: str, wanted: Wanted) -> Source:
    """The graph of a symbol and its arrays. Raises Efm3Error, Unreadable."""
    assumed: list[str] = []
    data = read_checked(path, lambda d: _check(d, path))
    if data[:8] == _mxnet_params.MAGIC:
        arrays = _mxnet_params.arrays(data, path)
        if arrays.bare and all("." in name for name in arrays):
            shapes = {name: a.shape for name, a in arrays.items()}
            return _named.source_of(shapes, arrays.__getitem__, {}, wanted, path, len(data))
        other = _symbol_of(path, assumed)
        symbol = _mxnet_symbol.parse(
            read_checked(other, lambda d: _mxnet_symbol.bounded(d, other)), other)
    else:
        _check(data, path)
        symbol = _mxnet_symbol.parse(data, path)
        other = _params_of(path, assumed)
        arrays = _mxnet_params.arrays(
            read_checked(other, lambda d: _mxnet_params.entries(d, other)), other)
    graph = _graph(symbol, arrays, wanted.output)
    graph.assumed[:0] = assumed
    return Source(graph, files=(other,))


def _check(data: Data, path: str) -> None:
    """Refuse what is neither, and what a large file has wrong before it is read."""
    if data[:8] == _mxnet_params.MAGIC:
        _mxnet_params.entries(data, path)
    elif bytes(data[:64]).lstrip()[:1] == b"{":
        _mxnet_symbol.bounded(data, path)
    else:
        refuse("X003", f"{printable(path)} is neither a list of MXNet arrays nor a symbol (JSON)",
               path)


def _symbol_of(path: str, assumed: list[str]) -> str:
    stem = re.sub(r"(-\d{4,})?(\.params)?$", "", os.path.basename(path))
    own = re.escape(stem)
    found = partner(path, "symbol", [f"{own}-symbol\\.json", f"{own}\\.json"],
                    r".+-symbol\.json", assumed)
    if found is None:
        refuse("X005", f"{printable(path)} holds arrays alone: its symbol, {printable(stem)}"
                       "-symbol.json, is not beside it. A Gluon network writes both by "
                       "net.export(NAME)", path)
    return found


def _params_of(path: str, assumed: list[str]) -> str:
    stem = re.sub(r"(-symbol)?(\.json)?$", "", os.path.basename(path))
    own = re.escape(stem)
    found = partner(path, "arrays", [f"{own}-\\d{{4,}}\\.params", f"{own}\\.params"],
                    r".+\.params", assumed)
    if found is None:
        refuse("X005", f"{printable(path)} holds no weights: its arrays, {printable(stem)}"
                       "-0000.params, are not beside it", path)
    return found


def _graph(symbol: Symbol, arrays: Mapping[str, Array], wanted: str | None) -> Graph:
    head = _head(symbol, wanted)
    live = _live(symbol, head)
    picture = _picture(symbol, live, arrays)
    shapes = _stated(picture) or SHAPES
    first: Efm3Error | None = None
    for shape in shapes:
        try:
            return _Reading(symbol, live, arrays, picture, shape).graph(head)
        except Efm3Error as e:
            if e.code != "X006":
                raise
            first = first or e
    assert first is not None
    raise first


def _stated(picture: Entry) -> tuple[tuple[int, ...], ...]:
    """The picture's shape where its variable states it; a free batch is 1."""
    shape = picture.attrs.sizes("__shape__", ())
    if len(shape) != 4 or min(shape[1:]) < 1:
        return ()
    return ((max(shape[0], 1), *shape[1:]),)


def _names(entry: Entry, number: int) -> set[str]:
    """What an output may be called: as MXNet does, or as its operation."""
    return {entry.name, f"{entry.name}_output", f"{entry.name}_output{number}"}


def _head(symbol: Symbol, wanted: str | None) -> Ref:
    """The chosen output. Raises X018 where there are several, or none such."""
    if wanted is not None:
        fit = [(i, number) for i, e in enumerate(symbol.entries)
               for number in _outputs(wanted, e) if e.op != VARIABLE]
        if len(fit) == 1:
            return fit[0]
        refuse("X018", f"{len(fit)} outputs are called {printable(wanted)}; it has "
                       f"{_listed(symbol, symbol.heads)}", printable(wanted), len(fit), 1)
    heads = list(dict.fromkeys(symbol.heads))
    if len(heads) > 1:
        refuse("X018", f"it has the outputs {_listed(symbol, heads)}; choose with --output", "",
               len(heads), 1)
    entry = symbol.entries[heads[0][0]]
    if entry.op in LOSSES:
        last = [(i, 0) for i, e in enumerate(symbol.entries) if e.op != VARIABLE][-7:-1]
        refuse("X018", f"its only output, {entry.place}, is for training; choose the embedding "
                       f"with --output: {_listed(symbol, last)} or another", entry.place)
    return heads[0]


def _outputs(wanted: str, entry: Entry) -> list[int]:
    tail = wanted.removeprefix(f"{entry.name}_output")
    number = int(tail) if tail.isdecimal() and len(tail) < 4 and tail != wanted else 0
    return [number] if wanted in _names(entry, number) else []


def _listed(symbol: Symbol, refs: list[Ref]) -> str:
    words = [printable(f"{symbol.entries[i].name}_output{n or ''}") for i, n in refs]
    more = f" and {len(words) - MOST_LISTED} more" if len(words) > MOST_LISTED else ""
    return ", ".join(words[:MOST_LISTED]) + more


def _live(symbol: Symbol, head: Ref) -> list[Entry]:
    """The entries that the output depends on, in order; all come after their inputs."""
    needed = {head[0]}
    out = []
    for i in range(head[0], -1, -1):
        if i in needed:
            out.append(symbol.entries[i])
            needed.update(number for number, _ in symbol.entries[i].inputs)
    return out[::-1]


def _picture(symbol: Symbol, live: list[Entry], arrays: Mapping[str, Array]) -> Entry:
    """The variable without an array that is the picture. Raises X015 for a second one."""
    free = [e for e in live if e.op == VARIABLE and e.name not in arrays]
    known = [e for e in free if not e.name.endswith(PARAMETERS)]
    if not known:
        refuse("X007", "its output does not depend on a picture: every variable has an array, or "
                       "is named as a parameter")
    other = next((e for e in free if e is not known[0]), None)
    if other is not None:
        refuse("X015", f"{printable(other.name)} has no array, and {printable(known[0].name)} is "
                       "the picture: weights are missing, or the network takes two inputs",
               printable(other.name))
    return known[0]


class _Reading:
    """One attempt to build the graph, for one shape of the picture."""

    def __init__(self, symbol: Symbol, live: list[Entry], arrays: Mapping[str, Array],
                 picture: Entry, shape: tuple[int, ...]) -> None:
        self.symbol, self.live, self.arrays = symbol, live, arrays
        self.builder = Builder(sum(a.nbytes for a in arrays.values()))
        self.picture = self.builder.input(shape, picture.place)
        self.made: dict[int, Made] = {id(picture): [self.picture]}

    def graph(self, head: Ref) -> Graph:
        """The graph up to this output."""
        for e in self.live:
            if id(e) not in self.made:
                self.made[id(e)] = [self._array(e.name, e.place)] if e.op == VARIABLE else (
                    self._operation(e))
        return self.builder.graph(self.picture, self._value(head))

    def _value(self, ref: Ref) -> Node:
        entry = self.symbol.entries[ref[0]]
        return output(self.made[id(entry)], ref[1], entry.place)

    def _array(self, name: str, place: str) -> Node:
        value = self.arrays[name]
        if value.dtype.kind != "f":
            refuse("X006", f"{place} holds {value.dtype}, not floating point numbers", place,
                   value.dtype, "float32")
        return self.builder.const(value, place)

    def _operation(self, e: Entry) -> Made:
        inputs = [self._value(ref) for ref in e.inputs]
        if e.op.startswith("BatchNorm") and len(inputs) == 3:
            # Symbols before version 0.9 do not list the statistics; their names are fixed.
            for name in (f"{e.name}_moving_mean", f"{e.name}_moving_var"):
                if name not in self.arrays:
                    refuse("X015", f"{printable(name)} has no array", printable(name))
                inputs.append(self._array(name, printable(name)))
        return built(Op(self.builder, e.op, e.place, inputs, e.attrs), TABLE)
