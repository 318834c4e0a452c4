# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads a TorchScript program: Python's text, of which very little is followed.

Statements are followed one by one with the picture as a node of the graph, so that each
operation on it becomes a node, too; whole numbers, lists and conditions are computed. Nothing is
compiled or run. Steps and numbers are bounded.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from efm3.convert._checkpoint import Checkpoint
from efm3.convert._torchscript_text import Text, Texts
from efm3.convert._unpickle import Table, Thing
from efm3.convert.graph import Node
from efm3.findings import printable, refuse

MOST_STEPS, ALL_STEPS = 500_000, 1_000_000
"""Steps of a run: one more for each four weights of the file, up to the second number."""
READ, PARSED = 64, 2
"""Characters of a line that are read, and that are parsed, in a step."""
MOST_INTEGER = 1 << 63
MOST_CACHE = 1 << 15
"""Characters of statements that are kept as Python parsed them: it needs a kilobyte for a word."""
ROOTS = ("torch", "ops", "__torch__", "CONSTANTS")


@dataclass(frozen=True)
class Name:
    """A name that begins with one of ROOTS."""

    text: str


class Context:
    """What a `with` enters: it changes the precision that PyTorch computes in, or what it keeps
    for training, and so nothing here."""


CONTEXTS = ("autocast", "no_grad", "inference_mode")
INSTEAD = "; a module that is traced (torch.jit.trace), or its state_dict alone, is read"


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
        self._texts = Texts(checkpoint)
        self._parsed: dict[str, ast.stmt] = {}
        self._kept = 0
        self._steps = min(MOST_STEPS + checkpoint.size // 16, ALL_STEPS)
        self._constants: Any = None
        self._where: tuple[Text, int] | None = None
        self._path = ""

    def method(self, module: Any, name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
        """A method of a module."""
        made_by = module.made_by if isinstance(module, Thing) else type(module).__name__
        text, at = self._function(made_by, name)
        before, self._path = self._path, self.paths.get(id(module), self._path)
        try:
            return self._run(text, at, [module, *args], keywords)
        finally:
            self._path = before

    def parameters(self, module: Thing, name: str) -> list[str]:
        """The names of a method's parameters without defaults, less self. Raises X008."""
        text, at = self._function(module.made_by, name)
        arguments = self._header(text, at).args
        names = [a.arg for a in arguments.args]
        return names[1:len(names) - len(arguments.defaults)]

    def no(self, why: str) -> NoReturn:
        """Refuses the program where it is read now. Raises X008."""
        place = ""
        if self._where is not None:
            text, at = self._where
            place = f"{printable(text.path[:120])}, line {text.number(at)}"
        refuse("X008", f"TorchScript{' in ' if place else ''}{place}: {why}", place)

    def _function(self, made_by: str, name: str) -> tuple[Text, int]:
        """A method of a class, or a function of a module. Raises X008."""
        for module, key in ((made_by, ("", name)), (made_by.rpartition(".")[0],
                                                    (made_by.rpartition(".")[2], name))):
            text = self._texts.get(module)
            if text is not None and key in text.functions:
                return text, text.functions[key]
        self.no(f"{printable(made_by[:100])} has no {printable(name[:60])}")

    def _statement(self, text: Text, at: int) -> ast.stmt:
        """A line as Python parses it; what stands below it is not in it."""
        line = self._line(text, at)
        if line not in self._parsed:
            self._step(len(line) // PARSED)
            try:
                body = ast.parse(f"{line} pass" if line.endswith(":") else line).body
            except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
                self.no(f"it is no program: {printable(str(e))[:100]}")
            if len(body) != 1:
                self.no("it is no program: a line of several statements")
            self._kept += len(line)
            if self._kept > MOST_CACHE:
                self._parsed.clear()
                self._kept = len(line)
            self._parsed[line] = body[0]
        return self._parsed[line]

    def _line(self, text: Text, at: int) -> str:
        line = text.line(at)
        self._step(len(line) // READ)
        return line

    def _header(self, text: Text, at: int) -> ast.FunctionDef:
        self._where = text, at
        statement = self._statement(text, at)
        if not isinstance(statement, ast.FunctionDef):
            self.no("a function's first line is none")
        return statement

    # Running.

    def _run(self, text: Text, at: int, args: list[Any], keywords: dict[str, Any]) -> Any:
        before = self._where
        function = self._header(text, at)
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
        try:
            self._block(text, at, scope)
        except Return as r:
            return r.value
        finally:
            self._where = before
        return None

    def _block(self, text: Text, above: int, scope: dict[str, Any]) -> None:
        """The lines that stand below one."""
        at, end = above + 1, text.ends[above]
        while at < end:
            self._where = text, at
            match self._statement(text, at):
                case ast.Assign(targets=[target], value=value):
                    self._assign(target, self._value(value, scope), scope)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._assign(target, self._value(value, scope), scope)
                case ast.Expr(value=value):
                    self._value(value, scope)
                case ast.If(test=test):
                    other = text.ends[at]
                    has = other < end and self._line(text, other) == "else:"
                    if self._true(test, scope):
                        self._block(text, at, scope)
                    elif has:
                        self._block(text, other, scope)
                    at = text.ends[other] if has else other
                    continue
                case ast.For(target=target, iter=values):
                    for item in self._items(self._value(values, scope)):
                        self._step()
                        self._assign(target, item, scope)
                        self._block(text, at, scope)
                case ast.While(test=test):
                    while self._true(test, scope):
                        self._block(text, at, scope)
                case ast.Return(value=value):
                    raise Return(None if value is None else self._value(value, scope))
                case ast.With(items=[ast.withitem(context_expr=entered, optional_vars=None)]):
                    if not isinstance(self._value(entered, scope), Context):
                        self.no(f"what a with enters is not followed{INSTEAD}")
                    self._block(text, at, scope)
                case ast.Pass():
                    pass
                case other_statement:
                    self.no(f"a statement {type(other_statement).__name__} is not followed"
                            f"{INSTEAD}")
            at = text.ends[at]

    def _step(self, more: int = 0) -> None:
        self._steps -= 1 + more
        if self._steps < 0:
            self.no("it takes more steps than a network")

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
        elif not (isinstance(target, ast.Attribute)
                  and isinstance(self._value(target.value, scope), Context)):
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
            text = self._texts.get(value.made_by.rpartition(".")[0])
            for at in text.body(value.made_by.rpartition(".")[2]) if text else ():
                if text is not None and self._line(text, at).startswith(f"{name} :"):
                    match self._statement(text, at):
                        case ast.AnnAssign(value=ast.expr() as given):
                            return self._value(given, {})
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
            if isinstance(owner, Context) and function.attr == "__init__":
                return None
            target = self.attribute(owner, function.attr)
        else:
            target = self._value(function, scope)
        if not isinstance(target, Name):
            self.no(f"a call of a {type(target).__name__}")
        if target.text.startswith("__torch__."):
            module, _, name = target.text.rpartition(".")
            if name == "__new__" and module.startswith("__torch__.torch.") and (
                    module.rpartition(".")[2] in CONTEXTS):
                return Context()
            text, at = self._function(module, name)
            return self._run(text, at, values, named)
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
