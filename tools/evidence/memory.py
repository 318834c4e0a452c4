# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part A: the loader, the engine and the corpus under MemorySanitizer, without vector kernels.

No branch and no result depends on memory that nobody has written. The kernels are the scalar ones:
for intrinsics the sanitizer only guesses which lanes an instruction reads.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.cc import SOURCES, SRC, WRAP, cc
from tools.evidence import _book, _engine
from tools.mutants import c, engine

FLAGS = ["-O1", "-g", "-DMFN_NO_SIMD", "-fsanitize=memory", "-fno-sanitize-recover=all"]
LINK = [ROOT / "engine/tests/check_memory.c", "-Wl,--wrap=fstat64"]
COMPILER = "clang"
PLANT = "file.c read_open_file: without memcpy(bytes, prefix, sizeof prefix)"
"""The loader's mutant that verifies 92 bytes which nobody has written."""


def _here(work: Path) -> None:
    """Raises NotHere where no compiler with the sanitizer and its library is there."""
    if shutil.which(COMPILER) is None:
        raise _book.NotHere(f"no {COMPILER}: tools/evidence/install_fuzz.sh")
    (work / "empty.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
    wrong = cc(*FLAGS, work / "empty.c", "-o", work / "empty", compiler=COMPILER)
    if wrong:
        raise _book.NotHere(f"{COMPILER} has no MemorySanitizer: {wrong.splitlines()[0]}")


def _loader(source: Path, out: Path) -> None:
    wrong = cc(*FLAGS, f"-I{source}", "-o", out, c.MAIN, *(source / f for f in c.LINKED), *LINK,
               compiler=COMPILER)
    if wrong:
        raise RuntimeError(wrong)


def _sees(work: Path) -> bool:
    """Whether the sanitizer reports the loader with the plant."""
    mutant = next(m for m in c.mutants() if m.name == PLANT)
    source = work / "src"
    shutil.copytree(SRC, source, dirs_exist_ok=True)
    (source / mutant.file).write_text(mutant.source, encoding="utf-8")
    _loader(source, work / "planted")
    for verb, argument in c.files(work):
        done = subprocess.run([work / "planted", verb, argument], capture_output=True, text=True,
                              check=False)
        if "use-of-uninitialized-value" in done.stderr:
            return True
    return False


def loader() -> dict[str, Any]:
    """check_loader's verbs; raises RuntimeError where the plant is not seen."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _here(work)
        _loader(SRC, work / "check")
        said = [_engine.run(work / "check", *call) for call in c.verbs(work)]
        cases, cuts = map(int, re.findall(r"pack: (\d+) cases, (\d+) cuts", "".join(said))[0])
        if not _sees(work):
            raise RuntimeError(f"nothing is reported: {PLANT}")
    return _book.figure(f"{COMPILER} {' '.join(FLAGS)} engine/tests/check_loader.c", {
        "files": cases, "cuts of a file": cuts, "reports": 0,
        "planted reads of what nobody wrote that it sees": 1}, long=True)


def whole() -> dict[str, Any]:
    """check_engine's verbs but fork and threads, and every small file of the corpus."""
    from efm3.conformance.cases import corpus

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _here(work)
        wrong = cc(*FLAGS, ROOT / "engine/tests/check_engine.c", *SOURCES, *LINK, WRAP, "-lm",
                   "-lpthread", "-o", work / "check", compiler=COMPILER)
        if wrong:
            raise RuntimeError(wrong)
        # The sanitizer follows each byte: 64 threads take it minutes, and are no business of it.
        calls = [call for call in engine.inputs(work)
                 if call.program == "check_engine" and call.words[0] != "fork"]
        for call in calls:
            _engine.run(work / "check", *call.words)
        files = [data for case in corpus() if case.kind in ("reader", "engine")
                 and len(data := case.data()) < 1 << 20]
        for data in files:
            (work / "case.bin").write_bytes(data)
            _engine.run(work / "check", "any", work / "case.bin")
    return _book.figure(f"{COMPILER} {' '.join(FLAGS)} engine/tests/check_engine.c", {
        "calls": sorted({call.words[0] for call in calls}), "files loaded and run, or refused":
        len(files), "reports": 0}, long=True)


def run(long: bool) -> Iterator[tuple[str, _book.Measure]]:
    """The figures; NotHere where clang or its library is missing."""
    yield "the loader under MemorySanitizer", loader
    yield "the engine under MemorySanitizer", whole
