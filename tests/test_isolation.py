# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The gate that takes each check out alone, and the readers with another grammar.

The gate itself is `make mutants`; here it meets programs small enough for `make test`.
"""

import json
import shutil

import pytest

from efm3 import mirror
from efm3.conformance.cases import corpus, parse
from efm3.scan import scan
from tools.mutants import _isolated, _source, _switches, isolation
from tools.mutants._grammar import Grammar
from tools.mutants._source import Check

CASES = {c.id: c for c in corpus()}
SOURCE = '''
class Refused(Exception): pass

def need(ok, why):
    if not ok: raise Refused(why)

def inner(data):
    need(data != b"inner", "T014: inner")

def read(data, level):
    inner(data)
    need(1 <= len(data) <= 4 and data[:1] == b"E", "C002: no letter")
    if data == b"Ex" or data == b"Ey": raise Refused("C003: two")
    try:
        data.decode("ascii")
    except UnicodeDecodeError:
        raise Refused("M003: no ASCII")
'''


def mirrors():
    """The mirror's text of each fourth case that has one, and of those on its grammar."""
    for case in [*corpus()[::4], *(CASES[i] for i in _switches.STRICT.values())]:
        if case.kind == "reader" and not case.either:
            text = scan(case.data()).mirror
            if text is not None:
                yield case, bytes(text)


def no(why):
    return ValueError(why)


def test_the_parser_without_a_switch_is_the_mirrors_grammar():
    for case, text in mirrors():
        try:
            want = mirror.parse(text)
        except mirror.MirrorProblem:
            with pytest.raises(ValueError):
                Grammar("", no).parse(text)
        else:
            assert Grammar("", no).parse(text) == want, case.id


def test_switches_that_overlap_are_found(monkeypatch):
    own = ["leading zero", "plus", "depth 17", "depth of each kind", "after: tab"]
    monkeypatch.setattr(isolation, "LENIENT", {s: _switches.LENIENT[s] for s in own})
    assert list(isolation.overlaps()) == []
    monkeypatch.setitem(isolation.LENIENT, "point last", _switches.LENIENT["plus"])
    assert list(isolation.overlaps()) == [
        ("plus", "bad-m011-alone-plus"), ("point last", "bad-m011-alone-plus")]


def test_the_checks_of_python_are_its_conditions():
    _, checks = _source.python(SOURCE, "x")
    assert checks == [
        Check("inner", "data != b'inner'", "T014"), Check("read", "1 <= len(data)", "C002"),
        Check("read", "len(data) <= 4", "C002"), Check("read", "data[:1] == b'E'", "C002"),
        Check("read", "not (data == b'Ex')", "C003"), Check("read", "not (data == b'Ey')", "C003"),
        Check("read", "raise Refused('M003: no ASCII')", "M003")]


def test_a_check_that_is_off_holds_and_one_that_refuses_is_noted():
    program = _isolated.Switched()
    own = program.hooks()
    code, program.checks = _source.python(SOURCE, "x")
    exec(code, own)
    program.refused = (own["Refused"],)
    program.ask = lambda case, level: own["read"](case, level)
    for data, check in ((b"inner", 0), (b"", 1), (b"Elong", 2), (b"fo", 3), (b"Ex", 4), (b"Ey", 5),
                        (b"E\xff", 6)):
        assert program.run([data], -1, "") == [_isolated.Did("refused", check)]
    assert program.run([b"fo", b"Ex"], 3, "") == [("accepted", 3), ("refused", 4)]
    assert program.run([b"inner"], 0, "") == [("refused", 2)]
    assert program.run([b"E", 7], 0, "") == [("accepted", -1), ("broken", -1)]


def test_the_checks_of_braces_are_its_conditions():
    text, checks = _source.braces('''function need(ok, why) {
  if (!ok) throw new Refused(why);
}
function read(data) { // need(comment, "C001")
  need(data[0] === '(' && f(data, ")") , `C002: ${data}`);
  const a = token(/[)&"]/y) || syntax();
  if (data[at++] !== 3) syntax();
    throw new Refused('M003: x');
}
''')
    assert checks == [
        Check("read", "data[0] === '('", "C002"), Check("read", 'f(data, ")")', "C002"),
        Check("read", 'token(/[)&"]/y) || syntax()', ""), Check("read", "data[at++] !== 3", ""),
        Check("read", "throw new Refused('M003: x');", "M003")]
    assert "need((_saw(0, data[0] === '(') || _off(0))&&(_saw(1, f(data," in text
    assert "|| _saw(2, false) || _off(2) || syntax();" in text
    assert "if (!(_saw(3, !(data[at++] !== 3)) || _off(3))) syntax();" in text


