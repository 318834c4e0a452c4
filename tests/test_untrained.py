# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Synthetic weights: the same bytes anywhere, and a network that lives."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

import efm3
from efm3 import reference, untrained
from efm3.conformance import sample

CODE = ("import efm3, hashlib; from efm3 import untrained; "
        "print(hashlib.sha256(untrained.dumps(efm3.ARCHS['nano'], 5)).hexdigest())")


def test_generator_is_splitmix64():
    # First outputs for state 0, as the algorithm's own reference code prints them.
    want = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    rng = untrained.Random(0)
    assert [int(v) for v in rng.integers(3)] == want
    again = untrained.Random(0)
    assert [int(again.integers(1)[0]) for _ in range(3)] == want


def test_draws_have_their_range_and_moments():
    rng = untrained.Random(3)
    u = rng.uniform(0.125, 0.375, 20_000)
    assert u.min() == 0.125 and u.max() == 0.375 - 1 / 256
    b = rng.bell(20_000)
    assert abs(b.mean()) < 0.03 and abs(b.var() - 1) < 0.03


@pytest.mark.parametrize("core", ["Nehalem", "Haswell"])
def test_other_matrix_kernels_give_the_same_bytes(core):
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True,
                          env=os.environ | {"OPENBLAS_CORETYPE": core, "OPENBLAS_NUM_THREADS": "1"})
    want = hashlib.sha256(untrained.dumps(efm3.ARCHS["nano"], 5)).hexdigest()
    assert done.stdout.strip() == want


@pytest.mark.parametrize(("name", "digest"), [
    ("nano", "407e76c232fc8855e952964a3e43765eb2645f3c4ecd46be4fe149a4a7748bb0"),
    ("tiny", "5180be5c5327633077e895fe1cbe12dcdc780f5897d719fd677ce23d1329b932")])
def test_a_seeds_bytes_stay_what_they_were(name, digest):
    assert hashlib.sha256(untrained.dumps(efm3.ARCHS[name], 1)).hexdigest() == digest


def test_seeds_differ():
    assert untrained.dumps(sample.ARCH, 1) != untrained.dumps(sample.ARCH, 2)


def test_files_have_no_finding():
    for arch in (efm3.ARCHS["nano"], sample.ARCH):
        assert efm3.validate(untrained.dumps(arch, 3)).findings == []


def test_activations_stay_in_range_and_embeddings_differ():
    model = efm3.load(untrained.dumps(efm3.ARCHS["nano"], 1))
    x = reference.prepare(untrained.images(99, 6))
    for name, a in reference.activations(model, x, np.float32).items():
        assert 0.3 < a.std() < 3, name
        assert (a.std(axis=(0, 2, 3)) > 0).all(), name
    e = reference.forward(model, x, np.float32)
    cosines = (e @ e.T)[np.triu_indices(6, 1)]
    assert cosines.max() < 0.6 and abs(cosines.mean()) < 0.3
