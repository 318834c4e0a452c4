# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""docs/json.md from the declared members, and a judge of what a verb really prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tools.gen._json_members import FORMS, Form, Row
from tools.gen.blocks import table


def problems(form: Form, value: Any) -> Iterator[str]:
    """Where a value is not as the form says: unknown members, other types, members that lack."""
    rows = {row.path: row for row in form.members()}
    yield from _problems(rows, value, "")


def _kinds(value: Any) -> set[str]:
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, int):
        return {"integer", "number"}
    return {{float: "number", str: "string", list: "list", dict: "object"}.get(
        type(value), "null")}


def _problems(rows: dict[str, Row], value: Any, at: str) -> Iterator[str]:
    row = rows.get(at)
    if row and "any" in row.types:
        return
    if row and not _kinds(value) & {*row.types}:
        yield f"{at} is {value!r:.60}, not {' or '.join(row.types)}"
        return
    if isinstance(value, list):
        for entry in value:
            yield from _problems(rows, entry, f"{at}[]")
    elif isinstance(value, dict) and _known(rows, f"{at}{{}}"):
        for entry in value.values():
            yield from _problems(rows, entry, f"{at}{{}}")
    elif isinstance(value, dict):
        dot = f"{at}." if at else ""
        yield from (f"{dot}{key} is not declared" for key in value
                    if not _known(rows, f"{dot}{key}"))
        yield from (f"{dot}{name} lacks" for name in _required(rows, dot) if name not in value)
        for key, entry in value.items():
            yield from _problems(rows, entry, f"{dot}{key}")
    elif row is None:
        yield f"{at} is not declared"


def _required(rows: dict[str, Row], dot: str) -> set[str]:
    """The names that an object has in any case, whose own path `dot` ends."""
    out = set()
    for path, row in rows.items():
        name = re.match(r"[\w-]+", path[len(dot):]) if path.startswith(dot) else None
        if name and not row.optional:
            parent = rows.get(dot + name[0])
            if parent is None or not parent.optional:
                out.add(name[0])
    return out


def _known(rows: dict[str, Row], at: str) -> bool:
    return any(path == at or path.startswith((f"{at}.", f"{at}[]", f"{at}{{}}")) for path in rows)


def lines() -> Iterator[str]:
    """The block of docs/json.md: a chapter a verb."""
    for verb, form in FORMS.items():
        yield f"### {verb}"
        yield ""
        if form.schema:
            yield f"JSON Schema: `efm3 spec {form.schema}`. {form.note}".rstrip()
            yield ""
            continue
        if form.note:
            yield form.note
            yield ""
        members = form.members()
        if members:
            yield from table(("member", "type", "meaning"), [
                (f"`{row.path}`" + " (may lack)" * row.optional, " or ".join(row.types), row.words)
                for row in members])
            yield ""
