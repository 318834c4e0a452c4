# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What each class is asked for a case, and whether the answer is correct."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.codes import LEVELS
from efm3.conformance import document, editing
from efm3.conformance.cases import Case, edit_text, writer_text
from efm3.conformance.differing import first_difference
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

    answer = subject.write(writer_text(case), tensors_of(case))
    if case.negative or (case.either and answer.kind == "refused"):
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
    return outcome(case, "fail", f"refused, but {answer.value}") if answer.value \
        else outcome(case, "pass")


def editor(case: Case, subject: Subject, level: str) -> Outcome:
    """A file and a change: that change and no other, or a refusal."""
    data, change = case.data(), edit_text(case)
    answer = subject.edit(data, change)
    if case.negative or (case.either and answer.kind == "refused"):
        return _refusal(case, answer)
    bad = unwanted(case, answer)
    if bad is not None:
        return bad
    wrong = edited_wrongly(data, answer.value, change)
    return outcome(case, "fail" if wrong else "pass", wrong)


def edited_wrongly(data: bytes, new: bytes, change: str) -> str:
    """What is wrong with an edited file, or ""; `change` is the text of the edit."""
    from efm3.validator import validate

    report = validate(new, "coherence")
    if not report.ok:
        return f"the new file is invalid: {report.at_least('error')[0]}"
    end = fmt.FIELDS["json_len"].offset
    if new[:end] != data[:end]:
        return first_difference(data[:end] + new[end:], new)
    before, after, asked = scan(data), scan(new), editing.change_of(change)
    want = new[:after.table_offset] + editing.table_of(before, asked["values"])
    if want != new:
        return first_difference(want, new)
    expected = editing.mirror_of(before, asked["meta"])
    have = mirrors.parse(bytes(after.mirror or b""))
    for m in (expected, have):  # a correct digest or none is fine; a wrong one is invalid
        if fmt.META_KEY in m:
            m[fmt.META_KEY] = {k: v for k, v in m[fmt.META_KEY].items() if k != "sha256"}
            if not m[fmt.META_KEY]:
                del m[fmt.META_KEY]
    return document.difference(document.tagged(expected), document.tagged(have), "json.",
                               exact=True)


def timed(judge: Judge, case: Case, subject: Subject, level: str) -> Outcome:
    """The judge's outcome with the seconds it took."""
    start = time.perf_counter()
    found = judge(case, subject, level)
    return replace(found, seconds=time.perf_counter() - start)
