# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The Python rules, scan, grammar and writer without one of their checks.

Each mutant is a fork of this process in which one function's code is another one; there the corpus
is validated, and where that notices nothing the module's own tests run until the first fails.
"""

from __future__ import annotations

import ast
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from tools import ROOT
from tools.mutants._changes import Checks, Conditions, Places, changed, names

# Module to its functions whose conditions are taken out (none named: all) and the tests that follow
# where the corpus notices nothing.
CHECKED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "efm3.scan": (("scan", "_walk_table", "Scan.complete", "Scan.raw_arch"),
                  ("tests/test_scan.py", "tests/test_bad_input.py::test_43_byte_files")),
    "efm3.arch": (("Arch.__post_init__", "problems", "widest_expansion"), ("tests/test_arch.py",)),
    "efm3.mirror": (("arch_of", "is_kind", "is_digest"), ("tests/test_mirror.py",)),
    "efm3.grammar": (("outline", "_utf8", "_depth", "_pairs", "_constant", "_integer", "_real",
                      "_strings", "kind_of"), ("tests/test_mirror.py", "tests/test_grammar.py")),
    "efm3.model": (("load", "_parts", "_mirror_text", "_payload", "Model.save"),
                   ("tests/test_model.py", "tests/test_engine.py")),
    "efm3.source": ((),
                    ("tests/test_source.py", "tests/faults")),
}
RULES_TESTS = ("tests/rules/test_conditions.py", "tests/rules/test_rules.py",
               "tests/rules/test_text_mode.py", "tests/test_scan.py", "tests/test_validator.py",
               "tests/test_coherence.py")
CHECKED |= {f"efm3.rules.{m}": ((), RULES_TESTS) for m in (
    "container", "header", "mirror", "table", "values", "portability")}
CHECKED["efm3.rules"] = (("selected", "check_level", "_chosen", "run", "load_rules"), RULES_TESTS)
CHECKED["efm3.rules._registry"] = ((), ("tests/rules/test_rules.py", "tests/test_codes.py"))
CHECKED["efm3.rules._context"] = (tuple(f"Context.{n}" for n in (
    "field", "arch_problems", "_parsed", "table_cause", "digest", "stats")), RULES_TESTS)
CHECKED["efm3.rules._causes"] = ((), RULES_TESTS)
CHECKED["efm3.rules._text_mode"] = ((), RULES_TESTS)
CHECKED |= {f"efm3.sniff{m}": ((), ("tests/test_sniff_inside.py", "tests/test_sniff.py",
                             "tests/test_sniff_libraries.py"))
            for m in ("", "._packed", "._texts")}
CHECKED["efm3.rules._stats"] = (tuple(f"Stats.{n}" for n in (
    "finite", "tensors", "zero_channels")), RULES_TESTS)
SECONDS = 300


class Mutant(NamedTuple):
    """A function of a module with one change, or a rule that finds nothing (`kind` is None)."""

    name: str
    module: str
    function: str
    kind: type[Places] | None
    wanted: int = -1

    @property
    def code(self) -> CodeType | None:
        """The function's code with the change."""
        if self.kind is None:
            return None
        return changed(file_of(self.module), self.function, self.kind, self.wanted)


def file_of(module: str) -> Path:
    """The file of a module."""
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def of_function(module: str, tree: ast.Module, path: str, kind: type[Places]) -> list[Mutant]:
    """A mutant for each place of one function."""
    name = file_of(module).relative_to(ROOT)
    return [Mutant(f"{name} {path}: {what}", module, path, kind, i)
            for i, what in enumerate(names(tree, path, kind))]


def parsed(module: str) -> ast.Module:
    """A module's tree."""
    return ast.parse(file_of(module).read_text(encoding="utf-8"))


def numbered(out: list[Mutant]) -> list[Mutant]:
    """The mutants, those of one name told apart."""
    seen: dict[str, int] = {}
    for i, m in enumerate(out):
        seen[m.name] = n = seen.get(m.name, 0) + 1
        if n > 1:
            out[i] = m._replace(name=f"{m.name} #{n}")
    return out


def mutants() -> list[Mutant]:
    """Every rule emptied, and every condition of CHECKED taken out."""
    from efm3.rules import load_rules

    out = [Mutant(f"efm3/rules/{r.group}.py {code}: finds nothing", "efm3.rules", code, None)
           for code, r in load_rules().items()]
    for module, (functions, _) in CHECKED.items():
        tree = parsed(module)
        kind = Conditions if module.startswith("efm3.rules") else Checks
        for path in functions or [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]:
            out += of_function(module, tree, path, kind)
    return numbered(out)


