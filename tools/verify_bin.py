# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An alias of `efm3 verify BIN --against CKPT` for those who know the original page.

    python -m tools.verify_bin --arch standard --bin weights/facex_standard.bin --ckpt last.pt
"""

from __future__ import annotations

import argparse
import sys

from efm3 import ARCHS, load
from efm3.cli import cli


def main() -> None:
    """Check that the file is of the arch, then verify it against the checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m tools.verify_bin",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arch", choices=list(ARCHS), required=True)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--ckpt", required=True)
    options = parser.parse_args()
    try:
        arch = load(options.bin, level="structure").arch
    except ValueError as e:
        sys.exit(f"verify_bin: {e}")
    if arch.header() != ARCHS[options.arch].header():
        sys.exit(f"verify_bin: {options.bin} is not of arch {options.arch}")
    cli(["verify", options.bin, "--against", options.ckpt])


if __name__ == "__main__":
    main()
