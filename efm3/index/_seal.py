# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How a user knows again what was made by the same user here: by a key that nobody else has."""

from __future__ import annotations

import errno
import hmac
import json
import os
from contextlib import suppress
from typing import Any

from efm3.source import Unreadable, open_regular

_SIZE = 32


def sealed(stated: dict[str, Any]) -> dict[str, Any]:
    """What is stated, and a `seal` of it; a key is made where there is none. Raises OSError."""
    return {**stated, "seal": _seal(_key(make=True), stated)}


def is_ours(stated: dict[str, Any]) -> bool:
    """Whether `sealed` gave this, with the key that is here. Raises OSError, RecursionError."""
    own = {k: v for k, v in stated.items() if k != "seal"}
    key = _key(make=False)
    return bool(key) and hmac.compare_digest(_seal(key, own).encode(),
                                             str(stated.get("seal")).encode("utf-8", "replace"))


def _seal(key: bytes, stated: dict[str, Any]) -> str:
    return hmac.new(key, json.dumps(stated, sort_keys=True).encode(), "sha256").hexdigest()


def key_path() -> str:
    """Where the key is. Raises OSError where the user has no folder of their own."""
    folder = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(folder):
        folder = os.path.join(os.path.expanduser("~"), ".local", "state")
    if not os.path.isabs(folder):
        raise FileNotFoundError(errno.ENOENT, "the user has no home folder", folder)
    return os.path.join(folder, "efm3", "nearest.key")


def _key(make: bool) -> bytes:
    path = key_path()
    if make:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        # Readable by its owner alone from the first moment; one that is there is not replaced.
        with suppress(FileExistsError), open(path, "xb", opener=_private) as f:
            f.write(os.urandom(_SIZE))
    try:
        with open_regular(path) as f:
            key = f.read(_SIZE + 1)
    except Unreadable:
        if make:
            raise
        return b""
    if len(key) == _SIZE:
        return key
    if make:
        raise OSError(errno.EINVAL, "is no key; delete it", path)
    return b""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
