# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The names of the original project's checkpoints, which training writes too."""

from __future__ import annotations

import re

from efm3.arch import Arch
from efm3.network import layers

BN_KEYS = {"bn.w": "weight", "bn.b": "bias", "bn.mean": "running_mean", "bn.var": "running_var"}
"""A layer's BatchNorm in EFM3 and in PyTorch."""

KEYS = {"conv.w": "conv.weight", "act.w": "act.weight"} | {
    ours: f"bn.{theirs}" for ours, theirs in BN_KEYS.items()}
"""A layer's tensors in EFM3 and in PyTorch."""


def modules(arch: Arch) -> dict[str, str]:
    """A layer's name to the module's: `stage2.block0.dw` is `stages.5.dw` where stage 1 has five
    blocks, since the original counts blocks through all stages."""
    out, block = {}, -1
    for layer in layers(arch):
        nested = re.fullmatch(r"stage\d+\.block\d+\.(\w+)", layer.name)
        if nested:
            block += nested[1] == "expand"
        out[layer.name] = f"stages.{block}.{nested[1]}" if nested else layer.name
    return out
