# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Do the tests see the checks? The C engine and the Python rules are changed, one place at a time.

In C a condition holds never (or, of `a and b`, one of its parts always), has another border or
number, a status is another one, a statement is left out: see _operators.py. In Python a rule finds
nothing, a refusal is skipped. Then the case or test that notices is named. What nothing notices
must be listed, with the reason, in tools/evidence/exceptions.toml. Words select mutants by name
("efm3/evaluation" those of a room); `--every N` takes one of N.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from tools import ROOT
from tools.mutants import c, engine, python, tested

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXCEPTIONS = ROOT / "tools" / "evidence" / "exceptions.toml"


class Result(NamedTuple):
    """A mutant, the case or test that kills it ("" where none does), and why it may live."""

    name: str
    killer: str
    excuse: str

    @property
    def wrong(self) -> str:
        """What is wrong with it, "" where nothing."""
        if self.excuse and self.killer:
            return "listed as harmless, but killed"
        return "" if self.killer or self.excuse else "alive"


def listed(kind: str) -> list[dict[str, Any]]:
    """The exceptions of a kind: "alive" are mutants, "untaken" branches of a line."""
    rows: list[dict[str, Any]] = tomllib.loads(EXCEPTIONS.read_text(encoding="utf-8"))[kind]
    return rows


def excuses() -> dict[str, str]:
    """Mutant to the reason why nothing can notice it."""
    return {e["mutant"]: e["why"] for e in listed("alive")}


def results(words: list[str], every: int = 1) -> Iterator[Result]:
    """Every mutant whose name holds one of the words (none: all); of these the first of `every`."""
    known = excuses()
    for mutants in (c, engine, python, tested):
        chosen = [m for m in mutants.mutants() if not words or any(w in m.name for w in words)]
        for m, killer in mutants.kill(chosen[::every]):
            yield Result(m.name, killer, known.get(m.name, ""))


def report(words: list[str], every: int = 1) -> int:
    """Print each; returns how many are wrong."""
    wrong, seen, killed = 0, set(), 0
    for r in results(words, every):
        seen.add(r.name)
        killed += bool(r.killer)
        wrong += bool(r.wrong)
        verdict = r.wrong or ("killed by" if r.killer else "harmless:")
        print(f"{r.name}: {verdict} {r.killer or r.excuse}", flush=True)
    gone = set(excuses()) - seen if not words and every == 1 else set()
    for name in sorted(gone):
        print(f"{name}: listed, but there is no such mutant")
    print(f"{killed} of {len(seen)} mutants killed, {len(seen) - killed - wrong} harmless, "
          f"{wrong} wrong")
    return wrong + len(gone)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants.checks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--every", type=int, default=1, metavar="N")
    args = parser.parse_args()
    return int(report(args.words, args.every) > 0)


if __name__ == "__main__":
    sys.exit(main())
