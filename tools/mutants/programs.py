# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Does the kit bite? Wrong readers, writers, editors and engines, each killed by its case.

A mutant is a scaffold with one mistake put in by text.
The score is printed; --all also says how many cases of the whole set kill each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from efm3.conformance import runner
from efm3.conformance.cases import Case, corpus
from efm3.conformance.results import Answer, Outcome
from efm3.conformance.subject import Subject
from tools import ROOT
from tools.mutants._engines import ENGINES
from tools.mutants._mutant import Mutant
from tools.mutants._readers import READERS
from tools.mutants._writers import EDITORS, WRITERS

SCAFFOLDS = ROOT / "efm3" / "conformance" / "scaffolds"
if str(SCAFFOLDS) not in sys.path:
    sys.path.append(str(SCAFFOLDS))  # editor.py imports reader.py, which stands beside it
MUTANTS = (*READERS, *WRITERS, *EDITORS, *ENGINES)


class Module(Subject):
    """A Python scaffold in this process, with or without a mistake."""

    FILES = {"reader": "reader.py", "writer": "exporter.py",  # noqa: RUF012
             "editor": "editor.py", "engine": "engine.py"}

    def __init__(self, kind: str, old: str = "", new: str = "") -> None:
        super().__init__()
        source = (SCAFFOLDS / self.FILES[kind]).read_text(encoding="utf-8")
        if old not in source:
            raise LookupError(f"{self.FILES[kind]} holds no {old!r}")
        self._own: dict[str, Any] = {"__name__": "scaffold", "LEFT": []}
        exec(compile(source.replace(old, new, 1) if old else source, self.FILES[kind], "exec"),
             self._own)

    def _try(self, call: Any, *args: Any) -> Answer:
        self._own["LEFT"].clear()
        try:
            return Answer("ok", value=call(*args))
        except self._own["Refused"] as e:
            return Answer("refused", str(e), bool(self._own["LEFT"]))
        except Exception as e:
            return Answer("broken", repr(e))

    def read(self, data: bytes, level: str) -> Answer:
        """See Subject."""
        return self._try(self._own["read"], data, level)

    def write(self, arch: Any, tensors: Any) -> Answer:
        """See Subject."""
        return self._try(lambda: self._own["write"](json.loads(arch), tensors))

    def edit(self, data: bytes, change: Any) -> Answer:
        """See Subject."""
        return self._try(lambda: self._own["edit"](data, change.encode()))

    def embed(self, model: bytes, x: Any) -> Answer:
        """See Subject."""
        def run() -> Any:
            embedding, layers = self._own["forward"](self._own["load"](model), x)
            return embedding, {k: v.reshape(-1) for k, v in layers.items()}
        return self._try(run)


def subject(m: Mutant) -> Subject:
    """The mutant as a subject. Raises LookupError where its text is not in the scaffold."""
    return Module(m.kind, m.old, m.new)


@lru_cache(maxsize=1)
def _cases() -> dict[str, Case]:
    return {c.id: c for c in corpus()}


def kill(m: Mutant) -> Outcome:
    """The outcome of the case that must kill the mutant."""
    (found,) = runner.run(m.kind, subject(m), [_cases()[m.case]], level="coherence")
    return found


def killed(m: Mutant, found: Outcome) -> bool:
    """True where the case failed, with the symptom named."""
    return found.verdict in ("fail", "broken") and m.symptom in found.detail


def report(every: bool) -> Iterator[str]:
    """A line for each mutant, and the score."""
    dead = 0
    for m in MUTANTS:
        found = kill(m)
        dead += killed(m, found)
        more = ""
        if every:
            rows = list(runner.run(m.kind, subject(m), runner.cases_of(m.kind), level="coherence"))
            more = f", by {sum(o.verdict in ('fail', 'broken') for o in rows)} of {len(rows)} cases"
        yield (f"{'killed' if killed(m, found) else 'ALIVE '} {m.kind:7} {m.name} ({m.breaks}): "
               f"{m.case}{more}: {found.detail[:110]}")
    yield f"{dead} of {len(MUTANTS)} mutants killed: {100 * dead / len(MUTANTS):.0f} %"
