# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Does the kit bite? Wrong readers, writers, editors and engines, each killed by its case.

A mutant is a scaffold with one mistake put in by text, or the reader with another parser.
The score is printed; --all also says how many cases of the whole set kill each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

from efm3.conformance import runner
from efm3.conformance.cases import Case, corpus
from efm3.conformance.results import Answer, Outcome
from efm3.conformance.subject import Subject
from tools import ROOT
from tools.mutants._editors import EDITORS
from tools.mutants._engines import ENGINES
from tools.mutants._grammar import Grammar
from tools.mutants._lower import LOWER
from tools.mutants._mutant import Mutant
from tools.mutants._readers import GRAMMAR, READERS
from tools.mutants._writers import WRITERS

SCAFFOLDS = ROOT / "efm3" / "conformance" / "scaffolds"
if str(SCAFFOLDS) not in sys.path:
    sys.path.append(str(SCAFFOLDS))  # editor.py imports reader.py, which stands beside it
MUTANTS = (*READERS, *GRAMMAR, *WRITERS, *EDITORS, *ENGINES, *LOWER)


@lru_cache(maxsize=8)
def _changed(file: str, old: tuple[str, ...], new: tuple[str, ...]) -> CodeType:
    """A scaffold with the first of each old text replaced. Raises LookupError."""
    source = (SCAFFOLDS / file).read_text(encoding="utf-8")
    for before, after in zip(old, new, strict=True):
        if before not in source:
            raise LookupError(f"{file} holds no {before!r}")
        source = source.replace(before, after, 1) if before else source
    return compile(source, file, "exec")


class Module(Subject):
    """A Python scaffold in this process, with or without a mistake."""

    FILES = {"reader": "reader.py", "writer": "exporter.py",  # noqa: RUF012
             "editor": "editor.py", "engine": "engine.py"}

    def __init__(self, kind: str, old: str | tuple[str, ...] = "",
                 new: str | tuple[str, ...] = "", switch: str = "") -> None:
        super().__init__()
        code = _changed(self.FILES[kind], (old,) if isinstance(old, str) else old,
                        (new,) if isinstance(new, str) else new)
        self._own: dict[str, Any] = {"__name__": "scaffold", "LEFT": [], "GIVEN": [""]}
        exec(code, self._own)
        if switch:
            self._own["parse"] = Grammar(switch, self._own["Refused"]).parse

    def _try(self, call: Any, *args: Any) -> Answer:
        self._own["LEFT"].clear()
        try:
            return Answer("ok", value=call(*args))
        except self._own["Refused"] as e:
            return Answer("refused", str(e), "a file was left" if self._own["LEFT"] else "")
        except Exception as e:
            return Answer("broken", repr(e))

    def read(self, data: bytes, level: str) -> Answer:
        """See Subject."""
        return self._try(self._own["read"], data, level)

    def write(self, arch: Any, tensors: Any) -> Answer:
        """See Subject."""
        self._own["GIVEN"][0] = arch  # for a mistake that copies what it should read
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
    return Module(m.kind, m.old, m.new, m.switch)


@lru_cache(maxsize=1)
def _cases() -> dict[str, Case]:
    return {c.id: c for c in corpus()}


def kill(m: Mutant) -> Outcome:
    """The outcome of the case that must kill the mutant."""
    (found,) = runner.run(m.kind, subject(m), [_cases()[m.case]], level=m.level,
                           precision=m.precision)
    return found


def killed(m: Mutant, found: Outcome) -> bool:
    """True where the case failed, with the symptom named; nothing else may be named beside it."""
    named = "looks as if" in found.detail
    return found.verdict in ("fail", "broken") and (
        found.detail.endswith(m.symptom) if named else m.symptom in found.detail)


def report(every: bool) -> Iterator[str]:
    """A line for each mutant, and the score."""
    dead = 0
    for m in MUTANTS:
        found = kill(m)
        dead += killed(m, found)
        more = ""
        if every:
            rows = list(runner.run(m.kind, subject(m), runner.cases_of(m.kind), level=m.level,
                                   precision=m.precision))
            more = f", by {sum(o.verdict in ('fail', 'broken') for o in rows)} of {len(rows)} cases"
        yield (f"{'killed' if killed(m, found) else 'ALIVE '} {m.kind:7} {m.name} ({m.breaks}): "
               f"{m.case}{more}: {found.detail[:110]}")
    yield f"{dead} of {len(MUTANTS)} mutants killed: {100 * dead / len(MUTANTS):.0f} %"
