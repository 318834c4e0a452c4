# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables of embeddings, searched, clustered, cleared of duplicates (docs/search.md)."""
