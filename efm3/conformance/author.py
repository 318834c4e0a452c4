# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A case's text from a recipe, with the findings and the status of our own code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from efm3.conformance.recipe import render
from efm3.engine import Engine
from efm3.findings import Efm3Error
from efm3.validator import validate

HEAD = ("# SPDX-FileCopyrightText: 2026 EFM3 contributors\n"
        "# SPDX-License-Identifier: Apache-2.0\n")


def toml(value: Any) -> str:
    """A value in TOML's inline spelling. Raises TypeError for one that TOML lacks."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        out = json.dumps(value, ensure_ascii=False)
        return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in out)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k if k.isidentifier() and k.isascii() else json.dumps(k)} = "
                                f"{toml(v)}" for k, v in value.items()) + " }"
    raise TypeError(f"TOML has no {type(value).__name__}")


def rows(key: str, items: list[Any]) -> str:
    """An array, one line per entry where there are several."""
    if len(items) == 1:
        return f"{key} = [{toml(items[0])}]"
    return f"{key} = [\n" + "".join(f"    {toml(i)},\n" for i in items) + "]"


def status(data: bytes) -> str:
    """The engine's status for a file: OK or a name."""
    try:
        Engine(data).close()
    except Efm3Error as e:
        return e.code
    return "OK"


def text(recipe: Mapping[str, Any], about: str) -> str:
    """The whole case: the recipe, and the findings and status that our own code gives."""
    data = render(recipe)
    found = [f for f in validate(data).findings if f.severity != "info"]
    codes = list(dict.fromkeys(f.code for f in found))
    lines = [f"about = {toml(about)}", f"tests = {toml(codes[:3] or ['R002'])}"]
    lines += [f"{k} = {toml(recipe[k])}" for k in ("base", "seed") if k in recipe]
    if recipe.get("patch"):
        lines.append(rows("patch", list(recipe["patch"])))
    word = status(data)
    if word != "OK":
        lines.append(f"status = {toml(word)}")
    if found:
        lines.append(rows("findings", [
            {"code": f.code} | ({} if f.offset is None else
                                {"offset": f.offset, "length": f.length}) for f in found]))
    if "arch" in recipe:
        lines += ["", "[arch]"] + [f"{k} = {toml(v)}" for k, v in recipe["arch"].items()]
    return HEAD + "\n".join(lines) + "\n"
