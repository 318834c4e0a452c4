# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every operation's shape is that of its value."""

import re

import numpy as np
import pytest

from efm3.convert.graph import ops

X = (2, 4, 6, 6)
ONE = {"LeakyRelu": {"alpha": 0.1}, "Clip": {"low": -1, "high": 1}, "Cast": {"kind": "float"},
       "Transpose": {"perm": (0, 2, 3, 1)}, "Reshape": {"shape": (2, 144)},
       "Expand": {"shape": (3, 2, 4, 6, 6)}, "Slice": {"axis": 2, "start": 4, "stop": None,
                                                       "step": -2},
       "Pad": {"pads": [(0, 0), (1, 0), (2, 3), (0, 1)], "value": 1.0, "mode": "constant"},
       "Concat": {"axis": 1}}
REDUCE = {"axes": (1, 3), "keepdims": False}
TWO = {"Conv": ((6, 2, 3, 3), {"strides": (2, 1), "pads": (1, 0, 2, 1), "dilations": (1, 2),
                               "group": 2}),
       "Dense": ((5, 6), {}), "PRelu": ((4, 1, 1), {}), "Gather": ((3,), {"axis": 1})}


@pytest.mark.parametrize("name", ops.OPS)
def test_the_shape_is_that_of_the_value(name):
    op, rng = ops.OPS[name], np.random.default_rng(0)
    x = rng.uniform(0.5, 2, X)
    if name == "BatchNorm":
        args, attrs = [x, *(rng.uniform(1, 2, 4) for _ in range(4))], {"eps": 1e-5}
    elif name == "Where":
        args, attrs = [x > 1, x, rng.uniform(size=(1, 6, 6))], {}
    elif name in TWO:
        shape, attrs = TWO[name]
        other = np.array([2, 0, 1]) if name == "Gather" else rng.uniform(size=shape)
        args = [x, other]
    elif op.least == 2:
        args, attrs = [x, rng.uniform(1, 2, (4, 1, 6))], {}
    else:
        args, attrs = [x], ONE.get(name, REDUCE if name.startswith("Reduce") else {})
    shape = op.shape(attrs, [a.shape for a in args])
    assert op.run(attrs, *args).shape == shape


def test_sizes_that_are_not_known_stay_so():
    conv = {"strides": None, "pads": (0,) * 4, "dilations": (1, 1), "group": 1}
    unknown = ops.OPS["Conv"].shape(conv, [(1, 3, 112, 112), (8, 3, 3, 3)])
    assert unknown == (1, 8, None, None)
    assert ops.broadcast([(1, 8, None, None), (8, 1, 1)]) == (1, 8, None, None)
    assert ops.broadcast([None, (1,)]) is None
    assert ops.OPS["Dense"].shape({}, [None, (2, 3)]) is None


def test_the_docstring_names_every_operation():
    words = set(re.findall(r"\b[A-Z]\w+", ops.__doc__))
    assert set(ops.OPS) <= words
