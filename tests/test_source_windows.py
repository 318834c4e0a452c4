# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Saves and reads where the system has what Windows has: no folders to open, no modes, no owners,
and nobody may have open what is replaced."""

import os

import pytest

from efm3 import source
from efm3.source import Unreadable, open_regular, read_at, replace, write_atomic
from tests.systems import posix


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(source, "POSIX", False)
    for name in ("fchmod", "fchown", "listxattr", "pread", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):
        monkeypatch.delattr(os, name, raising=False)
    opened = os.open

    def no_folders(path, *words, **more):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *words, **more)
    monkeypatch.setattr(os, "open", no_folders)


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "wärme 人.bin"
    path.write_bytes(b"old")
    return path


def busy(monkeypatch, times):
    """os.replace is refused so many times; returns the list of tries."""
    real, tries = os.replace, []

    def replaced(old, new):
        tries.append(new)
        if len(tries) <= times:
            raise PermissionError(13, "Permission denied", str(new))
        real(old, new)
    monkeypatch.setattr(os, "replace", replaced)
    return tries


def test_a_save(windows, target):
    write_atomic(target, [b"new\n", memoryview(b"bytes\n")])
    assert target.read_bytes() == b"new\nbytes\n"
    assert os.listdir(target.parent) == [target.name]


def test_a_reader_that_goes_is_waited_for(windows, target, monkeypatch):
    tries = busy(monkeypatch, 3)
    write_atomic(target, [b"new"])
    assert target.read_bytes() == b"new" and len(tries) == 4


def test_a_reader_that_stays_is_an_error(windows, target, monkeypatch):
    monkeypatch.setattr(source, "PATIENCE", 0.01)
    tries = busy(monkeypatch, 1 << 20)
    with pytest.raises(PermissionError):
        write_atomic(target, [b"new"])
    assert target.read_bytes() == b"old" and len(tries) > 1
    assert os.listdir(target.parent) == [target.name]


@posix
def test_elsewhere_permission_is_not_asked_for_again(target, monkeypatch):
    tries = busy(monkeypatch, 1)
    with pytest.raises(PermissionError):
        replace(target, target.with_name("b"))
    assert len(tries) == 1


def test_a_folder_is_named(windows, tmp_path):
    with pytest.raises(Unreadable, match="is a directory"):
        open_regular(str(tmp_path))


def test_reading_from_a_place(target, monkeypatch):
    with open_regular(str(target)) as f:
        for _ in range(2):
            assert [read_at(f, 1, 1), read_at(f, 0, 9), read_at(f, 5, 1)] == [b"l", b"old", b""]
            monkeypatch.delattr(os, "pread", raising=False)
