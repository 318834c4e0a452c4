# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Face verification: sets of pairs, embeddings, and their scores (docs/evaluation.md)."""

from __future__ import annotations

from efm3.evaluation.paired import Difference as Difference
from efm3.evaluation.paired import differences as differences
from efm3.evaluation.run import Measured as Measured
from efm3.evaluation.run import evaluate as evaluate
from efm3.evaluation.run import measure as measure
from efm3.evaluation.scores import Scores as Scores
from efm3.evaluation.scores import score as score
from efm3.evaluation.sets import PairSet as PairSet
from efm3.evaluation.sets import from_arrays as from_arrays
from efm3.evaluation.sets import open_pairs as open_pairs
