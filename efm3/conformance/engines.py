# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The judge of engines: embeddings against the reference, and why one is wrong."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from typing import Any

import numpy as np

from efm3.arithmetic import TOLERANCE
from efm3.arrays import Array
from efm3.conformance import _lower, _stray, symptoms, weights
from efm3.conformance.cases import Case
from efm3.conformance.home import HOME
from efm3.conformance.judge import outcome, reason, unwanted
from efm3.conformance.results import Answer, Outcome
from efm3.conformance.subject import Subject
from efm3.model import load
from efm3.network import Layer, macs
from efm3.precision import PRECISIONS

F32 = PRECISIONS[0]
"""The precision that is judged by each component. Below it a case has a bound of its own."""

MATCHABLE = 50_000_000
"""Multiply-adds up to which a wrong answer is compared with the catalogue."""

NAMED = 8
"""Most mistakes that are named where they cannot be told apart."""


CHANGES = ("; a second run of the same input gives another answer: something of an earlier run is "
           "kept, or memory is never set")

LATER = (": another embedding after other inputs than before them, by the bit: levels, ranges or "
         "sums depend on what was run")


@lru_cache(maxsize=256)
def expected(case_id: str) -> dict[str, Any]:
    """The frozen expectations of an engine case."""
    path = HOME / "cases" / "engine" / f"{case_id}.json"
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def judge(case: Case, subject: Subject, precision: str = F32) -> Outcome:
    """An engine case: every input's embedding; or a reader case: loaded or refused.

    Below f32 the first of several inputs is run once more after the last one, for the same bits.
    """
    if case.kind == "reader":
        return _loads(case, subject)
    data, rows = case.data(), expected(case.id)["inputs"]
    answers = list[Answer]()
    for row in rows:
        answer = subject.embed(data, weights.picture(row["input"]))
        bad = unwanted(case, answer)
        if bad is not None:
            return bad
        answers.append(answer)
        wrong = _wrong(row, answer, precision)
        if wrong:
            again = subject.embed(data, weights.picture(row["input"]))
            why = _kept(rows, row, answer, precision) + (
                _why(data, row["input"], answer, precision) if _same(answer, again) else CHANGES)
            return outcome(case, "fail", f"input {row['input']!r}: {wrong}{why}")
    if precision != F32 and len(rows) > 1:
        again = subject.embed(data, weights.picture(rows[0]["input"]))
        bad = unwanted(case, again)
        if bad is not None or not np.array_equal(_embedding(again), _embedding(answers[0]),
                                                 equal_nan=True):
            return bad or outcome(case, "fail", f"input {rows[0]['input']!r}{LATER}")
    return outcome(case, "pass")


def _loads(case: Case, subject: Subject) -> Outcome:
    answer = subject.embed(case.data(), weights.picture("constant 0"))
    if answer.kind == "broken":
        return outcome(case, "broken", answer.reason)
    if answer.kind == "refused":
        bad = unwanted(case, answer)
        return bad if case.status == "OK" and bad else outcome(case, "pass")
    if case.status != "OK":
        return outcome(case, "fail", f"loaded, but {reason(case, 'structure')} "
                                     f"(status {case.status})")
    return outcome(case, "pass")


def _wrong(row: dict[str, Any], answer: Answer, precision: str) -> str:
    """What is wrong with the answer to an input of `expected`, or ""."""
    want, have = np.array(row["embedding"], np.float64), _embedding(answer)
    if have.shape != want.shape:
        return f"{have.size} values, not {want.size}"
    nan = np.isnan(want)
    if nan.any():
        finite = np.flatnonzero(nan & ~np.isnan(have))
        return (f"component {int(finite[0])} is {have[finite[0]]:.7g}, a value where NaN is "
                "expected" if finite.size else "")
    if not np.isfinite(have).all():
        return f"component {int(np.flatnonzero(~np.isfinite(have))[0])} is not finite"
    if precision == F32:
        error = np.abs(have - want)
        worst = int(error.argmax())
        return "" if error[worst] <= TOLERANCE else (
            f"component {worst} is {have[worst]:.7g}, not {want[worst]:.7g}: off by "
            f"{error[worst]:.2e}, allowed {TOLERANCE:g}")
    return _apart(have, want, row["gaps"].get(precision, 0.0), precision)


