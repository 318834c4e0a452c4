# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Statements: made of a run, read from hostile files, and every contradiction in them found."""

import copy
import io
import json

import pytest

import efm3
from efm3 import source
from efm3.conformance import results, runner, statement
from tests.statements import claim, sealed, stated, version_1


@pytest.fixture(scope="module")
def made():
    runs = [runner.run_all("writer", "@python"), runner.run_all("editor", "@python")]
    return statement.make(json.loads(results.as_json(runs)))


def codes(value):
    return [f.code for f in statement.problems(value)]


def words(value):
    return [c.words for c in statement.claims(value)]


def refused(call, *args):
    with pytest.raises(efm3.Efm3Error) as e:
        call(*args)
    return e.value


def test_a_statement_of_a_real_run_is_well_formed(made):
    assert codes(made) == [] and words(made) == ["Writer", "Editor"]
    assert made["set"] == runner.set_digest() and made["kit"] == efm3.__version__
    assert made == stated(claim("writer"), claim("editor"), name="efm3", version=efm3.__version__,
                          language="python")


def failing(value):
    value["claims"][0]["must"]["pass"] -= 1
    value["claims"][0]["must"]["fail"] += 1


@pytest.mark.parametrize("change,code", [
    (lambda s: s.update(set="0" * 64), "K007"),
    (lambda s: s["claims"][0].update(ok=False), "K010"),
    (lambda s: s["claims"][0]["must"].update(total=3), "K008"),
    (lambda s: s["claims"][0]["must"].update(total=3, **{"pass": 3}), "K009"),
    (failing, "K010"), (failing, "K008"),
    (lambda s: s["claims"][0]["cases"].update(known=["write-plain"]), "K008"),
    (lambda s: s["claims"][0].update(selected=["smoke"]), "K008"),
    (lambda s: s["claims"].append(s["claims"][0]), "K008"),
    (lambda s: s.pop("kit"), "K005"), (lambda s: s.update(extra=1), "K005"),
    (lambda s: s["claims"][0].update(level="structure"), "K005"),
    (lambda s: s["claims"][0].update(precision="f32"), "K005"),
    (lambda s: s["claims"][0].update({"class": "reader"}), "K005"),
    (lambda s: s["claims"][0]["cases"].update(fail=[7]), "K005"),
    (lambda s: s["claims"][0]["must"].update(total="3"), "K005"),
    (lambda s: s["claims"][0]["must"].update(fail=-1), "K005"),
    (lambda s: s["implementation"].update(name=""), "K005"),
    (lambda s: s["implementation"].update(name="n" * 501), "K005"),
    (lambda s: s["claims"].clear(), "K005")])
def test_a_contradiction_is_found(made, change, code):
    value = copy.deepcopy(made)
    change(value)
    assert code in codes(sealed(value))


def test_skipped_cases_are_no_claim():
    value = stated(claim("editor"))
    one = value["claims"][0]
    one["must"] |= {"pass": 0, "skipped": one["must"]["total"]}
    one["cases"]["skipped"] = [c.id for c in runner.cases_of("editor")]
    assert codes(sealed(value)) == ["K010"]


def test_what_it_names_are_cases_of_its_class_and_level():
    ids = [c.id for c in runner.cases_of("writer") if c.level == "MUST"]
    soft = next(c.id for c in runner.cases_of("writer") if c.level == "SHOULD")
    value = stated(claim("writer", fail=ids[:2], known=ids[2:3], broken=[soft]))
    assert codes(value) == []
    for listed, code in ((ids[:1], "K008"), ([ids[0], "no-case"], "K015"),
                         ([ids[0], ids[2]], "K008"), ([ids[0], soft], "K008")):
        value["claims"][0]["cases"]["fail"] = listed
        assert code in codes(sealed(value)), listed


def test_a_case_has_one_verdict():
    ids = [c.id for c in runner.cases_of("writer") if c.level == "MUST"]
    for listed in ({"fail": ids[:2], "broken": ids[1:2]}, {"known": [ids[0], ids[0]]}):
        value = stated(claim("writer", known=ids[:2]))
        value["claims"][0]["cases"] |= {"known": [], **listed}
        assert "K008" in codes(sealed(value))


def test_no_more_is_looked_at_than_a_statement_may_hold(monkeypatch):
    value = stated(claim("editor"))
    plain = 1 + sum(1 + (len(v) if k == "implementation" else 0) for k, v in value.items())
    (one,) = value["claims"]
    inner = 1 + sum(1 + (len(v) if isinstance(v, (dict, list)) else 0) for v in one.values())
    monkeypatch.setattr(statement, "MAX_VALUES", plain + inner)
    assert codes(value) == []
    monkeypatch.setattr(statement, "MAX_VALUES", plain + inner - 1)
    (found,) = statement.problems(value)
    assert found.code == "K005" and "values" in found.message


