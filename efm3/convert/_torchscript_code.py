# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads a TorchScript program: Python's text, of which very little is followed.

Statements are followed one by one with the picture as a node of the graph, so that each
operation on it becomes a node, too; whole numbers, lists and conditions are computed. Nothing is
compiled or run. Steps, text and numbers are bounded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from efm3.convert._checkpoint import Checkpoint
from efm3.convert._unpickle import Table, Thing
from efm3.convert.graph import Node
from efm3.findings import printable, refuse

MOST_STEPS, MOST_TOKENS, MOST_STATEMENT = 300_000, 250_000, 4_000
"""Steps of a run; words and signs of all text that is parsed, and of one statement."""
MOST_INTEGER = 1 << 63
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|\w+|[^\s\w]|\n')
ROOTS = ("torch", "ops", "__torch__", "CONSTANTS")


@dataclass(frozen=True)
class Name:
    """A name that begins with one of ROOTS."""

    text: str


@dataclass
class File:
    """A text of the archive: its classes and its functions."""

    path: str
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)


class Return(Exception):
    """A value that a function returns."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Program:
    """The functions of a TorchScript archive, to be followed by `call`.

    `operation(name, args, keywords, place)` gives the value of a call of a name like torch.relu.
    `attributes` gives what a module holds; `paths` its place in the network by the module's id.
    """

    def __init__(self, checkpoint: Checkpoint,
                 operation: Callable[[str, list[Any], dict[str, Any], str], Any]) -> None:
        self.paths: dict[int, str] = {}
        self._checkpoint, self._operation = checkpoint, operation
        self._files: dict[str, File] = {}
        self._tokens = self._steps = 0
        self._constants: Any = None
        self._where: tuple[File, int] | None = None
        self._path = ""

    def method(self, module: Any, name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
        """A method of a module."""
        made_by = module.made_by if isinstance(module, Thing) else type(module).__name__
        found = self._class(made_by)
        functions = {f.name: f for f in found[1].body if isinstance(f, ast.FunctionDef)} if (
            found) else {}
        if name not in functions or found is None:
            self.no(f"{printable(made_by[:100])} has no method {printable(name[:60])}")
        before, self._path = self._path, self.paths.get(id(module), self._path)
        try:
            return self._run(found[0], functions[name], [module, *args], keywords)
        finally:
            self._path = before

    def parameters(self, module: Thing, name: str) -> list[str]:
        """The names of a method's parameters without defaults, less self. Raises X008."""
        found = self._class(module.made_by)
        for f in found[1].body if found else ():
            if isinstance(f, ast.FunctionDef) and f.name == name:
                names = [a.arg for a in f.args.args]
                return names[1:len(names) - len(f.args.defaults)]
        self.no(f"{printable(module.made_by[:100])} has no method {name}")

    def no(self, why: str) -> NoReturn:
        """Refuses the program where it is read now. Raises X008."""
        place = ""
        if self._where is not None:
            place = f"{printable(self._where[0].path[:120])}, line {self._where[1]}"
        refuse("X008", f"TorchScript{' in ' if place else ''}{place}: {why}", place)

    # Texts.

    def _file(self, name: str) -> File | None:
        """The text of `__torch__.a.b`, which is code/__torch__/a/b.py."""
        path = f"{self._checkpoint.folder}code/{name.replace('.', '/')}.py"
        archive = self._checkpoint.archive
        if path not in self._files:
            if archive is None or path not in archive:
                return None
            self._files[path] = self._parsed(path, archive.read(path))
        return self._files[path]

    def _parsed(self, path: str, data: bytes) -> File:
        depth = statement = 0
        for m in _TOKEN.finditer(data):
            sign = data[m.start()]
            if sign == 10 and depth <= 0:
                statement = 0
                continue
            depth += (sign in b"([{") - (sign in b")]}")
            statement += 1
            self._tokens += 1
            if self._tokens > MOST_TOKENS or statement > MOST_STATEMENT:
                self.no(f"{printable(path[:120])} holds more than a network's text")
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
            self.no(f"{printable(path[:120])} is no program: {printable(str(e))[:100]}")
        file = File(path)
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                file.classes[node.name] = node
            elif isinstance(node, ast.FunctionDef):
                file.functions[node.name] = node
        return file

    def _class(self, made_by: str) -> tuple[File, ast.ClassDef] | None:
        module, _, name = made_by.rpartition(".")
        file = self._file(module)
        return None if file is None or name not in file.classes else (file, file.classes[name])

    # Running.

    def _run(self, file: File, function: ast.FunctionDef, args: list[Any],
             keywords: dict[str, Any]) -> Any:
        before = self._where
        names = [a.arg for a in function.args.args]
        if len(args) > len(names) or any(k not in names for k in keywords):
            self.no(f"{printable(function.name[:60])} is called with other arguments than it has")
        defaults = function.args.defaults
        scope: dict[str, Any] = {
            n: self._value(d, {}) for n, d in zip(names[len(names) - len(defaults):], defaults,
                                                  strict=True)}
        scope.update(zip(names, args, strict=False))
        scope.update(keywords)
        missing = [n for n in names if n not in scope]
        if missing:
            self.no(f"{printable(function.name[:60])} is called without {missing[0][:60]}")
        self._where = file, function.lineno
        try:
            self._block(file, function.body, scope)
        except Return as r:
            return r.value
        finally:
            self._where = before
        return None

    def _block(self, file: File, body: list[ast.stmt], scope: dict[str, Any]) -> None:
        for s in body:
            self._where = file, s.lineno
            self._step()
            match s:
                case ast.Assign(targets=[target], value=value):
                    self._assign(target, self._value(value, scope), scope)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._assign(target, self._value(value, scope), scope)
                case ast.Expr(value=value):
                    self._value(value, scope)
                case ast.If(test=test, body=yes, orelse=no):
                    self._block(file, yes if self._true(test, scope) else no, scope)
                case ast.For(target=target, iter=values, body=inner, orelse=[]):
                    for item in self._items(self._value(values, scope)):
                        self._step()
                        self._assign(target, item, scope)
                        self._block(file, inner, scope)
                case ast.While(test=test, body=inner, orelse=[]):
                    while self._true(test, scope):
                        self._block(file, inner, scope)
                case ast.Return(value=value):
                    raise Return(None if value is None else self._value(value, scope))
                case ast.Pass():
                    pass
                case _:
                    self.no(f"a statement {type(s).__name__} is not followed")

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            self.no(f"it takes more than {MOST_STEPS:,} steps")

    def _true(self, test: ast.expr, scope: dict[str, Any]) -> bool:
        value = self._value(test, scope)
        if not isinstance(value, (bool, int, float)):
            self.no("a condition that depends on the picture")
        return bool(value)

    def _items(self, values: Any) -> Iterator[Any]:
        if not isinstance(values, (list, tuple, range)):
            self.no(f"a loop over a {type(values).__name__}")
        return iter(values)

    def _assign(self, target: ast.expr, value: Any, scope: dict[str, Any]) -> None:
        if isinstance(target, ast.Name):
            scope[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, (list, tuple)) and (
                len(value) == len(target.elts)):
            for t, v in zip(target.elts, value, strict=True):
                self._assign(t, v, scope)
        else:
            self.no("an assignment that is not followed")

    # Values.

    def _value(self, e: ast.expr, scope: dict[str, Any]) -> Any:
        self._step()
        match e:
            case ast.Constant(value=None | bool() | int() | float() | str() as value):
                return value
            case ast.Name(id=name):
                if name in scope:
                    return scope[name]
                if name in ROOTS:
                    return Name(name)
                if name in ("inf", "nan"):
                    return float(name)
            case ast.List(elts=items):
                return [self._value(i, scope) for i in items]
            case ast.Dict(keys=keys, values=items):
                return {self._text(k, scope): self._value(v, scope)
                        for k, v in zip(keys, items, strict=True)}
            case ast.Tuple(elts=items):
                return tuple(self._value(i, scope) for i in items)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                value = self._value(inner, scope)
                if isinstance(value, (int, float)):
                    return -value
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return not self._true(inner, scope)
            case ast.BoolOp(op=op, values=items):
                return (any if isinstance(op, ast.Or) else all)(self._true(i, scope) for i in items)
            case ast.Attribute(value=inner, attr=name):
                return self.attribute(self._value(inner, scope), name)
            case ast.Subscript(value=inner, slice=index):
                return self._item(self._value(inner, scope), self._value(index, scope))
            case ast.Call(func=function, args=args, keywords=keywords):
                return self._call(function, args, keywords, scope)
        self.no(f"an expression {type(e).__name__} is not followed")

    def _text(self, key: ast.expr | None, scope: dict[str, Any]) -> str:
        value = None if key is None else self._value(key, scope)
        if not isinstance(value, str):
            self.no("a dict with keys that are not text")
        return value

    def attribute(self, value: Any, name: str) -> Any:
        """An attribute of a module, a constant of its class, or a longer name."""
        if isinstance(value, Name):
            if value.text == "CONSTANTS" and name[1:].isdecimal() and len(name) < 8:
                return self._constant(int(name[1:]))
            return Name(f"{value.text}.{name}")
        if isinstance(value, Thing) and isinstance(value.state, Table):
            if name in value.state.texts:
                found = value.state.texts[name]
                if isinstance(found, Thing):
                    path = self.paths.get(id(value), "")
                    self.paths.setdefault(id(found), f"{path}.{name}" if path else name)
                # Whoever runs a saved module calls eval() first.
                return False if name == "training" else found
            file = self._class(value.made_by)
            for s in file[1].body if file else ():
                if isinstance(s, ast.AnnAssign) and s.value is not None and isinstance(
                        s.target, ast.Name) and s.target.id == name:
                    return self._value(s.value, {})
        self.no(f"a {type(value).__name__} has no {printable(name[:60])}")

    def _constant(self, number: int) -> Any:
        if self._constants is None:
            self._constants = self._checkpoint.pickle(
                f"{self._checkpoint.folder}constants.pkl", "constants/")
        if not isinstance(self._constants, tuple) or number >= len(self._constants):
            self.no(f"it has no constant {number}")
        return self._constants[number]

    def _item(self, value: Any, index: Any) -> Any:
        if isinstance(value, Table) and isinstance(index, str) and index in value.texts:
            return value.texts[index]
        if isinstance(value, (list, tuple)) and isinstance(index, int) and (
                -len(value) <= index < len(value)):
            return value[index]
        self.no(f"an index of a {type(value).__name__} that is not followed")

    def _call(self, function: ast.expr, args: list[ast.expr], keywords: list[ast.keyword],
              scope: dict[str, Any]) -> Any:
        if isinstance(function, ast.Name) and function.id not in scope:
            # These take a type first, which is no value.
            if function.id in ("annotate", "unchecked_cast") and len(args) == 2:
                return self._value(args[1], scope)
            if function.id == "uninitialized":
                return None
        if any(isinstance(a, ast.Starred) for a in args) or any(k.arg is None for k in keywords):
            self.no("a call with arguments that are not written out")
        values = [self._value(a, scope) for a in args]
        named = {k.arg or "": self._value(k.value, scope) for k in keywords}
        if isinstance(function, ast.Name) and function.id not in scope:
            return self._builtin(function.id, values)
        if isinstance(function, ast.Attribute):
            owner = self._value(function.value, scope)
            if isinstance(owner, Thing):
                return self.method(owner, function.attr, values, named)
            target = self.attribute(owner, function.attr)
        else:
            target = self._value(function, scope)
        if not isinstance(target, Name):
            self.no(f"a call of a {type(target).__name__}")
        if target.text.startswith("__torch__."):
            module, _, name = target.text.rpartition(".")
            file = self._file(module)
            if file is None or name not in file.functions:
                self.no(f"it has no function {printable(target.text[:120])}")
            return self._run(file, file.functions[name], values, named)
        line = self._where
        value = self._operation(target.text, values, named, self._path)
        self._where = line
        if isinstance(value, int) and abs(value) >= MOST_INTEGER:
            self.no("a number of more than 64 bits")
        return value

    def _builtin(self, name: str, args: list[Any]) -> Any:
        match name, args:
            case "getattr", [value, str() as attribute]:
                return self.attribute(value, attribute)
            case "int", [int() | float() as value] if abs(value) < MOST_INTEGER:
                return int(value)
            case "float", [int() | float() as value]:
                return float(value)
            case "float", ["inf" | "-inf" | "nan" as value]:
                return float(value)
            case "bool", [bool() | int() | float() as value]:
                return bool(value)
            case "range", [int(), *rest] if len(rest) < 3 and all(
                    isinstance(r, int) for r in rest) and 0 not in rest[1:]:
                return range(*args)
            case "str", [str() as value]:
                return value
            case _, [Node(), *_]:
                self.no(f"{printable(name[:60])} of a value that depends on the picture")
        self.no(f"{printable(name[:60])} is not followed")
