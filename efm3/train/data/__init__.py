# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Training data: one `open_data` for every kind of source.

    a folder            an ImageFolder tree, or a cache (images.npy, labels.npy)
    FILE.rec            InsightFace's format, with FILE.idx beside it
    FILES.tar           WebDataset shards: a name, a glob, or a range {000..099}
    synth:SEED:N:SHOTS  drawn identities

What cannot be used at all raises Efm3Error: F020 no such data, F021 a damaged .rec, F022 a
damaged .idx, F023 damaged shards, F024 a damaged cache, F025 nothing that can be decoded.
"""

from __future__ import annotations

import os

from efm3.drawn.spec import is_spec
from efm3.findings import refuse
from efm3.train.data._cache import CacheSource, SynthSource
from efm3.train.data._folder import FolderSource
from efm3.train.data._rec import RecSource
from efm3.train.data._shards import ShardStream
from efm3.train.data._source import (
    SIDE,
    Batch,
    Corrupt,
    Data,
    Sample,
    Source,
    Stream,
    collate,
)

__all__ = ["SIDE", "Batch", "Corrupt", "Data", "Sample", "Source", "Stream", "collate", "open_data"]


def open_data(spec: str, side: int = SIDE) -> Source | Stream:
    """The source that `spec` names, see this module. Raises Efm3Error."""
    try:
        if is_spec(spec):
            return SynthSource(spec, side)
        if os.path.exists(os.path.join(spec, "images.npy")):
            return CacheSource(spec, side)
        if spec.endswith(".rec"):
            return RecSource(spec, side)
        if spec.endswith(".tar"):
            return ShardStream(spec, side)
        return FolderSource(spec, side)
    except OSError as e:
        refuse("F020", path=spec, found=str(e), expected="data that can be read")
