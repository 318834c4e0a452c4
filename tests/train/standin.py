# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A data source for tests: each identity is a blurred pattern, each shot moves and stains it."""

import torch
from torch.utils.data import Dataset


class Patterns(Dataset):
    """`classes` identities with `shots` pictures each; what readers of real data look like."""

    name, skipped, facts = "patterns", 0, None

    def __init__(self, classes, shots, seed=5):
        self.classes, self.shots = classes, shots
        g = torch.Generator().manual_seed(seed)
        grid = torch.rand(classes, 3, 9, 9, generator=g)
        self.base = torch.nn.functional.interpolate(grid, size=144, mode="bilinear") * 190 + 30
        self.at = torch.randint(0, 33, (classes * shots, 2), generator=g).tolist()
        self.light = torch.rand(classes * shots, 3, 1, 1, generator=g) * 0.5 + 0.75

    def __len__(self):
        return self.classes * self.shots

    def __getitem__(self, i):
        who, (y, x) = i // self.shots, self.at[i]
        image = self.base[who, :, y:y + 112, x:x + 112] * self.light[i]
        return image.clamp(0, 255).to(torch.uint8), who
