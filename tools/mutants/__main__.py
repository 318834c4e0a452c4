# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.mutants [--all]`: does the kit kill every wrong program?"""

import sys

from tools.mutants.programs import report

lines = list(report("--all" in sys.argv[1:]))
print("\n".join(lines))
sys.exit("ALIVE" in "".join(lines))
