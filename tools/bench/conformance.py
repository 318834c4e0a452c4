# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How long the conformance kit takes: whole commands, their start included, least and median.

    python -m tools.bench conformance

A scaffold in Python is compared with our own reader for the ratio: the whole
corpus by the lines protocol, in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tools import ROOT

EFM3 = str(Path(sys.executable).with_name("efm3"))


def seconds(words: list[str]) -> float:
    """Wall seconds of a command that must succeed."""
    start = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print one line per command, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    scaffold = ROOT / "efm3" / "conformance" / "scaffolds" / "reader.py"
    run = [EFM3, "conformance", "run"]
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "corpus: reader, writer and C loader": [
                *run, "--reader", "@python", "--writer", "@python", "--engine", "@engine"],
            "corpus: our reader": [*run, "--reader", "@python"],
            "corpus: a scaffold by lines": [*run, "--protocol", "lines", "--reader",
                                            f"{sys.executable} {scaffold} --lines"],
            "export": [EFM3, "conformance", "export", folder],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, words in commands.items():
                times[name].append(seconds(words))
    out: dict[str, Any] = {name: {"least_s": round(min(t), 2),
                                  "median_s": round(statistics.median(t), 2)}
                           for name, t in times.items()}
    if options.json:
        print(json.dumps(out, indent=2))
        return
    for name, row in out.items():
        print(f"{name:40} least {row['least_s']:6.2f} s  median {row['median_s']:6.2f} s")


if __name__ == "__main__":
    main()
