# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The project itself built: twice the same, and without what earlier builds left."""

import subprocess
import sys
import zipfile

from tests.release import small
from tools import ROOT
from tools.release import built, checks, sources, twice

NEEDS = ("cyclonedx", "twine", "pyroma", "pypi_attestations")


def test_two_builds_agree_and_what_they_made_is_right(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(small.EPOCH))
    release = checks.Release(ROOT, tmp_path)
    found = {name: check(release) for name, check in built.CHECKS.items()}
    assert not any(found.values()), found
    assert len(list(tmp_path.iterdir())) == 6


def test_a_wheel_built_by_setuptools_alone_has_no_stale_file(tmp_path):
    """Of build/lib*, which setuptools would pack."""
    root = tmp_path / "project"
    sources.copy(ROOT, root)
    for version in ("310", f"{sys.version_info[0]}{sys.version_info[1]}"):
        for name in (f"build/lib.linux-x86_64-cpython-{version}/efm3/stale.py",
                     "build/lib/efm3/stale.py", *twice.LEFT[:2]):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("stale")
    subprocess.run([sys.executable, "setup.py", "-q", "bdist_wheel", "-d", tmp_path], cwd=root,
                   check=True, capture_output=True)
    (path,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(path) as z:
        names = z.namelist()
    assert "efm3/_engine.abi3.so" in names and not [n for n in names if "stale" in n]
