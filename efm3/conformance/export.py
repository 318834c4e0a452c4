# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The corpus as plain files for any language: `ID.bin` with `ID.json`, an index, a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from efm3.codes import LEVELS
from efm3.conformance import weights
from efm3.conformance.cases import Case, corpus, digest_of, edit_text, writer_text
from efm3.conformance.document import document
from efm3.version import __version__

INDEX_VERSION = 1


def _files(case: Case, full: bool) -> dict[str, bytes]:
    """Name to bytes of a case; only what its digest needs unless `full`."""
    data = case.data()
    out = {f"{case.id}.bin": data} if data or case.kind == "reader" else {}
    if case.kind == "writer" and full:
        from efm3.conformance.faults import tensors_of

        for name, value in tensors_of(case).items():
            out[f"{case.id}.tensors/{name}.npy"] = npy(value)
        out[f"{case.id}.arch.json"] = writer_text(case).encode()
    if case.kind == "editor" and full:
        out[f"{case.id}.edit.json"] = edit_text(case).encode()
    if case.kind == "engine" and full:
        for word in case.recipe["inputs"]:
            out[_input(word)] = np.ascontiguousarray(weights.picture(word), "<f4").tobytes()
    return out


def _input(word: str) -> str:
    """The file of an input; several cases share it."""
    return f"inputs/{word.replace(' ', '_')}.f32"


def npy(value: Any) -> bytes:
    """An array as the bytes of a .npy file."""
    from io import BytesIO

    buffer = BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()


def describe(case: Case, full: bool = True) -> dict[str, Any]:
    """What is expected of a case, as JSON; `full` adds a valid file's document."""
    out = case.to_json()
    if case.kind == "writer":
        out |= {"arch": writer_text(case), "refuse": case.refuse}
    elif case.kind == "editor":
        out |= {"edit": edit_text(case), "refuse": case.refuse}
    elif case.kind == "engine":
        from efm3.conformance.engines import expected

        out["inputs"] = [row | {"file": _input(row["input"])}
                         for row in expected(case.id)["inputs"]]
    elif full and case.valid("structure"):
        top = [level for level in LEVELS if case.valid(level)][-1]
        out["document"] = document(case.data(), "coherence" if top != "structure" else top)
    return out


def _entry(case: Case, files: dict[str, bytes]) -> dict[str, Any]:
    return {"id": case.id, "kind": case.kind, "level": case.level, "smoke": case.smoke,
            "negative": case.negative, "expect": digest_of(describe(case, full=False)),
            "files": {n: hashlib.sha256(d).hexdigest() for n, d in files.items()
                      if n == f"{case.id}.bin"}}


def _index(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"index_version": INDEX_VERSION, "efm3": __version__, "count": len(entries),
            "negative": sum(e["negative"] for e in entries), "digest": digest_of(entries),
            "cases": entries}


@lru_cache(maxsize=1)
def index() -> dict[str, Any]:
    """The index of the whole set; its `digest` covers every case's bytes and expectations."""
    return _index([_entry(c, _files(c, full=False)) for c in corpus()])


def export(folder: Path, cases: Iterable[Case] | None = None) -> dict[str, Any]:
    """Write the cases (all by default) below `folder`, one sub-folder per kind; returns the index.

    Raises OSError; a folder that holds other files keeps them.
    """
    entries, written = [], set[Path]()
    for case in corpus() if cases is None else cases:
        files = _files(case, full=True)
        home = folder / case.kind
        home.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            path = home / name
            if path in written:
                continue
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            written.add(path)
        (home / f"{case.id}.json").write_text(json.dumps(describe(case)) + "\n", encoding="utf-8")
        entries.append(_entry(case, files))
    out = _index(entries)
    (folder / "index.json").write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    return out
