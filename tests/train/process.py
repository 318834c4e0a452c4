# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One process of a run that a test starts several of: RANK, WORLD_SIZE, ... are set."""

import sys

import torch

from efm3.cli import cli
from efm3.train import export, feed, session
from tests.train.standin import Patterns


def double():
    """Train in float64, so that only a mistake can make a difference."""
    torch.set_default_dtype(torch.float64)
    feed.scale = lambda images, generator: (images.double() - 127.5) / 128


if __name__ == "__main__":
    double()
    export.export = lambda *a: export.Exported("", {"scores": {}}, 0.0)
    session._open = lambda words: Patterns(int(words), 4)
    cli.main(["train", *sys.argv[1:]], prog_name="efm3")
