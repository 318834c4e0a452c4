# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Head-like pictures drawn from numbers: no photograph, scan or model of people is behind them.

An identity vector says who, a nuisance vector says how the picture was taken; both are counted out
of a seed, so data of any size are the same on every machine. See docs/synth.md.
"""

from .faces import Faces, cache
from .identity import DIM, SPREAD, TRAITS, identities
from .nuisance import RANGES, SIZE, nuisances
from .render import SIDE, render

__all__ = ["DIM", "RANGES", "SIDE", "SIZE", "SPREAD", "TRAITS", "Faces", "cache", "identities",
           "nuisances", "render"]
