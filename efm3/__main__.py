# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The `efm3` command, also as `python -m efm3`: what makes a short process short, then the verbs.
"""

from __future__ import annotations

import gc
import os


def main() -> None:
    """Entry point of the command.

    OpenBLAS starts a thread for each core when numpy is imported, and they wait by spinning: half
    of a command's processor time, and for matrices as small as these more than they give back.
    Imports make many objects and no garbage.
    """
    gc.set_threshold(200_000, 20, 20)
    if not {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"} & os.environ.keys():
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from efm3.cli import cli

    cli(prog_name="efm3")


if __name__ == "__main__":
    main()
