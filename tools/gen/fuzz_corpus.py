# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Minimise what the fuzzers found into tests/fuzz/corpus.zip: `python -m tools.gen.fuzz_corpus`.

libFuzzer merges the grown corpus, the conformance set's small files and the present archive to
few files that reach all they reach together; of these the archive takes the smallest, within
FILES and BYTES. It is written the same way each time: names are digests, without dates.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile

from tools.evidence import fuzz

ARCHIVE = fuzz.HERE / "corpus.zip"
FILES, BYTES, LONGEST = 300, 300_000, 2048


def merged() -> list[bytes]:
    """The merge's files, smallest first. Raises RuntimeError where libFuzzer fails."""
    program = fuzz.libfuzzer_program("none")
    fuzz.seeds()
    old, out = fuzz.WORK / "archived", fuzz.WORK / "merged"
    for folder in (old, out):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    if ARCHIVE.exists():
        zipfile.ZipFile(ARCHIVE).extractall(old)
    fuzz.GROWN.mkdir(exist_ok=True)
    done = subprocess.run([program, "-merge=1", f"-max_len={LONGEST}", "-verbosity=0", out, old,
                           fuzz.GROWN, fuzz.WORK / "seeds"], capture_output=True, text=True,
                          check=False, cwd=fuzz.WORK)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return sorted((p.read_bytes() for p in out.iterdir()), key=lambda d: (len(d), d))


def pack(files: list[bytes]) -> int:
    """Write the archive; how many files it took."""
    kept: dict[str, bytes] = {}
    for data in files[:FILES]:
        kept[hashlib.sha256(data).hexdigest()[:16]] = data
    part = ARCHIVE.with_suffix(".part")
    while True:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
            for name in sorted(kept):
                z.writestr(zipfile.ZipInfo(name), kept[name], zipfile.ZIP_DEFLATED, 9)
        if part.stat().st_size <= BYTES:
            break
        del kept[max(kept, key=lambda n: len(kept[n]))]
    part.replace(ARCHIVE)
    return len(kept)


def main() -> None:
    """Merge and write."""
    try:
        found = merged()
    except (OSError, RuntimeError) as e:
        sys.exit(f"fuzz_corpus: {e} (tools/evidence/install_fuzz.sh installs clang)")
    print(f"{pack(found)} of {len(found)} files, {ARCHIVE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
