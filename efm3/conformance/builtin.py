# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Our own implementations as subjects: `@python`, `@engine`, `@reference`, `@scalar`, ...

The kit is tested on them first, and `efm3 conformance diff` compares others with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from efm3 import mirror as mirrors
from efm3.arch import Arch, Stage
from efm3.conformance.document import document
from efm3.conformance.editing import edited
from efm3.conformance.results import Answer
from efm3.conformance.subject import Subject
from efm3.engine import Engine
from efm3.findings import Efm3Error, refuse
from efm3.model import dumps, load
from efm3.precision import PRECISIONS
from efm3.validator import validate
from efm3.version import __version__


class Own(Subject):
    """The suite's reader, writer and editor."""

    def __init__(self) -> None:
        super().__init__()
        self.implementation = {"name": "efm3", "version": __version__, "language": "python",
                               "classes": ["reader", "writer", "editor"]}

    def read(self, data: bytes, level: str) -> Answer:
        """See Subject."""
        report = validate(data, level)
        if not report.ok:
            return Answer("refused", str(report.at_least("error")[0]))
        return Answer("ok", value=document(data, level))

    def write(self, arch: str, tensors: Mapping[str, Any]) -> Answer:
        """See Subject."""
        try:
            return Answer("ok", value=dumps(arch_of(arch), tensors))
        except Efm3Error as e:
            return Answer("refused", str(e), "")

    def edit(self, data: bytes, change: str) -> Answer:
        """See Subject."""
        try:
            return Answer("ok", value=edited(data, change))
        except Efm3Error as e:
            return Answer("refused", str(e), "")


def arch_of(text: str) -> Arch:
    """The arch that a Writer's input states. Raises Efm3Error."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as e:
        refuse("W014", f"the arch is no JSON that can be read: {e}", "arch")
    keys = [f.name for f in fields(Arch)]
    if not isinstance(value, dict) or value.keys() != set(keys):
        refuse("W014", "the arch is not an object of its keys", "arch", mirrors.shown(value),
               ", ".join(keys))
    stages = value["stages"]
    if not isinstance(stages, list) or not all(
            isinstance(s, dict) and s.keys() == set("tns") for s in stages):
        refuse("W014", "stages is not an array of objects of t, n, s", "arch.stages",
               mirrors.shown(stages), "[{t, n, s}, ...]")
    return Arch(**value | {"stages": tuple(Stage(**s) for s in stages)})


class Loader(Subject):
    """The C engine in a precision; as a Reader it gives its verdict and no document."""

    def __init__(self, isa: str | None = None, precision: str = PRECISIONS[0]) -> None:
        super().__init__()
        self._isa, self._precision = isa, precision
        self._model: tuple[bytes, Engine] | None = None
        self.implementation = {"name": f"facex_mfn {isa or ''}".strip(), "language": "c",
                               "version": __version__, "classes": ["engine"]}

    def _load(self, data: bytes) -> Engine:
        if self._model is None or self._model[0] != data:
            self._model = data, Engine(data, isa=self._isa, as_given=True,
                                       precision=self._precision)
        return self._model[1]

    def read(self, data: bytes, level: str) -> Answer:
        """See Subject; the level is always structure."""
        try:
            self._load(data)
        except Efm3Error as e:
            return Answer("refused", str(e))
        return Answer("ok")

    def embed(self, model: bytes, x: Any) -> Answer:
        """See Subject."""
        try:
            engine = self._load(model)
        except Efm3Error as e:
            return Answer("refused", str(e))
        layers = {k: v.reshape(-1) for k, v in engine.activations(x).items()}
        return Answer("ok", value=(engine.embed(x), layers))


class Reference(Subject):
    """The numpy reference in float32, as an engine; that is right for every precision."""

    def __init__(self) -> None:
        super().__init__()
        self.implementation = {"name": "efm3.reference", "version": __version__,
                               "language": "python", "classes": ["engine"]}

    def embed(self, model: bytes, x: Any) -> Answer:
        """See Subject."""
        import numpy as np

        from efm3 import reference

        try:
            loaded = load(model, level="structure")
        except Efm3Error as e:
            return Answer("refused", str(e))
        acts: dict[str, Any] = {}
        out = reference.forward(loaded, x[None], np.float32, as_given=True, watch=(
            lambda layer, a: acts.update({layer.name: a[0].reshape(-1)})))
        return Answer("ok", value=(out[0], acts))


def builtin(name: str, precision: str = PRECISIONS[0]) -> Subject:
    """The subject behind `@name`, our engine in a precision. Raises ValueError for an unknown
    name."""
    if name == "python":
        return Own()
    if name == "reference":
        return Reference()
    if name == "engine":
        return Loader(precision=precision)
    from efm3.engine import EngineMissing, isas

    try:
        here = isas()
    except EngineMissing as e:
        raise ValueError(str(e)) from None
    if not here.get(name):
        raise ValueError(f"there is no @{name} here; there are @python, @reference, @engine, "
                         + ", ".join(f"@{n}" for n, ok in here.items() if ok))
    return Loader(name, precision)
