# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes the base network as named tensors, in the naming of the families that are in use.

No code of these families is needed: a family is a function from our layers to names of modules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from efm3.arrays import Array, Floats
from tests.zoo.base import Part, base

Names = tuple[str, str, str]
"""The modules of a layer's convolution, BatchNorm and activation."""
Family = Callable[[list[Part]], Iterator[Names]]


def inside(part: Part) -> tuple[int, int, str]:
    """Stage from 1 on, block from 0 on, and role of a layer in a block; stage 0 is none."""
    found = re.fullmatch(r"stage(\d+)\.block(\d+)\.(\w+)", part.name)
    return (int(found[1]), int(found[2]), found[3]) if found else (0, 0, part.name)


def _triple(module: str) -> Names:
    return f"{module}.conv", f"{module}.bn", f"{module}.prelu"


def _steps(module: str, first: int = 0) -> Names:
    return f"{module}.{first}", f"{module}.{first + 1}", f"{module}.{first + 2}"


def original(parts: list[Part]) -> Iterator[Names]:
    """Ours: stem, dw_stem, stages.N.expand, ..., embed_proj."""
    block = -1
    for part in parts:
        stage, _, role = inside(part)
        block += role == "expand"
        module = f"stages.{block}.{role}" if stage else role
        yield f"{module}.conv", f"{module}.bn", f"{module}.act"


def plain(parts: list[Part]) -> Iterator[Names]:
    """conv1, conv2_dw, conv_23, conv_3.model.0, ..., conv_6_dw, linear, bn."""
    fixed = {"stem": "conv1", "dw_stem": "conv2_dw", "final_conv": "conv_6_sep",
             "gdconv": "conv_6_dw"}
    entries = {(1, 0): "conv_23", (2, 0): "conv_34", (4, 0): "conv_45"}
    chains = {1: ("conv_3", 1), 3: ("conv_4", 0), 5: ("conv_5", 0)}
    for part in parts:
        stage, block, role = inside(part)
        if part.name == "embed_proj":
            yield "linear", "bn", ""
        elif not stage:
            yield _triple(fixed[role])
        else:
            name, first = chains.get(stage, ("", 0))
            outer = entries.get((stage, block)) or f"{name}.model.{block - first}"
            inner = {"expand": "conv", "dw": "conv_dw", "project": "project"}[role]
            yield _triple(f"{outer}.{inner}")


def numbered(parts: list[Part]) -> Iterator[Names]:
    """layers.0.layers.0, ..., conv_sep.layers.0, features.layers.0.layers.0, features.layers.2."""
    entries = {(1, 0): 2, (2, 0): 4, (4, 0): 6}
    chains = {1: (3, 1), 3: (5, 0), 5: (7, 0)}
    for part in parts:
        stage, block, role = inside(part)
        if part.name == "embed_proj":
            yield "features.layers.2", "features.layers.3", ""
        elif part.name in ("final_conv", "gdconv"):
            outer = "conv_sep" if part.name == "final_conv" else "features.layers.0"
            yield _steps(f"{outer}.layers")
        elif not stage:
            yield _steps(f"layers.{int(role == 'dw_stem')}.layers")
        else:
            number, first = chains.get(stage, (0, 0))
            entry = entries.get((stage, block))
            outer = f"layers.{entry}" if entry else f"layers.{number}.layers.{block - first}"
            inner = ("expand", "dw", "project").index(role)
            yield _steps(f"{outer}.layers.{inner}.layers")


def bottlenecks(parts: list[Part]) -> Iterator[Names]:
    """conv1, dw_conv1, blocks.0.conv.0 to blocks.0.conv.7, ..., conv2, linear7, linear1."""
    fixed = {"stem": "conv1", "dw_stem": "dw_conv1", "final_conv": "conv2", "gdconv": "linear7",
             "embed_proj": "linear1"}
    block = -1
    for part in parts:
        _, _, role = inside(part)
        block += role == "expand"
        if role in fixed:
            yield _triple(fixed[role])
        else:
            yield _steps(f"blocks.{block}.conv", {"expand": 0, "dw": 3, "project": 6}[role])


def inverted(parts: list[Part]) -> Iterator[Names]:
    """conv_stem, bn1, act1, blocks.0.0.conv_pw, blocks.0.0.bn1, ...: three in one module."""
    fixed = {"stem": ("conv_stem", "bn1", "act1"), "dw_stem": ("conv_dw", "bn2", "act2"),
             "final_conv": ("conv_head", "bn3", "act3"), "gdconv": ("conv_gdc", "bn4", ""),
             "embed_proj": ("conv_emb", "bn5", "")}
    inner = {"expand": ("conv_pw", "bn1", "act1"), "dw": ("conv_dw", "bn2", "act2"),
             "project": ("conv_pwl", "bn3", "")}
    for part in parts:
        stage, block, role = inside(part)
        if not stage:
            yield fixed[role]
        else:
            a, b, c = (f"blocks.{stage - 1}.{block}.{name}" for name in inner[role])
            yield a, b, c


def flat(parts: list[Part]) -> Iterator[Names]:
    """features.0, features.1, ...: one Sequential of everything, its additions aside."""
    at = 0
    for part in parts:
        yield _steps("features", at)
        at += 2 if part.slope is None else 3


class Keys:
    """A state_dict in a family's naming, as an npz archive, which keeps the order."""

    kind = "prelu"
    says_range = False
    unsaid: tuple[str, ...] = ("L2 norm follows",)
    family: Family = staticmethod(original)
    linear = ("linear", "features.layers.2")
    """Modules that are an nn.Linear."""

    def tensors(self) -> dict[str, Array]:
        """The state_dict."""
        parts = base(self.kind).parts
        out: dict[str, Array] = {}
        for part, (conv, bn, act) in zip(parts, self.family([*parts]), strict=True):
            for module, own in ((conv, self.conv(part)), (bn, self.bn(part)),
                                (act, self.act(part.slope))):
                out |= {f"{module}.{k}": v for k, v in own.items()}
            if conv in self.linear:
                out[f"{conv}.weight"] = out[f"{conv}.weight"][:, :, 0, 0]
        return out

    def conv(self, part: Part) -> dict[str, Array]:
        """The convolution's tensors."""
        return {"weight": part.w}

    def bn(self, part: Part) -> dict[str, Array]:
        """The BatchNorm's tensors."""
        return {"weight": part.gamma, "bias": part.beta, "running_mean": part.mean,
                "running_var": part.var, "num_batches_tracked": np.array(7)}

    def act(self, slope: Floats | None) -> dict[str, Array]:
        """The PReLU's tensors."""
        return {} if slope is None else {"weight": slope}

    def save(self, folder: Path) -> Path:
        """Writes the archive into the folder."""
        np.savez(folder / "zoo.npz", **self.tensors())  # type: ignore[arg-type]
        return folder / "zoo.npz"

    def run(self, path: Path, x: Floats) -> Array | None:
        """Tensors alone cannot be run."""
        return None


class Safetensors(Keys):
    """The same as safetensors, which sorts the names as text."""

    def save(self, folder: Path) -> Path:
        """Writes the file into the folder."""
        from safetensors import numpy as library

        own = {k: np.ascontiguousarray(v) for k, v in self.tensors().items()}
        library.save_file(own, folder / "zoo.safetensors")
        return folder / "zoo.safetensors"
