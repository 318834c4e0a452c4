# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A source's convolutions in order of execution, and what they become.

Every reader reduces its source to a list of units; `match` compares the list with the
only network that EFM3 can express. Names are ignored, except that refusals quote them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from efm3 import format as fmt
from efm3.arch import ARCHS, Arch
from efm3.arrays import Array
from efm3.convert._fold import identity_bn
from efm3.convert._strides import Block, infer, stages_of
from efm3.findings import Efm3Error, refuse
from efm3.network import Layer, layers


@dataclass
class Unit:
    """A convolution or linear layer with its BatchNorm and PReLU; None is "not visible".

    `weight` is float32 [out, in/groups, k, k]; `bn` has the four tensors by their EFM3
    names; `adds` says whether the input of the unit two before is added to the output.
    """

    place: str
    weight: Array
    bias: Array | None = None
    bn: dict[str, Array] | None = None
    slope: Array | None = None
    groups: int | None = None
    stride: int | None = None
    padding: int | None = None
    adds: bool | None = None

    @property
    def kernel(self) -> str:
        """The kernel in words."""
        return "×".join(map(str, self.weight.shape[2:]))

    def tensors(self, layer: str) -> dict[str, Array]:
        """The unit as EFM3's tensors of `layer`."""
        bn = self.bn or identity_bn(len(self.weight), self.bias)
        own = {"conv.w": self.weight, **bn}
        if self.slope is not None:
            own["act.w"] = self.slope
        return {f"{layer}.{k}": v for k, v in own.items()}


@dataclass(frozen=True)
class Role:
    """EFM3's requirements on a unit at one place of the network; kernel 0 is any odd square."""

    name: str
    depthwise: bool
    kernel: int
    act: bool
    words: str


STEM = Role("stem", False, 0, True, "first layer")
DW_STEM = Role("dw_stem", True, 3, True, "second layer")
EXPAND = Role("expand", False, 1, True, "expand")
DW = Role("dw", True, 3, True, "dw")
PROJECT = Role("project", False, 1, False, "project")
FINAL = Role("final_conv", False, 1, True, "final_conv")
GDC = Role("gdconv", True, 0, False, "gdconv")
EMBED = Role("embed_proj", False, 1, False, "embed_proj")
SHRINK = 16
"""How much the strides of every known network shrink its picture."""
LEAST = 8
"""Convolutions of the smallest network: two of the stem, a block of three, three at the end."""


def match(units: Sequence[Unit], arch: Arch | None = None) -> tuple[Arch, list[str]]:
    """The arch of these units, and what had to be assumed to know it.

    `arch`, where given, is compared with the units. Raises Efm3Error X008..X011.
    """
    blocks = _walk(units)
    assumed: list[str] = []
    if arch is None:
        arch, assumed = _inferred(units, blocks)
    elif arch.width_mult <= 0:
        arch = named(arch)  # from a header alone, which has no name
    _agree(arch, units)
    return arch, assumed


