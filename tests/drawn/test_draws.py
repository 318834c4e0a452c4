# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers counted out of a key: the same everywhere."""

import numpy as np

from efm3.drawn import draws


def test_the_hash_is_splitmix():
    # The published first outputs for the state 0.
    state = np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert [hex(v) for v in draws.mix(state).tolist()] == [
        "0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]



def test_draws_depend_on_the_key_alone_and_keep_their_range():
    keys = draws.key(3, np.arange(5))
    flat = draws.uniform(keys, 1000)
    assert flat.dtype == np.float32 and flat.min() >= 0 and flat.max() < 1
    assert np.array_equal(flat[2:3, :10], draws.uniform(draws.key(3, 2), 10))
    assert draws.key(2, 3) != draws.key(3, 2)
    bell = draws.normal(keys, 1000)
    assert bell.dtype == np.float32 and abs(bell).max() < 3.47 and abs(bell.mean()) < 0.06
