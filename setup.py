# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything is in pyproject.toml, but for the extension: without a compiler it is left out."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).resolve().parent))

from efm3 import _engine_build

extension = _engine_build.builder().distutils_extension()
extension.optional = True
setup(ext_modules=[extension], options={"bdist_wheel": {"py_limited_api": "cp310"}})
