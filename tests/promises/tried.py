# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.promises.tried KIND FOLDER` gives each hostile file of a kind to its reader.

A line of JSON for each file: what it is called, its bytes, what came of it, the most memory that
Python took, what was opened, what else the interpreter was asked for, and what lies in its folder
afterwards that was not there. Each is read twice, since the first time loads modules.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import efm3
from efm3 import evaluation, pictures
from efm3.codes import LEVELS
from efm3.convert.checked import convert
from efm3.index.library import Library
from efm3.inspection import inspect
from efm3.pictures.load import crop
from efm3.reading import scan_of
from efm3.source import Unreadable
from tests.promises import data, networks

RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn",
        "subprocess.Popen", "exec", "import", "socket.connect", "socket.getaddrinfo",
        "ctypes.dlopen", "pickle.find_class", "os.remove", "os.rename", "os.rmdir", "os.mkdir",
        "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "os.putenv",
        "urllib.Request")
"""Audit events of what a reader has no business with."""


def _weights(path: str) -> object:
    for level in LEVELS:
        efm3.validate(path, level)
        gc.collect()  # what an error before holds in circles is not what this one takes
    inspect(scan_of(path))
    gc.collect()
    return efm3.load(path)


def _picture(path: str) -> object:
    def refused(use: Callable[[], object]) -> efm3.Efm3Error | Unreadable | None:
        try:
            use()
        except (efm3.Efm3Error, Unreadable) as e:
            return e
        return None
    ways = [lambda: pictures.read(path), lambda: crop(path, resize=True), lambda: crop(path)]
    for e in map(refused, ways):
        if e is not None:
            raise e
    return None


def _table(path: str) -> object:
    with Library([path]) as library:
        return [list(t.blocks(1024)) for t in library.tables]


USES: dict[str, Callable[[str], Any]] = {
    "weights": _weights, "pictures": _picture, "tables": _table, "pairs": evaluation.open_pairs}


def tried(kind: str, folder: Path) -> None:
    """Write the lines of a kind."""
    make = data.KINDS.get(kind) or networks.KINDS[kind]
    out = folder.parent / "out.bin"
    use = USES.get(kind) or (lambda path: convert(path, out))
    seen: list[tuple[str, str]] | None = None

    def heard(name: str, args: tuple[Any, ...]) -> None:
        if seen is not None and (name in RUNS or name == "open"):
            seen.append((name, ascii(args[0])[:200] if args else ""))
    sys.addaudithook(heard)
    for number, (name, files) in enumerate(make()):
        home = folder / str(number)
        home.mkdir()
        os.chdir(home)
        for file, content in files.items():
            (home / file).write_bytes(content)
        first, found = str(home / next(iter(files))), list[str]()
        peak = 0
        for turn in range(2):
            seen = [] if turn else None
            if turn and not name.startswith("row of"):  # tracing takes ten times as long
                tracemalloc.start()
            found = [*found, _outcome(use, first)]
            if tracemalloc.is_tracing():
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
        mine, seen = seen or [], None
        print(json.dumps({
            "name": name, "size": sum(map(len, files.values())), "found": found, "peak": peak,
            "opened": sorted({a for n, a in mine if n == "open"}),
            "asked": sorted({f"{n} {a}" for n, a in mine if n != "open"}),
            "left": sorted({*os.listdir(home)} - {*files}), "made": out.exists()}), flush=True)


def _outcome(use: Callable[[str], Any], path: str) -> str:
    try:
        use(path)
    except efm3.Efm3Error as e:
        return f"{e.code} {str(e)[:1500]}"
    except Unreadable as e:
        return f"unreadable {str(e)[:1500]}"
    return "taken"


if __name__ == "__main__":
    tried(sys.argv[1], Path(sys.argv[2]))
