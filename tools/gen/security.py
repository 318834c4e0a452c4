# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The generated blocks of SECURITY.md: the promises of tools/gen/promises.py, and the figures.

The figures are those of docs/evidence.json; what has none there is reported as not measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tools import ROOT
from tools.gen import promises
from tools.gen.blocks import fill, table

BOOK = ROOT / "docs" / "evidence.json"

# Letter, what is measured, what was asked for, the parts of tools/evidence that measure it.
AREAS = (
    ("A", "Fuzzing", "100 million runs in C, 20 million of them under sanitizers; 2 million in "
     "Python; no open finding", ("fuzz", "fuzz_c", "fuzz_python")),
    ("B", "Exhaustive damage, one verdict", "5 million files, no disagreement; at most 2 x the "
     "file + 1 MiB and 100 ms per refusal", ("exhaustive", "differential", "limits")),
    ("C", "Faults", "every call and allocation failing; 20,000 kills; no partial file",
     ("faults", "memory", "syscalls")),
    ("D", "Threads and processes", "64 threads, clean under TSan; a million loads, constant memory",
     ("threads", "soak")),
    ("E", "Foreign machines", "the whole corpus on aarch64, armhf, i686, s390x, riscv64; no SIGILL "
     "without AVX2", ("foreign",)),
    ("F", "Every check is tested", "each removed check is noticed; every branch taken",
     ("checks", "branches")),
)

SHORT: dict[str, str] = {
    "B": "the five million files through all four readers are the mutated ones and the exhaustive "
         "sets together. Pairs of u32s are tested in C at all 40 x 40 values, in Python at "
         "12 x 12, on the smallest file alone; the memory of Python is measured on a sample.",
    "E": "the machines are emulated (qemu-user), not real ones. The emulator has no AVX-512: that "
         "row is checked only on a processor that has it. Fork is not tested there, since the "
         "emulator itself fails in a child of a process with threads.",
    "F": "no test notices the removal of the checks counted as harmless: they only save time, or "
         "refuse what another check refuses as well. Each is listed with its reason in "
         "tools/evidence/exceptions.toml, as are branches that no file can reach.",
}
"""Letter to where the measurement fell short of the request, and why."""


def book() -> dict[str, Any]:
    """docs/evidence.json, empty where there is none."""
    if not BOOK.exists():
        return {"figures": {}, "counters": {}}
    out: dict[str, Any] = json.loads(BOOK.read_text(encoding="utf-8"))
    return out


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value).replace("|", "/")
    return f"{value:,}"


def _flat(numbers: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, value in numbers.items():
        name = f"{path} {key}".strip().replace("_", " ")
        if isinstance(value, dict):
            yield from _flat(value, name)
        elif isinstance(value, list):
            yield f"{name}: {', '.join(map(_number, value)) or 'none'}"
        else:
            yield f"{name}: {_number(value)}"


def _own(found: dict[str, Any], parts: tuple[str, ...], rest: bool) -> list[str]:
    listed = {p for *_, own in AREAS for p in own}
    return [k for k in found if k.split(".")[0] in parts
            or (rest and k.split(".")[0] not in listed)]


def _figure_rows(found: dict[str, Any], names: list[str]) -> list[tuple[object, ...]]:
    return [(name, "<br>".join(_flat(f["numbers"])), f["date"], f["commit"],
             "-" if f["seed"] is None else f["seed"], f"`{f['command']}`")
            for part in names for name, f in sorted(found[part].items())]


def _counter_rows(found: dict[str, Any], names: list[str]) -> list[tuple[object, ...]]:
    """One row per target, sanitizer and command: all commits' runs, and the newest commit."""
    out: list[tuple[object, ...]] = []
    for name in names:
        kinds = dict.fromkeys((row["sanitizer"], row["command"]) for row in found[name])
        for sanitizer, command in kinds:
            rows = [r for r in found[name]
                    if (r["sanitizer"], r["command"]) == (sanitizer, command)]
            last = sorted(rows, key=lambda r: r["date"])[-1]
            out.append((name, sanitizer or "none", _number(sum(r["executions"] for r in rows)),
                        _number(round(sum(r["seconds"] for r in rows))),
                        sum(r["findings"] for r in rows), last["date"],
                        last["commit"] + (f" and {len(rows) - 1} before" if rows[1:] else ""),
                        f"`{command}`"))
    return out


def figures() -> Iterator[str]:
    """One chapter per letter: what was requested, and what was measured."""
    found = book()
    for letter, title, asked, parts in AREAS:
        yield from ("", f"### {letter}. {title}", "", f"Requested: {asked}.", "")
        rows = _figure_rows(found["figures"], sorted(_own(found["figures"], parts, False)))
        counts = _counter_rows(found["counters"], sorted(_own(found["counters"], parts, False)))
        if rows:
            yield from table(("figure", "measured", "date", "commit", "seed", "command"), rows)
        if counts:
            yield from ([""] if rows else [])
            yield from table(("target", "sanitizer", "runs", "seconds", "findings", "date",
                              "commit", "command"), counts)
        if not rows and not counts:
            yield "Not measured."
        if letter in SHORT:
            yield from ("", f"Limits: {SHORT[letter]}")
    yield ""


BLOCKS = {"promises": promises.rows, "figures": figures}


def text() -> str:
    """SECURITY.md with its blocks regenerated. Raises KeyError, promises.Unproved."""
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    return fill(page, lambda name: BLOCKS[name]())


PAGES = {"SECURITY.md": text}
