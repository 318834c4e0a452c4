# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Source to Report: read, scan, run the rules."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from efm3 import rules
from efm3.findings import Report
from efm3.reading import scan_of
from efm3.source import Source, Unreadable, name_of, path_of


def validate(source: Source, level: str = "values", *, select: Iterable[str] = (),
             ignore: Iterable[str] = ()) -> Report:
    """Check a source up to `level` (structure, coherence or values).

    Any bytes give a Report; one that cannot be read gives a Report whose
    `unreadable` says why. `select` and `ignore` are prefixes of rule codes.
    """
    rules.check_level(level)
    name = name_of(source)
    try:
        scanned = scan_of(source)
    except Unreadable as e:
        return Report(name, 0, level, [], str(e))
    found = rules.run(scanned, level, tuple(select), tuple(ignore), path_of(source))
    return Report(name, scanned.size, level, found)


SUFFIXES = (".bin", ".efm3")


def expand(paths: Iterable[str]) -> Iterator[str]:
    """The paths, folders replaced by the .bin and .efm3 files below them (capitals too), sorted.
    """
    for path in paths:
        if path == "-" or not os.path.isdir(path):
            yield path
            continue
        for folder, inner, files in os.walk(path):
            inner.sort()
            yield from (os.path.join(folder, f) for f in sorted(files)
                       if f.lower().endswith(SUFFIXES))
