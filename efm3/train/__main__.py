# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.train`."""

import sys

from efm3.train.cli import main

if __name__ == "__main__":
    sys.exit(main())
