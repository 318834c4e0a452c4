# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Each clause of SECURITY.md names tests that are there and are run, and what is not is seen."""

import ast
from pathlib import Path

import pytest

from tools.gen import _needs, promises
from tools.gen.promises import Clause, Room

ROOT = Path(__file__).resolve().parents[2]
HERE = "tests/promises/test_named.py::test_every_clause_names_tests_that_run"
MORE = "tests/train/test_loop.py::test_resumed_equals_uninterrupted_bit_for_bit"


def test_every_clause_names_tests_that_run(request):
    assert list(promises.lost(promises.PROMISES)) == []
    refs = {ref for room in promises.PROMISES for c in room.clauses for ref in c.tests}
    assert len(refs) > 150 and all(c.tests for room in promises.PROMISES for c in room.clauses)
    # What pytest itself has collected in this process, of modules that it has looked into.
    got, seen = set(), set()
    for item in request.session.items:
        path = item.path.relative_to(ROOT).as_posix()
        seen.add(path)
        got.add(f"{path}::{item.name.partition('[')[0]}")
    assert {r for r in refs if r.partition("::")[0] in seen and "::" not in request.config.args[0]
            } <= got


@pytest.mark.parametrize("tests,extras,said", [
    (("tests/promises/test_named.py::test_none",), False, "no test that runs"),
    (("tests/none.py::test_none",), False, "no test that runs"),
    (("tests/conftest.py::needs",), False, "no test that runs"),
    (("engine/tests/check_engine.c",), False, "no test that runs"),
    (("make sanitize",), False, "no test that runs"),
    ((HERE,), True, "without the extras"), ((MORE,), False, "make test-extras"),
    ((HERE,), False, ""), ((MORE,), True, ""), ((MORE, HERE), False, "")])
def test_what_is_not_run_is_seen(tests, extras, said):
    found = list(promises.lost((Room("Flight", (Clause("it flies", tests, "", extras),)),)))
    assert bool(found) == bool(said) and (not said or any(said in f for f in found))


def test_what_a_test_needs_is_told():
    told = promises._told("tests/test_engine_foreign.py::test_an_architecture")
    assert told.endswith(" (needs cross compilers and qemu, by tools/foreign/install_cross.sh)")
    assert "(needs a C compiler)" in promises._told(
        "tests/test_exhaustive.py::test_all_damage_to_the_tiny_file")
    assert "needs" not in promises._told(HERE)
    assert "(needs" not in promises._told("tests/test_pictures.py::test_damaged")  # Pillow is there


MODULE = """
import pytest
late = pytest.mark.skipif(b, reason="x")
pytestmark = [pytest.mark.skipif(a > 1, reason="x"), pytest.mark.slow]
def need(x): pytest.skip("no ship")
@pytest.fixture
def harbour(): pytest.importorskip("sea.port", reason="x")
@late
def test_one(harbour): need(1)
@pytest.mark.skipif(c, reason="x")
def test_two(): pass
"""


def test_conditions_are_found_in_marks_helpers_and_fixtures():
    tree = ast.parse(MODULE)
    assert sorted(_needs.conditions(tree, "test_one")) == ["'no ship'", "a > 1", "b", "import sea"]
    assert _needs.conditions(tree, "test_two") == ["a > 1", "c"]
    shared = ast.parse("from tests.systems import posix\n@posix\ndef test_x(): pass")
    assert _needs.conditions(shared, "test_x") == ["sys.platform == 'win32'"]
    whole = ast.parse('import pytest\npytest.importorskip("sea")\nx = pytest.importorskip("a.b")')
    assert _needs.conditions(whole, "test_x") == ["import sea", "import a"]


def test_a_condition_of_which_nothing_is_said_is_refused(monkeypatch):
    used = {when for room in promises.PROMISES for c in room.clauses for ref in c.tests
            for when in _needs.conditions(promises._tree(ref.partition("::")[0]),
                                          ref.partition("::")[2])}
    assert {when for when in used if not when.startswith("import ")} == set(_needs.WORDS)
    monkeypatch.delitem(_needs.WORDS, "CC is None")
    (one, *_) = promises.lost(promises.PROMISES)
    assert "is skipped by CC is None: say in" in one


def test_tests_that_are_always_skipped_are_none():
    assert promises._skips(ast.parse("pytest.mark.skip(reason='x')", mode="eval").body)
    assert promises._skips(ast.parse("pytest.mark.xfail", mode="eval").body)
    assert not promises._skips(ast.parse("pytest.mark.skipif(x, reason='y')", mode="eval").body)
