# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.mutants [--all]`: does the kit kill every wrong program?"""

import argparse
import sys

from tools.mutants.programs import report


def main() -> int:
    """Print one line per program; 1 where one is not killed."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--all", action="store_true", help="each program against every case")
    alive = 0
    for line in report(parser.parse_args().all):
        alive += line.startswith("ALIVE")
        print(line)
    return int(bool(alive))


if __name__ == "__main__":
    sys.exit(main())
