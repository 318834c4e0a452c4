# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every prefix of a file and every bit of its first 4 KiB, checked as test_bad_input.py does."""

import pytest

from efm3.conformance import sample as s
from tests.test_bad_input import BASE, check
from tests.test_inspection import whole


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


def test_every_prefix_gives_an_inspection():
    data = s.sealed()
    # Every length through the mirror and the first tensors, then steps that share no factor
    # with the sizes.
    for n in [*range(700), *range(700, len(data), 211)]:
        seen = whole(data[:n])
        assert not seen["card"]["verdict"]["ok"]
