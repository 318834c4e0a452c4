# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Write tests/data/findings.jsonl: the words of every finding of the corpus, a line for each.

The corpus itself freezes rule and place; this freezes what a person reads. `--check` compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import efm3
from efm3.conformance.cases import corpus
from efm3.findings import Finding
from tools import ROOT

PATH = ROOT / "tests" / "data" / "findings.jsonl"


def lines(case: str, findings: list[Finding]) -> list[str]:
    """A case's findings as JSON texts: rule, place, path, message, found, expected."""
    return [json.dumps([case, f.code, f.offset, f.length, f.path, f.message, f.found, f.expected])
            for f in findings]


def now() -> Iterator[str]:
    """The lines as the suite gives them now."""
    for case in corpus():
        if case.kind == "reader":
            yield from lines(case.id, efm3.validate(case.data()).findings)


def frozen() -> dict[str, list[str]]:
    """Case to its lines in the file; a case without findings is not there."""
    out: dict[str, list[str]] = {}
    for line in PATH.read_text(encoding="ascii").splitlines():
        out.setdefault(json.loads(line)[0], []).append(line)
    return out


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
