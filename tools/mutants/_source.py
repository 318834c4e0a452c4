# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every check of a program, found in its source, and the source with a switch at each.

A check is one condition that cannot be divided: of `need(a and b, ...)` there are two. In the new
source it reads `_saw(k, a) or _off(k)`: `_saw` notes k where it does not hold, and with check k off
it holds all the same. So one program is each program with one check taken out, in turn. A bare
call of `read` or `load` is a check too: `_guard` runs it, and with the check off it may refuse.
"""

from __future__ import annotations

import ast
import re
from typing import Any, NamedTuple

_CODE = re.compile(r"\b[A-Z][0-9]{3}\b")
REFUSE = ("need", "refuse")
"""The functions that refuse: `need` unless its first argument holds, `refuse` always."""
GUARDS = ("read", "load")
"""The functions whose bare call is a check of a whole file."""


class Check(NamedTuple):
    """A check: the function it stands in, its text, and the code that its refusal names, or ""."""

    where: str
    text: str
    code: str

    @property
    def name(self) -> str:
        """How the check is listed."""
        return f"{self.where}: {self.text}"


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def _named(node: ast.AST, names: tuple[str, ...]) -> bool:
    return (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            and node.func.id in names)


class _Switches(ast.NodeTransformer):
    """Puts the switches in, and keeps the checks in `found`."""

    def __init__(self, only: str) -> None:
        self.only, self.found, self._where, self._code = only, list[Check](), list[str](), ""

    def _number(self, text: str) -> ast.Constant:
        self.found.append(Check(".".join(self._where), " ".join(text.split()), self._code))
        return ast.Constant(len(self.found) - 1)

    def _leaves(self, node: ast.expr, holds: bool) -> ast.expr:
        """The condition with a switch at each part; `holds`: it is needed, else it refuses."""
        parts = ast.And if holds else ast.Or
        if isinstance(node, ast.BoolOp) and isinstance(node.op, parts):
            return ast.BoolOp(node.op, [self._leaves(v, holds) for v in node.values])
        if holds and isinstance(node, ast.Compare) and len(node.ops) > 1:
            sides = [node.left, *node.comparators]
            return ast.BoolOp(ast.And(), [
                self._leaves(ast.Compare(sides[i], [op], [sides[i + 1]]), True)
                for i, op in enumerate(node.ops)])
        k = self._number(ast.unparse(node) if holds else f"not ({ast.unparse(node)})")
        seen = _call("_saw", k, node if holds else ast.UnaryOp(ast.Not(), node))
        ok = ast.BoolOp(ast.Or(), [seen, _call("_off", k)])
        return ok if holds else ast.UnaryOp(ast.Not(), ok)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        self._where.append(node.name)
        if node.name not in REFUSE and ".".join(self._where).startswith(self.only):
            node.body = [self.visit(n) for n in node.body]
        self._where.pop()
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        self._where.append(node.name)
        node.body = [self.visit(n) for n in node.body]
        self._where.pop()
        return node

    def _named_code(self, node: ast.AST) -> None:
        found = _CODE.search(ast.unparse(node))
        self._code = found.group() if found else ""

    def visit_If(self, node: ast.If) -> Any:
        last = node.body[-1]
        refuses = isinstance(last, ast.Expr) and _named(last.value, ("refuse",))
        if self._where and (refuses or (isinstance(last, ast.Raise) and last.exc is not None)):
            self._named_code(last)
            node.test = self._leaves(node.test, False)
            node.orelse = [self.visit(n) for n in node.orelse]
            return node
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        if _named(node, ("need",)) and self._where:
            self._named_code(node)
            node.args[0] = self._leaves(node.args[0], True)
            return node
        return self.generic_visit(node)

    def _always(self, node: ast.stmt) -> ast.stmt:
        self._named_code(node)
        k = self._number(ast.unparse(node))
        test = ast.BoolOp(ast.Or(), [_call("_saw", k, ast.Constant(False)), _call("_off", k)])
        return ast.If(ast.UnaryOp(ast.Not(), test), [node], [])

    def visit_Raise(self, node: ast.Raise) -> Any:
        return self._always(node) if node.exc is not None and self._where else node

    def visit_Expr(self, node: ast.Expr) -> Any:
        if _named(node.value, ("refuse",)) and self._where:
            return self._always(node)
        if _named(node.value, GUARDS) and self._where:
            k, none = self._number(ast.unparse(node)), ast.arguments([], [], None, [], [], None, [])
            node.value = _call("_guard", k, ast.Lambda(none, node.value))
            return node
        return self.generic_visit(node)


def python(text: str, name: str, only: str = "") -> tuple[Any, list[Check]]:
    """Compiled Python with switches, and its checks; `only`: the function to look into."""
    tree = ast.parse(text)
    switches = _Switches(only)
    tree = ast.fix_missing_locations(switches.visit(tree))
    return compile(tree, name, "exec"), switches.found


# Languages with braces. What refuses there is `need(condition, ...)`, `... || syntax()`,
# `if (condition) syntax();` and a `throw`.

_SITE = re.compile(r"(?<!void )(?<!function )\bneed\(|\|\| syntax\(\)|"
                   r"\bif \((?=[^;{]*\) syntax\(\);)|^ +throw new Refused\(", re.MULTILINE)
_FUNCTION = re.compile(r"^ *(?:static |function )+[^(\n;=]*?\b(\w+)\(", re.MULTILINE)
_PATTERN = r"/(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/"
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`(?:[^`\\]|\\.)*`|//[^\n]*'
                    rf"|(?<=[(!]){_PATTERN}|(?<=[=&|] ){_PATTERN}")


def masked(text: str) -> str:
    """The text with comments, strings and patterns blank, place for place."""
    return _TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def _end(text: str, at: int, closers: str) -> int:
    """Offset of the first of `closers` outside brackets from `at` on."""
    depth = 0
    for i in range(at, len(text)):
        if depth == 0 and text[i] in closers:
            return i
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[i], 0)
    raise ValueError(f"nothing closes {text[at:at + 40]!r}")


def _ands(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The operands of `&&` outside brackets."""
    out, at = [], start
    while (stop := _end(text, at, "&,)")) < end:
        out.append((at, stop))
        at = stop + 2
    return [*out, (at, end)]


