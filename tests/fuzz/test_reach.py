# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every fuzz target tells inputs apart, and takes its own first ones. Long: see the Makefile."""

import random

import pytest

from tests.fuzz import targets
from tests.fuzz.fuzz_python import Pool


@pytest.mark.parametrize("name", [*targets.available()])
def test_a_target_tells_inputs_apart_and_its_seeds_are_taken(name):
    target = targets.available()[name]
    seeds = target.kind.seeds()
    first = [target.check(data) for data in seeds]
    rng, pool = random.Random(name), Pool(seeds)
    met = set(first)
    for _ in range(60):
        data = target.kind.mutate(rng, pool.pick(rng))
        verdict = target.check(data)
        pool.keep(rng, verdict, data)
        met.add(verdict)
        assert isinstance(verdict, str)
    # These two give no verdict: what they say of an input is checked inside.
    assert len(met) > 1 or name in ("scan", "validate")
