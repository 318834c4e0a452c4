# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.mutants [--all]`: does the kit kill every wrong program?"""

import sys

from tools.mutants.programs import report


def main() -> int:
    """Print one line per program; 1 where one is not killed."""
    alive = 0
    for line in report("--all" in sys.argv[1:]):
        alive += line.startswith("ALIVE")
        print(line)
    return int(bool(alive))


if __name__ == "__main__":
    sys.exit(main())
