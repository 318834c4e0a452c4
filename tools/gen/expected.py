# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Write what engine cases expect, from the float64 reference (a vector's embedding from PyTorch).

--check compares instead, within 1e-9: the last bits depend on a library's order of summation.
The bounds of precisions below f32, of two digits, may differ by one in the second.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efm3 import reference
from efm3.conformance import rounding, weights
from efm3.conformance.cases import Case, corpus
from efm3.conformance.engines import layer_digest
from efm3.conformance.home import HOME
from efm3.model import load
from efm3.network import Layer


def expected(case: Case, bounds: bool = True) -> dict[str, Any]:
    """The case's inputs, each with its embedding, a digest of every layer and, with `bounds`, its
    bounds below f32."""
    model = load(case.data(), level="structure")
    rows = []
    for word in case.recipe["inputs"]:
        acts: dict[str, Any] = {}

        def keep(layer: Layer, a: NDArray[Any], into: dict[str, Any] = acts) -> None:
            into[layer.name] = layer_digest(a[0])

        out = reference.forward(model, weights.picture(word)[None], watch=keep, as_given=True)[0]
        if word.startswith("vector "):
            _, name, i = word.split()
            out = weights.vector(name)["embedding"][int(i)]
        rows.append({"input": word, "embedding": [_plain(v) for v in out], "layers": acts})
        if bounds:
            rows[-1]["gaps"] = {k: _up(v) for k, v in rounding.gaps(
                model, weights.picture(word), np.asarray(out, np.float64)).items()}
    return {"inputs": rows}


def _up(gap: float) -> float:
    """A bound with two digits, rounded up."""
    digit = 10.0 ** (math.floor(math.log10(gap)) - 1)
    return float(f"{math.ceil(gap / digit - 1e-6) * digit:.1e}")


def _plain(v: float) -> float | str:
    return float(v) if math.isfinite(v) else "nan"


def close(a: Any, b: Any) -> bool:
    """True where two JSON values differ by roundings at most."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-9 * max(1.0, abs(a))
    return bool(a == b)


def agree(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """True where a file and what is new expect the same; bounds count where the new has some."""
    def bare(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in row.items() if k != "gaps"} for row in rows]
    if not close(bare(a["inputs"]), bare(b["inputs"])):
        return False
    pairs = [(x.get("gaps", {}), y["gaps"]) for x, y in zip(a["inputs"], b["inputs"], strict=True)
             if "gaps" in y]
    return all(x.keys() == y.keys() and all(abs(x[k] - y[k]) <= 0.11 * y[k] for k in x)
               for x, y in pairs)


def main(check: bool, bounds: bool = True) -> int:
    """Write or compare, without `bounds` only what is fast; returns how many files differed."""
    stale = 0
    for case in (c for c in corpus() if c.kind == "engine"):
        path = HOME / "cases" / "engine" / f"{case.id}.json"
        new = expected(case, bounds)
        if path.exists() and agree(json.loads(path.read_text(encoding="utf-8")), new):
            continue
        stale += 1
        print(f"{path.name}: {'differs from the reference' if check else 'written'}")
        if not check:
            path.write_text(json.dumps(new, separators=(",", ":")) + "\n", encoding="utf-8")
    return stale


if __name__ == "__main__":
    only = "--check" in sys.argv[1:]
    sys.exit(1 if main(only) and only else 0)
