# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m efm3` is the `efm3` command."""

from efm3.cli import main

main()
