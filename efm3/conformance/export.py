# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The corpus as plain files for any language: `ID.bin` with `ID.json`, an index, a digest.

What is expected is a file of its own where a program's answer can be compared with it: a
document, a canonical or an edited file, an embedding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Any

import numpy as np

from efm3.codes import LEVELS
from efm3.conformance import weights
from efm3.conformance.cases import (
    LARGE,
    Case,
    corpus,
    digest_of,
    edit_text,
    named,
    writer_text,
)
from efm3.conformance.document import document
from efm3.version import __version__

INDEX_VERSION = 1
INDEX = "index.json"
"""The file of the index."""


def _files(case: Case, full: bool) -> dict[str, bytes]:
    """Name to bytes of a case; only what its digest needs unless `full`."""
    data = case.data()
    out = {f"{case.id}.bin": data} if data or case.kind == "reader" else {}
    if case.kind == "writer" and full:
        home, tensors = _tensors(case)
        out |= {f"{home}/{name}": npy for name, npy in tensors.items()}
        out[f"{case.id}.arch.json"] = writer_text(case).encode()
    if case.kind == "editor" and full:
        from efm3.conformance.editing import edited

        out[f"{case.id}.edit.json"] = edit_text(case).encode()
        if name := expected_name(case):
            out[name] = edited(data, edit_text(case))
    if case.kind == "engine" and full:
        for i, row in enumerate(runs(case)):
            out[input_name(row["input"])] = floats(weights.picture(row["input"]))
            out[expected_name(case, i)] = floats(np.array(row["embedding"], np.float64))
    if case.kind == "reader" and full:
        out |= _documents(case, data)
    return out


DOCUMENTS = LEVELS[:2]
"""The levels that have a document of their own; a deeper level's is that of the last."""


def _documents(case: Case, data: bytes) -> dict[str, bytes]:
    """The documents of a file at each level at which it is valid: keys sorted, no spaces."""
    levels = [level for level in DOCUMENTS if case.valid(level)]
    if not levels:
        return {}
    found = document(data, levels[-1])
    spelled = {k: json.dumps(v, sort_keys=True, separators=(",", ":")) for k, v in found.items()}

    def text(level: str) -> bytes:
        keys = sorted(k for k in spelled if k != "json" or level == levels[-1])
        return ("{" + ",".join(f'"{k}":{spelled[k]}' for k in keys) + "}\n").encode()
    return {document_name(case, level): text(level) for level in levels}


def document_name(case: Case, level: str) -> str:
    """The file of the document at one of `DOCUMENTS`."""
    return f"{case.id}.{level}.json"


def expected_name(case: Case, run: int = 0) -> str:
    """The file of what a Writer, an Editor or an Engine gives, of an Engine for input `run`; ""
    where it has nothing to give, or may refuse to edit."""
    if case.negative or (case.kind == "editor" and case.either):
        return ""
    return {"writer": f"{case.id}.bin", "editor": f"{case.id}.expected.bin",
            "engine": f"{case.id}.{run}.f32"}[case.kind]


@lru_cache(maxsize=1)
def _tensors(case: Case) -> tuple[str, dict[str, bytes]]:
    """The folder of a writer case's tensors, named by their digest since many cases share them,
    and each file in it."""
    from efm3.conformance.faults import tensors_of

    files = {f"{name}.npy": npy(value) for name, value in tensors_of(case).items()}
    known = hashlib.sha256()
    for name, data in files.items():
        known.update(f"{name} {len(data)} ".encode() + data)
    return f"tensors/{known.hexdigest()[:12]}", files


@cache
def tensors_name(case: Case) -> str:
    """The folder of a writer case's tensors."""
    return _tensors(case)[0]


def input_name(word: str) -> str:
    """The file of an input; several cases share it."""
    return f"inputs/{word.replace(' ', '_')}.f32"


def floats(value: Any) -> bytes:
    """Numbers as float32, little-endian."""
    return np.ascontiguousarray(value, "<f4").tobytes()


def runs(case: Case) -> list[dict[str, Any]]:
    """The inputs of an engine case, with what is expected."""
    from efm3.conformance.engines import expected

    rows: list[dict[str, Any]] = expected(case.id)["inputs"]
    return rows


def npy(value: Any) -> bytes:
    """An array as the bytes of a .npy file."""
    if value.dtype.hasobject or not value.flags.c_contiguous:
        return _saved(value)
    return _npy_head(value.dtype.str, value.shape) + bytes(value.tobytes())


def _saved(value: Any) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()


@lru_cache(maxsize=512)
def _npy_head(dtype: str, shape: tuple[int, ...]) -> bytes:
    """What stands before the values: thousands of tensors have few shapes."""
    value = np.zeros(shape, dtype)
    return _saved(value)[:-value.nbytes or None]


def describe(case: Case, full: bool = True) -> dict[str, Any]:
    """What is expected of a case, as JSON; `full` adds the names of the files that show it."""
    out = case.to_json()
    if case.kind == "writer":
        out |= {"arch": writer_text(case), "refuse": case.refuse}
    elif case.kind == "editor":
        out |= {"edit": edit_text(case), "refuse": case.refuse}
    elif case.kind == "engine":
        out["inputs"] = [row | {"file": input_name(row["input"])} for row in runs(case)]
    if full:
        out |= _named(case)
    return out


def _named(case: Case) -> dict[str, Any]:
    """The files that show what is expected of a case, for its JSON."""
    if case.kind == "reader":
        return {"documents": {lv: document_name(case, lv) for lv in DOCUMENTS if case.valid(lv)}}
    if case.kind == "engine":
        return {"expected": [expected_name(case, i) for i in range(len(runs(case)))]}
    shown = {"expected": expected_name(case)} if expected_name(case) else {}
    return shown | ({"tensors": tensors_name(case)} if case.kind == "writer" else {})


def _entry(case: Case, files: dict[str, bytes]) -> dict[str, Any]:
    return {"id": case.id, "kind": case.kind, "level": case.level, "smoke": case.smoke,
            "negative": case.negative, "expect": digest_of(describe(case, full=False))} | (
        {"recipe": digest_of(case.recipe)} if case.large else
        {"files": {n: hashlib.sha256(d).hexdigest() for n, d in files.items()
                   if n == f"{case.id}.bin"}})


@lru_cache(maxsize=1)
def _large() -> list[dict[str, Any]]:
    """The entries of the large cases, by their recipes: also of a set that has not their bytes."""
    return [_entry(c, {}) for c in named([LARGE])]


def _index(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"index_version": INDEX_VERSION, "efm3": __version__, "count": len(entries),
            "negative": sum(e["negative"] for e in entries),
            "digest": digest_of([*entries, *_large()]), "cases": entries, LARGE: _large()}


@lru_cache(maxsize=1)
def index() -> dict[str, Any]:
    """The index of the whole set; its `digest` covers every case's bytes and expectations, of a
    large case its recipe and expectations."""
    return _index([_entry(c, _files(c, full=False)) for c in corpus()])


def files(cases: Iterable[Case]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file of the set, one folder per kind; the index comes last."""
    entries, given = [], set[str]()
    for case in cases:
        own = _files(case, full=True)
        own[f"{case.id}.json"] = (json.dumps(describe(case)) + "\n").encode()
        for name, data in own.items():
            if f"{case.kind}/{name}" not in given:
                given.add(f"{case.kind}/{name}")
                yield f"{case.kind}/{name}", data
        if not case.large:
            entries.append(_entry(case, own))
    yield INDEX, (json.dumps(_index(entries), indent=1) + "\n").encode()
