# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows, and names that every form of a table can hold."""

import os

import pytest

from efm3.bulk.row import COLUMNS, Row, path_of, path_text


def test_the_columns_are_the_rows_fields():
    assert Row._fields == COLUMNS
    assert Row("a") == ("a", 0, None, None, None, None, None, None)


def test_any_path_is_text():
    assert path_text("a \N{SNOWMAN}\n.jpg") == "a \N{SNOWMAN}\n.jpg"
    text = path_text(os.fsdecode(b"\xff\xe2\x98\x83.jpg"))
    assert text == "\\xff\N{SNOWMAN}.jpg" and text.encode()


def test_the_way_back_is_to_what_is_there(tmp_path, monkeypatch):
    """A name that holds the letters of an escape goes before the bytes that they stand for."""
    monkeypatch.chdir(tmp_path)
    raw = os.fsdecode(b"a\xff.jpg")
    text = path_text(raw)
    assert path_of(text) == text and path_of("\0") == "\0"
    try:
        (tmp_path / raw).touch()
    except OSError as e:
        pytest.skip(f"this file system takes no such names: {e}")
    assert path_of(text) == raw and path_text(path_of(text)) == text
    (tmp_path / text).touch()
    assert path_of(text) == text
