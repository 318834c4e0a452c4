# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m efm3.train` is `efm3 train`: torchrun starts modules, `torchrun -m efm3.train ...`."""

import runpy
import sys

if __name__ == "__main__":
    # The command is a layer above this package; it is started as a program, not imported.
    sys.argv.insert(1, "train")
    runpy.run_module("efm3", run_name="__main__", alter_sys=True)
