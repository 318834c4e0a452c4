# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""WebDataset shards: tar archives in which a sample is `KEY.jpg` and `KEY.cls` side by side."""

from __future__ import annotations

import glob
import json
import os
import random
import re
from collections.abc import Iterator

import torch
from torch.utils.data import get_worker_info

from efm3.findings import refuse
from efm3.source import Unreadable, open_regular
from efm3.train.data import _tar
from efm3.train.data._source import BAD_IN_A_ROW, Corrupt, Sample, Stream, tensor_of

PICTURES = ("jpg", "jpeg", "png", "webp")
LABEL = "cls"
BUFFER = 2000
"""Encoded samples that the shuffle draws from."""
MAX_SHARDS = 1_000_000
INDEX = "shards.json"

Encoded = tuple[bytes, int]


class ShardStream(Stream):
    """Samples of the shards, in an order that follows from seed, epoch, rank and worker alone.

    Shards are distributed over the ranks' workers; where there are fewer shards than workers, each
    of the n workers reads all shards and takes every n-th sample. `shards.json` beside the shards,
    {"classes": N, "samples": N}, saves the scan that counts both. A damaged shard counts as one
    corrupt sample, and the samples after the damage are lost.
    """

    def __init__(self, spec: str, side: int, seed: int = 0, shuffle: bool = True,
                 buffer: int = BUFFER) -> None:
        self._side, self._seed, self._shuffle, self._buffer = side, seed, shuffle, buffer
        self._shards = expand(spec)
        known = _index(self._shards[0])
        super().__init__(spec, 0)
        self._count, self.classes = known or self._counted()

    def __len__(self) -> int:
        """Samples of all ranks and workers together, corrupt ones included."""
        return self._count

    def __iter__(self) -> Iterator[Sample]:
        rank, world = _rank()
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        stream, streams = rank * workers + worker, world * workers
        behind = self.passed_over(worker, workers)
        rng = random.Random(f"{self._seed} {self.epoch}")
        shards = list(self._shards)
        if self._shuffle:
            rng.shuffle(shards)
        own = random.Random(f"{self._seed} {self.epoch} {stream}")
        if len(shards) >= streams:
            samples = self._samples(shards[stream::streams])
        else:
            samples = (s for i, s in enumerate(self._samples(shards)) if i % streams == stream)
        bad = 0
        for data, label in _shuffled(samples, self._buffer, own) if self._shuffle else samples:
            try:
                picture = tensor_of(data, self._side)
                if not 0 <= label < self.classes:
                    raise Corrupt(f"label {label}")
            except Corrupt as e:
                self._skip()
                bad += 1
                if bad >= BAD_IN_A_ROW:
                    refuse("F025", path=self.name,
                           found=f"{bad} samples in a row are corrupt, the last: {e}",
                           expected="pictures that can be decoded")
                continue
            bad = 0
            if behind:
                behind -= 1
                continue
            yield picture, label

    def _samples(self, shards: list[str]) -> Iterator[Encoded]:
        for path in shards:
            try:
                yield from _read(path)
            except (Corrupt, OSError):
                self._skip()

    def _counted(self) -> tuple[int, int]:
        """Samples and identities, by a scan of the shards that skips the pictures."""
        samples, most = 0, -1
        for path in self._shards:
            try:
                for _, label in _read(path, pictures=False):
                    samples, most = samples + 1, max(most, label)
            except (Corrupt, OSError):
                continue
        if most < 0:
            refuse("F023", path=self.name, found="no sample in any shard",
                   expected=f"KEY.{PICTURES[0]} and KEY.{LABEL} in tar archives")
        return samples, most + 1


def expand(spec: str) -> list[str]:
    """The shards that a name with {000..099} or a glob matches. Raises Efm3Error F020, F023."""
    match = re.fullmatch(r"(.*)\{([0-9]{1,9})\.\.([0-9]{1,9})\}(.*)", spec)
    if match:
        first, last = int(match[2]), int(match[3])
        if not first <= last < first + MAX_SHARDS:
            refuse("F020", path=spec, found=f"the range {match[2]}..{match[3]}",
                   expected="a rising range")
        names = [f"{match[1]}{n:0{len(match[2])}}{match[4]}" for n in range(first, last + 1)]
    else:
        names = [spec] if os.path.exists(spec) else sorted(glob.glob(spec))
    missing = [n for n in names if not os.path.isfile(n)]
    if missing or not names:
        refuse("F023", path=missing[0] if missing else spec, found="no such shard",
               expected="tar archives")
    return names


def _index(shard: str) -> tuple[int, int] | None:
    path = os.path.join(os.path.dirname(shard), INDEX)
    if not os.path.exists(path):
        return None
    try:
        with open_regular(path) as f:
            value = json.loads(f.read(1 << 16))
        samples, classes = value["samples"], value["classes"]
    except (Unreadable, OSError, ValueError, KeyError, TypeError, RecursionError) as e:
        refuse("F023", path=path, found=f"{type(e).__name__}: {e}",
               expected='{"classes": N, "samples": N}')
    if not all(isinstance(v, int) and 0 < v < 1 << 40 for v in (samples, classes)):
        refuse("F023", path=path, found=f"{samples} samples, {classes} classes",
               expected="whole numbers above 0")
    return samples, classes


def _rank() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def _read(path: str, pictures: bool = True) -> Iterator[Encoded]:
    """Samples of a shard, without their pictures where these are not wanted. Raises Corrupt."""
    key = ""
    found: dict[str, bytes] = {}
    with open_regular(path) as f:
        size = os.fstat(f.fileno()).st_size
        for name, _, length in _tar.members(f, size):
            stem, _, suffix = name.rpartition("/")[2].partition(".")
            own = name[:len(name) - len(suffix)]
            if own != key:
                if sample := _sample(found):
                    yield sample
                key, found = own, {}
            suffix = suffix.lower()
            if stem and (suffix == LABEL or (suffix in PICTURES and pictures)):
                found[suffix] = _tar.payload(f, length)
            elif suffix in PICTURES:
                found[suffix] = b""
    if sample := _sample(found):
        yield sample


def _sample(found: dict[str, bytes]) -> Encoded | None:
    """A picture and its label, -1 for an invalid one; None where there is no such pair."""
    picture = next((found[s] for s in PICTURES if s in found), None)
    if picture is None or LABEL not in found:
        return None
    text = found[LABEL].strip()
    return picture, int(text) if re.fullmatch(rb"[0-9]{1,9}", text) else -1


def _shuffled(samples: Iterator[Encoded], size: int, rng: random.Random) -> Iterator[Encoded]:
    """The samples, each drawn from among `size` waiting ones."""
    waiting: list[Encoded] = []
    for sample in samples:
        if len(waiting) < size:
            waiting.append(sample)
            continue
        at = rng.randrange(size)
        waiting[at], sample = sample, waiting[at]
        yield sample
    rng.shuffle(waiting)
    yield from waiting
