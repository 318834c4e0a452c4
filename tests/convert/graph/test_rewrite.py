# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How rewrites are applied: settled from below, bounded in depth and number."""

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.convert.graph import layout
from efm3.convert.graph.rewrite import applied, vector
from tests.convert.graph.small import Draw, ops


def test_what_a_rule_makes_is_rewritten_too():
    d = Draw(0)
    x = d.x
    for _ in range(20):
        x = d.op("Relu", d.op("Transpose", x, perm=(0, 3, 1, 2)))
    assert ops(applied(d.graph(x), layout.RULES)).count("Transpose") == 1


def test_rules_that_never_end_are_stopped():
    d = Draw(0)

    def deeper(node, make):
        return make.make("Neg", make.make("Neg", node.inputs[0], place="n"), place="n")

    with pytest.raises(Efm3Error) as e:
        applied(d.graph(d.op("Neg", d.x)), {"Neg": (deeper,)})
    assert e.value.code == "X008"


@pytest.mark.parametrize(("shape", "want"), [
    ((), True), ((4, 1, 1), True), ((1, 4, 1, 1), True), ((1,), True), ((1, 1, 1, 1, 1), True),
    ((4,), False), ((3, 1, 1), False), ((1, 1, 6), False), ((2, 4, 1, 1, 1), False)])
def test_a_constant_as_a_vector_of_channels(shape, want):
    value = np.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    own = vector(value, (2, 4, 6, 6))
    assert (own is not None and own.shape == (4,)) == want


def test_a_constant_written_out_over_the_map_is_a_vector():
    value = np.broadcast_to(np.arange(4.0)[:, None, None], (4, 6, 6))
    assert vector(value, (2, 4, 6, 6)).tolist() == [0, 1, 2, 3]
    assert vector(value, (2, 4, None, None)).tolist() == [0, 1, 2, 3]
    assert vector(value, None) is None
