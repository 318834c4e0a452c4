# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ImageFolder trees: one folder per identity, its pictures anywhere below."""

from __future__ import annotations

import os

import numpy as np

from efm3.drawn import spec as specs
from efm3.findings import refuse
from efm3.source import Unreadable, open_regular
from efm3.train.data._source import MAX_BYTES, Corrupt, Sample, Source, tensor_of

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm")


class FolderSource(Source):
    """`path/IDENTITY/**/PICTURE`; identities are numbered in the order of their sorted names.

    Folders without a picture are skipped.
    """

    def __init__(self, path: str, side: int) -> None:
        if not os.path.isdir(path):
            refuse("F020", path=path, found="no folder",
                   expected="a folder with one folder per identity")
        names: list[bytes] = []
        labels: list[int] = []
        self.identities: list[str] = []
        for identity in sorted(e.name for e in os.scandir(path) if e.is_dir()):
            files = _pictures(os.path.join(path, identity))
            if files:
                labels += [len(self.identities)] * len(files)
                names += [os.fsencode(os.path.relpath(f, path)) for f in files]
                self.identities.append(identity)
        if not names:
            refuse("F020", path=path, found=f"no {', '.join(SUFFIXES)} in any folder of it",
                   expected="a folder with one folder per identity")
        super().__init__(path, len(self.identities))
        self.facts = specs.read_facts(path)
        self._side, self._labels = side, np.array(labels)
        # One array of bytes, not millions of strings: counting references to these would make a
        # worker process copy the memory that it shares with its parent.
        self._names = np.frombuffer(b"".join(names), np.uint8)
        self._ends = np.cumsum([len(n) for n in names])

    def __len__(self) -> int:
        return len(self._labels)

    def path_of(self, index: int) -> str:
        """The file of sample `index`."""
        start = self._ends[index - 1] if index else 0
        return os.path.join(self.name,
                            os.fsdecode(self._names[start:self._ends[index]].tobytes()))

    def load(self, index: int) -> Sample:
        try:
            with open_regular(self.path_of(index)) as f:
                data = f.read(MAX_BYTES + 1)
        except (Unreadable, OSError) as e:
            raise Corrupt(str(e)) from None
        return tensor_of(data, self._side), int(self._labels[index])


def _pictures(folder: str) -> list[str]:
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder)
                  for name in names if name.lower().endswith(SUFFIXES))
