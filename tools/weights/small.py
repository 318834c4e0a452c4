# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A run on pictures of fewer pixels, where a network learns most of what it will know for a third
of the time.

    python -m tools.weights.small SIDE OPTIONS       options of `efm3 train`, a JSON object

The pictures are scaled down before they are changed. Of the seven by seven places that the last
depthwise convolution weighs, a smaller map has fewer: it sees its kernel averaged down to them.
What is learnt is the kernel itself, so that a run on whole pictures goes on from here.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from efm3 import format as fmt
from efm3.findings import Efm3Error
from efm3.train import checkpoint, feed, memory, parallel, passes, state
from efm3.train.augment import RECIPES, augment
from efm3.train.config import Config
from efm3.train.data import Data, open_data
from efm3.train.logs import Log
from efm3.train.loop import Trainer
from efm3.train.session import reason

STOPPED, FAILED = 75, 1
"""As `efm3 train` ends."""


class Small(Trainer):
    """A run on pictures of `side` pixels, a multiple of 16; the average network is as ever."""

    def __init__(self, side: int, config: Config, source: Data, world: parallel.World) -> None:
        super().__init__(config, source, world)
        self.side = side
        recipe = RECIPES[config.augment]()
        low, high = (s * side / fmt.INPUT_SIDE for s in recipe.blur_sigma)
        self.recipe = replace(recipe, blur_sigma=(low, high))
        conv = self.model.gdconv.conv
        conv.forward = lambda x: shrunk(conv, x)

    def changed(self, images: Tensor) -> Tensor:
        """As Trainer's, float32 [B, 3, side, side]."""
        g = feed.generator(self.world.device, self.config.seed, self.step, self.world.rank)
        small = functional.interpolate(images, (self.side, self.side), mode="bilinear",
                                       antialias=True)
        return augment(small, g, self.recipe).contiguous(memory_format=torch.channels_last)


def shrunk(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """A valid depthwise convolution whose kernel is averaged down to the map, [B, C, 1, 1]."""
    kernel = functional.adaptive_avg_pool2d(conv.weight, (x.shape[-2], x.shape[-1]))
    return functional.conv2d(x, kernel, groups=conv.groups)


def train(side: int, given: dict[str, Any]) -> bool:
    """Go on with a run, or begin it, to its end (True) or until it is stopped."""
    config = Config(**given)
    folder = Path(config.out)
    last = folder / "last.pt"
    torch.set_num_threads(config.threads or torch.get_num_threads())
    memory.keep()
    passes.build()
    trainer = Small(side, config, open_data(config.data), parallel.join(config.device))
    folder.mkdir(parents=True, exist_ok=True)
    log = trainer.log = Log(folder, True, trainer.total)
    if last.exists():
        state.restore(trainer, checkpoint.load(last))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: setattr(trainer, "stop", signal.Signals(n).name))
    try:
        return trainer.run()
    finally:
        log.close()


def main(words: list[str]) -> int:
    """0 trained, 1 refused, in one line, 75 stopped."""
    try:
        return 0 if train(int(words[0]), json.loads(words[1])) else STOPPED
    except Exception as e:
        # What is no fault of this program's has a reason.
        why = str(e) if isinstance(e, (OSError, Efm3Error)) else reason(e)
        if why is None:
            raise
        print(f"weights: {why}", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
