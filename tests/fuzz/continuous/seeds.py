# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The first inputs of every target as NAME_seed_corpus.zip, and the programs of those in Python.

`python -m tests.fuzz.continuous.seeds OUT`, from the root of the checkout; see build.sh.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shlex
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from efm3.scan import scan
from tests.fuzz import targets

ROOT = Path(__file__).resolve().parents[3]
CORPUS = ROOT / "tests" / "fuzz" / "corpus.zip"
PREFIX = "efm3_python_"
"""Before the names of the targets in Python."""


def pack(path: Path, inputs: Iterable[bytes]) -> None:
    """An archive of inputs, named by their digests; the same bytes each time."""
    named = {hashlib.sha256(data).hexdigest()[:16]: data for data in inputs}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in sorted(named.items()):
            z.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def program(name: str) -> str:
    """A shell script that fuzzes a target in Python with the options that it is given."""
    words = [sys.executable, "-m", "tests.fuzz.fuzz_python", "atheris", name]
    return (f"#!/bin/sh\n# The fuzz target {name}: LLVMFuzzerTestOneInput in Python, by atheris.\n"
            f"cd {shlex.quote(str(ROOT))} && exec {shlex.join(words)} \"$@\"\n")


def main(out: Path) -> None:
    """Write all of it below `out`."""
    with zipfile.ZipFile(CORPUS) as z:
        files = [z.read(name) for name in z.namelist()] + targets.small()
    for name in ("efm3_read", "efm3_load"):
        pack(out / f"{name}_seed_corpus.zip", files)
    mirrors = [bytes(m) for m in (scan(data).mirror for data in files) if m is not None]
    pack(out / "efm3_mirror_seed_corpus.zip", [*mirrors, *targets.texts()])
    if importlib.util.find_spec("atheris") is None:
        print("seeds: atheris is not installed; the targets in Python are left out",
              file=sys.stderr)
        return
    for name, target in targets.available().items():
        pack(out / f"{PREFIX}{name}_seed_corpus.zip", target.kind.seeds())
        path = out / (PREFIX + name)
        path.write_text(program(name), encoding="utf-8")
        path.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
