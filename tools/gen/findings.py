# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Write tests/data/findings.jsonl: the words of every finding of the corpus, a line for each.

The corpus itself freezes rule and place; this freezes what a person reads. `--check` compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import efm3
from efm3.conformance.cases import corpus
from tools.words import PATH, lines


def now() -> Iterator[str]:
    """The lines as the suite gives them now."""
    for case in corpus():
        if case.kind == "reader":
            yield from lines(case.id, efm3.validate(case.data()).findings)


def main(check: bool) -> int:
    """Write or compare; returns 1 where the file is stale."""
    text = "".join(f"{line}\n" for line in now())
    stale = not PATH.exists() or PATH.read_text(encoding="ascii") != text
    if stale:
        print(f"{PATH.name}: {'not what the suite says' if check else 'written'}")
        if not check:
            PATH.write_text(text, encoding="ascii")
    return int(stale and check)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
