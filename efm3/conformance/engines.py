# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The judge of engines: embeddings against the reference, first differing layer, symptom."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np

from efm3 import reference, verification
from efm3.arithmetic import TOLERANCE
from efm3.conformance import symptoms, weights
from efm3.conformance.cases import Case
from efm3.conformance.home import HOME
from efm3.conformance.judge import outcome, reason, unwanted
from efm3.conformance.results import Answer, Outcome
from efm3.conformance.subject import Subject
from efm3.model import Model, load
from efm3.network import layers, macs

COSINES = {"fp16": 0.9999, "bf16": 0.999, "int8": 0.99}
"""Smallest cosine of an engine of reduced precision; see the spec, numeric conformance."""

PRECISIONS = ("fp32", *COSINES)
MATCHABLE = 50_000_000
"""Multiply-adds up to which a wrong embedding is compared with the catalogue."""


@lru_cache(maxsize=256)
def expected(case_id: str) -> dict[str, Any]:
    """The frozen expectations of an engine case."""
    path = HOME / "cases" / "engine" / f"{case_id}.json"
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def judge(case: Case, subject: Subject, precision: str = "fp32") -> Outcome:
    """An engine case: every input's embedding; or a reader case: loaded or refused."""
    if case.kind == "reader":
        return _loads(case, subject)
    data = case.data()
    for row in expected(case.id)["inputs"]:
        answer = subject.embed(data, weights.picture(row["input"]))
        bad = unwanted(case, answer)
        if bad is not None:
            return bad
        want = np.array(row["embedding"], np.float64)
        wrong = _wrong(want, answer, precision)
        if wrong:
            why = _why(data, row["input"], answer) if np.isfinite(want).all() else ""
            return outcome(case, "fail", f"input {row['input']!r}: {wrong}{why}")
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


def _wrong(want: Any, answer: Answer, precision: str) -> str:
    have = np.asarray(answer.value[0], np.float64).reshape(-1)
    if have.shape != want.shape:
        return f"{have.size} values, not {want.size}"
    if np.isnan(want).any():
        return "" if np.isnan(have).all() else "a finite value where NaN is expected"
    if not np.isfinite(have).all():
        return f"component {int(np.flatnonzero(~np.isfinite(have))[0])} is not finite"
    if precision == "fp32":
        error = np.abs(have - want)
        worst = int(error.argmax())
        return "" if error[worst] <= TOLERANCE else (
            f"component {worst} is {have[worst]:.7g}, not {want[worst]:.7g}: off by "
            f"{error[worst]:.2e}, allowed {TOLERANCE:g}")
    norms = float(np.linalg.norm(have) * np.linalg.norm(want))
    cosine = float(have @ want) / norms if norms else float(not have.any() and not want.any())
    least = COSINES[precision]
    if cosine >= least and abs(float(np.linalg.norm(have)) - float(np.linalg.norm(want))) < 1e-2:
        return ""
    return f"cosine {cosine:.6f} and norm {np.linalg.norm(have):.4f}, least {least} for {precision}"


def _why(data: bytes, word: str, answer: Answer) -> str:
    """The first differing layer and the likely mistake, as far as known."""
    model, x = load(data, level="structure"), weights.picture(word)
    have, given = answer.value
    said, names = "", list[str]()
    small = macs(model.arch) <= MATCHABLE
    if given:
        stray = verification.first_stray(model, shaped(model, given),
                                         reference.activations(model, x[None], as_given=True))
        said = ("; every layer that was given is within its budget: look after the last"
                if stray is None else f"; first differing layer: {stray.layer}, off by "
                f"{stray.max_error:.2e}, allowed {stray.budget:.2e}")
        if stray is not None:
            layer = np.asarray(given[stray.layer], np.float64)
            names = symptoms.match(model, x, layer, stray.layer) if small else []
            said += "" if names else f"; {stray.guess}"
    if small and not names:
        names = symptoms.match(model, x, np.asarray(have, np.float64).reshape(-1))
    return said + (f"; looks as if {', or '.join(names[:3])}" if names else "")


def shaped(model: Model, given: dict[str, Any]) -> dict[str, Any]:
    """The layers that an engine gave, as [C, H, W]; those of another size are skipped."""
    out = {}
    for layer in layers(model.arch):
        shape = (layer.out_channels, layer.out_side, layer.out_side)
        flat = given.get(layer.name)
        if flat is not None and flat.size == layer.out_channels * layer.out_side ** 2:
            out[layer.name] = np.asarray(flat, np.float64).reshape(shape)
    return out


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
