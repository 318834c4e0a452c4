# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every prefix of a file and every bit of its first 4 KiB, checked as test_bad_input.py does."""

import pytest

from tests.test_bad_input import BASE, check


@pytest.mark.parametrize("part", range(4))
def test_every_prefix(part):
    for n in range(part, len(BASE), 4):
        assert not check(BASE[:n])


@pytest.mark.parametrize("part", range(8))
def test_every_single_bit_flip_of_the_first_4_kib(part):
    data = bytearray(BASE)
    sound = 0
    for i in range(4096):
        data[i] ^= 1 << part
        sound += check(bytes(data))
        data[i] ^= 1 << part
    assert 0 < sound < 4096
