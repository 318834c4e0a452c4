# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""config.json, and the commit in it."""

import json
import subprocess

from efm3.train import runs
from tests.train.standin import Patterns

NEEDS = ("torch",)


def test_a_run_as_json():
    said = runs.describe({"a": 1}, Patterns(2, 2), 1, "cpu")
    assert json.loads(json.dumps(said)) == said and said["images"] == 4 and said["drawn"] is None


def git(folder, *words):
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words],
                   check=True, capture_output=True)


def test_the_commit_is_of_the_packages_own_checkout(tmp_path):
    """Not of a repository that surrounds an installed package, nor of one around a copy."""
    git(tmp_path, "init")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "efm3"\n')
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "one")
    found = runs.commit(tmp_path)
    assert len(found) == 40
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "efm3"\n\n')
    assert runs.commit(tmp_path) == found + "+"
    inner = tmp_path / "site-packages"
    inner.mkdir()
    assert runs.commit(inner) == ""
    (inner / "pyproject.toml").write_text('[project]\nname = "efm3"\n')
    assert runs.commit(inner) == ""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert runs.commit(tmp_path) == ""
