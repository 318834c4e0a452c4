# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The figures of SECURITY.md: `python -m tools.evidence`."""
