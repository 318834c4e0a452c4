# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a name holds, a CSV gives it back."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from efm3.bulk.fields import csv_fields, csv_texts

NAMES = st.text(st.sampled_from("a,\"'\r\n\t =-+@\uff1dé\x1b"))


@given(st.lists(st.lists(NAMES, min_size=2, max_size=3), max_size=4))
def test_names_come_back(rows):
    text = "".join(csv_fields(row) + "\n" for row in rows)
    cells = list(csv.reader(io.StringIO(text, newline="")))
    assert [list(csv_texts(row)) for row in cells] == rows
    # What a table program would compute, or begin to read elsewhere.
    assert not any(c.lstrip()[:1] in tuple("=+-@\uff1d") or c[:1] in tuple("\t\r\n")
                   for row in cells for c in row)


def test_nothing_and_numbers():
    assert csv_fields(["a\rb", None, -1, 0.1]) == '"a\rb",,-1,0.1'
