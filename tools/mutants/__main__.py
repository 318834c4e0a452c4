# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.mutants`: does the kit kill every wrong program?

Without a word: the planted mistakes, a line for each. `isolation`: each check of each program taken
out alone, and for each rule and requirement the cases that isolate it. `large`: the checks that
only a large case isolates.
"""

import argparse
import json
import sys

from tools.mutants import isolation
from tools.mutants.programs import report


def planted(every: bool) -> int:
    """Print one line per planted mistake; 1 where one is not killed."""
    alive = 0
    for line in report(every):
        alive += line.startswith("ALIVE")
        print(line)
    return int(bool(alive))


def isolated(every: bool, form: str) -> int:
    """Print every check and code; 1 where one is neither isolated nor listed."""
    found = isolation.results(every)
    rows = isolation.by_code(found)
    if form == "json":
        print(json.dumps(isolation.document(found, rows), indent=1))
    else:
        print("\n".join(isolation.text(found, rows)))
    shared = list(isolation.overlaps())
    for switch, case in shared:
        print(f"the reader that takes {switch}: {case}", file=sys.stderr)
    gone = isolation.gone(found)
    for check in gone:
        print(f"{check}: listed, but there is no such check", file=sys.stderr)
    return int(any(s.wrong for s in found) or any(r.wrong for r in rows) or bool(shared or gone))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["planted", "isolation", "large"],
                        default="planted")
    parser.add_argument("--all", action="store_true", help="each program against every case")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    args = parser.parse_args()
    if args.what == "isolation":
        return isolated(args.all, args.format)
    if args.what == "large":
        alone = list(isolation.large())
        print("\n".join(f"{s.program}: {s.check}: {s.wrong or s.cases[0]}" for s in alone))
        return int(not alone or any(s.wrong for s in alone))
    return planted(args.all)


if __name__ == "__main__":
    sys.exit(main())