def test_a_change_after_the_seal_is_found(made):
    value = copy.deepcopy(made)
    value["implementation"]["name"] = "other"
    assert codes(value) == ["K006"]


@pytest.mark.parametrize("value", [None, [], 7, "x", {"statement_version": 99}, {},
                                   {"statement_version": 1}, {"statement_version": [1]}])
def test_what_is_no_statement(value):
    assert codes(value) == ["K005"]


def test_a_part_is_stated_as_a_part():
    run = runner.run_all("writer", "@python", ["smoke"])
    made = statement.make(json.loads(results.as_json([run])))
    assert codes(made) == [] and words(made) == ["Writer (part)"]
    made["claims"][0]["selected"] = ["write-*"]
    assert codes(sealed(made)) == ["K008", "K008"]


def test_words():
    ids = [c.id for c in runner.cases_of("reader") if c.level == "MUST"]
    assert words(stated(
        claim("reader", known=ids[:1]), claim("reader", "values", fail=ids[:1]),
        claim("engine", precision="fast", known=ids[:2]))) == [
            "Reader (1 known failure)", "not strict Reader (values)",
            "Engine fast (2 known failures)"]


def test_version_1_is_read(made):
    old = version_1(made)
    assert codes(old) == [] and words(old) == words(made)
    assert [c.named for c in statement.claims(old)] == [True, True]
    ids = [c.id for c in runner.cases_of("writer") if c.level == "MUST"]
    old = version_1(stated(claim("writer", fail=ids[:1], known=ids[1:2])))
    (one,) = statement.claims(old)
    assert codes(old) == [] and not one.named and one.cases["known"] == (ids[1],)
    assert not statement.claims(version_1(stated(claim("writer", selected=("smoke",)))))[0].named
    old["claims"][0]["known_failures"] = []
    assert codes(sealed(old)) == ["K008"]


@pytest.mark.parametrize("value,code", [
    ({}, "K002"), ({"run_version": 1, "runs": []}, "K002"),
    ({"run_version": 1, "runs": [1]}, "K002"),
    ({"run_version": 1, "runs": [{"implementation": {}}]}, "K002"),
    ({"run_version": 1, "runs": [{"implementation": {"name": "x"}, "efm3": "1", "set": [], "ok": 1,
                                  "class": "", "level": "", "precision": "", "selected": "",
                                  "outcomes": []}]}, "K002")])
def test_what_is_no_run(value, code):
    assert refused(statement.make, value).code == code


@pytest.mark.parametrize("change,words", [
    (lambda r: r.update(runs=[5]), "$.runs[0]: 5 is not of type 'object'"),
    (lambda r: r["runs"][0].pop("set"), "'set' is a required property"),
    (lambda r: r["runs"][0]["outcomes"][0].update(verdict="great"), "'great' is not one of"),
    (lambda r: r["runs"][0]["outcomes"][0].update(case="no\x1bcase"), "named 'no\\x1bcase'"),
    (lambda r: r["runs"][0]["outcomes"][0].update(case="edit-meta"), "'writer' is named"),
    (lambda r: r["runs"][0].update({"class": "painter"}), "class 'painter'"),
    (lambda r: r["runs"][0]["outcomes"].append(r["runs"][0]["outcomes"][0]), "two outcomes")])
def test_results_of_what_is_no_case_or_verdict(change, words):
    value = {"run_version": 1, "ok": True, "runs": [run({"name": "t", "version": "1"})]}
    assert statement.make(value)["claims"]
    change(value)
    error = refused(statement.make, value)
    assert error.code == "K002" and words in error.finding.message


@pytest.mark.parametrize("name", ["", " \t", "\u200b", "\u3164\u2800", "\u0301\ufe0f", "\u202e"])
def test_a_name_can_be_seen(made, name):
    value = {"run_version": 1, "ok": True, "runs": [run({"name": name, "version": "1"})]}
    assert refused(statement.make, value).code == "K004"
    assert statement.make(value, "mine")["implementation"]["name"] == "mine"
    assert codes(sealed(made | {"implementation": {"name": name, "version": "1"}})) == ["K005"]


@pytest.mark.parametrize("name", ["x", "\u6f22", "\U0001f600", "-", "\u200bx"])
def test_a_name_of_any_script_or_sign(made, name):
    assert codes(sealed(made | {"implementation": {"name": name, "version": "1"}})) == []


def run(about, digest="0" * 64, **changed):
    row = results.Run("writer", "", "cmd", digest, implementation=about,
                      outcomes=[results.Outcome("write-plain", "pass")])
    return json.loads(results.as_json([row]))["runs"][0] | changed


