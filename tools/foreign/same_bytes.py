# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What efm3's Python part reads and writes on this machine, as digests for another to compare.

    python -m tools.foreign.same_bytes [--few]

Prints one JSON object: machine and byte order, and by case the digest of what came of it: a reader
case's findings and the bytes of its model saved again, a writer's and an editor's bytes. `--few`
leaves out the reader cases.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import efm3
from efm3.conformance import runner, sample
from efm3.conformance.builtin import Own
from efm3.conformance.cases import corpus


def digest(data: bytes) -> str:
    """The first half of a SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]


class Watched(Own):
    """The suite's writer and editor; keeps the digests of what they gave."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []

    def _keep(self, answer: Any) -> Any:
        self.given.append(digest(answer.value) if answer.kind == "ok" else answer.kind)
        return answer

    def write(self, arch: Any, tensors: Any) -> Any:
        """See Subject."""
        return self._keep(super().write(arch, tensors))

    def edit(self, data: bytes, change: Any) -> Any:
        """See Subject."""
        return self._keep(super().edit(data, change))


def saved(data: bytes) -> str:
    """Digest of the model loaded and written again, once from arrays of the other byte order."""
    try:
        model = efm3.load(data)
        swapped = {k: v.astype(">f4") for k, v in model.tensors.items()}
        text = [efm3.dumps(model.arch, t, finite=False) for t in (model.tensors, swapped)]
    except efm3.Efm3Error as e:
        return e.code
    return digest(text[0]) if text[0] == text[1] else "differs by the arrays' byte order"


def cases(few: bool) -> Iterator[tuple[str, str]]:
    """Case ID to what came of it."""
    for case in corpus():
        if case.kind in ("writer", "editor"):
            subject = Watched()
            verdict = runner.judge_of(case.kind, "values", "f32")(case, subject).verdict
            yield case.id, " ".join([verdict, *subject.given])
        elif case.kind == "reader" and not few:
            data = case.data()
            found = [f.to_json() for f in efm3.validate(data).findings]
            yield case.id, f"{digest(json.dumps(found).encode())} {saved(data)}"


def main() -> int:
    """Print the object."""
    x = np.float32(1.5).tobytes()
    print(json.dumps({"machine": platform.machine(), "byteorder": sys.byteorder,
                      "numpy": np.__version__, "float": x.hex(), "sample": digest(sample.base()),
                      "cases": dict(cases("--few" in sys.argv[1:]))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
