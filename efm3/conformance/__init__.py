# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The conformance kit: cases, what runs them against an implementation, what tells how it did."""
