# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files on which two readers disagree: found by mutating recipes, then minimised.

A file is a base and a few patches, as in a case; so every finding can be reduced patch by
patch, and printed as a case.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from efm3 import format as fmt
from efm3.conformance import document, sample
from efm3.conformance.home import RecipeError
from efm3.conformance.recipe import render
from efm3.conformance.results import Answer
from efm3.conformance.subject import Subject
from efm3.network import tensor_layout

Step = dict[str, Any]
Recipe = dict[str, Any]

BASES: tuple[Recipe, ...] = (
    {"base": "sample"},
    {"base": "arch", "arch": {"name": "one", "stem_channels": 1, "block_channels": 1,
                              "final_channels": 1, "embedding_dim": 1, "gdc_kernel": 14,
                              "stages": [[1, 1, 4]]}},
    {"base": "arch", "arch": {"name": "odd", "stem_channels": 3, "block_channels": 5,
                              "final_channels": 7, "embedding_dim": 2, "gdc_kernel": 14,
                              "stages": [[2, 1, 2], [1, 2, 2]]}},
)

U32 = (0, 1, 3, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF, 1 << 20, (1 << 20) + 1)

QUIRKS: tuple[tuple[str, str], ...] = (
    ('"name"', ' "name"'), ('"name"', '"Name"'), ("{\"name\"", "{\"x\":1,\"name\""),
    (',"gdc', ',"gdc_kernel":7,"gdc'), (',"gdc', ',"gdc_k\\u0065rnel":7,"gdc'), ('"t":', '"t":0'),
    ('"t":', '"t":+'), ('"t":', '"t":1.'), ('"t":1', '"t":1.0'), ('"t":1', '"t":1e0'),
    ('"t":1', '"t":true'), ('"t":1', '"t":"1"'), ("}]}", "}],}"), ("}]}", "}]}\n"),
    ("}]}", "}]} "), ("}]}", "}]}\0"), ("}]}", "}]}{}"), ("}]}", "}],\"meta\":{}}"),
    ("}]}", "}],\"meta\":null}"), ("}]}", "}],\"meta\":{\"sha256\":\"0\"}}"),
    ("}]}", "}],\"meta\":{\"a\":NaN}}"), ("}]}", "}],\"meta\":{\"a\":1e999}}"),
    ("}]}", "}],\"meta\":{\"a\":\"\\ud800\"}}"), ("}]}", "}],\"meta\":{\"a\":\"\\u0000\"}}"),
    ("}]}", "}],\"meta\":{\"a\":" + "[" * 15 + "]" * 15 + "}}"), ("{\"name\"", "\ufeff{\"name\""),
    (":", " : "), (",", ",\n"), (",", ",/**/"), ("\"name\":\"", "\"name\":\"\\x"),
    ("\"name\":\"", "\"name\":\"\t"), ("\"name\":\"", "\"name\":\"é"), ("{\"name\"", "[{\"name\""),
)


@lru_cache(maxsize=8)
def _names(base: int) -> tuple[str, ...]:
    s = sample.spans(render(BASES[base]))
    assert s.arch is not None
    return tuple(n for n, _ in tensor_layout(s.arch))


