# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The catalogue: each code once, whole, raised somewhere, met in a test, and stated in C alike."""

import ast
import re
from pathlib import Path

import pytest

from efm3 import Efm3Error, codes
from efm3.codes import CODES, GROUPS, LEVELS, RULE_GROUPS, near
from efm3.conformance.cases import corpus
from efm3.findings import SEVERITIES, error, refuse

ROOT = Path(__file__).resolve().parent.parent
CODE = re.compile(r"[BCHMTVPRWDEXFK]\d{3}|IO\d{3}|E_[A-Z_]+")
STATUS = dict(re.findall(r'^X\((E_\w+), -\d+, "(.*)"\)$',
                         (ROOT / "engine/src/status.def").read_text(encoding="utf-8"), re.M))


def strings(folder):
    """(file, text) of every string of the Python files below a folder."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        if path.parent.name != "codes":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield path, node.value


def raised():
    """Codes that the suite's sources name, each with the first file that does."""
    out = {}
    for path, text in strings("efm3"):
        if CODE.fullmatch(text):
            out.setdefault(text, path)
    return out | dict.fromkeys(STATUS, ROOT / "engine/src/status.def")


def test_each_stands_once_and_is_whole():
    rows = [c.code for c in codes._rows()]
    assert len(rows) == len(set(rows)) == len(CODES)
    for c in CODES.values():
        assert CODE.fullmatch(c.code) and c.group in GROUPS and c.severity in SEVERITIES
        assert c.what and c.why.endswith(".") and c.fix and not c.fix.endswith("."), c.code
        assert c.sentence.endswith("."), c.code
        assert (c.level in LEVELS) == (c.group in RULE_GROUPS), c.code
        assert bool(c.example) == (c.group in RULE_GROUPS), c.code
        assert bool(c.clause) == (c.group in (*RULE_GROUPS, "programs")), c.code


def test_the_names_of_a_group_are_its_own():
    for group in GROUPS:
        own = [(c.level if group == "programs" else "", c.name)
               for c in CODES.values() if c.group == group]
        assert len(own) == len(set(own)), group


def test_the_statuses_are_those_of_the_c_source():
    own = {c.code: c.what for c in CODES.values() if c.group == "engine"}
    assert own == {name: f"{text[0].upper()}{text[1:]}." for name, text in STATUS.items()}


def test_no_code_is_named_that_is_not_listed():
    lost = {code: str(path) for code, path in raised().items() if code not in CODES}
    assert lost == {}


def test_every_listed_code_is_raised_somewhere():
    """A rule by its check (tests/rules), a requirement by its cases; the others by name."""
    others = {c.code for c in CODES.values() if c.group not in (*RULE_GROUPS, "programs")}
    assert others <= set(raised())


def test_every_listed_code_is_met_in_a_test():
    """By a case of the corpus, or by name in a test; C's statuses may be met in C's tests."""
    met = {code for case in corpus() for code in (
        *case.tests, *(f.code for f in case.findings), case.status)}
    by_file = {"R001", "R002", "E002"}  # what these ask for is each case's own verdict
    for path in (ROOT / "tests").rglob("test_*.py"):
        if path.name != "test_codes.py":
            met |= set(CODE.findall(path.read_text(encoding="utf-8")))
    for path in (ROOT / "engine" / "tests").glob("*.[ch]"):
        met |= set(re.findall(r"MFN_(E_\w+)", path.read_text(encoding="utf-8")))
    assert set(CODES) - met - by_file == set()


def test_a_refusal_has_the_catalogues_words():
    with pytest.raises(Efm3Error, match="X005 a at byte 3: b") as caught:
        refuse("X005", "b", "a", 1, 2, offset=3)
    f = caught.value.finding
    assert (f.found, f.expected, f.offset, f.hint) == ("1", "2", 3, CODES["X005"].fix)
    assert error("F021", found="x", expected="y").finding.message == "x; expected y"
    with pytest.raises(KeyError):
        error("X999", "no such code")


def test_foreign_text_in_a_refusal_is_bounded():
    f = error("X003", "m" * 9999, "p" * 9999, "f" * 9999, "e" * 9999).finding
    assert (len(f.message), len(f.path), len(f.found), len(f.expected)) == (600, 200, 200, 200)


@pytest.mark.parametrize("word,likely", [
    ("x5", "X005"), ("X05", "X005"), ("t12", "T012"), ("truncated", "E_TRUNCATED"),
    ("MFN_E_HEADER", "E_HEADER"), ("", None), ("9" * 400, None), ("\x00", None)])
def test_near(word, likely):
    found = near(word)
    assert (found[0] if found else None) == likely and len(found) <= 4
