# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The libraries that efm3's metadata names: installed or not, old, broken."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from typing import Any, NamedTuple

from efm3.doctor._surroundings import distribution, short
from efm3.extras import hint

LONGEST = 300.0
"""Seconds for all imports together. PyTorch, OpenVINO and TensorBoard take some seconds each where
the disk is cold."""

_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*([^;]*?)\s*(?:;(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_PYTHON = re.compile(r"python_version\s*(<|>=)\s*['\"](\d+)\.(\d+)['\"]")
_LEAST = re.compile(r">=\s*(\d[\d.]*)")

# What stands in standard input may hold any path; standard output is only ours.
_CHILD = """
import importlib, json, os, sys
told = os.fdopen(os.dup(1), "w", encoding="ascii")
null = os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 1)
os.dup2(null, 2)
path, names = json.load(sys.stdin)
sys.path[:] = path
for name in names:
    said = ""
    try:
        importlib.import_module(name)
    except BaseException as e:
        said = f"{type(e).__name__}: {e}"
    told.write(json.dumps([name, said[:400]]) + "\\n")
    told.flush()
os._exit(0)
"""

Broken = Callable[[str, str], None]


class Wanted(NamedTuple):
    """A line of the metadata: a distribution's name, its versions, the extra ("" for none)."""

    name: str
    versions: str
    extra: str


def wanted(lines: Iterable[str]) -> list[Wanted]:
    """The requirements that concern this Python."""
    out = []
    for line in lines:
        found = _REQUIREMENT.fullmatch(line.strip())
        if found is None:
            continue
        extra, python = _EXTRA.search(found[3] or ""), _PYTHON.search(found[3] or "")
        if python:
            limit = (int(python[2]), int(python[3]))
            if (sys.version_info[:2] < limit) != (python[1] == "<"):
                continue
        out.append(Wanted(found[1], found[2], extra[1] if extra else ""))
    return out


def older(version: str, versions: str) -> bool:
    """True where the least version that is asked for is above this one."""
    least = _LEAST.search(versions)
    if least is None:
        return False
    have, want = ([int(n) for n in re.findall(r"\d+", word)] for word in (
        re.match(r"[\d.]*", version)[0], least[1]))  # type: ignore[index]
    return have + [0] * (len(want) - len(have)) < want


def modules(found: metadata.Distribution) -> list[str]:
    """What to import of a distribution: the module of its own name, else all that it brings."""
    names = (found.read_text("top_level.txt") or "").split()
    if not names:
        names = sorted({part.parts[0].removesuffix(".py") for part in found.files or ()
                        if part.name == ("__init__.py" if len(part.parts) == 2 else
                                         f"{part.stem}.py" if len(part.parts) == 1 else "")})
    names = [n for n in names if n.isidentifier() and not n.startswith("_")]
    own = re.sub(r"[-.]", "_", _first(found, "Name")).lower()
    return [own] if own in names else names


def _first(found: metadata.Distribution, key: str) -> str:
    """A field of the metadata, "" where it is damaged."""
    return str((found.metadata.get_all(key) or [""])[0])


def imported(names: Sequence[str]) -> dict[str, str | None]:
    """Each module to what its import raised, "" for nothing, None where it was not tried.

    They are imported by another process, with the path of this one: one that ends the process is
    only found there, and the next goes on behind it.
    """
    out: dict[str, str | None] = dict.fromkeys(names)
    left = list(out)
    while left and sys.executable:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-B", "-c", _CHILD], input=json.dumps([sys.path, left]),
                capture_output=True, encoding="utf-8", timeout=LONGEST, check=False)
        except (OSError, subprocess.TimeoutExpired):
            break
        # The last line may be cut, where the process was ended.
        told = [json.loads(line) for line in done.stdout.splitlines() if line.endswith("]")]
        out.update(dict(told))
        left = left[len(told):]
        if left:
            out[left.pop(0)] = f"the import ended the process (exit status {done.returncode})"
    return out


def survey(quick: bool, broken: Broken, note: Callable[[str], None],
           ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The libraries that are always needed, and the extras, each with its libraries."""
    own = distribution()
    asked = wanted(own.requires or ()) if own else []
    if own is None:
        note("efm3 is not installed here, but found on the path: which libraries it wants is not "
             "known")
    there: dict[str, metadata.Distribution] = {}
    for w in asked:
        try:
            there[w.name] = metadata.distribution(w.name)
        except metadata.PackageNotFoundError:
            continue
    brought = {name: modules(found) for name, found in there.items()}
    errors = {} if quick else imported([m for names in brought.values() for m in names])
    rows: dict[Wanted, dict[str, Any]] = {}
    for w in asked:
        rows[w] = row = _row(w, there.get(w.name), [errors.get(m) for m in brought.get(
            w.name, ())], quick)
        said = {"broken": f"cannot be imported: {row['reason']}",
                "old": f"is {row['version']}, not {w.versions}",
                "missing": "is not installed" if not w.extra else ""}.get(row["state"])
        if said and not (row["state"] == "old" and w.extra):
            broken(f"{w.name} {said}", f"pip install --force-reinstall '{w.name}{w.versions}'")
        elif said:
            note(f"{w.name} {said}, as the extra `{w.extra}` wants")
    extras: dict[str, list[dict[str, Any]]] = {
        name: [] for name in (own.metadata.get_all("Provides-Extra") or [] if own else [])}
    for w, row in rows.items():
        if w.extra:
            extras.setdefault(w.extra, []).append(row)
    return ([row for w, row in rows.items() if not w.extra],
            [{"name": name, "installed": all(r["version"] for r in found), "install": hint(name),
              "libraries": found} for name, found in extras.items()])


def _row(w: Wanted, found: metadata.Distribution | None, errors: Sequence[str | None],
         quick: bool) -> dict[str, Any]:
    version = (_first(found, "Version") or "unknown") if found else None
    reason = next((e for e in errors if e), None)
    state = ("missing" if version is None else "broken" if reason else
             "old" if older(version, w.versions) else "untried" if quick or None in errors
             else "ok")
    return {"name": w.name, "wanted": w.versions, "version": version, "state": state,
            "reason": reason and short(reason)}
