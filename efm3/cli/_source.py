# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The options that say what a source of `efm3 convert` does not say itself."""

from __future__ import annotations

import math
from typing import Any

import click

from efm3.cli import Finite

WHITE = 255.0


def source_options(command: Any) -> Any:
    """The options that say what a source itself does not; they become a `Wanted`."""
    for option in reversed((
            click.option("--eps", type=Finite(0, min_open=True), metavar="E",
                         help="BatchNorm's epsilon, of a checkpoint (default 1e-05, assumed)"),
            click.option("--act", metavar="prelu|relu|leaky:S", callback=_act,
                         help="the activation, of a checkpoint without slopes"),
            click.option("--bgr/--rgb", "bgr", default=None,
                         help="which colour the network takes first (default red, assumed)"),
            click.option("--input-range", metavar="LOW..HIGH|MEAN/SCALE", callback=_range,
                         help="what the network takes for pixels 0..255: -1..1, or 127.5/128 for "
                              "(p - 127.5) / 128"),
            click.option("--key", metavar="PATH", help="where in a checkpoint the network is"),
            click.option("--output", metavar="NAME", help="the output, of a source with several"),
            click.option("--l2-norm", is_flag=True,
                         help="the embedding is meant to be divided by its L2 norm, which the "
                              "network does not do"),
            click.option("--turned", is_flag=True,
                         help="accept a network whose picture must be turned by 180 degrees "
                              "(TensorFlow's SAME padding)"))):
        command = option(command)
    return command


def _act(_: click.Context, param: click.Parameter, word: str | None) -> str | None:
    slope = word.partition(":")[2] if word and word.startswith("leaky:") else ""
    if word in (None, "prelu", "relu") or (slope and _finite(slope)):
        return word
    raise click.BadParameter(f"{word!r} is not prelu, relu or leaky:SLOPE")


def _finite(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _range(_: click.Context, param: click.Parameter, word: str | None
           ) -> tuple[float, float] | None:
    if word is None:
        return None
    low, dots, high = word.partition("..")
    mean, slash, scale = word.partition("/")
    if dots and _finite(low) and _finite(high) and float(low) != float(high):
        return float(low), float(high)
    if slash and _finite(mean) and _finite(scale) and float(scale):
        return -float(mean) / float(scale), (WHITE - float(mean)) / float(scale)
    raise click.BadParameter(f"{word!r} is not LOW..HIGH or MEAN/SCALE")