def _site(blank: str, m: re.Match[str]) -> tuple[list[tuple[int, int]], str, int]:
    """The places of a match's checks, what they become, and where the refusal ends."""
    word, at = m.group().strip(), m.end()
    if word == "need(":
        operands = _ands(blank, at, _end(blank, at, ","))
        return operands, "(_saw({k}, {x}) || _off({k}))", _end(blank, at, ")")
    if word == "if (":
        end = _end(blank, at, ")")
        return [(at, end)], "!(_saw({k}, !({x})) || _off({k}))", end
    if word.startswith("throw"):
        end = _end(blank, at, ")") + 2
        return [(m.start(), end)], "if (!(_saw({k}, false) || _off({k}))) {x}", end
    return [(m.start(), at)], ALTERNATIVE, at


ALTERNATIVE = "|| _saw({k}, false) || _off({k}) {x}"


def braces(text: str) -> tuple[str, list[Check]]:
    """JavaScript or C with switches, and its checks."""
    blank, found, edits = masked(text), list[Check](), list[tuple[int, int, str]]()
    for m in _SITE.finditer(blank):
        where = [f.group(1) for f in _FUNCTION.finditer(blank, 0, m.start())][-1:]
        places, form, end = _site(blank, m)
        code = _CODE.search(text, m.start(), end)
        for s, e in places:
            # An alternative is listed with what it is the alternative to.
            shown = s if form != ALTERNATIVE else max(blank.rfind(c, 0, s) for c in ";{}=\n") + 1
            found.append(Check("".join(where), " ".join(text[shown:e].split()),
                               code.group() if code else ""))
            edits.append((s, e, form.format(k=len(found) - 1, x=text[s:e].strip())))
    for s, e, new in reversed(edits):
        text = text[:s] + new + text[e:]
    return text, found
