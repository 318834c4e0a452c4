# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of TFLite files share: a picture, and what is checked of a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import efm3
from efm3.arrays import Array
from efm3.convert import tflite
from efm3.convert._base import Source, Wanted
from efm3.convert.graph import run
from tests.convert.tflite_files import Writer

SHAPE = (2, 4, 5, 3)
RANDOM = np.random.default_rng(5)
X = RANDOM.uniform(-3, 3, SHAPE).astype(np.float32)
SHIFT = np.array([1, -2, 0])
ROW = np.array([0.5, -2, 1.5], np.float32)


def source(data: bytes, **wanted: Any) -> Source:
    """What the reader finds in a file of these bytes."""
    return tflite.parse(data, "x.tflite", Wanted(**wanted))


def computes(w: Writer, y: int, want: Array, x: Array = X) -> None:
    """The graph of the file with output y gives `want` for x."""
    graph = source(w.data([y])).graph
    assert graph is not None
    got = run.forward(graph, x)
    assert got.shape == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def refused(data: bytes, code: str, *words: str, **wanted: Any) -> None:
    """The reader refuses the file with this code and these words."""
    with pytest.raises(efm3.Efm3Error) as e:
        source(data, **wanted)
    assert e.value.code == code, e.value
    for word in words:
        assert word in str(e.value)


def begin(shape: tuple[int, ...] = SHAPE) -> tuple[Writer, int]:
    """A writer with its picture."""
    w = Writer()
    return w, w.input(shape)
