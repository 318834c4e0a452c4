# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Bulk runs as Windows wants them, tried where it is not: nothing that is open is replaced or
removed, the lock goes after its handle, and Ctrl-C is not for the workers."""

import os
import queue
import subprocess

import pytest

from efm3.bulk import _parts, _pool
from tests.bulk.rows import ENDS, SOME, expected, rows_in, written
from tests.windows.files import held


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system has no /proc")
@pytest.mark.parametrize("end", [e for e in ENDS if e != "/"])
@pytest.mark.parametrize("first", [0, 3])
def test_nothing_open_is_replaced_or_removed(end, first, tmp_path, monkeypatch):
    """A table that is new, one that is added to, and one that is written anew."""
    replace, unlink, seen = os.replace, os.unlink, []

    def replaced(src, dst):
        seen.append(dst)
        assert not held(src) and not held(dst), dst
        replace(src, dst)

    def removed(path):
        seen.append(path)
        assert not held(path) or os.path.basename(path) == _parts.LOCK, path
        unlink(path)
    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(os, "unlink", removed)
    path = str(tmp_path / f"x{end}")
    if first:
        written(path, SOME[:first], part_rows=2)
    written(path, SOME, part_rows=3, resume=True)
    assert sorted(rows_in(path)) == sorted(expected(SOME)) and seen
    written(path, SOME[:1], force=True)


def test_a_lock_that_is_open_is_removed_when_it_is_closed(tmp_path, monkeypatch):
    real = os.unlink

    def refused(path):
        if held(path):
            raise PermissionError(13, "Access is denied", path)
        real(path)
    monkeypatch.setattr(_parts.sys, "platform", "win32")
    monkeypatch.setattr(_parts, "_locked", lambda fd: True)
    monkeypatch.setattr(os, "unlink", refused)
    store = _parts.Store(str(tmp_path), open, ".npz")
    assert store.lock() and os.listdir(tmp_path) == [_parts.LOCK]
    store.unlock()
    assert os.listdir(tmp_path) == []


def test_workers_are_a_group_of_their_own(monkeypatch):
    """Where there are groups for that."""
    asked = {}

    def start(words, **more):
        asked.update(more)
        raise OSError("enough")
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200, raising=False)
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(OSError, match="enough"):
        _pool._Worker("efm3.bulk", queue.SimpleQueue())
    assert asked["creationflags"] == 0x200 and asked["start_new_session"] is True
