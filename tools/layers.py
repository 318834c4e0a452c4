# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The plan of the rooms, and the arrows between them as the imports draw them.

A room is a module or a folder of efm3/, or a folder of tools/. `FLOORS` is the plan: a room imports
from floors below its own, and no two modules import one another in a circle. Imports inside
functions and under TYPE_CHECKING count. tests/test_layers.py holds the code to it, and
docs/architecture.md is drawn from it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from tools import ROOT

FLOORS: tuple[tuple[str, ...], ...] = (
    ("version", "codes", "arrays", "arithmetic", "pickles", "machine", "texts", "globs"),
    ("notebook", "floats"),
    ("findings", "junit"),
    ("extras", "source", "format", "precision"),
    ("arch", "sniff", "grammar", "shipped"),
    ("network", "mirror", "pictures"),
    ("scan", "photos", "model_html"),
    ("rules", "reading"),
    ("places", "coherence", "model", "validator", "reporting", "settings"),
    ("reference", "diffing", "inspection", "engine", "selection"),
    ("untrained", "fallback", "report"),
    ("verification", "bulk"),
    ("convert", "evaluation", "conformance", "index"),
    ("drawn", "doctor"),
    ("train", "forms"),
    ("efm3",),
    ("cli",),
    ("__main__", "_engine_build"),
    ("tests",),
    ("tools",),
    ("tools.mutants", "tools.foreign", "tools.bench", "tools.page"),
    ("tools.evidence",),
    ("tools.gen",),
    ("tools.web",),
    ("tools.release", "tools.site", "tools.weights"),
    ("tools.wheels",),
)
"""Rooms from the ground up. `efm3` is the package's own `__init__`, which only re-exports."""

RANK = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

WORDS = {
    "version": "the version", "codes": "the catalogue of every code, as data",
    "arrays": "names of arrays in signatures",
    "arithmetic": "numbers that several rooms compute with",
    "pickles": "a machine that reads pickles and runs nothing",
    "machine": "the cores that a program may use",
    "texts": "foreign text, safe for each output",
    "floats": "figures of float32 values, with numpy and without",
    "notebook": "HTML that a notebook shows", "model_html": "a Model as HTML",
    "findings": "Finding, Report, the one exception", "junit": "JUnit XML",
    "globs": "patterns of names", "settings": "settings of validate, from a file",
    "selection": "which files of a folder are checked", "extras": "optional libraries",
    "source": "reading a source whole, saving atomically",
    "precision": "the engine's precisions, and what they promise",
    "format": "the declaration of every byte", "pictures": "encoded pictures to pixels",
    "photos": "faces in photographs, found and aligned",
    "arch": "the network's shape and its limits",
    "shipped": "a weight file and pictures to try things with",
    "sniff": "what kind of file some bytes are", "network": "layers, tensors, sizes of an arch",
    "mirror": "the JSON mirror's keys and schema", "grammar": "JSON texts in bounded memory",
    "scan": "what stands where in the bytes",
    "reading": "a source read as far as its header allows",
    "rules": "the checks of a file", "places": "byte to field, and back",
    "coherence": "header, mirror and table side by side", "model": "load and save",
    "validator": "source to Report", "reporting": "reports as text, JSON, SARIF, annotations",
    "reference": "the network in numpy, float64", "diffing": "two files compared",
    "inspection": "everything a file holds, as JSON", "engine": "the C engine",
    "report": "files as one page of HTML",
    "untrained": "seeded weights that nobody trained",
    "fallback": "the C engine, and where there is none numpy",
    "verification": "engine beside reference, layer by layer",
    "convert": "other formats in and out", "evaluation": "pairs of faces to accuracy",
    "bulk": "many pictures to a table of embeddings",
    "index": "tables of embeddings searched and clustered",
    "conformance": "the kit: cases, runner, judge, statement",
    "doctor": "what is installed here, and what is broken",
    "drawn": "heads drawn from numbers", "train": "images to a verified file",
    "forms": "machine-readable forms of the format", "efm3": "the public names",
    "cli": "the command", "__main__": "python -m efm3", "_engine_build": "the C engine's build",
    "tests": "the tests, of which tools use the oracle, the damage and the fuzz targets",
    "tools": "the project's root, the plan, small programs",
    "tools.mutants": "programs with one check taken out",
    "tools.foreign": "other machines and readers", "tools.bench": "ratios against named tools",
    "tools.gen": "generated files", "tools.evidence": "the figures of SECURITY.md",
    "tools.web": "the engine for browsers and Node",
    "tools.release": "what is released, and what must hold before",
    "tools.site": "the documentation as a site",
    "tools.wheels": "wheels for other systems",
    "tools.page": "the page for a browser",
    "tools.weights": "the training of the shipped files",
}
"""What each room holds."""


class Arrow(NamedTuple):
    """An import: from module, to module, and the line on which it stands."""

    source: str
    target: str
    line: int


