# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a bulk run, or a table of embeddings, is refused."""

ROWS: tuple[tuple[str, str, str, str, str, str, str], ...] = (
)
