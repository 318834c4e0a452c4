# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files and blocks of pages made from the declarations: `python -m tools.gen [--check]`."""
