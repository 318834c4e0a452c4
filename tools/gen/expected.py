# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Write what engine cases expect, from the float64 reference (a vector's embedding from PyTorch).

--check compares instead, within 1e-9: the last bits depend on a library's order of summation.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from numpy.typing import NDArray

from efm3 import reference
from efm3.conformance import weights
from efm3.conformance.cases import Case, corpus
from efm3.conformance.engines import layer_digest
from efm3.conformance.home import HOME
from efm3.model import load
from efm3.network import Layer


def expected(case: Case) -> dict[str, Any]:
    """The case's inputs, each with its embedding and a digest of every layer."""
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
    return {"inputs": rows}


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


def main(check: bool) -> int:
    """Write or compare; returns how many files differed."""
    stale = 0
    for case in (c for c in corpus() if c.kind == "engine"):
        path = HOME / "cases" / "engine" / f"{case.id}.json"
        new = expected(case)
        if path.exists() and close(json.loads(path.read_text(encoding="utf-8")), new):
            continue
        stale += 1
        print(f"{path.name}: {'differs from the reference' if check else 'written'}")
        if not check:
            path.write_text(json.dumps(new, separators=(",", ":")) + "\n", encoding="utf-8")
    return stale


if __name__ == "__main__":
    only = "--check" in sys.argv[1:]
    sys.exit(1 if main(only) and only else 0)
