# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Programs with one check taken out, and what notices: `python -m tools.mutants`."""
