# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation, conversion, pictures and the schedule of training with one small mistake each.

A check is taken out, a number is another one, a border belongs to the other side, operands are
exchanged, a limit of a module is twice or half as large. What notices is a test of `make test`:
those named for the module are collected once, one run says which function each of them calls, and
each mutant is a fork in which the tests of its function run until one fails.
"""

from __future__ import annotations

import ast
import json
import os
import resource
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from tools import ROOT
from tools.mutants import python
from tools.mutants._changes import Checks, Places, Values, others
from tools.mutants._rooms import CHECKED
from tools.mutants.python import (
    Mutant,
    file_of,
    finished,
    forked,
    module_of,
    numbered,
    of_function,
    parsed,
    target_of,
)

SECONDS, PROCESSOR, MEMORY = 300, 30, 6 << 30
"""Limits of a fork: of the clock, of processor time, and of address space in bytes."""
_BROKEN = "cannot be made:"
KINDS: tuple[type[Places], ...] = (Checks, Values)


def _functions(tree: ast.Module) -> Iterator[str]:
    """Functions of a module and methods of its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{n.name}" for n in node.body
                        if isinstance(n, ast.FunctionDef))


def _limits(tree: ast.Module) -> Iterator[tuple[str, int | float]]:
    """Numbers that a module or a class of it gives a name in capitals, or a class any."""
    for prefix, body in [("", tree.body), *((f"{n.name}.", n.body) for n in tree.body
                                            if isinstance(n, ast.ClassDef))]:
        for node in body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                value = _value(node.value)
                if value is not None and (prefix or name.isupper()):
                    yield prefix + name, value


def _value(node: ast.expr) -> int | float | None:
    """A number, or one reckoned of numbers alone."""
    if any(not isinstance(n, (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop))
           for n in ast.walk(node)):
        return None
    value = eval(compile(ast.Expression(node), "limit", "eval"), {})
    return value if type(value) in (int, float) else None


class Limit(Places):
    """Marks the mutants that are a limit with another value: `wanted` is a place in `others`."""


def _has_checks(module: str, path: str) -> bool:
    """Whether python.py takes the checks out of a function."""
    functions = python.CHECKED[module][0] if module in python.CHECKED else None
    return functions is not None and path in (functions or (path.split(".")[0],))


def mutants() -> list[Mutant]:
    """Every place of the functions and limits of CHECKED."""
    out: list[Mutant] = []
    for module, room in CHECKED.items():
        tree = parsed(module)
        where = file_of(module).relative_to(ROOT)
        for path in _functions(tree):
            if room.has(path):
                for kind in KINDS[_has_checks(module, path):]:
                    out += of_function(module, tree, path, kind)
        for name, value in _limits(tree):
            if room.has(name):
                out += [Mutant(f"{where} {name} is {new!r}, not {value!r}", module, name, Limit, i)
                        for i, new in enumerate(others(value))]
    return numbered(out)


def _apply(m: Mutant) -> None:
    if m.kind is not Limit:
        target_of(m).__code__ = m.code
        return
    owner = module_of(m)
    *outer, name = m.function.split(".")
    for part in outer:
        owner = vars(owner)[part]
    old = vars(owner)[name]
    new = others(old)[m.wanted]
    setattr(owner, name, new)
    # Every module that imported the limit by its name has the other one too, tests among them: a
    # test that compares with the name alone notices nothing.
    for other in list(sys.modules.values()) if not outer else ():
        if vars(other).get(name) is old and str(ROOT) in str(getattr(other, "__file__", "")):
            setattr(other, name, new)
    for holder in (owner, *(c for c in vars(owner).values() if isinstance(c, type))):
        for function in vars(holder).values():
            kept = getattr(function, "__defaults__", None) or ()
            if any(d is old for d in kept) and function.__module__ == m.module:
                function.__defaults__ = tuple(new if d is old else d for d in kept)


class _Calls:
    """Which functions of the checked files run, by file and first line."""

    def __init__(self, files: set[str]) -> None:
        self.files, self.seen = files, set[tuple[str, int]]()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename in self.files:
            self.seen.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))


