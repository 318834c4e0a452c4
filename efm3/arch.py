# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network's shape: Arch, its stages, the four published sizes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple, NoReturn

from efm3 import format as fmt
from efm3.findings import refuse, shown


class Problem(NamedTuple):
    """Why an arch is refused: rule code, path below `arch.`, message, found, expected."""

    code: str
    path: str
    message: str
    found: str
    expected: str


@dataclass(frozen=True)
class Stage:
    """A stage: expansion factor t, n blocks, stride s of the first block."""

    t: int
    n: int
    s: int


LIMIT_CODES = {
    "stem_kernel": "H004", "stem_stride": "H005", "stem_channels": "H006",
    "block_channels": "H007", "final_channels": "H008", "embedding_dim": "H009",
    "gdc_kernel": "H010", "t": "H011", "n": "H012", "s": "H013",
}
"""The rule that reports each field's limits."""

PROBLEM_CODES = ("H003", *LIMIT_CODES.values(), "H014", "H015", "H016")
"""The rules that `problems` reports."""


@dataclass(frozen=True)
class Arch:
    """A MobileFaceNet's shape; refuses (Efm3Error) what the format does not allow.

    `name` is a string. `width_mult` is a real number, stored as a float: finite and above 0, or
    0.0 where nobody has stated it (a header alone does not), which `save` refuses. All others are
    integers, numpy's included, stored as int; True, 7.0 and "7" are none. W014 refuses another
    type of `name`, `width_mult` and `stages`, M026 another width, the header's rules the rest.
    """

    name: str
    width_mult: float
    stem_channels: int
    block_channels: int
    final_channels: int
    embedding_dim: int
    gdc_kernel: int
    stages: tuple[Stage, ...]
    stem_kernel: int = 3
    stem_stride: int = 2

    def __post_init__(self) -> None:
        put = object.__setattr__
        if not isinstance(self.name, str):
            _mistyped("name", self.name, "a string")
        put(self, "width_mult", _width(self.width_mult))
        put(self, "stages", _stages(self.stages))
        for key, _ in _OWN:
            put(self, key, _whole(getattr(self, key)))
        for p in problems(self):
            refuse(p.code, p.message, f"arch.{p.path}", p.found, p.expected)

    @classmethod
    def scaled(cls, name: str, width: float, embedding_dim: int = 512) -> Arch:
        """The published topology with 64/128/512 channels times `width`.

        Each count is rounded to the nearest multiple of 8, and is at least 8.
        """
        width = _width(width)
        # What is far over the limit stays there, and need not be rounded: it may be infinite.
        stem, block, final = (
            max(8, round(min(c * width / 8, fmt.MAX_EXPANDED)) * 8) for c in (64, 128, 512))
        return cls(name, width, stem, block, final, embedding_dim, 7, TOPOLOGY)

    def header(self) -> dict[str, Any]:
        """The 80-byte header's values, as `format.ARCH_HEADER.build` takes them."""
        spare = fmt.STAGE_SLOTS - len(self.stages)
        record = [asdict(s) | {"pad": 0, "reserved": 0} for s in self.stages]
        record += [{"t": 0, "n": 0, "s": 0, "pad": 0, "reserved": 0}] * spare
        own = {f.name: getattr(self, f.name) for f in fields(self)
               if f.name not in ("name", "width_mult", "stages")}
        return own | {"hdr_version": fmt.HDR_VERSION, "n_stages": len(self.stages),
                      "pad": bytes(3), "stages": record}


def _mistyped(path: str, value: object, expected: str) -> NoReturn:
    refuse("W014", f"{path} is {shown(value)}, not {expected}", f"arch.{path}", shown(value),
           expected)


def _width(value: Any) -> float:
    """A width_mult as a float; refuses what is no real number, or not that of a network."""
    real = isinstance(value, (int, float))
    if not real:
        from numbers import Real  # numpy's scalars are registered there

        real = isinstance(value, Real)
    if isinstance(value, bool) or not real:
        _mistyped("width_mult", value, "a number")
    try:
        width = float(value)
    except OverflowError:
        width = math.inf
    if not 0 <= width < math.inf:
        refuse("M026", f"width_mult is {shown(value)}", "arch.width_mult", shown(value),
               "above 0, and finite")
    return width


