# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a name holds, a CSV gives it back."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from efm3.bulk.fields import csv_fields

NAMES = st.text(st.sampled_from("a,\"'\r\n\t =é\x1b"))


@given(st.lists(st.lists(NAMES, min_size=2, max_size=3), max_size=4))
def test_names_come_back(rows):
    text = "".join(csv_fields(row) + "\n" for row in rows)
    assert list(csv.reader(io.StringIO(text, newline=""))) == rows


def test_nothing_and_numbers():
    assert csv_fields(["a\rb", None, 1, 0.1]) == '"a\rb",,1,0.1'
