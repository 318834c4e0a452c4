# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""setup.py: what is built without an engine says so, and carries no platform in its name."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata

import pytest

from tools import ROOT

NEEDS = ("setuptools",)  # not in a virtual environment of Python 3.12 and later

MAKES_WHEELS = int(metadata.version("setuptools").split(".")[0]) > 70
PLANTED = ("efm3/_engine.abi3.so", "efm3/_engine.pyd", "build/lib/efm3/_engine.abi3.so",
           "build/lib.linux-aarch64-cpython-310/efm3/_engine.abi3.so",
           "build/bdist.linux-x86_64/wheel/efm3/_engine.abi3.so",
           "build/temp.linux-x86_64-cpython-310/build/efm3/_engine.o",
           "efm3.egg-info/SOURCES.txt")
"""Where earlier builds, for this machine and for others, leave an extension or its name."""


@pytest.fixture
def project(tmp_path):
    """The project in small: what setup.py needs to build, and the leavings of other builds."""
    root = tmp_path / "project"
    for name in ("setup.py", "efm3/_engine_build.py", "efm3/version.py", "MANIFEST.in",
                 "tools/__init__.py", "tools/release/__init__.py", "tools/release/readme.py",
                 *PLANTED):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name in PLANTED:
            (root / name).write_bytes(b"\x7fELF of another machine\nefm3/_engine.abi3.so\n")
        else:
            shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "engine/include", root / "engine/include")
    (root / "efm3/__init__.py").write_text("")
    (root / "pyproject.toml").write_text('[project]\nname = "efm3"\nversion = "1"\n'
                                         '[tool.setuptools]\npackages = ["efm3"]\n')
    return root


def build(root, *words, **settings):
    env = os.environ | {"CC": "/bin/false", "EFM3_REQUIRE_ENGINE": "", "EFM3_NO_ENGINE": ""}
    return subprocess.run([sys.executable, "setup.py", "-q", *words], cwd=root, check=False,
                          env=env | settings, capture_output=True, text=True, timeout=300)


def test_an_engine_that_is_required_and_cannot_be_compiled_ends_the_build(project):
    done = build(project, "build_ext", EFM3_REQUIRE_ENGINE="1")
    assert done.returncode and "/bin/false" in done.stderr


def test_without_that_the_build_goes_on_and_says_that_there_is_none(project):
    done = build(project, "build_ext")
    assert done.returncode == 0
    assert "efm3: NO ENGINE in what is built; EFM3_REQUIRE_ENGINE=1 makes" in done.stderr


def test_an_engine_is_not_required_and_left_out_at_once(project):
    done = build(project, "build_ext", EFM3_REQUIRE_ENGINE="1", EFM3_NO_ENGINE="1")
    assert done.returncode == 1 and "exclude one another" in done.stderr


@pytest.mark.parametrize("settings", [{}, {"EFM3_NO_ENGINE": "1", "CC": "cc"}])
def test_a_wheel_without_the_engine_is_for_every_machine(project, settings):
    """Neither the platform's tag nor what other builds left."""
    if not MAKES_WHEELS:
        pytest.skip("this setuptools makes no wheels (tools/release/requirements.txt names one)")
    done = build(project, "bdist_wheel", **settings)
    assert done.returncode == 0, done.stderr
    (path,) = project.joinpath("dist").iterdir()
    assert path.name == "efm3-1-py3-none-any.whl"
    with zipfile.ZipFile(path) as z:
        assert b"Root-Is-Purelib: true\nTag: py3-none-any\n" in z.read("efm3-1.dist-info/WHEEL")
        assert sorted(n for n in z.namelist() if not n.startswith("efm3-1.dist-info/")) == [
            "efm3/__init__.py", "efm3/_engine_build.py", "efm3/version.py"]


@pytest.mark.parametrize("threaded", [0, 1])
def test_the_stable_abi_is_asked_for_where_python_has_it(threaded):
    """A Python without a global lock refuses an extension for it."""
    text = f"""
import runpy, setuptools, sys, sysconfig
sysconfig.get_config_vars()["Py_GIL_DISABLED"] = {threaded}
setuptools.setup = lambda **words: print(words["ext_modules"][0].py_limited_api, words["options"])
sys.argv = ["setup.py"{', "bdist_wheel"' * MAKES_WHEELS}]
runpy.run_path("setup.py")
"""
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("False" if threaded else "True")
    assert ("cp310" in last) is (MAKES_WHEELS and not threaded)
