# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How rewrites are applied: settled from below, bounded in depth and number."""

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.convert.graph import Builder, layout
from efm3.convert.graph.rewrite import Maker, applied, maker, rebuilt, vector
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
    ((4,), False), ((3, 1, 1), False), ((1, 1, 6), False), ((2, 4, 1, 1, 1), False),
    ((1, 1, 4, 1, 1), True), ((2, 1, 1, 1), False)])
def test_a_constant_as_a_vector_of_channels(shape, want):
    value = np.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    own = vector(value, (2, 4, 6, 6))
    assert (own is not None and own.shape == (4,)) == want


def test_a_constant_written_out_over_the_map_is_a_vector():
    value = np.broadcast_to(np.arange(4.0)[:, None, None], (4, 6, 6))
    assert vector(value, (2, 4, 6, 6)).tolist() == [0, 1, 2, 3]
    assert vector(value, (2, 4, None, None)).tolist() == [0, 1, 2, 3]
    assert vector(value, None) is None
    assert vector(np.ones((2, 4, 6, 6)) * value[None], (2, 4, 6, 6)).tolist() == [0, 1, 2, 3]


def test_a_shape_without_channels_has_no_vector_of_them():
    one = np.ones(())
    assert vector(one, (4,)) is None and vector(one, ()) is None
    assert vector(one, (4,), axis=0).shape == (4,)
    assert vector(one, (2, None, 6, 6)) is None
    assert vector(one, (2, 0, 6, 6)).shape == (0,)


@pytest.mark.parametrize("levels", [64, 65])
def test_rules_are_nested_to_64_levels(levels):
    """At any place of a graph: what was made before does not count."""
    d, calls = Draw(0), []

    def again(node, make):
        calls.append(node)
        if len(calls) == levels:
            return None
        return make.make("Neg", node.inputs[0], place="n")

    graph = d.graph(d.op("Neg", d.op("Abs", d.op("Exp", d.op("Abs", d.x)))))
    if levels <= 64:
        assert ops(applied(graph, {"Neg": (again,)})) == ["Abs", "Abs", "Exp", "Neg"]
    else:
        with pytest.raises(Efm3Error, match="n is nested too deeply"):
            applied(graph, {"Neg": (again,)})


def test_nodes_are_bounded_by_those_of_the_source():
    d = Draw(0)
    make = maker(d.graph(d.op("Neg", d.x)), {})
    x = d.x
    for _ in range(2 * 64 + 1000):
        x = make.make("Neg", x, place="n")
    with pytest.raises(Efm3Error, match="more than 1,128 operations"):
        make.make("Neg", x, place="n")


def test_what_is_settled_is_left():
    """No rule sees a constant, or a second time what an operation gives back as it was."""
    seen = []

    def rule(node, _):
        seen.append(node.op)

    d = Draw(0)
    make = Maker(Builder(0), {"Const": (rule,), "Neg": (rule,)})
    assert make.make("Neg", d.value(1.0), place="n").value == -1
    below = make.make("Neg", d.x, place="n")
    assert make.make("Cast", below, place="c", kind="float") is below
    assert seen == ["Neg"]


def test_a_shape_that_it_has_makes_no_node():
    d = Draw(0)
    make = Maker(Builder(0), {})
    assert make.reshape(d.x, [2, 4, 6, 6], "r") is d.x
    assert make.reshape(d.x, [2, 4, 36], "r").op == "Reshape"


def test_the_input_may_be_another_one():
    """Where it becomes what is made of an input, the graph takes what it took."""
    d, other = Draw(0), Draw(0).x
    graph, make = d.graph(d.op("Neg", d.x)), Maker(Builder(0), {})
    assert rebuilt(graph, make, {id(d.x): other}).input is other
    turned = d.op("Abs", d.x)
    after = rebuilt(graph, make, {id(d.x): turned})
    assert after.input is d.x and after.output.inputs == (turned,)
