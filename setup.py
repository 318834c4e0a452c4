# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything is in pyproject.toml, but for the extension: without a compiler it is left out."""

import sys
import tempfile
from pathlib import Path

from setuptools import Distribution, setup

sys.path.insert(0, str(Path(__file__).resolve().parent))

from efm3 import _engine_build
from tools.release import readme


class Described(Distribution):
    """A project whose description's links lead somewhere from an index too, once it says where."""

    def parse_config_files(self, *args, **more):
        """Read pyproject.toml."""
        super().parse_config_files(*args, **more)
        source, told = (self.metadata.project_urls or {}).get("Source"), self.metadata
        if source and told.long_description:
            told.long_description = readme.absolute(told.long_description, source, told.version)


extension = _engine_build.builder().distutils_extension()
extension.optional = True
options = {"bdist_wheel": {"py_limited_api": "cp310"}}
with tempfile.TemporaryDirectory() as folder:
    if "bdist_wheel" in sys.argv:
        # setuptools packs all that lies in build/lib*, of other versions and machines too.
        options["build"] = {"build_base": folder}
    setup(ext_modules=[extension], options=options, distclass=Described)