class Mutator:
    """Random recipes from a seed; the same seed gives the same files."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def recipe(self) -> Recipe:
        """A base and one to four patches."""
        r = self._rng
        base = r.choice((0, 0, 1, 2))
        steps = [self._step(base)]
        while len(steps) < 4 and r.random() < 0.4:
            steps.append(self._step(base))
        return BASES[base] | {"patch": steps}

    def _step(self, base: int) -> Step:
        kinds: tuple[Callable[[int], Step], ...] = (
            self._field, self._field, self._u32, self._size, self._mirror, self._cut, self._bytes,
            self._table, self._value)
        return self._rng.choice(kinds)(base)

    def _field(self, _: int) -> Step:
        r = self._rng
        f = r.choice(list(fmt.FIELDS.values()))
        if f.size not in (1, 2, 4) or f.path == "magic":
            at = f.offset + r.randrange(f.size)
            return {"op": "put", "at": at, "hex": f"{r.randrange(256):02x}"}
        top = 256 ** f.size - 1
        near = (0, 1, 2, f.con.lo, f.con.hi, max(f.con.lo - 1, 0), f.con.hi + 1, top,
                r.randint(0, top))
        return {"op": "field", "path": f.path, "value": min(r.choice(near), top)}

    def _u32(self, base: int) -> Step:
        at = self._rng.choice(["n_tensors", 88, self._rng.choice(_names(base)) + ".size"])
        return {"op": "put", "at": at, "u32": self._rng.choice(U32)}

    def _size(self, base: int) -> Step:
        return {"op": "size", "tensor": self._rng.choice(_names(base)),
                "delta": self._rng.choice((-4, -1, 1, 4, 8))}

    def _mirror(self, _: int) -> Step:
        old, new = self._rng.choice(QUIRKS)
        return {"op": "mirror_sub", "old": old, "new": new}

    def _cut(self, base: int) -> Step:
        r = self._rng
        return {"op": "cut", "at": r.choice([
            "end-1", "end-4", "json", "n_tensors", "table", r.choice(_names(base)) + ".size",
            r.choice(_names(base)) + ".data", r.randrange(100)])}

    def _bytes(self, base: int) -> Step:
        r = self._rng
        at = r.choice(["end", "json", "n_tensors", "table", r.choice(_names(base)) + ".data"])
        if r.random() < 0.5:
            return {"op": "insert", "at": at, "hex": "00" * r.choice((1, 4))}
        return {"op": "delete", "at": 0 if at == "end" else at, "length": r.choice((1, 4))}

    def _table(self, base: int) -> Step:
        r, names = self._rng, _names(base)
        return r.choice(({"op": "drop", "tensor": r.choice(names)},
                         {"op": "add", "before": r.choice([*names, "end"]), "bytes": 4},
                         {"op": "swap", "a": r.choice(names), "b": r.choice(names)},
                         {"op": "resize", "tensor": r.choice(names), "bytes": r.choice((0, 4, 7))}))

    def _value(self, base: int) -> Step:
        r = self._rng
        return {"op": "values", "tensor": r.choice(_names(base)), "values": [r.choice((
            "nan", "inf", "-inf", "bits:00000001", "bits:7f800001", "bits:80000000"))]}


@dataclass(frozen=True)
class Disagreement:
    """A recipe on which the two answers differ, and how."""

    recipe: Recipe
    words: str

    @property
    def key(self) -> tuple[Any, ...]:
        """What distinguishes it from earlier ones."""
        shape = tuple((s["op"], str(s.get("path") or s.get("old") or "")) for s in
                      self.recipe.get("patch", ()))
        return self.words.split(":")[0], shape


def compare(a: Answer, b: Answer) -> str:
    """How two answers to one file differ in words, or ""."""
    words = {"ok": "accepts", "refused": "refuses", "broken": "is broken"}
    if a.kind != b.kind:
        why = "; ".join(f"{n}: {x.reason}" for n, x in (("A", a), ("B", b)) if x.reason)
        return f"A {words[a.kind]}, B {words[b.kind]}" + (f": {why}" if why else "")
    if a.kind == "ok" and a.value is not None and b.value is not None:
        wrong = document.difference(a.value, b.value)
        return f"the documents differ: in B {wrong}" if wrong else ""
    return ""


def ask(recipe: Recipe, a: Subject, b: Subject, level: str) -> str:
    """`compare` on a recipe; "" for one that cannot be followed."""
    try:
        data = render(recipe)
    except RecipeError:
        return ""
    answers = a.read(data, level), b.read(data, level)
    a.check()
    b.check()
    return compare(*answers)


def minimise(recipe: Recipe, differs: Callable[[Recipe], str]) -> tuple[Recipe, str]:
    """The recipe with fewer and simpler patches that still differs in the same way."""
    words = differs(recipe)
    kind = words.split(":")[0]

    def holds(new: Recipe) -> str:
        found = differs(new)
        return found if found.split(":")[0] == kind else ""
    changed = True
    while changed:
        changed = False
        for new in _simpler(recipe):
            found = holds(new)
            if found:
                recipe, words, changed = new, found, True
                break
    return recipe, words


def _simpler(recipe: Recipe) -> Iterator[Recipe]:
    steps = recipe["patch"]
    for i in range(len(steps)):
        yield recipe | {"patch": steps[:i] + steps[i + 1:]}
    for i, step in enumerate(steps):
        for key in ("value", "delta", "u32", "length", "bytes"):
            for small in (0, 1, 4):
                if isinstance(step.get(key), int) and small < abs(step[key]):
                    yield recipe | {"patch": [*steps[:i], step | {key: small}, *steps[i + 1:]]}
    if recipe["base"] != "sample":
        yield {k: v for k, v in recipe.items() if k != "arch"} | {"base": "sample"}


def search(a: Subject, b: Subject, files: int, level: str = "structure", seed: int = 0,
           enough: int = 5, tick: Callable[[], bool] = lambda: True) -> Iterator[Disagreement]:
    """Distinct disagreements over `files` mutated files, minimised; at most `enough`.

    `tick` is called before each file; the search ends where it says False.
    """
    mutate, seen = Mutator(seed), set[tuple[Any, ...]]()
    for _ in range(files):
        if not tick():
            return
        recipe = mutate.recipe()
        if not ask(recipe, a, b, level):
            continue
        found = Disagreement(*minimise(recipe, lambda r: ask(r, a, b, level)))
        if found.key not in seen:
            seen.add(found.key)
            yield found
            if len(seen) >= enough:
                return
