# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Places of a Python function where one small mistake is made: checks, numbers, borders, operands.

A visitor goes through the function's tree and names every place; the one asked for is changed.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from types import CodeType
from typing import Any


class Places(ast.NodeTransformer):
    """Names the places that it knows in `names`, and changes place number `wanted` (-1: none)."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.names = wanted, list[str]()

    def here(self, name: str) -> bool:
        """Whether the place that is now named is the one to change."""
        self.names.append(name)
        return len(self.names) - 1 == self.wanted


class Checks(Places):
    """Conditions that hold never, or always (one of `a and b`, or with `both` any); refusals that
    are skipped."""

    both = False

    def _here(self, node: ast.AST, verb: str) -> bool:
        return self.here(f"{verb} {_text(node, 90)}")

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
        alone = len(node.body) == 1 and refuses(node.body[0])
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
        if refuses(node):
            return ast.Pass() if self._here(node, "without") else node
        return node


class Conditions(Checks):
    """A rule's condition says what is found as much as what is not: it is made to hold too."""

    both = True


BORDERS: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.LtE(), ast.LtE: ast.Lt(), ast.Gt: ast.GtE(), ast.GtE: ast.Gt()}
SIGNS: dict[type[ast.AST], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Sub: "-", ast.Div: "/", ast.FloorDiv: "//"}


def others(value: int | float) -> Sequence[int | float]:
    """Numbers that a slip puts in the place of one: a neighbour, the double, half, a tenth."""
    if isinstance(value, float):
        return (value * 2, value / 10) if value else (1.0,)
    if value >= 16:
        return value * 2, value // 2
    return (value + 1, value - 1) if value > 0 else (value + 1,)


class Values(Places):
    """Numbers that are others, borders that belong to the other side, operands of - and /
    exchanged. What only words a refusal is left alone."""

    inside = ""

    def visit(self, node: ast.AST) -> Any:
        """As NodeTransformer, and keeps the statement for the names."""
        outer = self.inside
        if isinstance(node, (ast.stmt, ast.IfExp, ast.comprehension, ast.Lambda)):
            self.inside = _text(node, 70)
        out = super().visit(node)
        self.inside = outer
        return out

    def visit_Constant(self, node: ast.Constant) -> Any:
        """A number that is another one."""
        if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            for value in others(node.value):
                if self.here(f"{node.value!r} is {value!r} in {self.inside}"):
                    return ast.Constant(value)
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        """The border of a comparison on its other side."""
        text = _text(node, 70)
        for i, op in enumerate(node.ops):
            if type(op) in BORDERS:
                new = BORDERS[type(op)]
                if self.here(f"{SIGNS[type(op)]} is {SIGNS[type(new)]} in {text}"):
                    node.ops[i] = new
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        """Of a difference whose size alone is asked for the operands may stand either way, and
        numpy takes any negative number for the rest of a shape."""
        inner = node.args[0] if node.args and _name(node.func) == "abs" else None
        if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Sub):
            inner.left, inner.right = self.visit(inner.left), self.visit(inner.right)
            return node
        if _name(node.func) == "reshape":
            node.func = self.visit(node.func)
            node.args = [a if isinstance(a, ast.UnaryOp) else self.visit(a) for a in node.args]
            return node
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        """The operands of - or / exchanged."""
        text = _text(node, 70)
        if type(node.op) in SIGNS and not _paths(node) and self.here(f"exchanged: {text}"):
            node.left, node.right = node.right, node.left
            return node
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> Any:
        """Words."""
        return node

    def visit_Expr(self, node: ast.Expr) -> Any:
        """A refusal is words; anything else is gone through."""
        return node if refuses(node) else self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        """Words."""
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        """Its value alone."""
        if node.value is not None:
            node.value = self.visit(node.value)
        return node


def _text(node: ast.AST, most: int) -> str:
    return " ".join(ast.unparse(node).split())[:most]


def _name(function: ast.expr) -> str:
    """What a called function or method is called."""
    return str(getattr(function, "id", getattr(function, "attr", "")))


def _paths(node: ast.BinOp) -> bool:
    """Whether / joins paths."""
    return any(isinstance(n, ast.JoinedStr)
               or (isinstance(n, ast.Constant) and isinstance(n.value, str))
               for n in (node.left, node.right))


REFUSALS = ("refuse", "bad", "_bad", "_wrong", "no", "_no", "broken", "damaged", "_damaged",
            "_beyond", "_unknown", "_long")
"""Functions and methods that only raise."""


def refuses(node: ast.AST) -> bool:
    """Whether a statement raises or refuses."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(node, ast.Raise) or (
        isinstance(call, ast.Call) and _name(call.func) in REFUSALS)


def function_of(tree: ast.AST, path: str) -> Any:
    """The function `path` ("f", "C.f") of a module's tree."""
    node: Any = tree
    for name in path.split("."):
        node = next(n for n in node.body if getattr(n, "name", "") == name)
    return node


def _code(module: CodeType, path: str, line: int) -> CodeType:
    for name in path.split("."):
        codes = [c for c in module.co_consts if isinstance(c, CodeType) and c.co_name == name]
        # Of several of one name (a property and its setter) the one that was changed.
        module = next((c for c in codes if c.co_firstlineno == line), codes[0])
    return module


def names(tree: ast.Module, path: str, kind: type[Places]) -> list[str]:
    """The places of a function."""
    places = kind(-1)
    for node in function_of(tree, path).body:
        places.visit(node)
    return places.names


def changed(file: Path, path: str, kind: type[Places], wanted: int) -> CodeType:
    """The code of a file's function with one place changed."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    function = function_of(tree, path)
    line = min(n.lineno for n in (function, *function.decorator_list))
    places = kind(wanted)
    function.body = [places.visit(n) for n in function.body]
    return _code(compile(ast.fix_missing_locations(tree), str(file), "exec"), path, line)
