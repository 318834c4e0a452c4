# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network in the middle: every reader builds one small graph, and one matcher reads it.

A reader calls `Builder` for each operation of its source that the output depends on. `run.forward`
evaluates a graph as it was built, in float64; `rewrite.reduced` brings it to EFM3's shape by exact
rewrites; `walk.units` reads the result.
"""

from __future__ import annotations

from efm3.convert.graph.build import Builder as Builder
from efm3.convert.graph.nodes import Graph as Graph
from efm3.convert.graph.nodes import Node as Node
