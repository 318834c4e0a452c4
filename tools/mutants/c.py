# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The C loader without one of its checks, built and given the corpus before a faulting page.

A mutant keeps the condition's side effects: `if (a || b)` becomes `if (((a) && 0) || b)`.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools import ROOT
from tools.cc import SRC, cc

CHECKED = ("cursor.h", "loader.c", "file.c", "platform_file.c")
FLAGS = ["-O1", "-w", "-ftrivial-auto-var-init=pattern", "-fsanitize=undefined",
         "-fsanitize-undefined-trap-on-error"]
_FUNCTION = re.compile(r"^[a-z][\w *]*?\b(\w+)\(", re.MULTILINE)
_SITE = re.compile(r"\bif \(|\breturn |\bfits = |\bbool ok = |\bint rc = |^ +LIMITS\(.*;",
                   re.MULTILINE)


class Mutant(NamedTuple):
    """A change of one file: the text from `start` to `end` becomes `new`."""

    name: str
    file: str
    start: int
    end: int
    new: str


def _masked(text: str) -> str:
    """The text with comments, strings and directives blank, place for place."""
    pattern = r'//[^\n]*|"(?:[^"\\\n]|\\.)*"|^#(?:[^\\\n]|\\\n|\\.)*'
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.MULTILINE)


def _close(text: str, start: int, closer: str) -> int:
    """Offset of the `closer` that ends what starts at `start`."""
    depth = 0
    for i in range(start, len(text)):
        if depth == 0 and text[i] == closer:
            return i
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text[i], 0)
    raise ValueError(f"no {closer} after {text[start:start + 40]!r}")


def _parts(text: str, start: int, end: int, operator: str) -> list[tuple[int, int]]:
    """The operands of the operator at the top of an expression."""
    cuts, depth, at = [], 0, start
    for i in range(start, end):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text[i], 0)
        if depth == 0 and text[i:i + 2] == operator:
            cuts.append((at, i))
            at = i + 2
    return [*cuts, (at, end)]


def _operands(masked: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """(start, end, neutral form) of each operand of the condition, which ends before a `?`."""
    end = _parts(masked, start, end, " ?")[0][1]
    ors = _parts(masked, start, end, "||")
    for s, e in ors:
        ands = _parts(masked, s, e, "&&")
        if len(ors) > 1:
            yield s, e, "(({}) && 0)"
        if len(ands) > 1:
            yield from ((x, y, "(({}) || 1)") for x, y in ands)


def mutants(files: tuple[str, ...] = CHECKED) -> list[Mutant]:
    """Every check of some files (the loader's) taken out in turn."""
    out: list[Mutant] = []
    for file in files:
        text = (SRC / file).read_text(encoding="utf-8")
        masked = _masked(text)
        for m in _SITE.finditer(masked):
            function = [f.group(1) for f in _FUNCTION.finditer(masked, 0, m.start())][-1:]
            own = f"{file} {''.join(function)}"
            if "LIMITS" in m.group():
                out.append(Mutant(f"{own}: {text[m.start():m.end()].strip()}", file, m.start(),
                                  m.end(), ""))
                continue
            is_if = m.group().startswith("if")
            end = _close(masked, m.end(), ")" if is_if else ";")
            sites = list(_operands(masked, m.end(), end))
            if is_if:
                sites.insert(0, (m.end(), end, "(({}) && 0)"))
            for s, e, form in sites:
                words = " ".join(text[s:e].split())
                what = "never" if form.endswith("0)") else "always"
                out.append(Mutant(f"{own}: {what} {words}", file, s, e, form.format(text[s:e])))
    return _unique(out)


def _unique(found: list[Mutant]) -> list[Mutant]:
    """The same with a number appended to names that occur twice."""
    seen: dict[str, int] = {}
    out = []
    for m in found:
        seen[m.name] = n = seen.get(m.name, 0) + 1
        out.append(m._replace(name=m.name if n == 1 else f"{m.name} #{n}"))
    return out


def _entry(*parts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(p)) + p for p in parts)


def write_pack(path: Path) -> None:
    """The corpus, and seeded damage with the oracle's verdict, for `check_loader pack`."""
    from efm3.conformance.cases import corpus
    from tests import damaged
    from tests.oracle import accepts

    with path.open("wb") as f:
        for case in corpus():
            if case.kind == "reader":
                f.write(_entry(case.id.encode(), case.status.encode(), case.data()))
        kinds = damaged.all_kinds()
        for kind in ("limits", "edges of one stage", "headers"):
            for i, data in enumerate(kinds[kind]()):
                want = b"OK" if accepts(data) else b"refused"
                f.write(_entry(f"{kind} {i} (seeded)".encode(), want, data))


def build(source: Path, out: Path, flags: list[str]) -> str:
    """Compiles the loader's checker with the sources of a folder; returns the compiler's output."""
    return cc(*flags, f"-I{source}", "-o", out, ROOT / "engine/tests/check_loader.c",
              *(source / f for f in ("loader.c", "network.c", "status.c")))


def verbs(work: Path) -> list[tuple[str, str]]:
    """The checker's verbs with their arguments; the files are made."""
    from efm3.conformance import sample

    (work / "whole.bin").write_bytes(sample.base())
    write_pack(work / "cases.pack")
    return [("cursor", "-"), ("file", str(work / "whole.bin")), ("pack", str(work / "cases.pack"))]


def killer(program: Path, calls: list[tuple[str, str]]) -> str:
    """What the checker says first against the loader, "" where nothing."""
    for verb, argument in calls:
        done = subprocess.run([program, verb, argument], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            return (f"check_loader {verb}: " + (done.stderr.strip() or f"{done.returncode}"))[:150]
    return ""


def kill(chosen: list[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with what notices it. Raises RuntimeError where the loader itself fails."""
    if not chosen:
        return
    with tempfile.TemporaryDirectory() as folder:
        work, source = Path(folder), Path(folder) / "src"
        shutil.copytree(SRC, source)
        calls = verbs(work)
        wrong = build(source, work / "checker", FLAGS) or killer(work / "checker", calls)
        if wrong:
            raise RuntimeError(f"the loader as it stands: {wrong}")
        for m in chosen:
            text = (SRC / m.file).read_text(encoding="utf-8")
            (source / m.file).write_text(text[:m.start] + m.new + text[m.end:], encoding="utf-8")
            wrong = build(source, work / "mutant", FLAGS)
            if wrong:
                raise RuntimeError(f"{m.name} does not compile: {wrong[:400]}")
            yield m, killer(work / "mutant", calls)
            (source / m.file).write_text(text, encoding="utf-8")
