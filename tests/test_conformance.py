# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every case through our own reader, C loader, writer, editor, reference and engines."""

from pathlib import Path

import pytest

import efm3
from efm3 import engine
from efm3.codes import LEVELS
from efm3.codes import RULE_GROUPS as GROUPS
from efm3.conformance import author, cases, runner
from efm3.rules import load_rules
from tools.gen import expected
from tools.mutants import programs

ROOT = Path(__file__).resolve().parent.parent
CORPUS = cases.corpus()
READER = [c for c in CORPUS if c.kind == "reader"]
ISAS = [n for n, here in engine.isas().items() if here]


def failures(kind, command, **options):
    run = runner.run_all(kind, command, **options)
    assert len(run.outcomes) == len(runner.cases_of(kind))
    return [(o.case, o.verdict, o.detail) for o in run.outcomes if o.verdict != "pass"]


@pytest.mark.parametrize("level", LEVELS)
def test_the_python_reader_conforms(level):
    assert failures("reader", "@python", level=level) == []


def test_the_c_loader_conforms():
    assert failures("reader", "@engine") == []


@pytest.mark.parametrize("kind", ["writer", "editor"])
def test_the_writer_and_the_editor_conform(kind):
    assert failures(kind, "@python") == []


@pytest.mark.parametrize("subject", ["reference", *ISAS])
def test_the_engines_conform(subject):
    assert failures("engine", f"@{subject}") == []


# All cases, in both: `make conformance`.
@pytest.mark.parametrize("subject,precision", [("engine", "fast"), ("scalar", "high")])
def test_the_engines_conform_below_f32(subject, precision):
    words = ["E016", "run-channels-*", "run-norm-*", "run-sc*", "run-sums-*", "run-input-*"]
    run = runner.run_all("engine", f"@{subject}", words, precision=precision)
    assert [(o.case, o.detail) for o in run.outcomes if o.verdict != "pass"] == []
    assert len(run.outcomes) > 15 and run.precision == precision


@pytest.mark.parametrize("part", range(8))
def test_findings_are_the_expected_ones(part):
    """Every error and warning of a case is listed with its place, and nothing else is found."""
    for case in READER[part::8]:
        report = efm3.validate(case.data())
        want = {(f.code, f.offset, f.length) for f in case.findings}
        have = {(f.code, f.offset, f.length) for f in report.findings}
        listed = {f.code for f in case.findings}
        assert want <= have, case.id
        for f in report.at_least("warning"):
            if (f.code, f.offset, f.length) not in want:
                assert f.code in case.also, f"{case.id}: {f}"
        assert listed or case.folder != "invalid", case.id


@pytest.mark.parametrize("part", range(4))
def test_the_engine_gives_the_expected_status(part):
    for case in READER[part::4]:
        assert author.status(case.data()) == case.status, case.id
        assert case.valid("structure") == (case.status == "OK"), case.id


def test_the_corpus_is_as_large_as_it_claims():
    negative = [c for c in CORPUS if c.negative]
    assert len(CORPUS) >= 450 and 2 * len(negative) >= len(CORPUS)
    assert len({c.id for c in CORPUS}) == len(CORPUS)
    assert len([c for c in CORPUS if c.either]) >= 5
    assert {c.level for c in CORPUS} == {"MUST", "SHOULD"}
    for kind in ("reader", "writer", "editor", "engine"):
        assert any(c.smoke for c in CORPUS if c.kind == kind)


def test_folders_say_what_the_cases_are():
    for case in READER:
        assert case.folder == "either" or (case.folder == "invalid") == case.negative, case.id
        assert case.id.startswith({"valid": "valid-", "invalid": "bad-", "either": "either-"}[
            case.folder])


def test_every_rule_has_an_accepting_case_and_a_case_that_shows_it():
    for code in load_rules():
        assert any(code in c.tests and not c.negative for c in CORPUS), code
        assert cases.example(code)


def test_every_rule_of_severity_error_has_a_rejecting_case():
    for code, rule in load_rules().items():
        if rule.severity == "error":
            assert any(f.code == code for c in READER if c.negative for f in c.findings), code


def test_every_status_of_a_file_is_produced():
    text = (ROOT / "engine/src/status.def").read_text()
    names = {line.split("(")[1].split(",")[0] for line in text.splitlines()
             if line.startswith("X(")}
    not_of_a_file = {"E_ARG", "E_OPEN", "E_NOT_REGULAR", "E_READ", "E_NOMEM", "E_ISA", "E_STATE",
                     "E_CAPACITY", "E_TOO_LARGE", "E_OPTION", "E_THREAD", "E_PICTURE"}
    assert names - not_of_a_file == {c.status for c in READER}


def test_groups_of_rules_are_all_exercised():
    groups = {load_rules()[f.code].group for c in READER for f in c.findings}
    assert groups == set(GROUPS)


def test_expectations_of_engine_cases_are_the_references():
    assert expected.main(check=True, bounds=False) == 0


MUTANTS = programs


def test_there_are_mutants_of_every_class_and_of_every_requirement():
    from efm3.conformance.requirements import REQUIREMENTS

    assert len(MUTANTS.MUTANTS) >= 40
    assert {m.kind for m in MUTANTS.MUTANTS} == {"reader", "writer", "editor", "engine"}
    assert {m.breaks for m in MUTANTS.MUTANTS} == set(REQUIREMENTS)


@pytest.mark.parametrize("kind", ["reader", "writer", "editor", "engine"])
def test_the_scaffolds_without_a_mistake_conform(kind):
    found = runner.run(kind, MUTANTS.Module(kind), runner.cases_of(kind), level="coherence")
    assert [(o.case, o.detail) for o in found if o.verdict != "pass"] == []


# Of the engines, which are slow, the first that breaks a requirement; `make mutants` has them all.
KILLED = list({(m.kind, m.breaks if m.kind == "engine" else m.name): m
               for m in reversed(MUTANTS.MUTANTS) if not m.switch}.values())


@pytest.mark.parametrize("mutant", KILLED, ids=lambda m: f"{m.kind}-{m.name}")
def test_the_kit_kills(mutant):
    found = MUTANTS.kill(mutant)
    assert MUTANTS.killed(mutant, found), found


def test_the_kit_kills_every_reader_with_another_grammar():
    for mutant in MUTANTS.GRAMMAR:
        found = MUTANTS.kill(mutant)
        assert MUTANTS.killed(mutant, found) and found.verdict == "fail", (mutant, found)
