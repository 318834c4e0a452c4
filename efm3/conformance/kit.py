# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole kit for machines without Python: the set as files, the texts, a licence, two runners.

As a folder, or as an archive whose bytes depend on its content alone.
"""

from __future__ import annotations

import gzip
import importlib.metadata
import json
import os
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from efm3.codes import LEVELS
from efm3.conformance import export, rounding, weights
from efm3.conformance.cases import Case, corpus
from efm3.conformance.home import HOME
from efm3.findings import refuse
from efm3.source import write_atomic
from efm3.version import __version__

RUNNERS = Path(__file__).parent / "runners"
"""The folder of the runners and of the archive's README."""

NAME = f"efm3-kit-{__version__}"
"""The folder that an archive unpacks to."""

SUFFIXES = (".tar.gz", ".tgz", ".zip")
"""How the name of an archive ends."""

TABLE = "index.tsv"
COLUMNS = ("class", "case", "strength", "level", "want", "file", "second", "expected",
           *rounding.STEPS)
_WORDS = {True: "refuse", False: "accept", "either": "either"}
_PLAIN = f"engine/{export.input_name('constant 0')}"
"""The input of an Engine that is only asked whether it loads a file."""
_TIME = 315532800
"""1980-01-01, the first second that a zip archive can state."""


def rows(case: Case) -> Iterator[tuple[str, ...]]:
    """What a program is asked for a case: rows of `COLUMNS`, "-" for what there is not."""
    def row(tested: str, level: str, want: str, *names: str) -> tuple[str, ...]:
        paths = [name and f"{case.kind}/{name}" for name in names]
        return (tested, case.id, case.level, level, want, *(path or "-" for path in paths),
                *("-" for _ in rounding.STEPS))
    name = f"{case.id}.bin"
    if case.kind == "reader":
        for level in LEVELS:
            shown = level if level in export.DOCUMENTS else export.DOCUMENTS[-1]
            valid = case.valid(level)
            yield row("reader", level, "either" if case.either else _WORDS[not valid], name, "",
                      export.document_name(case, shown) if valid else "")
        plain = row("engine", "-", _WORDS[case.status != "OK"], name, "", "")
        yield (*plain[:6], _PLAIN, *plain[7:])
    elif case.kind == "engine":
        for i, run in enumerate(export.runs(case)):
            asked = row("engine", "-", "accept", name, export.input_name(run["input"]),
                        export.expected_name(case, i))
            yield (*asked[:-len(rounding.STEPS)],
                   *(f"{run['gaps'][p]:g}" if p in run["gaps"] else "-" for p in rounding.STEPS))
    else:
        given = (name, f"{case.id}.edit.json") if case.kind == "editor" else (
            f"{case.id}.arch.json", export.tensors_name(case))
        yield row(case.kind, "-", _WORDS[case.refuse], *given, export.expected_name(case))


def files(cases: Sequence[Case]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file of the kit."""
    index: dict[str, Any] = {}
    given = set[str]()
    for name, data in export.files(cases):
        given.add(name)
        yield name, data
        if name == export.INDEX:
            index = json.loads(data)
    if _PLAIN not in given:
        yield _PLAIN, export.floats(weights.picture("constant 0"))
    table = ["# " + "\t".join(COLUMNS), *("\t".join(r) for c in cases for r in rows(c))]
    yield TABLE, ("\n".join(table) + "\n").encode()
    for path in sorted(p for p in RUNNERS.iterdir() if p.is_file()):
        text = path.read_text(encoding="utf-8")
        if path.name == "README.md":
            text = text.format(version=__version__, count=index["count"], digest=index["digest"])
        yield path.name, text.encode()
    for path in sorted([*HOME.glob("*.*"), *HOME.glob("decisions/*.md")]):
        yield f"spec/{path.relative_to(HOME).as_posix()}", path.read_bytes()
    yield "LICENSE", licence().encode()


def licence() -> str:
    """The text of the licence: of the checkout, or of the installed package."""
    path = HOME.parent / "LICENSE"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    # A checkout's own metadata, where it comes first, has no such file.
    text = next(filter(None, (known.read_text(name)
                              for known in importlib.metadata.distributions(name="efm3")
                              for name in ("licenses/LICENSE", "LICENSE"))), None)
    if not text:
        refuse("IO001", "the text of the licence is not installed with efm3", "LICENSE")
    return text


def _linked(twin: Path, path: Path) -> bool:
    """Makes `path` a second name of a file that is the same: a link takes a tenth of the time, and
    of the 13,000 tensors of the set most are another's. False where that cannot be done."""
    if twin == path:
        return False
    try:
        os.link(twin, path)
    except OSError:
        return False
    return True


def write(folder: Path, cases: Iterable[Case] | None = None) -> dict[str, Any]:
    """Write the kit with these cases (all by default) below `folder`; returns the index.

    Tensors that are the same are links to one file, where the file system has links. Raises
    OSError; a folder that holds other files keeps them.
    """
    index: dict[str, Any] = {}
    made = set[Path]()
    tensors = dict[bytes, Path]()
    for name, data in files(corpus() if cases is None else list(cases)):
        path = folder / name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.unlink(missing_ok=True)
        twin = tensors.setdefault(data, path) if name.endswith(".npy") else path
        if not _linked(twin, path):
            path.write_bytes(data)
        if _mode(name) & 0o100:
            path.chmod(0o755)
        if name == export.INDEX:
            index = json.loads(data)
    return index


def archive(path: Path, cases: Iterable[Case] | None = None) -> dict[str, Any]:
    """Write the kit as one file, whose name ends in one of `SUFFIXES`; returns the index.

    Raises OSError; the file is then as it was.
    """
    index: dict[str, Any] = {}

    def given() -> Iterator[tuple[str, bytes]]:
        for name, data in files(corpus() if cases is None else list(cases)):
            if name == export.INDEX:
                index.update(json.loads(data))
            yield name, data
    write_atomic(path, _zip(given()) if path.name.endswith(".zip") else _tar(given()))
    return index


class _Pipe:
    """A file to write to, whose bytes are taken out again piece by piece."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def taken(self) -> bytes:
        """What was written since."""
        out = b"".join(self._parts)
        self._parts.clear()
        return out


def _mode(name: str) -> int:
    return 0o755 if "/" not in name and name.endswith((".sh", ".py")) else 0o644


def _tar(given: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    pipe = _Pipe()
    with (gzip.GzipFile("", "wb", 6, pipe, 0) as packed,
          tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as tar):
        for name, data in given:
            info = tarfile.TarInfo(f"{NAME}/{name}")
            info.size, info.mtime, info.mode = len(data), _TIME, _mode(name)
            tar.addfile(info, BytesIO(data))
            yield pipe.taken()
    yield pipe.taken()


def _zip(given: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as packed:  # type: ignore[call-overload]
        for name, data in given:
            info = zipfile.ZipInfo(f"{NAME}/{name}")
            info.create_system, info.external_attr = 3, (0o100000 | _mode(name)) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, data)
            yield pipe.taken()
    yield pipe.taken()
