# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What each class is asked for a case, and whether the answer is correct."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from efm3 import mirror as mirrors
from efm3 import places
from efm3.codes import LEVELS
from efm3.conformance import document
from efm3.conformance.cases import Case, writer_arch
from efm3.conformance.results import Answer, Outcome
from efm3.conformance.subject import Subject
from efm3.scan import scan

Judge = Callable[[Case, Subject, str], Outcome]


def outcome(case: Case, verdict: str, detail: str = "") -> Outcome:
    """An outcome of this case."""
    return Outcome(case.id, verdict, case.about, case.tests, case.level, detail)


def unwanted(case: Case, answer: Answer) -> Outcome | None:
    """The outcome of a broken answer, or of a refusal where an answer is due; else None."""
    if answer.kind == "broken":
        return outcome(case, "broken", answer.reason)
    if answer.kind == "refused":
        return outcome(case, "fail", f"refused, but it is right: {answer.reason or 'no reason'}")
    return None


def reader(case: Case, subject: Subject, level: str) -> Outcome:
    """A file: accepted with the right document, or refused, as the level requires."""
    data = case.data()
    answer = subject.read(data, level)
    if answer.kind == "broken":
        return outcome(case, "broken", answer.reason)
    valid = case.valid(level)
    if answer.kind == "refused":
        return (outcome(case, "pass") if case.either or not valid
                else unwanted(case, answer) or outcome(case, "fail"))
    if not valid:
        return outcome(case, "fail", f"accepted, but {reason(case, level)}")
    if answer.value is None:
        return outcome(case, "pass")
    wrong = document.difference(document.document(data, level), answer.value)
    return outcome(case, "fail" if wrong else "pass", wrong)


def reason(case: Case, level: str) -> str:
    """Why a file must be refused, by its first finding of that level."""
    from efm3.rules import load_rules

    rules = load_rules()
    for f in case.findings:
        r = rules[f.code]
        if r.severity == "error" and LEVELS.index(r.level) <= LEVELS.index(level):
            at = "" if f.offset is None else f" (byte {f.offset}, {f.length} long)"
            return f"{f.code}: {r.what[0].lower()}{r.what[1:].rstrip('.')}{at}"
    return "it breaks a rule"


def writer(case: Case, subject: Subject, level: str) -> Outcome:
    """An arch and its tensors: the canonical bytes, or a refusal that leaves no file."""
    from efm3.conformance.faults import tensors_of

    answer = subject.write(writer_arch(case), tensors_of(case))
    if case.negative:
        return _refusal(case, answer)
    bad = unwanted(case, answer)
    if bad is not None:
        return bad
    want = case.data()
    return outcome(case, "pass") if answer.value == want else outcome(
        case, "fail", first_difference(want, answer.value))


def _refusal(case: Case, answer: Answer) -> Outcome:
    if answer.kind == "broken":
        return outcome(case, "broken", answer.reason)
    if answer.kind == "ok":
        return outcome(case, "fail", "accepted, but it must be refused")
    return outcome(case, "fail", "refused, but a file was left") if answer.value \
        else outcome(case, "pass")


def first_difference(want: bytes, have: bytes) -> str:
    """The first byte in which a file differs from the right one, in the words of the format."""
    at = next((i for i, (a, b) in enumerate(zip(want, have, strict=False)) if a != b),
              min(len(want), len(have)))
    if at == len(want) == len(have):
        return ""
    sizes = "" if len(want) == len(have) else f"; {len(have)} bytes, not {len(want)}"
    if at == len(want):
        return f"bytes follow the last tensor at byte {at}{sizes}"
    place = places.describe(scan(want), at)
    name, start = place["field"], place["start"]
    if place["tensor"]:
        index = ",".join(map(str, place["index"] or ()))
        name, start = f"{place['tensor']}[{index}]", at - (place["byte"] or 0)
    if at == len(have):
        return f"the file ends at byte {at}, in {name}{sizes}"
    if name == "json":
        near = max(at - 8, start)
        return (f"byte {at}, in the mirror: found {mirrors.shown(text(have[near:at + 24]))}, "
                f"expected {mirrors.shown(text(want[near:at + 24]))}{sizes}")
    length = 4 if place["tensor"] else min(place["length"], 8)
    found, expected = have[start:start + length], want[start:start + length]
    return (f"byte {at}, in {name} ({place['doc']}): found {found.hex(' ')}, "
            f"expected {expected.hex(' ')}{_guess(found, expected, bool(place['tensor']))}{sizes}")


def text(raw: bytes) -> str:
    """Bytes as text for a message."""
    return raw.decode("utf-8", "backslashreplace")


def _guess(found: bytes, expected: bytes, is_float: bool) -> str:
    if found == expected[::-1]:
        return ": the byte order is reversed"
    if not is_float and int.from_bytes(found, "little") * 4 == int.from_bytes(expected, "little"):
        return ": the number of values, not of bytes"
    return ""


def editor(case: Case, subject: Subject, level: str) -> Outcome:
    """A file and a change: that change and no other, or a refusal."""
    data, change = case.data(), case.recipe["edit"]
    answer = subject.edit(data, change)
    if case.negative:
        return _refusal(case, answer)
    bad = unwanted(case, answer)
    if bad is not None:
        return bad
    wrong = edited_wrongly(data, answer.value, change)
    return outcome(case, "fail" if wrong else "pass", wrong)


def edited_wrongly(data: bytes, new: bytes, change: dict[str, Any]) -> str:
    """What is wrong with an edited file, or ""."""
    from efm3.conformance.recipe import patch
    from efm3.validator import validate

    report = validate(new, "coherence")
    if not report.ok:
        return f"the new file is invalid: {report.at_least('error')[0]}"
    if new[:88] != data[:88]:
        return first_difference(data[:88] + new[88:], new)
    want = data
    for v in change.get("values", ()):
        want = patch(want, {"op": "values", "tensor": v["tensor"], "at": v["at"],
                            "values": [v["value"]]})
    a, b = scan(want), scan(new)
    if want[a.table_offset:] != new[b.table_offset:]:
        return first_difference(new[:b.table_offset] + want[a.table_offset:], new)
    old, have = (mirrors.parse(bytes(s.mirror or b"")) for s in (scan(data), b))
    meta = (old.get("meta") or {}) | change.get("meta", {})
    expected = old | ({"meta": meta} if meta else {})
    for m in (expected, have):  # a correct digest or none is fine; a wrong one is invalid
        if "meta" in m:
            m["meta"] = {k: v for k, v in m["meta"].items() if k != "sha256"}
            if not m["meta"]:
                del m["meta"]
    return document.difference(document.tagged(expected), document.tagged(have), "json.")


def timed(judge: Judge, case: Case, subject: Subject, level: str) -> Outcome:
    """The judge's outcome with the seconds it took."""
    start = time.perf_counter()
    found = judge(case, subject, level)
    return replace(found, seconds=time.perf_counter() - start)
