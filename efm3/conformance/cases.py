# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The corpus: cases as text under `spec/cases`, loaded, checked and rendered.

A case is one TOML file that tests one thing; its name is its ID and never changes. The folder is
its kind: `valid` and `invalid` files, `either` (several answers are legal), `writer`, `engine`.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from efm3.codes import LEVELS
from efm3.conformance.home import HOME, RecipeError
from efm3.conformance.recipe import arch_of, render
from efm3.conformance.requirements import REQUIREMENTS
from efm3.rules import load_rules

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS = {"valid": "reader", "invalid": "reader", "either": "reader",
         "writer": "writer", "editor": "editor", "engine": "engine"}
"""Folder to the class that its cases are for; reader cases apply to an Engine too."""

_KEYS = {"about", "tests", "level", "smoke", "base", "arch", "unchecked", "seed", "patch", "status",
         "findings", "also", "large", "inputs", "faults", "arch_fault", "arch_sub", "edit",
         "edit_json", "edit_sub", "answer"}
ANSWERS: dict[str, bool | str] = {"file": False, "refuse": True, "either": "either"}
"""What a Writer's or an Editor's case asks for, and how the exported set says so (`refuse`)."""

KEPT = 1 << 16
"""Most bytes of a file that a case keeps."""

LARGE = "large"
"""The word that names the large cases. Without it there are none."""


@dataclass(frozen=True)
class Expected:
    """A finding that a case must give: rule code, byte offset and length (None: no place)."""

    code: str
    offset: int | None
    length: int | None


@dataclass(frozen=True)
class Case:
    """One case. `status` is the engine's (OK or a status name); `findings` are the errors and
    warnings of the file at level values, and those infos that the case is about; `also` are
    codes of what may follow from them, wherever it is found."""

    id: str
    folder: str
    about: str
    tests: tuple[str, ...]
    level: str
    smoke: bool
    status: str
    findings: tuple[Expected, ...]
    also: tuple[str, ...]
    recipe: dict[str, Any] = field(hash=False)

    @property
    def kind(self) -> str:
        """The class that the case is for: reader, writer, editor or engine."""
        return KINDS[self.folder]

    @property
    def large(self) -> bool:
        """True for a file of many megabytes: only a run that asks for such cases has it."""
        return bool(self.recipe.get(LARGE, False))

    @property
    def either(self) -> bool:
        """True where accepting and refusing are both legal."""
        return self.folder == "either" or self.refuse == "either"

    def valid(self, level: str) -> bool:
        """Whether a Reader of this level accepts the file."""
        rules, top = load_rules(), LEVELS.index(level)
        return not any(rules[f.code].severity == "error"
                       and LEVELS.index(rules[f.code].level) <= top for f in self.findings)

    @property
    def negative(self) -> bool:
        """True where the right answer is a refusal."""
        if self.kind in ("writer", "editor"):
            return self.refuse is True
        return self.kind == "reader" and not self.either and not self.valid("values")

    @property
    def refuse(self) -> bool | str:
        """What is asked of a Writer or an Editor: True, False, or "either"."""
        wrong = "faults" in self.recipe or "arch_fault" in self.recipe or "D004" in self.tests
        return ANSWERS[self.recipe.get("answer", "refuse" if wrong else "file")]

    def data(self) -> bytes:
        """The case's file (of a writer case: the canonical one; b"" where it must refuse)."""
        if self.kind == "writer" and self.negative:
            return b""
        kept: dict[str, Any] = self.__dict__
        if "rendered" in kept:
            return bytes(kept["rendered"])
        data = render(self.recipe)
        if len(data) <= KEPT:  # asked for once to judge it and once for the digest of the set
            kept["rendered"] = data
        return data

    def to_json(self) -> dict[str, Any]:
        """What is expected, for the exported set."""
        out: dict[str, Any] = {
            "id": self.id, "kind": self.kind, "folder": self.folder, "about": self.about,
            "tests": list(self.tests), "level": self.level, "smoke": self.smoke}
        if self.kind == "reader":
            out["expect"] = {"valid": {level: "either" if self.either else self.valid(level)
                                       for level in LEVELS},
                             "engine": self.status,
                             "findings": [vars(f) for f in self.findings]}
        return out