def test_a_name_is_needed_and_may_be_given():
    value = {"run_version": 1, "ok": True, "runs": [run({})]}
    assert refused(statement.make, value).code == "K004"
    assert statement.make(value, "mine", "1.0", "c")["implementation"] == {
        "name": "mine", "version": "1.0", "language": "c"}


def test_runs_of_different_sets_or_programs_do_not_mix():
    about = {"name": "t", "version": "1"}

    def make(*runs, **given):
        return statement.make({"run_version": 1, "ok": True, "runs": list(runs)}, **given)
    assert refused(make, run(about), run(about, "1" * 64)).code == "K003"
    for other in (about | {"name": "u"}, about | {"version": "2"}):
        assert refused(make, run(about), run(other)).code == "K011"
    same = make(run(about), run({"name": "u"}), name="a", version="2")
    assert same["implementation"] == {"name": "a", "version": "2"}


@pytest.mark.parametrize("version,part", [
    ("v" * 501, "implementation.version"), ("\ud800", "surrogate"), ("\0", "NUL")])
def test_a_program_may_not_call_itself_everything(version, part):
    value = {"run_version": 1, "ok": True, "runs": [run({"name": "n", "version": ""})]}
    value["runs"][0]["implementation"]["version"] = version
    error = refused(statement.make, value)
    assert error.code == "K002" and part in error.finding.message


def test_a_file_is_read_within_bounds(tmp_path, made, monkeypatch):
    path = tmp_path / "s.json"
    path.write_text(json.dumps(made) + "\n")
    assert statement.read(str(path)) == statement.read(io.BytesIO(path.read_bytes())) == made
    with pytest.raises(source.Unreadable):
        statement.read(str(tmp_path))
    monkeypatch.setattr(statement, "MAX_STATEMENT", path.stat().st_size)
    assert statement.read(path) == made
    monkeypatch.setattr(statement, "MAX_STATEMENT", path.stat().st_size - 1)
    error = refused(statement.read, path)
    assert error.code == "K012" and error.path == str(path) and "longer" in str(error)


@pytest.mark.parametrize("text,part", [
    (b"", "holds no JSON"), (b"[]", "array"), (b"\xef\xbb\xbf{}", "byte order mark"),
    (b"\xff", "UTF-8"), (b'{"a":1,"a":2}', "twice"), (b'{"a":NaN}', "NaN"), (b"{} {}", "follows"),
    (b'{"a":' + b"[" * 100000, "deeper"), (b'{"a":' + b"9" * 5000 + b"}", "5000 digits")])
def test_what_is_no_json(text, part):
    error = refused(statement.read, io.BytesIO(text))
    assert error.code == "K012" and part in error.finding.message
    assert "mirror" not in error.finding.message


def test_the_schema_takes_what_problems_takes(made):
    from efm3 import mirror

    check = mirror.checker(statement.schema())
    assert check(made) == check(version_1(made)) == ""
    assert check(made | {"statement_version": 1}) and check({})


def engine_claim(precision):
    value = stated(claim("engine", precision="f32"))
    if precision is None:
        del value["claims"][0]["precision"]
    else:
        value["claims"][0]["precision"] = precision
    return sealed(value)


@pytest.mark.parametrize("precision,column,name", [
    (None, "f32", "Engine"), ("fp32", "f32", "Engine"), ("f32", "f32", "Engine"),
    ("high", "high", "Engine high"), ("fast", "fast", "Engine fast"),
    ("fp16", "fp16", "Engine fp16"), ("bf16", "bf16", "Engine bf16"),
    ("int8", "int8", "Engine int8")])
def test_a_claim_has_its_precision_by_its_name_of_today_or_of_then(precision, column, name):
    value = engine_claim(precision)
    for each in (value, version_1(value)):
        (one,) = statement.claims(each)
        assert codes(each) == [] and one.precision == column and one.name == name


@pytest.mark.parametrize("precision", ["", "FAST", "f16", 8, None])
def test_what_is_no_precision_of_an_engine(precision):
    value = engine_claim("fast")
    value["claims"][0]["precision"] = precision
    assert codes(sealed(value)) == ["K005"]


def test_one_engine_may_be_stated_in_each_precision_once():
    claims = [claim("engine", precision=p) for p in ("f32", "high", "fast")]
    assert words(stated(*claims)) == ["Engine", "Engine high", "Engine fast"]
    assert codes(stated(*claims)) == []
    assert codes(stated(*claims, claim("engine", precision="fp32"))) == ["K008"]


def test_a_run_states_the_precision_that_was_asked_for():
    run = runner.run_all("engine", "@scalar", ["run-minimal"], precision="fast")
    made = statement.make(json.loads(results.as_json([run])))
    assert made["claims"][0]["precision"] == "fast" and codes(made) == []
    assert words(made) == ["Engine fast (part)"]
