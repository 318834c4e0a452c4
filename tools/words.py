# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""tests/data/findings.jsonl: what the suite says of each reader case, to the word."""

from __future__ import annotations

import json

from efm3.findings import Finding
from tools import ROOT

PATH = ROOT / "tests" / "data" / "findings.jsonl"


def lines(case: str, findings: list[Finding]) -> list[str]:
    """A case's findings as JSON texts: rule, place, path, message, found, expected."""
    return [json.dumps([case, f.code, f.offset, f.length, f.path, f.message, f.found, f.expected])
            for f in findings]


def frozen() -> dict[str, list[str]]:
    """Case to its lines in the file; a case without findings is not there."""
    out: dict[str, list[str]] = {}
    for line in PATH.read_text(encoding="ascii").splitlines():
        out.setdefault(json.loads(line)[0], []).append(line)
    return out
