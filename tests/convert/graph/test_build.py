# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The builder: shapes, constants once each, and bounds that grow with the source."""

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.convert.graph import Builder


def builder():
    b = Builder(1000)
    return b, b.input((2, 3, 8, 8), "data")


def test_constants_are_computed_and_shapes_are_constants():
    b, x = builder()
    shape = b.shape_of(x, "shape")
    first = b.add("Gather", shape, b.const(np.array([0]), "zero"), place="gather", axis=0)
    both = b.add("Concat", first, b.const(np.array([-1]), "rest"), place="concat", axis=0)
    assert b.numbers(both, "reshape") == [2, -1]
    assert b.reshape(x, b.numbers(both, "reshape"), "flat").shape == (2, 192)


def test_whole_numbers_stay_whole():
    b, _ = builder()
    seven, two = b.const(np.array(7), "a"), b.const(np.array(2), "b")
    assert b.add("Div", seven, two, place="div").value == 3
    assert b.add("Div", seven, b.const(2.0, "c"), place="div").value == 3.5


def test_a_constant_is_kept_as_it_is():
    b, _ = builder()
    value = np.arange(4, dtype=np.float32)
    assert b.const(value, "w").value is value


def bomb(b):
    node = b.const(np.zeros(1 << 12), "seed")
    for i in range(20):
        node = b.add("Concat", *[node] * 8, place=f"concat{i}", axis=0)


def wide(b):
    b.add("Expand", b.const(np.zeros(1), "one"), place="expand", shape=(1 << 30,))


def many(b):
    x = b.input((1, 3), "data")
    for i in range(30_000):
        x = b.add("Relu", x, place=f"relu{i}")


def repeated(b):
    a = b.const(np.zeros(1 << 16), "a")
    for _ in range(100):
        b.add("Add", a, a, place="add")


@pytest.mark.parametrize("make", [bomb, wide, many, repeated], ids=lambda f: f.__name__)
def test_a_small_source_cannot_ask_for_much(make):
    with pytest.raises(Efm3Error) as e:
        make(Builder(1000))
    assert e.value.code == "X008"


@pytest.mark.parametrize(("op", "shapes", "own", "code"), [
    ("Add", [(3,)], {}, "X006"),
    ("Conv", [(4, 3, 3, 3)], {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1),
                              "group": 2}, "X006"),
    ("Conv", [(4, 3, 9, 9)], {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1),
                              "group": 1}, "X006"),
    ("Conv", [(4, 3, 3, 3)], {"strides": (0, 1), "pads": (0,) * 4, "dilations": (1, 1),
                              "group": 1}, "X006"),
    ("Dense", [(4, 9)], {}, "X006"), ("Transpose", [], {"perm": (0, 0, 1, 2)}, "X006"),
    ("Reshape", [], {"shape": (5,)}, "X006"), ("Slice", [], {"axis": 9}, "X006"),
    ("Pad", [], {"pads": [(0, 0)]}, "X006"), ("PRelu", [(2, 3, 8, 8, 8)], {}, "X006"),
    ("Relu", [(1,)], {}, "X007"), ("BatchNorm", [(3,)], {}, "X007")])
def test_what_does_not_fit_is_refused(op, shapes, own, code):
    b, x = builder()
    with pytest.raises(Efm3Error) as e:
        b.add(op, x, *(b.const(np.zeros(s), "c") for s in shapes), place=f"it ({op})", **own)
    assert e.value.code == code
    assert "it (" in str(e.value)


def test_foreign_operations_are_kept():
    b, x = builder()
    node = b.add("Elu", x, place="elu", alpha=1.0)
    assert (node.op, node.shape) == ("Elu", None)
    assert b.add("Add", node, x, place="add").shape is None


def test_an_output_without_the_picture():
    b, x = builder()
    with pytest.raises(Efm3Error) as e:
        b.graph(x, b.const(1.0, "one"))
    assert e.value.code == "X008"


@pytest.mark.parametrize("want", [(5, -1), (-1, -1), (-2, 192), (2, 3)])
def test_impossible_shapes(want):
    b, x = builder()
    with pytest.raises(Efm3Error) as e:
        b.reshape(x, want, "r")
    assert e.value.code == "X006"


def test_odd_constants():
    b, _ = builder()
    for value in (np.array(["a"]), np.zeros((1,) * 9), np.array([1 + 2j])):
        with pytest.raises(Efm3Error):
            b.const(value, "c")
    with pytest.raises(Efm3Error):
        b.numbers(b.const(np.zeros(3), "f"), "x")
    with pytest.raises(Efm3Error):
        b.numbers(b.const(np.zeros(99, np.int64), "f"), "x")
