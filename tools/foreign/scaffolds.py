# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every scaffold of every language that is here, built as its README says and run through the
whole kit: over the lines protocol where it speaks it, and then the smoke cases alone over the
simple one, for which a process has to start for each case."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from efm3.conformance import scaffold

PATIENCE = ["--timeout", "120"]
"""The machine may be at work on other things."""


def runs(kind: str, lang: str) -> list[list[str]]:
    """The arguments of `efm3 conformance run` for each run of a scaffold."""
    option = scaffold.KINDS[kind].option
    simple = [option, scaffold.command(kind, lang), "-j", "1", *PATIENCE]
    if kind not in scaffold.LANGUAGES[lang].lines:
        return [simple]
    strict = ["--level", "coherence"] if kind == "reader" else []
    return [[option, scaffold.command(kind, lang, lines=True), "--protocol", "lines", *strict,
             *PATIENCE], [*simple, "--select", "smoke"]]


def check(kind: str, lang: str) -> str:
    """What is wrong with a scaffold, or ""; what was run is printed."""
    with tempfile.TemporaryDirectory(prefix="efm3-") as folder:
        scaffold.write(kind, lang, folder)
        own = str(Path(sys.executable).parent)
        env = os.environ | {"PATH": f"{own}{os.pathsep}{os.environ['PATH']}"}
        build = scaffold.build(kind, lang)
        if build:
            done = subprocess.run(["make", "--silent"], cwd=folder, env=env, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                return f"{build}\n{done.stdout}"
        for words in runs(kind, lang):
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-m", "efm3", "conformance", "run", *words],
                                  cwd=folder, env=env, text=True, capture_output=True,
                                  check=False)
            if done.returncode:
                return f"{' '.join(words)}\n{done.stdout}{done.stderr}"
            said = "; ".join(done.stdout.splitlines()[-2:])
            print(f"{kind} in {scaffold.LANGUAGES[lang].title}"
                  f"{' by lines' if '--protocol' in words else ''}: {said}"
                  f" ({time.perf_counter() - start:.0f} s)", flush=True)
    return ""


def main(languages: list[str]) -> int:
    """Check the scaffolds of these languages, of all where none is given; the exit code."""
    here = []
    for lang in languages or scaffold.LANGUAGES:
        gone = scaffold.missing(lang)
        if gone:
            print(f"skipped: {scaffold.LANGUAGES[lang].title}: no {', '.join(gone)} here")
        else:
            here += [pair for pair in scaffold.pairs() if pair[1] == lang]
    wrong = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (kind, lang), problem in zip(here, pool.map(check, *zip(*here, strict=True)),
                                         strict=True):
            if problem:
                wrong += 1
                print(f"WRONG: {kind} in {scaffold.LANGUAGES[lang].title}: {problem}", flush=True)
    print(f"{len(here)} scaffolds, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