class _Loop:
    """A pytest plugin that runs `work` on the collected tests in place of the tests."""

    def __init__(self, work: Callable[[list[Any]], None]) -> None:
        self.work, self.failed = work, ""

    def pytest_runtestloop(self, session: Any) -> bool:
        """Called by pytest."""
        self.work(session.items)
        return True

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest."""
        self.failed = self.failed or (report.nodeid if report.failed else "")

    def run(self, items: list[Any]) -> str:
        """The first of the tests that fails, "" where none does."""
        for i, item in enumerate(items):
            following = items[i + 1] if i + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                return self.failed
        return ""


Learned = dict[str, tuple[float, list[tuple[str, int]]]]


def _learn(loop: _Loop, items: list[Any], files: set[str]) -> Learned:
    """How long each test takes, and the functions that it calls. Raises RuntimeError where one
    fails with the suite as it stands."""
    def work() -> str:
        out: Learned = {}
        for item in items:
            calls, start = _Calls(files), time.perf_counter()
            sys.setprofile(calls)
            threading.setprofile(calls)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            sys.setprofile(None)
            if loop.failed:
                return loop.failed
            out[item.nodeid] = time.perf_counter() - start, sorted(calls.seen)
        return json.dumps(out)
    said = finished(*forked(work, SECONDS))
    if not said.startswith("{"):
        raise RuntimeError(f"the unchanged suite fails {said}")
    return {name: (seconds, [(f, n) for f, n in calls])
            for name, (seconds, calls) in json.loads(said).items()}


def _notice(m: Mutant, loop: _Loop, items: list[Any], learned: Learned) -> str:
    """The first test that fails: of those that call the function, the quickest first, and where
    none of these does, of all (what is kept between tests is called by the first alone)."""
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    file = str(file_of(m.module))
    line = 0 if m.kind is Limit else target_of(m).__code__.co_firstlineno
    own = [i for i in items if any(f == file and line in (0, n) for f, n in learned[i.nodeid][1])]
    own.sort(key=lambda i: learned[i.nodeid][0])
    try:
        _apply(m)
    except Exception as e:
        return f"{_BROKEN} {e!r}"
    return loop.run(own) or loop.run([i for i in items if i not in own])


def _run(chosen: list[Mutant], tests: tuple[str, ...], say: Callable[[object], None]) -> None:
    """Collect the tests, and say the number of each mutant with what notices it."""
    import hypothesis
    import pytest

    # The same examples each time, and no search for a shorter one: nobody reads it.
    hypothesis.settings.register_profile(
        "mutants", derandomize=True, deadline=None, database=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate))
    hypothesis.settings.load_profile("mutants")
    width = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1

    def work(items: list[Any]) -> None:
        learned = _learn(loop, items, {str(file_of(m.module)) for m in chosen})
        running: deque[tuple[int, int, int]] = deque()

        def collect(most: int) -> None:
            while len(running) > most:
                number, *fork = running.popleft()
                found = finished(*fork)
                if found.startswith(_BROKEN):
                    raise RuntimeError(f"{chosen[number].name}: {found}")
                say([number, found])
        for i, m in enumerate(chosen):
            collect(width - 1)
            running.append((i, *forked(partial(_notice, m, loop, items, learned), SECONDS)))
        collect(0)
    loop = _Loop(work)
    # Nobody reads how a test failed, and telling it takes longer than most tests.
    pytest.main(["-s", "-p", "no:cacheprovider", "--tb=native", "--assert=plain", *tests], [loop])


def _killed(chosen: list[Mutant], tests: tuple[str, ...]) -> Iterator[tuple[Mutant, str]]:
    """As `kill`, of mutants with the same tests: in a process that ends with all it imported."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        with os.fdopen(writer, "w") as pipe:
            try:
                _run(chosen, tests, lambda row: print(json.dumps(row), file=pipe, flush=True))
            except RuntimeError as e:
                print(json.dumps(str(e)), file=pipe, flush=True)
        os._exit(0)
    os.close(writer)
    done = 0
    with os.fdopen(reader) as lines:
        for line in lines:
            row = json.loads(line)
            if isinstance(row, str):
                raise RuntimeError(row)
            done += 1
            yield chosen[row[0]], row[1]
    os.waitpid(pid, 0)
    if done < len(chosen):
        raise RuntimeError(f"{' '.join(tests)}: not collected")


def kill(chosen: list[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with the test that notices it. Raises RuntimeError where a test fails in the
    suite as it stands."""
    os.chdir(ROOT)
    groups: dict[tuple[str, ...], list[Mutant]] = {}
    for m in chosen:
        groups.setdefault(CHECKED[m.module].tests, []).append(m)
    for tests, own in groups.items():
        missing = [t for t in tests if not (Path(ROOT) / t.split("::")[0]).exists()]
        if missing:
            raise RuntimeError(f"no such tests: {' '.join(missing)}")
        yield from _killed(own, tests)
