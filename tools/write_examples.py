#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Write each rule's example file into a folder: write_examples.py FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from efm3.examples import EXAMPLES, example


def main(folder: Path) -> None:
    """One file a rule, named after it."""
    folder.mkdir(parents=True, exist_ok=True)
    for code in EXAMPLES:
        (folder / f"{code}.bin").write_bytes(example(code)[1])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: write_examples.py FOLDER")
    main(Path(sys.argv[1]))
