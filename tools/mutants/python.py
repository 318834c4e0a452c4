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
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from tools import ROOT

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
    """A function of a module with one change, or a rule that finds nothing (`code` is None)."""

    name: str
    module: str
    function: str
    code: CodeType | None


class _Change(ast.NodeTransformer):
    """Counts the places where a check can be taken out, and takes out the one asked for."""

    def __init__(self, wanted: int, both: bool) -> None:
        self.wanted, self.count, self.what, self.both = wanted, 0, "", both

    def _here(self, node: ast.AST, verb: str) -> bool:
        self.count += 1
        if self.count - 1 == self.wanted:
            self.what = f"{verb} {' '.join(ast.unparse(node).split())[:90]}"
        return self.count - 1 == self.wanted

    def _condition(self, node: Any) -> Any:
        if self._here(node, "never"):
            return ast.BoolOp(ast.And(), [node, ast.Constant(False)])
        # A rule's condition says what is found as much as what is not: it is made to hold too.
        if self.both and self._here(node, "always"):
            return ast.BoolOp(ast.Or(), [node, ast.Constant(True)])
        return self._operands(node)

    def _operands(self, node: Any) -> Any:
        if isinstance(node, ast.BoolOp):
            always = isinstance(node.op, ast.And)
            for i, v in enumerate(node.values):
                if self._here(v, "always" if always else "never"):
                    node.values[i] = ast.Constant(always)
                    return node
            node.values = [self._operands(v) for v in node.values]
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            node.operand = self._operands(node.operand)
        elif isinstance(node, ast.Compare) and len(node.ops) > 1:
            sides = [node.left, *node.comparators]
            for i in range(len(node.ops)):
                link = ast.Compare(sides[i], [node.ops[i]], [sides[i + 1]])
                if self._here(link, "always"):
                    rest: list[ast.expr] = [
                        ast.Compare(sides[j], [node.ops[j]], [sides[j + 1]])
                        for j in range(len(node.ops)) if j != i]
                    return rest[0] if len(rest) == 1 else ast.BoolOp(ast.And(), rest)
        return node

    def visit_If(self, node: ast.If) -> Any:
        node.test = self._condition(node.test)
        alone = len(node.body) == 1 and _refuses(node.body[0])
        if not alone:
            node.body = [self.visit(n) for n in node.body]
        node.orelse = [self.visit(n) for n in node.orelse]
        return node

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        node.test = self._condition(node.test)
        return node

    def visit_Return(self, node: ast.Return) -> Any:
        if node.value is not None:
            node.value = self._operands(node.value)
        return self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> Any:
        for i, test in enumerate(node.ifs):
            if self._here(test, "always"):
                node.ifs[i] = ast.Constant(True)
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> Any:
        return ast.Pass() if self._here(node, "without") else node

    def visit_Expr(self, node: ast.Expr) -> Any:
        if _refuses(node):
            return ast.Pass() if self._here(node, "without") else node
        return node


def _refuses(node: ast.AST) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(node, ast.Raise) or (isinstance(call, ast.Call)
                                           and isinstance(call.func, ast.Name)
                                           and call.func.id == "refuse")


def _find(tree: ast.AST, path: str) -> Any:
    node: Any = tree
    for name in path.split("."):
        node = next(n for n in node.body if getattr(n, "name", "") == name)
    return node


def _code(module: CodeType, path: str) -> CodeType:
    for name in path.split("."):
        module = next(c for c in module.co_consts
                      if isinstance(c, CodeType) and c.co_name == name)
    return module


def _file(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _conditions(module: str, path: str) -> Iterator[Mutant]:
    file = _file(module)
    text, wanted = file.read_text(encoding="utf-8"), 0
    while True:
        tree = ast.parse(text)
        change = _Change(wanted, module.startswith("efm3.rules"))
        function = _find(tree, path)
        function.body = [change.visit(n) for n in function.body]
        if change.count <= wanted:
            return
        code = compile(ast.fix_missing_locations(tree), str(file), "exec")
        yield Mutant(f"{file.relative_to(ROOT)} {path}: {change.what}", module, path,
                     _code(code, path))
        wanted += 1


def _functions(module: str) -> list[str]:
    tree = ast.parse(_file(module).read_text(encoding="utf-8"))
    return [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]


def mutants() -> list[Mutant]:
    """Every rule emptied, and every condition of CHECKED taken out."""
    from efm3.rules import load_rules

    out = [Mutant(f"efm3/rules/{r.group}.py {code}: finds nothing", "efm3.rules", code, None)
           for code, r in load_rules().items()]
    for module, (functions, _) in CHECKED.items():
        for path in functions or _functions(module):
            out += _conditions(module, path)
    seen: dict[str, int] = {}
    for i, m in enumerate(out):
        seen[m.name] = n = seen.get(m.name, 0) + 1
        if n > 1:
            out[i] = m._replace(name=f"{m.name} #{n}")
    return out


def _apply(m: Mutant) -> None:
    rules = vars(import_module("efm3.rules"))
    for cached in rules.values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    if m.code is None:
        rules["check_of"](m.function)
        rules["CHECKS"][m.function] = lambda ctx: iter(())
        return
    target: Any = import_module(m.module)
    for name in m.function.split("."):
        target = vars(target)[name]
    for inner in ("fget", "func", "__wrapped__"):
        target = getattr(target, inner, target)
    target.__code__ = m.code
    # Checks that the function made when its module was loaded are made again, of the arguments
    # that they kept.
    for code, check in rules["CHECKS"].items():
        if (check.__module__, check.__qualname__.partition(".<locals>.")[0]) == (
                m.module, m.function) and check.__closure__:
            kept = {name: cell.cell_contents for name, cell in zip(
                check.__code__.co_freevars, check.__closure__, strict=True)} | {"code": code}
            names = m.code.co_varnames[:m.code.co_argcount]
            rules["CHECKS"][code] = target(*(kept[name] for name in names))


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
    own = [p for p in rows if m.code is None and m.function in {f.code for f in p[0].findings}]
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
    tests = CHECKED[m.module][1] if m.code else ()
    files = [f for f in tests if (ROOT / f.split("::")[0]).exists()]
    if files:
        pytest.main(["-x", "-q", "-p", "no:cacheprovider", *files], [first])
    return first.name


def _notice(m: Mutant) -> str:
    _apply(m)
    return (m.module not in ("efm3.model", "efm3.source") and _case(m)) or _test(m)


def _forked(m: Mutant) -> str:
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        signal.alarm(SECONDS)
        try:
            found = _notice(m)
        except BaseException as e:
            found = f"the run itself ({type(e).__name__})"
        os.write(writer, found.encode()[:400])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        found = pipe.read().decode()
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
