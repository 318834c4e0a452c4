# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One process of a run that a test starts several of: RANK, WORLD_SIZE, ... are set."""

import sys

import torch

from efm3.train import cli, export, feed
from tests.train.standin import Patterns


def double():
    """Train in float64, so that only a mistake can make a difference."""
    torch.set_default_dtype(torch.float64)
    feed.scale = lambda images, generator: (images.double() - 127.5) / 128


if __name__ == "__main__":
    double()
    export.export = lambda *a: 0.0
    cli._open = lambda spec: Patterns(int(spec), 4)
    sys.exit(cli.main())
