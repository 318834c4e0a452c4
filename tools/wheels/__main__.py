# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Build wheels for every system in dist/, and audit and try them: `python -m tools.wheels VERB`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tools import ROOT
from tools.foreign import platforms
from tools.release import BuildFailed, told
from tools.wheels.targets import TARGETS, Target

WANTED = Path(__file__).with_name("requirements.txt").relative_to(ROOT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.wheels", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the wheels")
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("build", help="the wheels, each with its SBOM; the pure one last")
    one.add_argument("platform", nargs="*", help="of these platforms alone, as in their tags")
    verbs.add_parser("again", help="build the same once more, elsewhere; 1 where a byte differs")
    verbs.add_parser("audit", help="read each wheel for another system; 1 where one is wrong")
    verbs.add_parser("try", help="install and use each wheel that something here runs")
    return parser


def _chosen(names: list[str]) -> list[Target]:
    """The targets with these platform tags, or one of their joined names; all where none is named.
    Raises BuildFailed."""
    unknown = [n for n in names if not any(n in t.platform.split(".") for t in TARGETS)]
    if unknown:
        raise BuildFailed(f"no platform {unknown[0]}; there are "
                          + ", ".join(t.platform.split(".")[0] for t in TARGETS))
    return [t for t in TARGETS if not names or set(names) & set(t.platform.split("."))]


def _wheels(out: Path) -> list[Path]:
    """The wheels in a folder. Raises BuildFailed where there is none."""
    found = sorted(out.glob("efm3-*.whl"))
    if not found:
        raise BuildFailed(f"no wheel in {out}: build them first")
    return found


def _build(out: Path, names: list[str]) -> int:
    from tools.wheels import assembled

    chosen = _chosen(names)
    if not platforms.ZIG.exists():
        print("wheels: skipped, no build/zig (tools/foreign/install_zig.sh)")
        return 0
    for path in assembled.build_here(ROOT, out, chosen):
        print(path)
    return 0


def _again(out: Path) -> int:
    """Of the wheels that are there, whichever platforms they are for."""
    from tools.release.twice import differences
    from tools.wheels import assembled, audit

    there = {audit.of(path) for path in _wheels(out)}
    with tempfile.TemporaryDirectory() as name:
        second = Path(name)
        made = assembled.build_here(ROOT, second, [t for t in TARGETS if t in there])
        wrong = differences(out, second, sorted(p.name for p in second.iterdir()))
    print(*wrong, f"{len(made)} wheels built again, {len(wrong)} files differ", sep="\n")
    return int(bool(wrong))


def _audit(out: Path) -> int:
    from tools.wheels import audit

    failed = 0
    for path in _wheels(out):
        target = audit.of(path)
        if target is not None:
            lines = audit.wheel(path, target)
            print(f"{path.name}: {'WRONG' if lines else 'ok'}", *(f"  {line}" for line in lines),
                  sep="\n", flush=True)
            failed += bool(lines)
    return int(bool(failed))


def _try(out: Path) -> int:
    from tools.wheels import tried

    failed = 0
    for path in _wheels(out):
        try:
            why = tried.refused(path)
            said = f"not run: {why}" if why else f"run: {tried.attempt(path)}"
        except BuildFailed as e:
            failed, said = 1, f"FAILED: {e}"
        print(f"{path.name}: {said}", flush=True)
    return failed


def main(words: list[str] | None = None) -> int:
    """The command; 1 where a wheel cannot be built or something is wrong with one."""
    args = _parser().parse_args(words)
    verbs = {"build": lambda: _build(args.out, args.platform), "again": lambda: _again(args.out),
             "audit": lambda: _audit(args.out), "try": lambda: _try(args.out)}
    return told(verbs[args.verb], WANTED)


if __name__ == "__main__":
    sys.exit(main())
