# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The graph: the nodes that an output needs, in order, and who uses each."""

from efm3.convert.graph.nodes import live
from tests.convert.graph.small import Draw


def test_only_live_nodes_in_order():
    d = Draw(0)
    a = d.op("Relu", d.x)
    d.op("Neg", a)
    b = d.op("Add", a, d.op("Abs", a))
    nodes = d.graph(b).nodes
    assert [n.op for n in nodes] == ["Input", "Relu", "Abs", "Add"]
    assert all(nodes.index(i) < nodes.index(n) for n in nodes for i in n.inputs)


def test_users_are_named_once():
    d = Draw(0)
    a = d.op("Relu", d.x)
    graph = d.graph(d.op("Add", a, a))
    assert [n.op for n in graph.users()[id(a)]] == ["Add"]


def test_a_long_chain_needs_no_recursion():
    d = Draw(0)
    x = d.x
    for _ in range(9_000):
        x = d.op("Relu", x)
    assert len(live(x)) == 9_001
