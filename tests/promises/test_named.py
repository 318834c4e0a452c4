# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Each clause of SECURITY.md names tests that are there and are run, and what is not is seen."""

import ast
from pathlib import Path

import pytest

from tools.gen import promises
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


def test_tests_that_are_always_skipped_are_none():
    assert promises._skips(ast.parse("pytest.mark.skip(reason='x')", mode="eval").body)
    assert promises._skips(ast.parse("pytest.mark.xfail", mode="eval").body)
    assert not promises._skips(ast.parse("pytest.mark.skipif(x, reason='y')", mode="eval").body)
