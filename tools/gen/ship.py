# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Put files into weights/: trained runs, or the untrained ones of a seed.

    python -m tools.gen.ship RUN ...               run folders of `efm3 train --held-out PAIRS`
    python -m tools.gen.ship --untrained nano ...  what `efm3 new` writes

A run's file is copied byte for byte: training has written all that it says. Then the manifest
and the tables of weights/README.md are made again from the files.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import efm3
from efm3 import untrained
from efm3.source import read, write_atomic
from tools.gen import __main__ as gen
from tools.gen import weights

SEED = 1


class NotShipped(ValueError):
    """The run has no file that may be shipped in weights/."""


def chosen(run: Path) -> tuple[str, bytes]:
    """The size and the bytes of a run's file. Raises NotShipped, Efm3Error, OSError."""
    found = [name for name in efm3.ARCHS if (run / f"facex_{name}.bin").is_file()]
    if len(found) != 1:
        raise NotShipped(f"{run} holds {len(found)} files facex_ARCH.bin of the four sizes, not 1")
    name = found[0]
    path = run / f"facex_{name}.bin"
    data = bytes(read(path))
    report = efm3.validate(data)
    if report.findings:
        raise NotShipped(f"{path}: {report.findings[0]}")
    model = efm3.load(data)
    if model.arch != efm3.ARCHS[name]:
        raise NotShipped(f"{path} is not of the size {name}")
    meta = model.mirror["meta"]
    if meta.get("trained") is not True or "held_out" not in meta.get("scores", {}):
        raise NotShipped(f"{path} has no held-out scores: train it with --held-out")
    return name, data


def take(run: Path, target: Path | None = None) -> str:
    """Copy the file of a run; returns a line of text. Raises as `chosen` does."""
    name, data = chosen(run)
    write_atomic(target or weights.path(name), [data])
    got = efm3.load(data).mirror["meta"]["scores"]["held_out"]
    return f"{name}: {100 * got['accuracy']:.2f} % of {got['pairs']} held-out pairs"


def main(words: list[str] | None = None) -> int:
    """Install and regenerate; 1 where a run was refused; then nothing is changed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="+", metavar="RUN")
    parser.add_argument("--untrained", action="store_true", help="names of sizes, not runs")
    args = parser.parse_args(words)
    try:
        if args.untrained:
            files = {n: untrained.dumps(efm3.ARCHS[n], SEED) for n in args.names}
            for name, data in files.items():
                write_atomic(weights.path(name), [data])
        else:
            for run in args.names:
                chosen(Path(run))
            for run in args.names:
                print(take(Path(run)))
    except KeyError as e:
        parser.error(f"no size is called {e}")
    except (ValueError, OSError) as e:
        print(f"ship: {e}", file=sys.stderr)
        return 1
    gen.generate(check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
