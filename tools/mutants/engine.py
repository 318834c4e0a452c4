# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine's public functions and its packing without one of their checks, under sanitizers.

What notices is engine/tests/check_engine.c, or the embedding of an original: see `killer`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tools import ROOT
from tools.cc import SRC, WRAP, cc
from tools.mutants import c
from tools.mutants.c import Mutant

CHECKED = ("api.c", "arena.c", "inspect.c", "pack.c")
FLAGS = ["-O1", "-w", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
SECONDS = 120
VECTOR = ROOT / "spec" / "vectors" / "odd_b.bin"
PROGRAMS = {"check_engine": ROOT / "engine/tests/check_engine.c",
            "mfn": ROOT / "engine/cli/mfn_cli.c"}


def mutants() -> list[Mutant]:
    """Every check of CHECKED taken out in turn."""
    return c.mutants(CHECKED)


def _cc(*words: object) -> str:
    return cc(*FLAGS, *words)


def _object(work: Path, source: Path) -> Path:
    return work / f"{source.parent.name}-{source.stem}.o"


def _build(work: Path, sources: list[Path], changed: list[Path]) -> str:
    """Compile the changed sources and link all; gives the compiler's words."""
    wrong = "".join(_cc("-c", s, "-o", _object(work, s)) for s in changed)
    objects = [_object(work, s) for s in sources]
    for name in PROGRAMS:
        wrong = wrong or _cc(*objects, work / f"{name}.o", "-o", work / name, "-lm", "-lpthread",
                             *([WRAP] if name == "check_engine" else []))
    return wrong


def _calls(work: Path) -> list[tuple[str, list[str]]]:
    least = str(work / "least.bin")
    return [*(("check_engine", [verb, least]) for verb in ("misuse", "counts", "hostile", "nomem",
                                                           "fork")),
            ("check_engine", ["counts", str(work / "wide.bin")]),
            ("mfn", ["--isa", "scalar", "embed", str(VECTOR), str(work / "x.raw")]),
            ("check_engine", ["threads", least])]


def killer(work: Path) -> str:
    """What says first that something is wrong, "" where nothing does."""
    import numpy as np

    want = np.load(VECTOR.with_suffix(".npz"))["embedding"][0]
    for program, words in _calls(work):
        try:
            done = subprocess.run([work / program, *words], capture_output=True, text=True,
                                  check=False, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"{program} {words[0]}: no end"
        if done.returncode:
            lines = [t for t in done.stderr.splitlines() if any(map(str.isalpha, t))]
            said = lines[0] if lines else f"exit {done.returncode}"
            return f"{program} {words[0]}: {said}"[:150]
        if program == "mfn":
            have = np.array(done.stdout.split(), float)
            if have.shape != want.shape or not np.abs(have - want).max() <= 1e-5:
                return f"{VECTOR.name}: another embedding"
    return ""


def _prepare(work: Path) -> list[Path]:
    """Copies of the sources with everything built; gives them. Raises RuntimeError."""
    import numpy as np

    from efm3.conformance import sample
    from efm3.conformance.cases import corpus

    shutil.copytree(SRC, work / "src")
    case = next(c for c in corpus() if c.id == "run-minimal")
    (work / "least.bin").write_bytes(case.data())
    # An embedding with more bytes than a picture.
    (work / "wide.bin").write_bytes(sample.build(replace(sample.ARCH, embedding_dim=40000)))
    x = np.load(VECTOR.with_suffix(".npz"))["x"][:1]
    x.astype(np.float32).tofile(work / "x.raw")
    sources = [*(work / "src").glob("*.c"), *(work / "src/kernels").glob("*.c")]
    wrong = "".join(_cc("-c", path, "-o", work / f"{name}.o") for name, path in PROGRAMS.items())
    wrong = wrong or _build(work, sources, sources) or killer(work)
    if wrong:
        raise RuntimeError(f"the engine as it stands: {wrong}")
    return sources


def kill(chosen: list[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with what notices it. Raises RuntimeError where the engine itself fails."""
    if not chosen:
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sources = _prepare(work)
        for m in chosen:
            path = work / "src" / m.file
            text = (SRC / m.file).read_text(encoding="utf-8")
            path.write_text(text[:m.start] + m.new + text[m.end:], encoding="utf-8")
            wrong = _build(work, sources, [path])
            if wrong:
                raise RuntimeError(f"{m.name} does not compile: {wrong[:400]}")
            yield m, killer(work)
            path.write_text(text, encoding="utf-8")
            if _build(work, sources, [path]):
                raise RuntimeError(m.file)
