# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Many pictures to a table of embeddings (docs/bulk.md)."""

from __future__ import annotations

from efm3.bulk.row import COLUMNS, FORMAT, Job, Row

__all__ = ["COLUMNS", "FORMAT", "Job", "Row"]
