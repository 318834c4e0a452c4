# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Statements that no run was needed for, true of this kit's set, and hostile texts in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from efm3.conformance.cases import digest_of
from efm3.conformance.results import VERDICTS
from efm3.conformance.runner import cases_of, set_digest
from efm3.conformance.statement import LISTED

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "quotes": "\"'><img src=x onerror=alert(1)>",
    "cell": "a | b\n| c |\r\n```\n# big",
    "link": "[x](javascript:alert(1)) https://example.org/ www.example.org @someone a@example.org",
    "marks": "`code` *strong* _soft_ ~~gone~~ \\ & &amp; &lt; <!-- --> ![i](j)",
    "bidi": "\u202eevil\u202c \u2066x\u2069 \u200f",
    "controls": "\x01\x1b[31m\x7f\x85\u2028 \ufffe \ud800",
    "long": "n" * 500,
    "wide": "漢字" * 100,
}
"""Names that a statement may hold and no page may obey."""


def claim(subject: str, level: str = "", precision: str = "", selected: tuple[str, ...] = (),
          **cases: list[str]) -> dict[str, Any]:
    """The claim that all cases passed but those named by verdict."""
    all_cases = cases_of(subject, selected)
    listed = {v: sorted(cases.get(v, ())) for v in LISTED}
    verdict = {i: v for v, ids in listed.items() for i in ids}

    def counts(level: str) -> dict[str, int]:
        own = [verdict.get(c.id, "pass") for c in all_cases if c.level == level]
        return {"total": len(own)} | {v: own.count(v) for v in VERDICTS}
    must, should = counts("MUST"), counts("SHOULD")
    ok = not any(must[v] for v in LISTED if v != "known") and not should["broken"] + \
        should["unexpected"]
    return {"class": subject, "level": level or ("structure" if subject == "reader" else ""),
            "precision": precision or ("f32" if subject == "engine" else ""), "ok": ok,
            "complete": not selected, "selected": list(selected), "cases": listed,
            "must": must, "should": should}


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """The statement with the digest of what it holds, as a forger would compute it."""
    own = {k: v for k, v in value.items() if k != "digest"}
    return own | {"digest": digest_of(own)}


def stated(*claims: dict[str, Any], name: str = "mine", version: str = "1.0", language: str = "",
           **changed: Any) -> dict[str, Any]:
    """A statement of these claims; `changed` replaces members."""
    about = {"name": name, "version": version} | ({"language": language} if language else {})
    return sealed({"statement_version": 2, "kit": "0.1.0", "set": set_digest(),
                   "implementation": about, "claims": list(claims)} | changed)


def version_1(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same statement as version 1 stated it."""
    claims = []
    for c in value["claims"]:
        old = {k: v for k, v in c.items() if k not in ("cases", "selected")}
        claims.append(old | {"known_failures": c["cases"]["known"]})
    return sealed(dict(value) | {"statement_version": 1, "claims": claims})
