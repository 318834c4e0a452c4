# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Names for numpy's arrays in signatures.

numpy.typing takes as long to import as a small file takes to check, and only type checkers need
it: at run time each of these names is Any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Floats = npt.NDArray[np.float32]
    Doubles = npt.NDArray[np.float64]
    Pixels = npt.NDArray[np.uint8]
    Words = npt.NDArray[np.uint32]
    Indices = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]
else:
    Array = Floats = Doubles = Pixels = Words = Indices = Bools = Any