def module_of(m: Mutant) -> Any:
    """The module that the mutant changes."""
    return import_module(m.module)


def target_of(m: Mutant) -> Any:
    """The function object whose code the mutant replaces."""
    target = module_of(m)
    for name in m.function.split("."):
        target = vars(target)[name]
    for inner in ("fget", "func", "__func__", "__wrapped__"):
        target = getattr(target, inner, target)
    return target


def _apply(m: Mutant) -> None:
    rules = vars(import_module("efm3.rules"))
    for cached in rules.values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    changed_code = m.code
    if changed_code is None:
        rules["check_of"](m.function)
        rules["CHECKS"][m.function] = lambda ctx: iter(())
        return
    target = target_of(m)
    target.__code__ = changed_code
    # Checks that the function made when its module was loaded are made again, of the arguments
    # that they kept.
    for code, check in rules["CHECKS"].items():
        if (check.__module__, check.__qualname__.partition(".<locals>.")[0]) == (
                m.module, m.function) and check.__closure__:
            kept = {name: cell.cell_contents for name, cell in zip(
                check.__code__.co_freevars, check.__closure__, strict=True)} | {"code": code}
            arguments = changed_code.co_varnames[:changed_code.co_argcount]
            rules["CHECKS"][code] = target(*(kept[name] for name in arguments))


@lru_cache(maxsize=1)
def _corpus() -> list[tuple[Any, bytes, list[str]]]:
    """Each reader case, the smallest first, with its file and the lines of its findings."""
    from efm3.conformance.cases import corpus
    from tools.words import frozen

    words = frozen()
    return sorted(((c, c.data(), words.get(c.id, [])) for c in corpus() if c.kind == "reader"),
                  key=lambda row: len(row[1]))


def _case(m: Mutant) -> str:
    """The first case whose findings are not the expected ones, to the word."""
    import efm3
    from tools.words import lines

    rows = _corpus()
    if m.module.startswith("efm3.sniff"):  # which is asked where the container is wrong
        rows = [p for p in rows if any(f.code[0] == "C" for f in p[0].findings)]
    own = [p for p in rows if m.kind is None and m.function in {f.code for f in p[0].findings}]
    for case, data, want in [*own, *rows]:
        try:
            have = lines(case.id, efm3.validate(data).findings)
        except Exception as e:
            return f"{case.id} ({type(e).__name__})"
        if have != want:
            return str(case.id)
    return ""


class _First:
    """A pytest plugin that keeps the first failure's name."""

    name = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest."""
        self.name = self.name or (report.nodeid if report.failed else "")

    def pytest_collectreport(self, report: Any) -> None:
        """Called by pytest."""
        self.name = self.name or (f"{report.nodeid} (collection)" if report.failed else "")


def _test(m: Mutant) -> str:
    """The first test of the module that fails."""
    import pytest

    first = _First()
    tests = CHECKED[m.module][1] if m.kind else ()
    files = [f for f in tests if (ROOT / f.split("::")[0]).exists()]
    if files:
        pytest.main(["-x", "-q", "-p", "no:cacheprovider", *files], [first])
    return first.name


def _notice(m: Mutant) -> str:
    _apply(m)
    return (m.module not in ("efm3.model", "efm3.source") and _case(m)) or _test(m)


def _forked(m: Mutant) -> str:
    return finished(*forked(lambda: _notice(m), SECONDS))


def forked(work: Callable[[], str], seconds: int) -> tuple[int, int]:
    """Start a silent fork that says what `work` gives, at most `seconds` of the clock; its number
    and the pipe's descriptor."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    signal.alarm(seconds)
    try:
        found = work()
    except BaseException as e:
        found = f"the run itself ({type(e).__name__})"
    with os.fdopen(writer, "w") as pipe:
        pipe.write(found)
    os._exit(0)


def finished(pid: int, reader: int) -> str:
    """What the fork said, or the signal that ended it."""
    with os.fdopen(reader) as pipe:
        found = pipe.read()
    _, status = os.waitpid(pid, 0)
    return found or (f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "")


def kill(chosen: list[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with the case or test that notices it. Raises RuntimeError where one notices
    something in the suite as it stands."""
    if not chosen:
        return
    os.chdir(ROOT)
    import pytest  # noqa: F401 - once, before the forks

    import efm3.engine  # noqa: F401
    wrong = _case(chosen[0])
    if wrong:
        raise RuntimeError(f"the unchanged suite fails {wrong}")
    yield from ((m, _forked(m)) for m in chosen)
