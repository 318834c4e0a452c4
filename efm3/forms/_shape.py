# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network's layers with names instead of numbers, for descriptions of every arch.

`network.layers` walks an arch whose numbers all differ, so that each number tells
the field that it came from.
"""

from __future__ import annotations

from typing import NamedTuple

from efm3.arch import LIMIT_CODES, Arch, Stage
from efm3.network import Layer, layers

# The numbers are arbitrary but for being different; Arch itself refuses a wrong gdc_kernel.
_PROBE = Arch("", 1.0, stem_channels=17, block_channels=19, final_channels=23, embedding_dim=29,
              gdc_kernel=14, stem_kernel=11, stages=(Stage(5, 1, 2), Stage(7, 1, 2)))
_WIDTHS = ("stem_channels", "block_channels", "final_channels", "embedding_dim")
_KERNELS = ("stem_kernel", "gdc_kernel")

VECTORS = tuple(name.removeprefix("stem.").replace(".", "_")
                for name, shape in layers(_PROBE)[0].tensors if len(shape) == 1)
"""A layer's tensors of one dimension as identifiers; the last only where there is an act."""


class Row(NamedTuple):
    """A layer: its name, the name (or number) of each size of its weights, whether it has an act,
    and how many tensors it has.

    The weights are [out, fan_in, kernel, kernel]; fan_in counts channels per group.
    """

    id: str
    kind: str
    out: str
    fan_in: str
    kernel: str
    act: bool
    tensors: int


def _row(layer: Layer, names: dict[int, str]) -> Row:
    out, fan_in, kernel, _ = layer.weight_shape
    kernels = {getattr(_PROBE, k): k for k in _KERNELS}
    return Row(layer.name.rsplit(".", 1)[-1], layer.kind, names[out],
               names.get(fan_in, str(fan_in)), kernels.get(kernel, str(kernel)), layer.act,
               len(layer.tensors))


def outer() -> tuple[list[Row], list[Row]]:
    """Rows of the layers before and after the stages.

    Names are those of the header's fields, and `last_channels` for what the last stage gives.
    """
    names = {getattr(_PROBE, k): k for k in _WIDTHS} | {_PROBE.block_channels: "last_channels"}
    all_of = layers(_PROBE)
    inner = [i for i, x in enumerate(all_of) if "." in x.name]
    return ([_row(x, names) for x in all_of[:inner[0]]],
            [_row(x, names) for x in all_of[inner[-1] + 1:]])


def block() -> list[Row]:
    """Rows of a block's layers; names are `in_channels`, `expanded` and `out_channels`."""
    wide = _PROBE.stem_channels * _PROBE.stages[1].t
    names = {_PROBE.stem_channels: "in_channels", wide: "expanded",
             _PROBE.block_channels: "out_channels"}
    return [_row(x, names) for x in layers(_PROBE) if x.name.startswith("stage2.block0.")]


def shrink() -> int:
    """What a stage's strided convolution adds to the side before it divides: 2 x padding - kernel.

    The stem's padding is kernel / 2.
    """
    dw = next(x for x in layers(_PROBE) if x.name == "stage2.block0.dw")
    return 2 * dw.padding - dw.kernel


CLAUSES: dict[str, str] = {
    "magic": "C002", "version": "C003", "json_len": "C005", "json": "C006", "n_tensors": "T001",
    "size": "T002", "data": "T012", "end": "T014",
    "arch.hdr_version": "H001", "arch.pad": "H002", "arch.n_stages": "H003",
    "stage.pad": "H017", "stage.reserved": "H017", "unused": "H018",
    "blocks": "H014", "expanded": "H015", "last_side": "H016",
} | {("stage." if len(k) == 1 else "arch.") + k: code for k, code in LIMIT_CODES.items()}
"""The rule behind each field's limits and behind each relation of fields."""
