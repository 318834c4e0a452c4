# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The package, Python, the system, folders, streams and terminal, as plain values."""

from __future__ import annotations

import json
import os
import platform as system
import re
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from efm3.machine import OURS, cores
from efm3.version import __version__

PACKAGE = Path(__file__).resolve().parent.parent
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
TERMINAL = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
LEAST_FREE = 64 << 20
"""Bytes below which a temporary folder is said to be full: the largest networks' files have some
20 MB, and a conversion may hold two of them there at once."""

Broken = Callable[[str, str], None]
Note = Callable[[str], None]


def short(text: str) -> str:
    """`text` with ~ for the user's home folder, wherever it stands."""
    home = os.path.expanduser("~").rstrip("/\\")
    # "" is the root's or nobody's: every path begins with it.
    # Nor is a name that only begins as the user's does his own.
    return re.sub(re.escape(home) + r"(?![\w.-])", "~", text) if len(home) > 1 else text


def distribution() -> metadata.Distribution | None:
    """The installed efm3, None where it is only found on the path."""
    try:
        return metadata.distribution("efm3")
    except metadata.PackageNotFoundError:
        return None


def package(broken: Broken, note: Note) -> dict[str, Any]:
    """The version, where it is, and how it was installed."""
    own = distribution()
    if own is None:
        how = "not installed"
    else:
        try:
            said = json.loads(own.read_text("direct_url.json") or "{}")
            how = "editable" if said.get("dir_info", {}).get("editable") else "installed"
        except (ValueError, AttributeError):
            how = "installed"
        if own.version != __version__:
            broken(f"the installed efm3 is {own.version}, the one that runs {__version__}",
                   "install it again: one of the two is left over, or its metadata is")
    return {"version": __version__, "location": short(str(PACKAGE)), "how": how}


def python() -> dict[str, Any]:
    """The interpreter."""
    return {"version": system.python_version(), "implementation": system.python_implementation(),
            "executable": short(sys.executable or "") or None,
            "venv": sys.prefix != sys.base_prefix,
            "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            "bits": 64 if sys.maxsize > 1 << 32 else 32, "optimize": sys.flags.optimize}


def platform() -> dict[str, Any]:
    """The system; no name of the machine or of the user."""
    return {"system": system.system(), "release": system.release(), "machine": system.machine(),
            "libc": " ".join(filter(None, system.libc_ver())) or None,
            "byte_order": sys.byteorder}


def threads() -> dict[str, Any]:
    """Cores to use, and what the environment said to numpy's libraries before the command did."""
    given = os.environ.keys() - OURS
    return {"cores": cores(), "settings": {k: os.environ[k] for k in THREADS if k in given}}


def folders(broken: Broken, note: Note) -> list[dict[str, Any]]:
    """Where efm3 writes besides what it is told to write."""
    from efm3.index._seal import key_path

    rows = [_temporary(broken, note)]
    try:
        state = os.path.dirname(key_path())
        rows.append(_folder("state", state, _writable(state)))
    except OSError as e:
        rows.append(_folder("state", None, False, str(e.strerror)))
    if not rows[-1]["writable"]:
        note("the folder of efm3's own state cannot be written: `efm3 search` keeps no index for "
             "the next time; XDG_STATE_HOME names another")
    compiled = os.path.join(sys.pycache_prefix, "") if sys.pycache_prefix else str(PACKAGE)
    kept = not sys.dont_write_bytecode and _writable(compiled)
    rows.append(_folder("bytecode", compiled, kept))
    if not kept and not any(PACKAGE.glob("__pycache__/*.pyc")):
        note("Python keeps no compiled modules, so that every command starts slowly: unset "
             "PYTHONDONTWRITEBYTECODE, or let PYTHONPYCACHEPREFIX name a folder for them")
    try:
        here = os.getcwd()
        rows.append(_folder("working", here, os.access(here, os.W_OK | os.X_OK)))
    except OSError as e:
        rows.append(_folder("working", None, False, str(e.strerror)))
    return rows


def _folder(purpose: str, path: str | None, writable: bool, reason: str | None = None
            ) -> dict[str, Any]:
    free = None
    if path is not None:
        try:
            free = shutil.disk_usage(_existing(path)).free
        except OSError as e:
            reason = reason or e.strerror
    return {"purpose": purpose, "path": path and short(path), "writable": writable,
            "free_bytes": free, "reason": reason}


def _existing(path: str) -> str:
    """The folder, or the nearest one above it that is there."""
    while not os.path.isdir(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def _writable(path: str) -> bool:
    """Whether a file can be made in the folder, which may have to be made first."""
    return os.access(_existing(path), os.W_OK | os.X_OK)


def _temporary(broken: Broken, note: Note) -> dict[str, Any]:
    """The folder for temporary files, which is tried."""
    fix = "make room, or let TMPDIR name a folder that can be written"
    try:
        path = tempfile.gettempdir()
    except OSError as e:
        broken("there is no folder for temporary files", fix)
        return _folder("temporary", None, False, str(e.strerror))
    try:
        with tempfile.TemporaryFile(dir=path) as f:
            f.write(b"efm3")
            f.flush()
    except OSError as e:
        broken(f"nothing can be written to {path}: {e.strerror}", fix)
        return _folder("temporary", path, False, str(e.strerror))
    row = _folder("temporary", path, True)
    if row["free_bytes"] is not None and row["free_bytes"] < LEAST_FREE:
        note(f"the folder for temporary files has only {row['free_bytes'] >> 20} MiB left: {fix}")
    return row


def config(broken: Broken) -> dict[str, Any]:
    """The file of settings that `efm3 validate` finds from the working folder."""
    from efm3.findings import Efm3Error
    from efm3.settings import find
    from efm3.source import Unreadable

    try:
        found, reason = find().file or None, None
    except (Efm3Error, Unreadable, OSError) as e:
        found, reason = None, short(str(e))
        broken(f"the settings cannot be used: {e}", "mend the file, or take it away; `efm3 config` "
               "shows what holds")
    return {"file": found and short(found), "reason": reason}


def streams() -> list[dict[str, Any]]:
    """Standard streams: encoding, what is done with characters that it lacks, terminal or not."""
    rows = []
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            watched = bool(stream.isatty())
        except (AttributeError, ValueError):  # none, or closed
            watched = False
        rows.append({"name": name, "encoding": getattr(stream, "encoding", None),
                     "errors": getattr(stream, "errors", None), "terminal": watched})
    return rows


def terminal() -> dict[str, Any]:
    """Encodings of names, the terminal's width, and the settings that concern it."""
    return {"file_names": sys.getfilesystemencoding(), "utf8_mode": bool(sys.flags.utf8_mode),
            "columns": shutil.get_terminal_size().columns,
            "settings": {k: os.environ[k] for k in TERMINAL if k in os.environ}}
