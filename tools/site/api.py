# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A page for each public module or package, whose members the builder reads from their docstrings.

Names load lazily, so nobody who looks at `efm3` without running it sees any: every module is named
here, and with it each of its public members.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import efm3
from tools import layers
from tools.gen.blocks import table

LEFT = {"efm3.codes": "a module a group, whose rows are the pages of the codes"}
"""Packages whose modules are not shown, and why."""


@cache
def files() -> dict[str, Path]:
    """Module name to file."""
    return layers.files()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def public() -> list[str]:
    """The names of `efm3`, and what each is: a module of this name, or where it is defined."""
    return [name for name in efm3.__all__ if not name.startswith("_")]


@cache
def homes() -> dict[str, str]:
    """A name of `efm3` that is no module to the module that defines it."""
    tree = _tree(files()["efm3"])
    return {a.asname or a.name: node.module for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module and node.module != "efm3"
            for a in node.names if a.name in efm3.__all__}


def rooms() -> list[str]:
    """The modules that have a page: those that `efm3` names, and those that define its names."""
    return sorted({f"efm3.{n}" for n in public() if n not in homes()} | {*homes().values()}
                  - {"efm3.version"})


def modules(room: str) -> list[str]:
    """A room's public modules, itself first."""
    there = files()
    inside = [m for m in there if m.startswith(f"{room}.") and m.rpartition(".")[0] in there
              and not any(part.startswith("_") for part in m.split("."))]
    return [room, *([] if room in LEFT else sorted(inside))]


def members(module: str) -> list[str]:
    """The public names of a module: what it defines, and what its `__all__` or an import under the
    same name gives on. But for those of `lazy`."""
    tree = _tree(files()[module])
    listed = next((_strings(node) for node in tree.body if _names(node) == ["__all__"]), None)
    if listed:
        return listed
    given = [a.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             for a in node.names if a.asname == a.name]
    own = [name for node in tree.body for name in _names(node)]
    return list(dict.fromkeys(n for n in (*own, *given) if not n.startswith("_")))


def lazy(module: str) -> dict[str, str]:
    """The names that a module gives on when they are asked for, and no import shows: name to the
    module that defines it."""
    for node in _tree(files()[module]).body:
        given = getattr(node, "value", None)
        if _names(node) == ["_HOMES"] and isinstance(given, ast.Dict) and module != "efm3":
            homes: dict[str, str] = ast.literal_eval(given)
            return {name: f"{module}.{home}" for name, home in homes.items()
                    if name not in members(module)}
    return {}


def described(module: str) -> list[str]:
    """The full names under which a module's public members are described."""
    return [f"{module}.{name}" for name in members(module)] + [
        f"{home}.{name}" for name, home in lazy(module).items()]


def _names(node: ast.stmt) -> list[str]:
    """What a statement of a module defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Assign):
        return [t.id for t in node.targets if isinstance(t, ast.Name)]
    return []


def _strings(node: ast.stmt) -> list[str]:
    """The texts of a list, none of what a call gives."""
    parts = getattr(getattr(node, "value", None), "elts", [])
    return [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]


def path(room: str) -> str:
    """The page of a room."""
    return f"api/{room}.md"


def pages() -> dict[str, str]:
    """Every page of the site by its path."""
    return {"api/index.md": index()} | {path(room): page(room) for room in rooms()}


def page(room: str) -> str:
    """A room's page: a directive for each of its modules that has members."""
    lines = [f"---\ntitle: {room}\n---", ""]
    for module in modules(room):
        found = members(module)
        lines += [f"::: {module}", "    options:",
                  f"      heading_level: {1 if module == room else 2}",
                  f"      members: [{', '.join(found)}]" if found else "      members: false", ""]
        given = [f"[`{name}`](#{home}.{name})" for name, home in lazy(module).items()]
        if given:
            lines += [f"`{module}` itself gives {', '.join(given)}.", ""]
    return "\n".join(lines)


def index() -> str:
    """The page of `efm3` itself: each public name, and where it is described."""
    rows = []
    for name in public():
        home = homes().get(name, f"efm3.{name}")
        anchor = f"{home}.{name}" if name in homes() else home
        rows.append((f"[`efm3.{name}`]({path(home).rpartition('/')[2]}#{anchor})",
                     _first(home, name if name in homes() else "")))
    return "\n".join([
        "---\ntitle: Python API\n---", "", "# Python API", "",
        "What `import efm3` gives. Names and packages are imported when they are first used; "
        "numpy with the first that needs it.", "", *table(("name", "what it is"), rows), ""])


def _first(module: str, name: str) -> str:
    """The first sentence of a docstring, "" where there is none."""
    tree: ast.Module | ast.stmt = _tree(files()[module])
    if name:
        body = tree.body if isinstance(tree, ast.Module) else []
        tree = next(n for n in body if name in _names(n))
        if not isinstance(tree, (ast.FunctionDef, ast.ClassDef)):
            after = body[body.index(tree) + 1]
            words = after.value.value if isinstance(after, ast.Expr) and isinstance(
                after.value, ast.Constant) else ""
            return _sentence(str(words))
    assert isinstance(tree, (ast.Module, ast.FunctionDef, ast.ClassDef))
    return _sentence(ast.get_docstring(tree) or "")


def _sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".").replace("|", "\\|")