def _apart(have: Any, want: Any, most: float, precision: str) -> str:
    """What is wrong with an embedding below f32, of which 1 - cosine may be `most`; or ""."""
    length, right = float(np.linalg.norm(have)), float(np.linalg.norm(want))
    if not right:
        return "" if not length else f"its norm is {length:.4g}, not 0"
    # A reference of length 1 was divided by its norm; below the norm's floor the length is as
    # uncertain as the direction.
    room = TOLERANCE if abs(right - 1) <= TOLERANCE else math.sqrt(2 * most)
    if abs(length / right - 1) > room:
        return (f"its norm is {length:.7g}, not {right:.7g}: off by {abs(length - right):.2e}, "
                f"allowed {room * right:.2e}")
    gap = 1 - float(have @ want) / (length * right)
    return "" if gap <= most else (
        f"1 - cosine is {gap:.2e}, allowed {most:.2e} for {precision} in this case")


def _embedding(answer: Answer) -> Any:
    return np.asarray(answer.value[0], np.float64).reshape(-1)


def _kept(rows: list[dict[str, Any]], row: dict[str, Any], answer: Answer,
          precision: str) -> str:
    """Words where the answer is that of an input before, "" where it is not."""
    for other in rows[:rows.index(row)]:
        if not _wrong(other, answer, precision):
            return f"; it is the embedding of input {other['input']!r}, which was run before"
    return ""


def _same(a: Answer, b: Answer) -> bool:
    """True where two runs gave the same embedding."""
    return a.kind == b.kind == "ok" and _embedding(a).shape == _embedding(b).shape and np.allclose(
        _embedding(a), _embedding(b), rtol=0, atol=TOLERANCE, equal_nan=True)


def _why(data: bytes, word: str, answer: Answer, precision: str) -> str:
    """The first differing layer and the likely mistake, as far as known."""
    model, x = load(data, level="structure"), weights.picture(word)
    layers: dict[str, Any] = answer.value[1]
    have = _embedding(answer)
    given = {name: np.asarray(a, np.float64).reshape(-1) for name, a in layers.items()} | {"": have}
    said = _stray.strangers(model, layers)
    names = list[str]()

    def room(layer: Layer, a: Array) -> Array:
        return _lower.room(model, layer, a, precision)
    lower = precision != F32
    stray = _stray.first(model, x, layers, room if lower else None) if layers else None
    if lower:
        names = [] if stray is None else _lower.mistakes(model, stray, precision)
    elif macs(model.arch) <= MATCHABLE:
        names = symptoms.match(model, x, given, stray.layer if stray else "")
    if stray is not None:
        said += f"; first differing layer: {stray.words}"
        said += "" if names or not stray.guess else f"; {stray.guess}"
    elif layers:
        said += _stray.after(model, layers, have)
    return said + _looks(names)


def _looks(names: list[str]) -> str:
    if not names:
        return ""
    if len(names) < 3:
        return f"; looks as if {'either ' if len(names) == 2 else ''}{' or '.join(names)}"
    more = f" (or {len(names) - NAMED} more)" if len(names) > NAMED else ""
    return f"; looks as if one of these: {'; '.join(names[:NAMED])}{more}"


SAMPLES = 6
"""Values of a layer that its digest holds."""


def layer_digest(a: Any) -> dict[str, Any]:
    """A digest of a layer's output [C, H, W], for comparison without all values.

    `rms`, `max` (of the magnitudes), `mix` (the sum of value i times ((37 i) mod 101 - 50) / 50
    over the count, which moves when values change places) and `samples`, [flat index, value].
    NaN is "nan".
    """
    flat = np.asarray(a, np.float64).reshape(-1)
    i = np.arange(flat.size)
    mix = float(flat @ ((37 * i % 101 - 50) / 50)) / flat.size
    at = [int(k) for k in np.linspace(0, flat.size - 1, SAMPLES).round()]
    return {"shape": list(np.shape(a)), "rms": _json(np.sqrt(np.mean(flat * flat))),
            "max": _json(np.abs(flat).max()), "mix": _json(mix),
            "samples": [[k, _json(flat[k])] for k in at]}


def _json(value: Any) -> float | str:
    return float(f"{value:.12g}") if np.isfinite(value) else str(float(value))