def _check(case: Case) -> Case:
    r = case.recipe
    known = load_rules()
    unknown = [k for k in r if k not in _KEYS]
    bad = [c for c in (*case.tests, *(f.code for f in case.findings), *case.also)
           if c not in known and c not in REQUIREMENTS]
    if unknown or bad or case.level not in ("MUST", "SHOULD") or not case.about or not case.tests \
            or r.get("answer", "file") not in ANSWERS:
        raise RecipeError(f"{case.id}: unknown {unknown or bad}, or about, tests, level, answer "
                          "are wrong")
    return case


def parse(text: str, name: str, folder: str) -> Case:
    """A case from its text. Raises RecipeError."""
    try:
        r = tomllib.loads(text)
        found = tuple(Expected(f["code"], f.get("offset"), f.get("length"))
                      for f in r.get("findings", ()))
        return _check(Case(name, folder, r.get("about", ""), tuple(r.get("tests", ())),
                           r.get("level", "MUST"), bool(r.get("smoke", False)),
                           r.get("status", "OK"), found, tuple(r.get("also", ())), r))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as e:
        raise RecipeError(f"{name}: {e!r}") from e


@lru_cache(maxsize=2)
def corpus(large: bool = False) -> tuple[Case, ...]:
    """Every case, by folder and name, without or with the large ones."""
    return tuple(c for c in _all() if large or not c.large)


@lru_cache(maxsize=1)
def _all() -> tuple[Case, ...]:
    out = []
    for folder in KINDS:
        for path in sorted((HOME / "cases" / folder).glob("*.toml")):
            out.append(parse(path.read_text(encoding="utf-8"), path.stem, folder))
    if not out:
        raise RecipeError(f"no cases under {HOME / 'cases'}")
    return tuple(out)


def example(code: str) -> Case:
    """The case that shows what a rule finds: the first that is about it and in which it alone
    finds something."""
    shown = [c for c in corpus() if code in {f.code for f in c.findings}]
    alone = [c for c in shown if len({f.code for f in c.findings}) == 1 and not c.also]
    return next((c for c in alone if code in c.tests), (alone or shown)[0])


def select(cases: Iterable[Case], words: Sequence[str]) -> list[Case]:
    """The cases that any word names: smoke, large, MUST, SHOULD, a folder, a code or its
    beginning, or an ID with wildcards. No words: all."""
    def named(case: Case, word: str) -> bool:
        return (word == case.level or word == case.folder or (word == "smoke" and case.smoke)
                or (word == LARGE and case.large)
                or (word.isupper() and any(t.startswith(word) for t in case.tests))
                or fnmatch.fnmatchcase(case.id, word))
    return [c for c in cases if not words or any(named(c, w) for w in words)]


def named(words: Sequence[str]) -> list[Case]:
    """The cases of the set that any word names; large ones are among them by the word `large`."""
    return select(corpus(LARGE in words), words)


def writer_arch(case: Case) -> dict[str, Any]:
    """The arch file of a writer case, faults of the arch included."""
    arch = arch_of(case.recipe.get("arch", {}))
    own: dict[str, Any] = {k: getattr(arch, k) for k in arch.__dataclass_fields__}
    own["stages"] = [vars(s) for s in arch.stages]
    return own | dict(case.recipe.get("arch_fault", {}))


def _replaced(case: Case, text: str, key: str) -> str:
    for step in case.recipe.get(key, ()):
        if step["old"] not in text:
            raise RecipeError(f"{case.id}: the text holds no {step['old']!r}")
        text = text.replace(step["old"], step["new"] * int(step.get("times", 1)), 1)
    return text


def writer_text(case: Case) -> str:
    """The text of a writer case's arch file: spellings that no parsed value keeps included."""
    return _replaced(case, json.dumps(writer_arch(case)), "arch_sub")


def edit_text(case: Case) -> str:
    """The text of an editor case's change; `edit_json` states what TOML cannot."""
    given = case.recipe.get("edit_json")
    text = str(given) if given is not None else json.dumps(case.recipe["edit"])
    return _replaced(case, text, "edit_sub")


def digest_of(index: Any) -> str:
    """SHA-256 of a JSON value in canonical spelling."""
    text = json.dumps(index, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
