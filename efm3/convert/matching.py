# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""From what a reader found to a Network: rewritten, matched, with the source to compare with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from efm3 import format as fmt
from efm3 import mirror, reference
from efm3.arithmetic import GREY, HALF_RANGE
from efm3.arrays import Array
from efm3.convert import _meta, _units
from efm3.convert._base import Embedding, EmbedInputs, Network, Runtime, Source, Wanted
from efm3.convert.graph import Graph, Node, run, walk
from efm3.convert.graph.picture import WHITE, Picture
from efm3.convert.graph.rewrite import Maker, applied
from efm3.findings import Efm3Error, refuse
from efm3.model import Model

OWN = "float64 evaluation of the graph"
"""What runs a source that has no runtime here."""


@np.errstate(all="ignore")  # of any numbers: what they come to is judged, not warned of
def network_of(source: Source, wanted: Wanted) -> Network:
    """The Network of a source. Raises Efm3Error X006..X018."""
    if source.model is not None:
        unused = _unused(source, wanted, True, False)
        return Network(source.model, _said(unused), turned=source.model.turned, unused=unused)
    assert source.graph is not None
    hint = _meta.model_of({}, source.texts)
    if hint is not None:
        # A file that this package wrote takes EFM3's input.
        bgr, span = None, None
    else:
        bgr, span = wanted.bgr, wanted.input_range
    found = walk.found(source.graph, stated=source.stated, bgr=bgr, input_range=span)
    if not source.stated and hint is None:
        # Tensors alone do not show it: the caller does.
        found.turned = wanted.turned
    elif source.stated and hint is not None and hint.turned:
        # It was written for upright pictures, also where its padding does not show that.
        found.turned = True
    if found.turned:
        _turn(found, wanted, hint)
    arch, more = _units.match(found.units, wanted.arch or (hint.arch if hint else None))
    weights = _units.tensors(arch, found.units)
    kept = _meta.model_of(weights, source.texts)
    model = kept if kept is not None and kept.arch == arch else Model(arch, weights)
    if found.turned:
        model.mirror = mirror.as_turned(model.mirror)
    assumed = list(source.graph.assumed)
    if hint is None and not source.own:
        # What this package wrote says all of this.
        assumed += found.picture.assumed
        if not found.normalises and not wanted.l2_norm:
            what = ("the network does not divide its embedding by the L2 norm" if source.stated
                    else "a checkpoint does not show whether the L2 norm follows")
            assumed.append(f"{what}; EFM3 divides by it (--l2-norm)")
    if source.approximate:
        assumed.append(source.approximate)
    if found.joined and not source.stated:
        assumed.append("two linear layers in a row were joined; a checkpoint does not show which "
                       "of them its block adds to")
    unused = _unused(source, wanted, hint is not None, found.turned)
    assumed += [*more, *_said(unused)]
    graph, runtime = source.graph, None if source.approximate else source.runtime
    if source.complete is not None:
        graph, runtime = source.complete(arch)
        if found.turned:
            graph, runtime = applied(graph, {"Conv": (_below_and_right,)}), None
    # Tensors that were kept turned are run on a picture turned.
    turns = model.turned and not found.turned
    embed = Embedding(lambda: embedding(graph, runtime, found.picture, bool(bgr), turns))
    return Network(model, assumed, embed, hint is not None, model.turned, source.files, unused)


def _unused(source: Source, wanted: Wanted, own: bool, turned: bool) -> tuple[str, ...]:
    """The options that the caller gave and this source has no use for: it says so itself, or has
    no such thing. `own` is True where EFM3's metadata are in it."""
    useless = set() if turned else {"--turned"}
    if source.stated:
        useless |= {"--eps", "--act", "--key"}
    if own:
        useless |= {"--bgr", "--input-range", "--l2-norm"}
    if source.model is not None or not source.stated:
        useless.add("--output")
    return tuple(k for k in wanted.stated() if k in useless)


def _said(unused: tuple[str, ...]) -> list[str]:
    return [f"{option} was not used: this source leaves nothing of it open" for option in unused]


def _turn(found: walk.Found, wanted: Wanted, hint: Model | None) -> None:
    """Turns the units' kernels. Raises X017 where nobody asked for it."""
    if not wanted.turned and not (hint is not None and hint.turned):
        place = next(u.place for u in found.units if (u.stride or 1) > 1)
        refuse("X017", "TensorFlow's SAME padding: give --turned. Its strided convolutions pad "
                       "below and right alone, EFM3's above and left; turned by 180 degrees, "
                       "kernels and picture, it is the same network exactly, and the file says so",
               place)
    for u in found.units:
        u.weight = np.ascontiguousarray(u.weight[:, :, ::-1, ::-1])


def _below_and_right(n: Node, make: Maker) -> Node | None:
    """A strided convolution as TensorFlow's SAME pads it on a map of even side."""
    top, _, bottom, right = n.attrs["pads"]
    if n.attrs["strides"] == (1, 1) or not top:
        return None
    shape = n.inputs[0].shape or ()
    if len(shape) == 4 and (shape[2] or 0) % 2:
        return None
    return make.make("Conv", *n.inputs, place=n.place,
                     **{**n.attrs, "pads": (0, 0, bottom, right)})


def function_of(source: Source, wanted: Wanted) -> Embedding:
    """The source's own function, also where EFM3 cannot hold its network.

    Such a one takes its input as `wanted` says, or as (p - 127.5) / 128. Raises Efm3Error.
    """
    try:
        network = network_of(source, wanted)
        return network.embed or Embedding(lambda: ("reference", network.run))
    except Efm3Error:
        if source.graph is None or source.complete is not None:
            raise
    graph = source.graph
    low, high = wanted.input_range or (-GREY / HALF_RANGE, (WHITE - GREY) / HALF_RANGE)
    factor = (high - low) / WHITE
    entry = Picture((0, 1, 2), np.ones(3), factor * HALF_RANGE, low + GREY * factor)
    return Embedding(lambda: embedding(graph, source.runtime, entry, bool(wanted.bgr)))


def embedding(graph: Graph, runtime: Runtime | None, picture: Picture, bgr: bool,
              turns: bool = False) -> tuple[str, EmbedInputs]:
    """What runs the source, and the function from EFM3's inputs to its embeddings.

    Where the source's runtime is not installed, the graph is evaluated as it was read.
    """
    start: Callable[[Array], Array] | None = None
    if runtime is not None:
        try:
            start = runtime.start()
        except Efm3Error as e:
            if e.code != "X002":
                raise
    shape = graph.input.shape or ()
    last = len(shape) == 4 and shape[3] == 3 and shape[1] != 3

    def embed(x: Array) -> Array:
        x = reference.turn(x) if turns else x
        u = np.asarray(x, np.float64) * picture.factor + picture.offset
        u = u[:, ::-1] if bgr else u
        u = np.ascontiguousarray(np.moveaxis(u, 1, 3) if last else u)
        out = []
        for i in range(0, len(u), graph.batch):
            part = u[i:i + graph.batch]
            full = np.resize(part, (graph.batch, *u.shape[1:]))
            y = (run.forward(graph, full) if start is None
                 else np.asarray(start(full.astype(np.float32)), np.float64))
            out.append(y.reshape(graph.batch, -1)[:len(part)])
        flat = np.concatenate(out)
        norm = np.sqrt(np.sum(flat * flat, axis=1, keepdims=True))
        return np.asarray(flat / np.maximum(norm, fmt.L2_EPS))

    if start is not None and runtime is not None:
        return runtime.name, embed
    return OWN if runtime is None else f"{OWN} ({runtime.name} is not installed)", embed
