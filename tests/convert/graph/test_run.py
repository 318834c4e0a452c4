# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The float64 evaluation of a graph as it was built."""

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.convert.graph import run
from tests.convert.graph.small import Draw


@pytest.mark.parametrize(("group", "stride", "pads", "dilation"), [
    (1, 1, (0, 0, 0, 0), 1), (4, 2, (1, 1, 1, 1), 1), (2, 1, (2, 0, 1, 3), 2),
    (1, 3, (0, 1, 0, 0), 1)])
def test_a_convolution_is_its_sum(group, stride, pads, dilation):
    """Against the definition, index by index."""
    d = Draw(0)
    w, b = d.const(4, 4 // group, 3, 3), d.const(4)
    y = d.op("Conv", d.x, w, b, strides=(stride,) * 2, pads=pads, dilations=(dilation,) * 2,
             group=group)
    x = d.array(2, 4, 6, 6)
    have = run.forward(d.graph(y), x)
    top, left, bottom, right = pads
    full = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    for n, o, i, j in np.ndindex(*have.shape):
        first = o // (4 // group) * (4 // group)
        part = full[n, first:first + 4 // group,
                    i * stride:i * stride + 2 * dilation + 1:dilation,
                    j * stride:j * stride + 2 * dilation + 1:dilation]
        np.testing.assert_allclose(have[n, o, i, j], (part * w.value[o]).sum() + b.value[o])


def test_values_are_dropped_after_their_last_use_and_shared_ones_kept():
    d = Draw(0)
    y = d.op("Relu", d.x)
    out = d.op("Add", d.op("Neg", y), d.op("Abs", y))
    np.testing.assert_array_equal(run.forward(d.graph(out), d.array(2, 4, 6, 6)), 0)


def test_a_foreign_operation_is_refused():
    d = Draw(0)
    with pytest.raises(Efm3Error) as e:
        run.forward(d.graph(d.op("Elu", d.x)), d.array(2, 4, 6, 6))
    assert e.value.code == "X008"
    assert "elu (Elu)" in str(e.value)


def test_a_map_beyond_the_bound_is_refused_before_it_is_made():
    d = Draw(0)
    wide = d.op("Expand", d.b.reshape(d.x, (2, 4, 36, 1), "r"), shape=(2, 4, 36, 1 << 20))
    padded = d.conv(d.x, kernel=1, pad=1 << 14)
    for node in (wide, padded):
        with pytest.raises(Efm3Error) as e:
            run.forward(d.graph(node), d.array(2, 4, 6, 6))
        assert e.value.code == "X008"