def files() -> dict[str, Path]:
    """Module name to file, of efm3/ and tools/."""
    out = {}
    for top in ("efm3", "tools"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            out[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: path for name, path in out.items() if ".scaffolds" not in name}


def room(module: str) -> str:
    """The room that a module is in."""
    top, _, rest = module.partition(".")
    first = rest.split(".")[0]
    if top == "tests":
        return top
    if top == "tools":
        return f"tools.{first}" if (ROOT / "tools" / first).is_dir() and first else "tools"
    return first or "efm3"


BELOW = "<below>"
"""What `import_module(f"efm3.convert.{name}")` imports of efm3.convert: a module below it."""


FUNCTION = re.compile(r"efm3(\.\w+)+:\w+")
"""A function named in a string, as the forms name theirs: an import all the same."""


def imports_by_name(node: ast.Call) -> bool:
    """True for a call of import_module or __import__ with an argument."""
    called = ast.unparse(node.func).rpartition(".")[2]
    return called in ("import_module", "__import__") and bool(node.args or node.keywords)


def unnamed(modules: dict[str, Path]) -> list[str]:
    """The modules that import something whose name is not in their text, not even its beginning."""
    out = []
    for source, path in modules.items():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and imports_by_name(node):
                text = (node.args or [node.keywords[0].value])[0]
                first = text.values[0] if isinstance(text, ast.JoinedStr) else text
                if not isinstance(first, ast.Constant):
                    out.append(source)
    return sorted(set(out))


def _named(node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """(module, name or "") of an import in a module of `package`; of a call of import_module or
    __import__ with its text's beginning."""
    if isinstance(node, ast.Import):
        yield from ((a.name, "") for a in node.names)
        # Without an alias this binds the package itself, which gives everything by name.
        yield from (("efm3", "") for a in node.names if a.name.startswith("efm3.") and not a.asname)
    elif isinstance(node, ast.ImportFrom):
        parts = package.split(".")[:len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*parts, *([node.module] if node.module else [])])
        yield from ((base, a.name) for a in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and FUNCTION.fullmatch(
            node.value):
        yield node.value.partition(":")[0], ""
    elif isinstance(node, ast.Call) and imports_by_name(node):
        text: ast.AST = (node.args or [node.keywords[0].value])[0]
        if isinstance(text, ast.JoinedStr) and text.values:
            text = text.values[0]
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            name = f"{package}{text.value}" if text.value.startswith(".") else text.value
            yield name.rstrip("."), BELOW if name.endswith(".") else ""


def _out(source: str, modules: dict[str, Path]) -> Iterator[Arrow]:
    """What one of these modules imports of them."""
    path = modules[source]
    package = source if path.name == "__init__.py" else source.rpartition(".")[0]
    for module, name, line in _all_named(path, package):
        if module.split(".")[0] == "tests":
            yield Arrow(source, "tests", line)
        full = f"{module}.{name}"
        target = full if full in modules else module
        own = name == BELOW and source.startswith(f"{module}.")
        if target in modules and target != source and not own:
            yield Arrow(source, target, line)


@lru_cache(maxsize=1024)
def _all_named(path: Path, package: str) -> tuple[tuple[str, str, int], ...]:
    return tuple((module, name, getattr(node, "lineno", 0)) for node in ast.walk(_tree(path))
                 for module, name in _named(node, package))


def arrows(modules: dict[str, Path]) -> list[Arrow]:
    """Every import of these modules from one another, each resolved to a module."""
    return [a for source in modules for a in _out(source, modules)]


def needed(*roots: str, without: Iterable[str] = ()) -> list[Path]:
    """The files of some modules and of all that they import, directly or by way of others.

    `efm3` itself, which gives every public name, is left out, as are the modules `without`; what
    only these import is then too.
    """
    modules, left, todo = files(), {"efm3", *without}, list(roots)
    seen = set(left)
    while todo:
        if (name := todo.pop()) not in seen:
            seen.add(name)
            todo += [a.target for a in _out(name, modules) if a.target in modules]
    return sorted(modules[name] for name in seen - left)


@lru_cache(maxsize=1024)
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def upward(found: list[Arrow]) -> list[str]:
    """The arrows that do not lead to a lower floor, as a line each; none where the plan holds."""
    out = []
    for a in found:
        one, two = room(a.source), room(a.target)
        if one not in RANK or two not in RANK:
            out.append(f"{one if one not in RANK else two} has no floor in tools/layers.py")
        elif one != two and RANK[two] >= RANK[one]:
            out.append(f"{a.source}:{a.line} imports {a.target}: {one} is on floor {RANK[one]}, "
                       f"{two} on {RANK[two]}")
    return out


def circles(found: list[Arrow]) -> list[list[str]]:
    """Modules that import one another, directly or by way of others; none where there is none.

    A package's `__init__` re-exports its modules: they may not import it.
    """
    targets: dict[str, set[str]] = {}
    for a in found:
        targets.setdefault(a.source, set()).add(a.target)
    reach = {m: _reach(m, targets) for m in targets}
    rings = {frozenset(n for n in reach[m] if n in reach and m in reach[n])
             for m in targets if m in reach[m]}
    return sorted(sorted(ring) for ring in rings)


def _reach(start: str, targets: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        new = targets.get(todo.pop(), set()) - seen
        seen |= new
        todo += new
    return seen
