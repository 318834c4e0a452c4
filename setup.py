# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything is in pyproject.toml, but for the extension.

EFM3_REQUIRE_ENGINE=1 makes an engine that cannot be compiled an error. Without it the build says
that there is none and goes on; EFM3_NO_ENGINE=1 leaves it out unasked. A wheel without the engine
is one for every machine, and its name says so: py3-none-any.
"""

import os
import sys
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, CompileError

sys.path.insert(0, str(Path(__file__).resolve().parent))

from efm3 import _engine_build
from tools.release import readme

REQUIRED, LEFT_OUT = (os.environ.get(name, "0") not in ("", "0")
                      for name in ("EFM3_REQUIRE_ENGINE", "EFM3_NO_ENGINE"))
# A build without a global lock has no stable ABI before 3.15: its wheel is for that version alone.
STABLE = not sysconfig.get_config_var("Py_GIL_DISABLED")


class Described(Distribution):
    """A project whose description's links lead somewhere from an index too, once it says where."""

    def parse_config_files(self, *args, **more):
        """Read pyproject.toml."""
        super().parse_config_files(*args, **more)
        source, told = (self.metadata.project_urls or {}).get("Source"), self.metadata
        if source and told.long_description:
            told.long_description = readme.absolute(told.long_description, source, told.version)


class BuildEngine(build_ext):
    """Compiles the engine, or says that it is missing."""

    missing = False

    def run(self):
        """Compile; an error ends the build only where the engine is required."""
        try:
            super().run()
        except (BaseError, CCompilerError, CompileError) as e:
            if REQUIRED:
                raise
            self.missing = True
            print("efm3: NO ENGINE in what is built; EFM3_REQUIRE_ENGINE=1 makes this an error.\n"
                  f"efm3: why: {e}", file=sys.stderr, flush=True)


commands = {"build_ext": BuildEngine}
extensions = []
if REQUIRED and LEFT_OUT:
    raise SystemExit("efm3: EFM3_REQUIRE_ENGINE and EFM3_NO_ENGINE exclude one another")
if not LEFT_OUT:
    extensions = [_engine_build.builder().distutils_extension()]
    extensions[0].py_limited_api = STABLE

options = {}
with tempfile.TemporaryDirectory() as folder:
    if "bdist_wheel" in sys.argv:
        from setuptools.command.bdist_wheel import bdist_wheel

        class Wheel(bdist_wheel):
            """Compiles before it looks what the wheel is for."""

            def run(self):
                """Build the wheel, tagged py3-none-any where it holds no engine."""
                self.run_command("build_ext")
                if self.get_finalized_command("build_ext").missing:
                    self.distribution.ext_modules = []
                    self.root_is_pure, self.py_limited_api = True, False
                super().run()

        commands["bdist_wheel"] = Wheel
        # setuptools packs all that lies in build/lib*, of other versions and machines too.
        options["build"] = {"build_base": folder}
        if STABLE and extensions:
            options["bdist_wheel"] = {"py_limited_api": "cp310"}
    setup(ext_modules=extensions, cmdclass=commands, options=options, distclass=Described)
