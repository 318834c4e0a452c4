# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Build what is released, in dist/, or check all that must hold: `python -m tools.release VERB`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tools import ROOT
from tools.release import BuildFailed, checks, sources, told

WANTED = Path(__file__).with_name("requirements.txt").relative_to(ROOT)


def _build(out: Path, source: Path | None) -> int:
    from tools.release.build import build

    with tempfile.TemporaryDirectory() as name:
        if source is None:
            source = Path(name)
            sources.copy(ROOT, source)
        for path in build(source, out, sources.epoch(ROOT)):
            print(path)
    return 0


def run(release: checks.Release, chosen: Iterable[tuple[str, checks.Check]]) -> int:
    """Make the checks and print what each found; how many found something."""
    failed = 0
    for name, check in chosen:
        try:
            lines = check(release)
        except subprocess.CalledProcessError as e:
            lines = [str(e), *str(e.stderr or "").splitlines()]
        except (BuildFailed, OSError, ValueError) as e:
            lines = str(e).splitlines()
        print(f"{name}: {'FAILED' if lines else 'ok'}", *(f"  {line}" for line in lines),
              sep="\n", flush=True)
        failed += bool(lines)
    return failed


def _check(out: Path, tag: str, but: list[str]) -> int:
    from tools.release import built

    known = checks.CHECKS | built.CHECKS
    unknown = sorted(set(but) - known.keys())
    if unknown:
        print(f"release: no check {unknown[0]}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = run(checks.Release(ROOT, out, tag),
                 [(name, check) for name, check in known.items() if name not in but])
    left = f"; not made: {', '.join(but)}" if but else ""
    print(f"release: {failed} checks failed{left}")
    return int(bool(failed or but))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of what is built")
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("build", help="sdist, wheel and kit, each with its SBOM")
    one.add_argument("--source", type=Path, help="a clean copy of the project, to build in")
    two = verbs.add_parser("check", help="all that must hold before a release; builds twice")
    two.add_argument("--tag", default="", help="the tag of the release, vVERSION")
    two.add_argument("--but", action="append", default=[], metavar="CHECK", help="leave one out")
    return parser


def main(words: list[str] | None = None) -> int:
    """The command; 1 where a check finds something or is left out, or where a build fails."""
    args = _parser().parse_args(words)
    return told(lambda: _build(args.out, args.source) if args.verb == "build" else
                _check(args.out, args.tag, args.but), WANTED)


if __name__ == "__main__":
    sys.exit(main())