def _stages(value: Any) -> tuple[Stage, ...]:
    """Stages as a tuple, their numbers as int where they are integers."""
    try:
        stages = tuple(value)
    except TypeError:
        _mistyped("stages", value, "stages")
    for i, stage in enumerate(stages):
        if not isinstance(stage, Stage):
            _mistyped(f"stages[{i}]", stage, "a Stage")
    return tuple(Stage(_whole(s.t), _whole(s.n), _whole(s.s)) for s in stages)


def _whole(value: Any) -> Any:
    """The int that a value is; what is none stays as it is, and `problems` refuses it."""
    if isinstance(value, bool):
        return value
    try:
        return operator.index(value)
    except TypeError:
        return value


TOPOLOGY = (Stage(2, 5, 2), Stage(4, 1, 2), Stage(2, 6, 1), Stage(4, 1, 2), Stage(2, 2, 1))


_OWN = [(name, fmt.FIELDS[f"arch.{name}"].con) for name in LIMIT_CODES if len(name) > 1]
_RECORDS = [[(f"stages[{i}].{k}", k, fmt.FIELDS[f"arch.stages[{i}].{k}"].con) for k in "tns"]
            for i in range(fmt.STAGE_SLOTS)]


def problems(arch: Any) -> Iterator[Problem]:
    """Everything the format forbids in these values; `arch` has Arch's fields."""
    sound = True
    stages = list(arch.stages)
    if not 1 <= len(stages) <= fmt.STAGE_SLOTS:
        yield Problem("H003", "n_stages", f"{len(stages)} stages cannot be stated",
                      str(len(stages)), f"1..{fmt.STAGE_SLOTS}")
        sound = False
    places = [(name, getattr(arch, name), con) for name, con in _OWN]
    for stage, record in zip(stages, _RECORDS, strict=False) if sound else ():
        places += [(path, getattr(stage, k), con) for path, k, con in record]
    for path, value, con in places:
        if isinstance(value, bool) or not isinstance(value, int) or not con.allows(value):
            yield Problem(LIMIT_CODES[con.name], path, f"{path} is {shown(value)}, not {con.legal}",
                          shown(value), con.legal)
            sound = False
    if not sound:
        return
    blocks = sum(s.n for s in stages)
    if blocks > fmt.MAX_BLOCKS:
        yield Problem("H014", "stages", f"{blocks} blocks in all; engines take {fmt.MAX_BLOCKS}",
                      str(blocks), f"at most {fmt.MAX_BLOCKS}")
    for i in range(len(stages)):
        widest = widest_expansion(arch, i)
        if widest > fmt.MAX_EXPANDED:
            yield Problem("H015", f"stages[{i}].t", f"stage {i + 1} expands to {widest} channels",
                          str(widest), f"at most {fmt.MAX_EXPANDED}")
    side = last_side(arch)
    if side != arch.gdc_kernel:
        yield Problem("H016", "gdc_kernel",
                      f"the last feature map is {side}x{side}, gdc_kernel is {arch.gdc_kernel}",
                      str(arch.gdc_kernel), str(side))


def widest_expansion(arch: Any, i: int) -> int:
    """Most channels to which a block of stage `i`, counted from 0, expands."""
    stage = arch.stages[i]
    first = arch.stem_channels if i < 2 else arch.block_channels
    later = (arch.stem_channels if i == 0 else arch.block_channels) if stage.n > 1 else 0
    return int(max(first, later) * stage.t)


def last_side(arch: Any) -> int:
    """Side of the feature map that gdconv sees."""
    side = conv_side(fmt.INPUT_SIDE, arch.stem_kernel, arch.stem_stride, arch.stem_kernel // 2)
    for stage in arch.stages:
        side = conv_side(side, 3, stage.s, 1)
    return side


def conv_side(side: int, kernel: int, stride: int, padding: int) -> int:
    """Output side of a convolution over a square map."""
    return (side + 2 * padding - kernel) // stride + 1


ARCHS: dict[str, Arch] = {
    a.name: a for a in (
        Arch.scaled("nano", 0.36, 256), Arch.scaled("tiny", 0.55),
        Arch.scaled("standard", 0.90), Arch.scaled("xs", 1.35),
    )
}
"""The four published sizes by name."""
