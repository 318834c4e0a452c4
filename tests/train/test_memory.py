# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Memory that malloc keeps."""

from efm3.train import memory


def test_it_says_whether_there_is_such_a_malloc():
    assert isinstance(memory.keep(), bool)
