# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Judges: what passes, what fails, and in which words."""

import pytest

from efm3.conformance import cases, judge, sample
from efm3.conformance.builtin import Own
from efm3.conformance.document import document
from efm3.conformance.results import Answer
from efm3.conformance.subject import Subject

CASES = {c.id: c for c in cases.corpus()}
BASE = sample.base()


class Fixed(Subject):
    """A subject that always gives one answer."""

    def __init__(self, kind, value=None, reason=""):
        super().__init__()
        self.answer = Answer(kind, reason, value)

    def read(self, data, level):
        return self.answer

    def write(self, arch, tensors):
        return self.answer

    def edit(self, data, change):
        return self.answer


REFUSES, BREAKS = Fixed("refused", "", "no"), Fixed("broken", reason="crash")


@pytest.mark.parametrize("case,subject,verdict", [
    ("valid-sample", Fixed("ok", document(BASE)), "pass"), ("valid-sample", REFUSES, "fail"),
    ("valid-sample", Fixed("ok", {}), "fail"), ("valid-sample", Fixed("ok"), "pass"),
    ("bad-c002-elf", REFUSES, "pass"), ("bad-c002-elf", Fixed("ok", {}), "fail"),
    ("bad-c002-elf", BREAKS, "broken"), ("valid-sample", BREAKS, "broken"),
    ("bad-m005-same-value", REFUSES, "fail"), ("either-long-key", REFUSES, "pass"),
    ("either-long-key", BREAKS, "broken"), ("either-long-key", Fixed("ok", {}), "fail")])
def test_reader_at_level_structure(case, subject, verdict):
    assert judge.reader(CASES[case], subject, "structure").verdict == verdict


def test_a_file_of_a_higher_level_is_refused_at_that_level_only():
    case = CASES["bad-m005-same-value"]
    assert judge.reader(case, Own(), "structure").verdict == "pass"
    found = judge.reader(case, Fixed("ok", {}), "coherence")
    assert found.verdict == "fail" and "M005" in found.detail and "byte" in found.detail


@pytest.mark.parametrize("case,subject,verdict", [
    ("write-plain", Own(), "pass"), ("write-plain", REFUSES, "fail"),
    ("write-plain", BREAKS, "broken"), ("write-plain", Fixed("ok", b"EFM3"), "fail"),
    ("write-refuse-missing", REFUSES, "pass"), ("write-refuse-missing", Fixed("ok", b""), "fail"),
    ("write-refuse-missing", Fixed("refused", "a file was left"), "fail"),
    ("write-refuse-missing", BREAKS, "broken")])
def test_writer(case, subject, verdict):
    assert judge.writer(CASES[case], subject, "").verdict == verdict


def test_a_writers_mirror_is_told_by_its_text():
    case = CASES["write-width-tenth"]
    longer = sample.text(lambda t: t.replace(b"0.1,", b"0.10,"))(case.data())
    assert "width_mult: found 0.10, expected 0.1" in judge.writer(
        case, Fixed("ok", longer), "").detail


@pytest.mark.parametrize("case,subject,verdict", [
    ("write-either-f64", REFUSES, "pass"), ("write-either-f64", Own(), "pass"),
    ("write-either-f64", Fixed("refused", "a file was left"), "fail"),
    ("write-either-f64", BREAKS, "broken"),
    ("write-either-f64", Fixed("ok", b"EFM3"), "fail")])
def test_a_writer_may_refuse_or_be_right(case, subject, verdict):
    assert judge.writer(CASES[case], subject, "").verdict == verdict


def edit(case, data):
    return judge.editor(CASES[case], Fixed("ok", data), "")


def test_editor():
    case = CASES["edit-meta-kept"]
    data = case.data()
    assert judge.editor(case, Own(), "").verdict == "pass"
    assert edit("edit-meta-kept", data).verdict == "fail"
    assert edit("edit-meta-kept", data[:-1]).verdict == "fail"
    assert judge.editor(case, REFUSES, "").verdict == "fail"
    assert judge.editor(CASES["edit-refuse-digest"], REFUSES, "").verdict == "pass"
    right = Own().edit(data, cases.edit_text(case)).value
    assert "not integer" not in edit("edit-meta-kept", right).detail
    other = bytearray(right)
    other[-1] ^= 1
    found = edit("edit-meta-kept", bytes(other))
    assert found.verdict == "fail" and "embed_proj.bn.var" in found.detail
    header = bytearray(right)
    header[10] = 5
    assert edit("edit-meta-kept", bytes(header)).verdict == "fail"


@pytest.mark.parametrize("case,old,new,words", [
    ("edit-integer-kept-2-64", b"18446744073709551615", b"18446744073709551616",
     "json.build: found integer '18446744073709551616', expected integer '18446744073709551615'"),
    ("edit-integer-kept-20-digits", b"99999999999999999999", b"1e20", "json.build: found"),
    ("edit-number-kept-negative-zero", b"-0.0", b"0.0", "json.build: found number '0.0'"),
    ("edit-meta-null", b'"a":null', b'"a":""', "json.meta.a: found string"),
    ("edit-meta-null", b'"a":null', b'"b":null', "json.meta.a is missing"),
    ("edit-bits-nan-payload", b"\x34\x12\xc0\x7f", b"\0\0\xc0\x7f", "stem.bn.b[0]")])
def test_what_is_wrong_with_an_edit_is_told_with_both_sides(case, old, new, words):
    right = Own().edit(CASES[case].data(), cases.edit_text(CASES[case])).value
    assert edit(case, right).verdict == "pass" and old in right
    wrong = right.replace(old, new, 1) if len(old) == len(new) else sample.text(
        lambda t: t.replace(old, new))(right)
    assert words in edit(case, wrong).detail


def test_a_refused_edit_leaves_no_file():
    for case in ("edit-refuse-index-count", "edit-refuse-picture-unknown"):
        assert judge.editor(CASES[case], Fixed("refused", "a file was left"), "").verdict == "fail"
        assert judge.editor(CASES[case], REFUSES, "").verdict == "pass"
    either = CASES["edit-either-mirror-grows"]
    assert judge.editor(either, REFUSES, "").verdict == "pass"
    assert judge.editor(either, Fixed("ok", either.data()), "").verdict == "fail"


def test_a_dropped_digest_is_as_good_as_a_right_one():
    case = CASES["edit-sealed"]
    bare = sample.with_mirror(lambda m: m | {"meta": {"description": "edited"}})(sample.base())
    assert judge.editor(case, Fixed("ok", bare), "").verdict == "pass"


def test_timed_adds_seconds():
    found = judge.timed(judge.reader, CASES["valid-sample"], Own(), "structure")
    assert found.verdict == "pass" and 0 < found.seconds < 10
