# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Faults change what they say and nothing else; a forbidden arch gets tensors of its shapes."""

import numpy as np
import pytest

from efm3.conformance import cases, faults
from efm3.conformance.home import RecipeError
from efm3.conformance.recipe import arch_of
from efm3.network import tensor_layout

CASES = {c.id: c for c in cases.corpus()}
GOOD = faults.tensors_of(CASES["write-plain"])


def changed(name):
    new = faults.tensors_of(CASES[name])
    differ = [k for k in GOOD if k not in new or new[k].shape != GOOD[k].shape
              or new[k].dtype != GOOD[k].dtype or not np.array_equal(new[k], GOOD[k])]
    return differ + [k for k in new if k not in GOOD]


@pytest.mark.parametrize("case,tensor", [
    ("write-refuse-missing-last", "embed_proj.bn.var"), ("write-refuse-extra", "stem.conv.b"),
    ("write-refuse-flat", "stem.conv.w"), ("write-refuse-f64", "stem.conv.w"),
    ("write-refuse-nan", "stem.conv.w"), ("write-refuse-infinity", "stem.bn.var")])
def test_a_fault_is_alone(case, tensor):
    assert changed(case) == [tensor]


def test_without_faults_the_tensors_are_the_layouts():
    layout = tensor_layout(arch_of(CASES["write-plain"].recipe["arch"]))
    assert [(k, v.shape) for k, v in GOOD.items()] == list(layout)
    assert {v.dtype for v in GOOD.values()} == {np.dtype(np.float32)}


def test_a_forbidden_arch_is_wrong_alone():
    new = faults.tensors_of(CASES["write-refuse-stem-kernel-4"])
    assert new["stem.conv.w"].shape == (4, 3, 4, 4)


def test_every_fault_is_used_and_an_unknown_one_refused():
    used = {f["op"] for c in CASES.values() for f in c.recipe.get("faults", ())}
    assert used == set(faults.FAULTS)
    case = cases.parse('about = "x"\ntests = ["W001"]\nseed = 1\nfaults = [{ op = "burn" }]', "x",
                       "writer")
    with pytest.raises(RecipeError, match="burn"):
        faults.tensors_of(case)
