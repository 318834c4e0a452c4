# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""On PYTHONPATH, with EFM3_TEST_SYSTEM=windows: every Python process of the tests meets files,
processes and streams as Windows has them.

What is simulated is what Python's documentation and Windows' own say of that system;
docs/systems.md lists it, and what is not. The package is imported from the root of the checkout
and forgotten again, so that a test that imports `tests` gets its own.
"""

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if os.environ.get("EFM3_TEST_SYSTEM") == "windows":
    before = set(sys.modules)
    sys.path.insert(0, str(ROOT))
    try:
        from tests.windows import files, modules, processes, streams

        for part in (files, processes, streams, modules):
            part.install()
    finally:
        sys.path.remove(str(ROOT))
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "tests":
                del sys.modules[name]
    # A test's own, which this one hides.
    for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        other = Path(folder, "sitecustomize.py")
        if folder and other.is_file() and not other.samefile(__file__):
            runpy.run_path(str(other), run_name="sitecustomize")
            break
