# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What SECURITY.md promises, clause by clause, with the tests of exactly that clause.

A clause names tests that `make test` or `make test-long` run; what needs a library that they do not
install may be named beside them, and stands alone only where the clause says so. What a test needs
of a machine, else it is skipped, is told beside it (tools/gen/_needs.py). A clause whose tests are
not there, or are not run, is refused (Unproved).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache

from tools import ROOT
from tools.gen import _needs
from tools.gen._clauses import CLAUSES, Clause, Room
from tools.gen.blocks import table


class Unproved(Exception):
    """A clause without the test that it names."""


PROMISES: tuple[Room, ...] = CLAUSES


@lru_cache(maxsize=256)
def _tests(path: str) -> tuple[frozenset[str], bool]:
    """The tests of a module, as pytest collects them, and whether it needs what only
    `make test-extras` installs."""
    file = ROOT / path
    if not file.is_file() or not file.name.startswith("test_"):
        return frozenset(), False
    tree = _tree(path)
    names = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)
             and n.name.startswith("test_") and not any(map(_skips, n.decorator_list))}
    needs = next((ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign)
                  and getattr(n.targets[0], "id", "") == "NEEDS"), ())
    return frozenset(names), bool(set(needs) - _installed())


@lru_cache(maxsize=256)
def _tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def _needs_of(ref: str) -> tuple[list[str], list[str]]:
    """What a test needs to run, and when it is skipped otherwise, of which nothing is said."""
    path, _, name = ref.partition("::")
    needs, unsaid = [], []
    for when in _needs.conditions(_tree(path), name):
        library = when.removeprefix("import ")
        if library != when:
            needs += [library] if library not in _installed() else []
        elif when in _needs.WORDS:
            needs.append(_needs.WORDS[when])
        else:
            unsaid.append(when)
    return list(dict.fromkeys(needs)), unsaid


def _skips(mark: ast.expr) -> bool:
    """True for a test that is always skipped, or expected to fail."""
    words = ast.unparse(mark)
    return words.startswith(("pytest.mark.skip(", "pytest.mark.xfail")) or (
        words == "pytest.mark.skip")


@lru_cache(maxsize=1)
def _installed() -> frozenset[str]:
    """Libraries that the extra `dev` brings, by which `make test` runs."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (dev,) = re.findall(r"^dev = \[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    return frozenset(re.findall(r'"([\w-]+)', dev)) | {"PIL"}


def lost(rooms: tuple[Room, ...]) -> Iterator[str]:
    """What is wrong with the tests that clauses name."""
    for room in rooms:
        for clause in room.clauses:
            run = 0
            for ref in clause.tests:
                path, _, name = ref.partition("::")
                names, extra = _tests(path)
                run += not extra
                if name not in names:
                    yield f"{ref} is no test that runs"
                    continue
                yield from (f"{ref} is skipped by {when}: say in tools/gen/_needs.py what it needs"
                            for when in _needs_of(ref)[1])
            if bool(run) == clause.extras:
                yield (f"{clause.text!r} is proved by `make test-extras` alone" if not run else
                       f"{clause.text!r} is proved without the extras")


def rows() -> Iterator[str]:
    """The promises, a table for each room. Raises Unproved."""
    wrong = list(lost(PROMISES))
    if wrong:
        raise Unproved("; ".join(wrong))
    for number, room in enumerate(PROMISES, 1):
        yield from ("", f"### {number}. {room.title}", "")
        yield from table(("", "promise", "proved by", "figures"), [
            (f"{number}.{i}", clause.text, "<br>".join(map(_told, clause.tests)),
             ", ".join(clause.figures) or "-") for i, clause in enumerate(room.clauses, 1)])
    yield ""


def _told(ref: str) -> str:
    extra = " (make test-extras)" if _tests(ref.partition("::")[0])[1] else ""
    needs = _needs_of(ref)[0]
    return f"`{ref}`{extra}" + (f" (needs {'; '.join(needs)})" if needs else "")


__all__ = ["PROMISES", "Clause", "Room", "Unproved", "lost", "rows"]
