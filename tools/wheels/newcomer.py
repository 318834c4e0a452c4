# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a newcomer does with an installed efm3: `python newcomer.py`, of which it needs no more, or
`python newcomer.py WORDS...` with the words that start another Python.

In an empty folder it copies the files that the package brings, then inspects, validates, embeds and
compares. Prints what an embedding was computed with; exit 1 where a step fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

NANO, ONE, TWO = "weights/facex_nano.bin", "examples/a_1.png", "examples/a_2.png"
STEPS = (("examples", "."), ("inspect", NANO), ("validate", NANO), ("compare", NANO, ONE, TWO),
         ("embed", NANO, ONE))


def main() -> int:
    """The command."""
    said, python = "", sys.argv[1:] or [sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        for step in STEPS:
            done = subprocess.run([*python, "-m", "efm3", *step], cwd=folder, text=True,
                                  encoding="utf-8", capture_output=True, check=False)
            if done.returncode:
                print(f"efm3 {' '.join(step)}: exit {done.returncode}: {done.stderr[-2000:]}",
                      file=sys.stderr)
                return 1
            said = done.stdout
    made = json.loads(said)
    length = sum(x * x for x in made["embeddings"][0]["embedding"])
    if abs(length - 1) > 1e-5:
        print(f"an embedding has the length {length}", file=sys.stderr)
        return 1
    print(made.get("isa") or "no engine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
