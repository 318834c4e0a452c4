# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The workflow of a public CI: its actions are named by commit, its rights are few, what it calls
is there; and linters, where installed, find nothing."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import ROOT

PATH = ROOT / ".github/workflows/release.yml"
TEXT = PATH.read_text(encoding="utf-8")
LINTERS = {"actionlint": [], "zizmor": ["--offline", "--no-progress"]}
PLANTED = {"actionlint": ("    needs: check\n", "    needs: chek\n", "chek"),
           "zizmor": ("          persist-credentials: false\n", "", "credential persistence")}


def jobs(text):
    """Name to text of each job."""
    found = re.split(r"^  (\w+):\n", text.partition("\njobs:\n")[2], flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_it_says_that_it_was_not_run():
    assert "NOT RUN YET" in TEXT


def test_every_action_is_named_by_its_commit_and_version():
    uses = re.findall(r"uses: (.*)", TEXT)
    assert len(uses) >= 6
    for words in uses:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", words), words


def test_each_job_has_the_rights_that_it_needs():
    assert "\npermissions: {}\n" in TEXT
    rights = {name: set(re.findall(r"^      ([\w-]+: (?:read|write))", text, re.MULTILINE))
              for name, text in jobs(TEXT).items()}
    assert rights == {"check": {"contents: read"},
                      "attest": {"id-token: write", "attestations: write"},
                      "publish": {"id-token: write"}}
    assert "environment: release" in jobs(TEXT)["publish"] and "secrets." not in TEXT
    assert "needs: check" in jobs(TEXT)["attest"] and "needs: attest" in jobs(TEXT)["publish"]


def test_what_it_calls_is_there():
    made = re.findall(r"make ([\w-]+)", re.sub(r"#.*", "", TEXT))
    assert made == ["release-check"]
    for target in made:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    # Words of the shell come from the environment: a tag's name is anybody's text.
    assert not re.search(r"run:[^\n]*\$\{\{", TEXT)


def linted(name, path):
    program = shutil.which(name) or shutil.which(name, path=Path(sys.executable).parent)
    if program is None:
        pytest.skip(f"{name} is not installed (tools/release/requirements.txt names it)")
    return subprocess.run([program, *LINTERS[name], path], capture_output=True, text=True,
                          check=False, cwd=path.parent)


@pytest.mark.parametrize("name", LINTERS)
def test_a_linter_finds_nothing(name):
    done = linted(name, PATH)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", LINTERS)
def test_a_linter_sees_what_is_planted(name, tmp_path):
    old, new, said = PLANTED[name]
    assert TEXT.count(old) == 1
    path = tmp_path / ".github/workflows/release.yml"
    path.parent.mkdir(parents=True)
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    done = linted(name, path)
    assert done.returncode and said in done.stdout + done.stderr
