# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A diagnosis as plain lines: a label, and its words beside it, wrapped."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from efm3.extras import hint
from efm3.texts import printable

LABEL = 12
LEAST = 20
"""Columns of the words, however narrow the terminal is."""


def page(value: dict[str, Any], width: int) -> str:
    """The lines of `Diagnosis.to_json()`, each ended."""
    out = []
    for label, words in _rows(value):
        room = max(LEAST, width - LABEL - 1)
        lines = wrap(printable(words), room, break_long_words=False, break_on_hyphens=False)
        # Once more: a line may now begin with what was inside.
        out += [f"{label if at == 0 else '':{LABEL}} {printable(line)}"
                for at, line in enumerate(lines)]
    return "\n".join(out) + "\n"


def _rows(v: dict[str, Any]) -> Iterator[tuple[str, str]]:
    own, python, platform = v["package"], v["python"], v["platform"]
    yield "efm3", f"{own['version']}, {own['how']}, in {own['location']}"
    yield "python", (f"{python['version']} {python['implementation']}, {python['bits']} bits"
                     + ", free-threaded" * python["free_threaded"]
                     + ", in a virtual environment" * python["venv"]
                     + f", -O{'O' * (python['optimize'] - 1)}" * bool(python["optimize"])
                     + f"; {python['executable'] or 'no path of it'}")
    yield "system", ", ".join(filter(None, (
        f"{platform['system']} {platform['release']}", platform["machine"], platform["libc"],
        "big-endian" if platform["byte_order"] == "big" else "")))
    yield "libraries", ", ".join(map(_library, v["libraries"])) or "not known"
    yield from _engine(v["engine"])
    threads = v["threads"]
    yield "threads", f"{threads['cores']} cores" + _settings(threads["settings"])
    for at, extra in enumerate(v["extras"]):
        yield ("extras" if at == 0 else ""), (
            f"{extra['name']}: " + (_extra(extra["libraries"]) or "nothing for this Python"))
    if not all(extra["installed"] for extra in v["extras"]):
        yield "", f"to add one, {hint('NAME')}"
    for at, folder in enumerate(v["folders"]):
        free = folder["free_bytes"]
        yield ("folders" if at == 0 else ""), (
            f"{folder['purpose']}: {folder['path'] or 'none'}, "
            + ("writable" if folder["writable"] else "not writable")
            + (f", {free >> 20:,} MiB free" if free is not None else "")
            + (f", {folder['reason']}" if folder["reason"] else ""))
    yield "config", v["config"]["file"] or v["config"]["reason"] or "no file of settings"
    terminal = v["terminal"]
    yield "streams", ", ".join(
        f"{s['name']} {s['encoding'] or 'none'}" + " on a terminal" * s["terminal"]
        for s in v["streams"]) + f"; file names {terminal['file_names']}" \
        + ", UTF-8 mode" * terminal["utf8_mode"]
    colours = {None: "", True: ", colours", False: ", no colours"}[terminal["colours"]]
    yield "terminal", f"{terminal['columns']} columns{colours}" + _settings(terminal["settings"])
    for note in v["notes"]:
        yield "note", note
    for problem in v["problems"]:
        yield "PROBLEM", f"{problem['what']}. To mend it: {problem['fix']}"
    count = len(v["problems"])
    yield "result", f"{count} problem{'s' * (count != 1)}" if count else \
        "nothing is broken" + ", as far as was tried" * v["quick"]


def _library(row: dict[str, Any]) -> str:
    if row["state"] in ("ok", "untried"):
        return f"{row['name']} {row['version']}"
    return f"{row['name']} {row['version'] or ''} {row['state'].upper()}".replace("  ", " ")


def _extra(rows: list[dict[str, Any]]) -> str:
    """What an extra's libraries are, and which it lacks."""
    lacks = ", ".join(row["name"] for row in rows if row["state"] == "missing")
    there = ", ".join(_library(row) for row in rows if row["state"] != "missing")
    return there + "; " * bool(there and lacks) + (f"lacks {lacks}" if lacks else "")


def _settings(given: dict[str, str]) -> str:
    return "".join(f"; {key}={value}" for key, value in given.items())


def _engine(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    words = {"works": "works", "untried": "there, not tried", "absent": "none",
             "broken": "BROKEN"}[row["state"]]
    yield "engine", words + (f", version {row['version']}" if row["version"] else "") \
        + (f": {row['reason']}" if row["reason"] else "") \
        + (f"; {row['file']}" if row["file"] else "")
    if row["isas"]:
        yield "", "instruction sets: " + ", ".join(
            name + ("" if here else " (not here)") + " (taken)" * (name == row["isa"])
            for name, here in row["isas"].items()) \
            + (f"; MFN_ISA={row['asked_isa']}" if row["asked_isa"] else "")
    if row["precisions"]:
        yield "", "precisions: " + ", ".join(
            name + f" in {ran}" * (name != ran) for name, ran in row["precisions"].items())
    if row["checks"]:
        yield "", "beside the reference: " + ", ".join(
            f"{c['isa']} {'right' if c['ok'] else 'WRONG'}" for c in row["checks"])
