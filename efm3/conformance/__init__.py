# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The conformance kit: cases, the runner, the judges, and their reports."""