def _walk(units: Sequence[Unit]) -> list[Block]:
    if not units:
        refuse("X008", "there is no convolution in it: this is not a MobileFaceNet")
    c = _take(units, 0, STEM, fmt.INPUT_CHANNELS)
    if len(units) > 1:
        _take(units, 1, DW_STEM, c)
    if len(units) < LEAST:
        refuse("X008", f"it has {len(units)} convolutions; a MobileFaceNet has {LEAST} or more",
               units[-1].place, len(units), f"{LEAST} or more")
    blocks, at = [], 2
    while len(units) - at > 3:
        wide = _take(units, at, EXPAND, c)
        if wide % c:
            refuse("X009", f"{units[at].place} expands {c} channels to {wide}, which is not a "
                           "multiple", units[at].place, wide, f"a multiple of {c}")
        _take(units, at + 1, DW, wide)
        out = _take(units, at + 2, PROJECT, wide)
        blocks.append(Block(c, wide // c, out, units[at + 1].stride, units[at + 2].place))
        c, at = out, at + 3
    c = _take(units, at, FINAL, c)
    _take(units, at + 1, GDC, c)
    _take(units, at + 2, EMBED, c)
    return blocks


def _take(units: Sequence[Unit], at: int, role: Role, c: int) -> int:
    """Compare a unit with its role for `c` input channels; returns its output channels."""
    if at >= len(units):
        refuse("X008", f"the network ends where EFM3's {role.words} should be",
               units[-1].place)
    unit = units[at]
    if _squeezes(units, at):
        refuse("X008", f"SE block at {unit.place}: EFM3 has no squeeze-and-excitation", unit.place)
    out, part, *kernel = unit.weight.shape
    groups = unit.groups or (c // part if part and c % part == 0 else 1)
    if part * groups != c or out == 0:
        refuse("X009", f"{unit.place} takes {part * groups} channels, the layer before it puts "
                       f"out {c}", unit.place, part * groups, c)
    if groups != 1 and part > 1:
        refuse("X009", f"grouped convolution with {part} channels a group in {unit.place} "
                       f"(groups={groups}): EFM3's {role.words} is "
                       f"{'depthwise' if role.depthwise else 'an ordinary convolution'}",
               unit.place, groups, c if role.depthwise else 1)
    if role.depthwise and (part != 1 or out != c):
        refuse("X009", f"{unit.place} has groups={groups} for {c} channels"
                       f"{'' if out == c else f' and puts out {out}'}: EFM3's {role.words} "
                       "is depthwise", unit.place, groups, c)
    if not role.depthwise and groups != 1:
        refuse("X009", f"{unit.place} has groups={groups}: EFM3's {role.words} is an ordinary "
                       "convolution", unit.place, groups, 1)
    if role is GDC and kernel[0] != kernel[1]:
        _pictures(units, unit, kernel)
    if kernel[0] != kernel[1] or (role.kernel and kernel[0] != role.kernel):
        want = f"{role.kernel}×{role.kernel}" if role.kernel else "square"
        refuse("X009", f"kernel {unit.kernel} in {unit.place}: EFM3's {role.words} has {want}",
               unit.place, unit.kernel, want)
    if role is STEM and kernel[0] % 2 == 0:
        refuse("X009", f"kernel {unit.kernel} in {unit.place}: EFM3's stem_kernel is odd",
               unit.place, unit.kernel, "odd")
    if role not in (STEM, DW, GDC) and (unit.stride or 1) != 1:
        refuse("X009", f"{unit.place} has stride {unit.stride}: EFM3's {role.words} has 1",
               unit.place, unit.stride, 1)
    if role.act and unit.slope is None and unit.stride is not None:
        # The source states that nothing follows: a slope of 1 changes nothing.
        unit.slope = np.ones(out, np.float32)
    if role.act != (unit.slope is not None):
        what = "no PReLU" if role.act else "an activation"
        refuse("X009", f"{unit.place} has {what}: EFM3's {role.words} has "
                       f"{'one' if role.act else 'none'}", unit.place, what)
    return int(out)


def _pictures(units: Sequence[Unit], unit: Unit, kernel: Sequence[int]) -> None:
    """Refuses a last map that is not square, by the pictures that lead to it."""
    shrink = math.prod(u.stride or 1 for u in units) if units[0].stride else SHRINK
    side = "×".join(str(shrink * k) for k in kernel)
    refuse("X009", f"the last map is {unit.kernel} at {unit.place}: the network is for {side} "
                   f"pictures, EFM3's for {fmt.INPUT_SIDE}×{fmt.INPUT_SIDE}", unit.place,
           unit.kernel, "square")


def _squeezes(units: Sequence[Unit], at: int) -> bool:
    # project and the next expand have an SE block's shapes, but they have a BatchNorm.
    a, b = units[at], units[at + 1] if at + 1 < len(units) else units[at]
    return (units[0].bn is not None and at > 1 and a.bn is None and b.bn is None
            and a.weight.shape[2:] == (1, 1) and a.weight.shape[0] < a.weight.shape[1]
            and b.weight.shape == (a.weight.shape[1], a.weight.shape[0], 1, 1))


def _inferred(units: Sequence[Unit], blocks: list[Block]) -> tuple[Arch, list[str]]:
    stem, final, gdc, embed = units[0], units[-3], units[-2], units[-1]
    kernel, last = stem.weight.shape[2], gdc.weight.shape[2]
    stride = stem.stride
    assumed: list[str] = []
    if stride is None or any(b.stride is None for b in blocks):
        stride, blocks, assumed = infer(kernel, blocks, last, gdc.place)
    stages, block_channels = stages_of(blocks, len(stem.weight))
    try:
        found = Arch("custom", 1.0, len(stem.weight), block_channels, len(final.weight),
                     len(embed.weight), last, stages, kernel, stride)
    except Efm3Error as e:
        where = gdc.place if e.code == "H016" else stem.place
        refuse("X009", f"{e.finding.message} ({e.code}, at {where})", where, e.finding.found,
               e.finding.expected)
    return named(found), assumed


def named(arch: Arch) -> Arch:
    """`arch` with the name and width of the matching published size, else custom and its width."""
    for known in ARCHS.values():
        if replace(arch, name=known.name, width_mult=known.width_mult) == known:
            return known
    return replace(arch, name="custom", width_mult=arch.stem_channels / 64)


def _agree(arch: Arch, units: Sequence[Unit]) -> None:
    want = layers(arch)
    title = arch.name or "the arch"
    if len(want) != len(units):
        refuse("X011", f"it has {len(units)} convolutions, {title} {len(want)}",
               found=len(units), expected=len(want))
    for layer, unit in zip(want, units, strict=True):
        _same(layer, unit, title)


def _same(layer: Layer, unit: Unit, title: str) -> None:
    if unit.weight.shape != layer.weight_shape:
        refuse("X011", f"{unit.place} has shape {list(unit.weight.shape)}, {title}'s {layer.name} "
                       f"{list(layer.weight_shape)}", unit.place, list(unit.weight.shape),
               list(layer.weight_shape))
    for word, have, want in (("stride", unit.stride, layer.stride),
                             ("padding", unit.padding, layer.padding)):
        if have is not None and have != want:
            refuse("X009", f"{unit.place} has {word} {have}: EFM3's {layer.name} has {want}",
                   unit.place, have, want)
    if unit.adds is not None and unit.adds != bool(layer.residual):
        refuse("X009", f"{unit.place} is {'' if unit.adds else 'not '}added to its block's input: "
                       f"EFM3 {'never' if unit.adds else 'always'} adds in a block of this stride "
                       "and these channels", unit.place, unit.adds, bool(layer.residual))


def tensors(arch: Arch, units: Sequence[Unit]) -> dict[str, Array]:
    """EFM3's tensors, in stored order. Raises X006 for values of another shape."""
    out: dict[str, Array] = {}
    for layer, unit in zip(layers(arch), units, strict=True):
        own = unit.tensors(layer.name)
        for name, shape in layer.tensors:
            have = np.asarray(own[name], np.float32)
            if have.shape != shape:
                refuse("X006", f"{unit.place}: {name} has shape {list(have.shape)}, not "
                               f"{list(shape)}", unit.place, list(have.shape), list(shape))
            out[name] = have
    return out
