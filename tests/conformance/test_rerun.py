# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A sample run again: which cases it has, and that no lie about one of them holds."""

import pytest

import efm3
from efm3.conformance import rerun, runner, statement
from efm3.conformance.builtin import builtin
from efm3.conformance.results import Answer
from tests.statements import claim, stated, version_1

EVERY = 10_000
IDS = [c.id for c in runner.cases_of("editor") if c.level == "MUST"]
OWN = builtin("python")
MUST_REFUSE = ("D004",)
REFUSALS = [c.id for c in runner.cases_of("editor", MUST_REFUSE)]
ACCEPTED = [c.id for c in runner.cases_of("editor", ["smoke"]) if not c.negative]


def again(value, size=EVERY, of=None, **kw):
    assert list(statement.problems(value)) == []
    return rerun.rerun(value, of or OWN, size, **kw)


def verdicts(result):
    return {f.path: (f.expected, f.found) for f in result.findings}


class Credulous(efm3.conformance.builtin.Own):
    """An editor that refuses nothing, or gives no answer."""

    def __init__(self, kind="ok"):
        super().__init__()
        self.kind = kind

    def edit(self, data, change):
        answer = super().edit(data, change)
        return Answer(self.kind, value=data) if answer.kind == "refused" else answer


def test_a_true_statement_is_not_contradicted():
    result = again(stated(claim("editor"), claim("writer", selected=("smoke",))))
    assert result.findings == [] and not result.broken
    assert result.claims == ["Editor", "Writer"]
    assert result.ran == result.cases == len(runner.cases_of("editor")) + len(
        runner.cases_of("writer", ["smoke"]))
    assert result.implementation["name"] == "efm3"


def refusals(**cases):
    """The statement of those editor cases that must be refused."""
    return stated(claim("editor", selected=MUST_REFUSE, **cases))


def test_a_forged_statement_is_well_formed_and_contradicted():
    result = again(refusals(), of=Credulous())
    assert verdicts(result) == {i: ("pass", "fail") for i in REFUSALS} and REFUSALS
    assert "accepted" in result.findings[0].message and not result.broken
    assert again(refusals(fail=REFUSALS), of=Credulous()).findings == []
    assert again(refusals(known=REFUSALS), of=Credulous()).findings == []


def test_what_it_says_to_fail_must_fail():
    value = stated(claim("editor", fail=IDS[:1], known=IDS[1:2]))
    assert verdicts(again(value)) == {IDS[0]: ("fail", "pass"), IDS[1]: ("known", "unexpected")}


def test_a_program_without_an_answer_is_told_from_a_lie():
    silent = again(refusals(), of=Credulous("broken"))
    assert silent.broken and set(verdicts(silent)) == set(REFUSALS)
    both = again(stated(claim("editor", selected=("smoke", *MUST_REFUSE), fail=ACCEPTED)),
                 of=Credulous("broken"))
    assert not both.broken and len(both.findings) > len(ACCEPTED) > 0
    assert again(refusals(broken=REFUSALS), of=Credulous("broken")).findings == []


def test_the_sample_follows_from_digest_and_seed():
    (one,) = statement.claims(stated(claim("reader")))
    (strict,) = statement.claims(stated(claim("reader", "values")))

    def ids(claim, digest, seed, size=40):
        return [c.id for c in rerun.sample(claim, digest, seed, size)]
    first = ids(one, "0" * 64, 0)
    order = [c.id for c in runner.cases_of("reader")]
    assert len(first) == 40 and first == sorted(first, key=order.index)
    assert first == ids(one, "0" * 64, 0)
    for other in (ids(one, "1" * 64, 0), ids(one, "0" * 64, 1), ids(strict, "0" * 64, 0)):
        assert len(set(first) & set(other)) < 20
    assert set(first) < set(ids(one, "0" * 64, 0, 80))
    assert ids(one, "0" * 64, 0, EVERY) == order


def test_one_class_alone():
    value = stated(claim("editor"), claim("writer"))
    assert again(value, 3, classes=["editor"]).claims == ["Editor"]
    assert rerun.chosen(value, ["engine"]) == []


def test_version_1_may_say_too_little():
    assert again(version_1(stated(claim("editor", known=IDS[:1])))).ran
    value = version_1(stated(claim("editor", fail=IDS[:1])))
    with pytest.raises(efm3.Efm3Error) as e:
        again(value)
    assert e.value.code == "K014"


def test_json():
    result = again(stated(claim("editor")), 2, seed=7)
    assert result.to_json() == {
        "seed": 7, "ran": 2, "cases": len(runner.cases_of("editor")), "broken": False,
        "claims": ["Editor"], "implementation": OWN.implementation}


FEW = ("run-minimal", "run-gdc-1")


def test_an_engine_is_run_again_in_the_precision_that_is_claimed():
    lie = stated(*(claim("engine", precision=p, selected=FEW) for p in ("high", "fast")))
    fast = builtin("scalar", "fast")
    assert again(lie, of=fast, precision="fast").findings == []
    assert again(lie, of=fast, precision="high").claims == ["Engine high"]
    only = stated(claim("engine", precision="f32", selected=FEW))
    assert set(verdicts(again(only, of=fast))) == set(FEW)
    assert again(only, of=builtin("scalar")).findings == []


def test_a_command_runs_in_one_precision():
    both = stated(*(claim("engine", precision=p, selected=FEW) for p in ("high", "fast")))
    with pytest.raises(ValueError, match="in high and fast: --precision says"):
        rerun.chosen(both, ())
    assert [c.precision for c in rerun.chosen(both, (), "fast")] == ["fast"]
    old = stated(claim("engine", precision="int8", selected=FEW))
    with pytest.raises(efm3.Efm3Error) as e:
        rerun.chosen(old, ())
    assert e.value.code == "K014"
