# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a test needs of a machine to run: found in its source, where it says when it is skipped.

A test is skipped by a mark `skipif` of its own, of its module or of tests/systems.py, or by
pytest.skip or pytest.importorskip in it, or in a function or fixture of its module that it names.
`WORDS` says what each of these conditions means; one that is not there is refused by
tools/gen/promises.py.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tools import ROOT

WORDS = {
    "shutil.which('cc') is None": "a C compiler",
    "CC is None": "a C compiler",
    "not engine.available()": "the built engine",
    "not engines.available()": "the built engine",
    "not sys.platform.startswith('linux')": "Linux",
    "sys.platform == 'win32'": "another system than Windows",
    "not hasattr(os, 'setxattr')": "extended attributes",
    "not os.path.exists('/dev/full')": "/dev/full",
    "'this file system holds no sparse terabyte'": "a file system with sparse files",
    "'this file system has no extended attributes'": "extended attributes",
    "'this file system has no ACLs'": "a file system with ACLs",
    "'this compiler has no AddressSanitizer'": "AddressSanitizer",
    "'not possible here'": "for some scenarios more than every machine has",
    "'this system has no /proc'": "/proc",
    "f'this Pillow does not write {form}'": "for some formats a Pillow that writes them",
    "f\"{', '.join(missing)} not installed: only the refusal was read\"":
        "for some formats an optional library",
    "f'{machines.missing(machine)} not installed (tools/foreign/install_cross.sh)'":
        "cross compilers and qemu, by tools/foreign/install_cross.sh",
    "'no Python of s390x under build/, or no qemu-s390x (tools/foreign/install_cross.sh)'":
        "qemu and a Python of s390x, by tools/foreign/install_cross.sh",
}
"""A condition of skipif, or the reason of pytest.skip, to what the test needs."""

SKIPS = ("pytest.skip", "pytest.importorskip")


def conditions(tree: ast.Module, test: str) -> list[str]:
    """When a test of a module is skipped: conditions and reasons as their source, and `import NAME`
    for a library that must be there."""
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    named = _assigned(tree)
    if any(isinstance(n, ast.ImportFrom) and n.module == "tests.systems" for n in tree.body):
        shared = (ROOT / "tests" / "systems.py").read_text(encoding="utf-8")
        named = _assigned(ast.parse(shared)) | named
    marks = [*_listed(named.get("pytestmark")),
             *(functions[test].decorator_list if test in functions else ())]
    found = [out for mark in marks for out in _mark(mark, named)]
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.Expr)):
            for inner in ast.walk(node.value):
                found += _skip(inner)
    seen, todo = set(), [test]
    while todo:
        if (name := todo.pop()) in seen or name not in functions:
            continue
        seen.add(name)
        for inner in ast.walk(functions[name]):
            found += _skip(inner)
            todo += [inner.id] if isinstance(inner, ast.Name) else []
            todo += [inner.arg] if isinstance(inner, ast.arg) else []
    return list(dict.fromkeys(found))


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    return {n.targets[0].id: n.value for n in tree.body
            if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)}


def _listed(value: ast.expr | None) -> list[ast.expr]:
    if isinstance(value, (ast.List, ast.Tuple)):
        return value.elts
    return [value] if value else []


def _mark(mark: ast.expr, named: dict[str, ast.expr]) -> Iterator[str]:
    if isinstance(mark, ast.Name) and mark.id in named:
        mark = named[mark.id]
    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.skipif":
        yield ast.unparse(mark.args[0])


def _skip(node: ast.AST) -> list[str]:
    if not isinstance(node, ast.Call) or ast.unparse(node.func) not in SKIPS:
        return []
    first = (node.args or [node.keywords[0].value])[0]
    if ast.unparse(node.func) == "pytest.skip":
        return [ast.unparse(first)]
    return [f"import {ast.literal_eval(first).split('.')[0]}"]
