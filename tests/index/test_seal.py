# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The user's own key: made once, for its owner alone, and known again."""

import os
import stat

import pytest

from efm3.index._seal import is_ours, key_path, sealed

STATED = {"a": 1, "b": [0.1, "é"]}


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_what_is_sealed_is_ours_as_it_was():
    made = sealed(STATED)
    assert is_ours(made) and sealed(STATED) == made
    assert not is_ours(STATED) and not is_ours({**made, "a": 2}) and not is_ours({**made, "c": 0})
    assert not is_ours({**made, "seal": None}) and not is_ours({**made, "seal": "\ud800"})


@pytest.mark.skipif(os.name != "posix", reason="no modes of files")
def test_nobody_else_reads_the_key():
    old = os.umask(0)
    try:
        sealed(STATED)
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(key_path()).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(key_path())).st_mode) == 0o700


def test_another_key_and_none(tmp_path, monkeypatch):
    made = sealed(STATED)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert not is_ours(made) and not (tmp_path / "other").exists()
    assert sealed(STATED) != made
    for bad in (b"", b"x" * 33):
        with open(key_path(), "wb") as f:
            f.write(bad)
        assert not is_ours(made)
        with pytest.raises(OSError, match="is no key"):
            sealed(STATED)


def test_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "state")  # only a whole path counts
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert key_path() == str(tmp_path / ".local" / "state" / "efm3" / "nearest.key")
    monkeypatch.setenv("HOME", "here")
    monkeypatch.setenv("USERPROFILE", "here")
    with pytest.raises(OSError, match="no home folder"):
        key_path()
