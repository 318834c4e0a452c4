# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The C loader with one thing changed, given the corpus before a faulting page.

What is changed: see _operators.py. What notices: the verbs of engine/tests/check_loader.c, which
tests/test_engine_c.py runs too.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from tools import ROOT
from tools.cc import SRC, cc
from tools.mutants import _operators
from tools.mutants._operators import Mutant

CHECKED = ("cursor.h", "loader.c", "file.c", "platform_file.c")
FLAGS = ["-O1", "-w", "-ftrivial-auto-var-init=pattern", "-fsanitize=undefined",
         "-fsanitize-undefined-trap-on-error"]
MAIN = ROOT / "engine/tests/check_loader.c"
LINKED = ("loader.c", "network.c", "status.c")
"""What is compiled by itself; the checker includes the other sources."""


def mutants() -> list[Mutant]:
    """Every change of the loader's sources."""
    return _operators.mutants(CHECKED)


def _entry(*parts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(p)) + p for p in parts)


def _place(code: str, offset: int, data: bytes) -> int:
    """The byte that the loader blames, where the rule names another one of the same fault."""
    if code == "H002":  # the one that is not zero, of three
        return next(i for i in range(offset, offset + 3) if data[i])
    if code == "H018" and offset % 8 < 3:  # the record, where it is one of t, n and s
        return offset // 8 * 8
    if code == "H014":  # the count with which the sum is beyond the limit
        blocks = accumulate(data[25::8])
        return 25 + 8 * next(i for i, n in enumerate(blocks) if n > 256)
    return 4 if code == "C020" else offset


def write_pack(path: Path) -> None:
    """The corpus, and seeded damage with the oracle's verdict, for `check_loader pack`."""
    from efm3.conformance.cases import corpus
    from tests import damaged
    from tests.oracle import accepts

    lines = (ROOT / "tests/data/findings.jsonl").read_text(encoding="utf-8").splitlines()
    # The first finding of a case.
    known = {row[0]: row for row in map(json.loads, reversed(lines))}
    rows = [("four bytes of another kind", "E_MAGIC", "0", b"EFM4")]
    for case in corpus():
        if case.kind == "reader":
            data, place = case.data(), ""
            if case.status == "E_TRUNCATED":
                place = str(len(data))
            elif case.status not in ("OK", "E_TRAILING"):
                _, code, offset, *_ = known[case.id]
                place = str(_place(code, offset, data))
            rows.append((case.id, case.status, place, data))
    kinds = damaged.all_kinds()
    for kind in ("limits", "edges of one stage", "headers"):
        rows += [(f"{kind} {i} (seeded)", "OK" if accepts(data) else "refused", "", data)
                 for i, data in enumerate(kinds[kind]())]
    # The smallest first: what is seen by one of them is seen soon.
    rows.sort(key=lambda row: len(row[3]))
    path.write_bytes(b"".join(_entry(*(t.encode() for t in words), data)
                              for *words, data in rows))


def build(source: Path, out: Path, flags: list[str]) -> str:
    """Compiles the loader's checker with the sources of a folder; returns the compiler's output."""
    return cc(*flags, f"-I{source}", "-o", out, MAIN, *(source / f for f in LINKED))


def files(work: Path) -> list[tuple[str, str]]:
    """The checker's verbs for parts of the loader, with their arguments; the file is made."""
    from efm3.conformance import sample

    (work / "whole.bin").write_bytes(sample.base())
    return [("cursor", "-"), ("file", str(work / "whole.bin"))]


def verbs(work: Path) -> list[tuple[str, str]]:
    """All of the checker's verbs with their arguments; the files are made."""
    write_pack(work / "cases.pack")
    return [*files(work), ("pack", str(work / "cases.pack"))]


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
        units = [MAIN, *(source / f for f in LINKED)]
        objects = {u: work / f"{u.stem}.o" for u in units}
        flags = [*FLAGS, f"-I{source}"]
        wrong = link(flags, units, objects, work / "checker") or killer(work / "checker", calls)
        if wrong:
            raise RuntimeError(f"the loader as it stands: {wrong}")
        for m in chosen:
            # What others include is compiled with them; file.c is the checker's own.
            changed = ([source / m.file] if m.file in LINKED else
                       units if m.file.endswith(".h") else [MAIN])
            new = objects | {u: work / f"{u.stem}-changed.o" for u in changed}
            (source / m.file).write_text(m.source, encoding="utf-8")
            wrong = link(flags, changed, new, work / "mutant")
            if wrong:
                raise RuntimeError(f"{m.name} does not compile: {wrong[:400]}")
            yield m, killer(work / "mutant", calls)
            shutil.copy(SRC / m.file, source / m.file)


def link(flags: list[str], changed: list[Path], objects: dict[Path, Path], out: Path,
         *words: object) -> str:
    """Compiles the changed sources to their objects and links all; the compiler's output."""
    wrong = "".join(cc(*flags, "-c", u, "-o", objects[u]) for u in changed)
    return wrong or cc(*flags, *objects.values(), "-o", out, *words)