SMALL = [parse(t, f"x-{i}", "invalid") for i, t in enumerate((
    'about = "a"\ntests = ["T014"]\nbase = "empty"\n'
    'patch = [{ op = "content", text = "EFM3" }]\nfindings = [{ code = "C004" }]',
    'about = "a"\ntests = ["T014"]\npatch = [{ op = "insert", at = "end", hex = "00" }]\n'
    'findings = [{ code = "T014" }]'))]


@pytest.mark.parametrize("program", [
    lambda: _isolated.Scaffold("reader"),
    pytest.param(lambda: _isolated.JavaScript(), marks=pytest.mark.skipif(
        shutil.which("node") is None, reason="no Node")),
    pytest.param(lambda: _isolated.C(), marks=pytest.mark.skipif(
        shutil.which("cc") is None, reason="no C compiler"))])
def test_a_scaffold_without_a_check_is_seen(program, monkeypatch):
    monkeypatch.setattr(isolation, "cases_of", lambda _: SMALL)
    one = program()
    rows = {s.check: s for s in isolation.seen(one)}
    one.close()
    end = next(s for s in rows.values() if s.code == "T014")
    assert end.cases == ("x-1",) and end.wrong == "" and not end.why
    short = next(s for s in rows.values() if s.code == "C004")
    assert short.cases == () and short.why and short.wrong == ""
    version = next(s for s in rows.values() if s.code == "C003")
    assert version.wrong == "not isolated"


def test_a_case_that_a_program_gets_wrong_as_it_stands_ends_the_run(monkeypatch):
    monkeypatch.setattr(isolation, "cases_of", lambda _: [CASES["valid-sample"], *SMALL])
    program = _isolated.Rules("structure")
    assert {c.code for c in program.checks} >= {"C002", "T014"}
    assert [s.cases for s in isolation.seen(program) if s.code == "T014"] == [("x-1",)]
    lax = parse('about = "a"\ntests = ["T014"]\nfindings = [{ code = "T014" }]', "x-2", "invalid")
    monkeypatch.setattr(isolation, "cases_of", lambda _: [lax])
    with pytest.raises(RuntimeError, match="x-2"):
        list(isolation.seen(program))


@pytest.mark.parametrize("kind", ["writer", "editor"])
def test_writers_and_editors_are_asked_by_their_cases(kind, monkeypatch):
    few = [c for c in corpus() if c.kind == kind and c.negative][::2]
    monkeypatch.setattr(isolation, "cases_of", lambda _: few)
    program = _isolated.Scaffold(kind)
    found = list(isolation.seen(program))
    assert {i for s in found for i in s.cases} <= {c.id for c in few if c.negative}
    assert any(s.cases for s in found)
    assert json.dumps(isolation.document(found, [])["checks"][0])


def test_what_is_listed_is_there(monkeypatch):
    monkeypatch.setattr(isolation.planted, "MUTANTS", ())
    names = {f.code: f for f in isolation.by_code([]) if f.why}
    assert names["C010"].why and not names["C010"].cases
    for row in isolation.listed()["check"]:
        assert row["why"] and row["checks"] and row["programs"]
    assert isolation.is_listed("f: refuse(1)", "f: refuse(...")
    assert not isolation.is_listed("f: refuse(1)", "f: refuse(")
    seen = [isolation.Seen("reader.c", "read_arch: a.n_stages <= 8", "", (), 0, "")]
    assert "read_arch: blocks <= 256" in isolation.gone(seen)
    assert not {seen[0].check, "write: wide <= 65535"} & {*isolation.gone(seen)}
    lines = list(isolation.text([isolation.Seen("p", "c", "", (), 3, "")], [
        isolation.Row("T001", ("a", "b", "c", "d", "e"), ""), isolation.Row("T002", (), "")]))
    assert lines == ["p: c: not isolated (3 cases end it)", "T001: a, b, c, d and 1 more",
                     "T002: not isolated", "p: 1 checks, 0 isolated, 0 listed"]
