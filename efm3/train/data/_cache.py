# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Drawn identities: from a cache on disk, or drawn on demand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from efm3.drawn import spec as specs
from efm3.drawn.faces import Faces
from efm3.findings import refuse
from efm3.source import open_regular
from efm3.train.data._source import SIDE, Batch, Sample, Source


class CacheSource(Source):
    """A folder with `images.npy`, uint8 [N, 3, side, side], and `labels.npy`, integers [N]."""

    def __init__(self, path: str, side: int) -> None:
        self._images = _array(os.path.join(path, "images.npy"), mapped=True)
        labels = _array(os.path.join(path, "labels.npy"))
        place, images = os.path.join(path, "images.npy"), self._images
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (3, side, side) \
                or not len(images):
            refuse("F024", path=place, found=f"{images.dtype} {list(images.shape)}",
                   expected=f"uint8 [N, 3, {side}, {side}]")
        if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
            refuse("F024", path=os.path.join(path, "labels.npy"),
                   found=f"{labels.dtype} {list(labels.shape)}",
                   expected=f"integers [{len(images)}]")
        if int(labels.min()) < 0 or int(labels.max()) >= len(labels):
            refuse("F024", path=os.path.join(path, "labels.npy"),
                   found=f"labels {labels.min()}..{labels.max()}",
                   expected=f"labels 0..{len(labels) - 1}")
        super().__init__(path, int(labels.max()) + 1)
        self.facts = specs.read_facts(path)
        _agree(path, self.facts, labels)
        self._labels = torch.from_numpy(labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self._labels)

    def load(self, index: int) -> Sample:
        return torch.from_numpy(np.array(self._images[index])), int(self._labels[index])

    def fetch(self, indices: Sequence[int]) -> Batch:
        at = np.asarray(indices, np.int64)
        # A disk is read fastest in ascending order; the batch keeps its own order.
        order = np.argsort(at, kind="stable")
        pictures = np.empty((len(at), *self._images.shape[1:]), np.uint8)
        for place in order:
            pictures[place] = self._images[at[place]]
        return torch.from_numpy(pictures), self._labels[torch.from_numpy(at)]


def _array(path: str, mapped: bool = False) -> Any:
    """The array in a .npy file, and in nothing else that NumPy opens. Raises Efm3Error F024."""
    npy = np.lib.format
    try:
        with open_regular(path) as f:
            if mapped:
                return npy.open_memmap(path, mode="r")
            return npy.read_array(f, allow_pickle=False)
    except Exception as e:
        # Of a header that is damaged NumPy says so in what its tokenizer, its parser and its
        # arithmetic raise, too.
        said = " ".join(str(e).split())[:200] or type(e).__name__
        refuse("F024", path=path, found=said, expected="a .npy file of a cache")


def _agree(path: str, facts: specs.Facts | None, labels: Any) -> None:
    """Refuses a synth.json that describes other pictures: it goes into the trained file."""
    if facts and {"classes", "shots"} <= facts.keys():
        told, found = facts["classes"] * facts["shots"], (int(labels.max()) + 1, len(labels))
        if (facts["classes"], told) != found:
            refuse("F024", path=os.path.join(path, specs.FACTS),
                   found=f"{facts['classes']} identities with {facts['shots']} pictures each",
                   expected=f"{found[0]} identities with {found[1]} pictures in all")


class SynthSource(Source):
    """`synth:SEED:IDENTITIES:SHOTS[:FIRST]`: pictures that are drawn on demand."""

    def __init__(self, words: str, side: int) -> None:
        spec = specs.pictures(words)
        if side != SIDE:
            refuse("F020", path=words, found=f"side {side}", expected=f"side {SIDE}")
        try:
            self._faces = Faces(spec.seed, spec.first, spec.identities, spec.amount)
        except MemoryError:
            refuse("F020", path=words, found=f"{spec.identities} identities",
                   expected="no more than fit into memory")
        super().__init__(words, int(self._faces.classes))
        self.facts = self._faces.describe()

    def __len__(self) -> int:
        return len(self._faces)

    def load(self, index: int) -> Sample:
        pictures, labels = self.fetch([index])
        return pictures[0], int(labels[0])

    def fetch(self, indices: Sequence[int]) -> Batch:
        return self._faces.batch(torch.as_tensor(indices, dtype=torch.int64))
