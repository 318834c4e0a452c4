# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows, and names that every form of a table can hold."""

import os

from efm3.bulk.row import COLUMNS, Row, path_text


def test_the_columns_are_the_rows_fields():
    assert Row._fields == COLUMNS
    assert Row("a") == ("a", 0, None, None, None, None, None, None)


def test_any_path_is_text():
    assert path_text("a \N{SNOWMAN}\n.jpg") == "a \N{SNOWMAN}\n.jpg"
    text = path_text(os.fsdecode(b"\xff\xe2\x98\x83.jpg"))
    assert text == "\\xff\N{SNOWMAN}.jpg" and text.encode()
