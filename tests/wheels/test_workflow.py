# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The workflow that builds wheels in a public CI, and its configuration: linted, not run."""

import re

import pytest

from tests.release.test_workflow import LINTERS, linted
from tools import ROOT

PATH = ROOT / ".github/workflows/wheels.yml"
TEXT = PATH.read_text(encoding="utf-8")
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_it_says_that_it_was_not_run():
    assert "NOT RUN YET" in TEXT and "# Not run here" in PYPROJECT


def test_every_action_is_named_by_its_commit_and_what_it_calls_is_there():
    uses = re.findall(r"uses: (.*)", TEXT)
    assert uses and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", u) for u in uses)
    release = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    assert all(u in release for u in uses)
    assert re.search("^wheels:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for name in re.findall(r"tools/[\w/]+\.\w+", TEXT + PYPROJECT):
        assert (ROOT / name).is_file(), name


def test_it_reads_and_no_more():
    assert "\npermissions: {}\n" in TEXT and "write" not in TEXT and "secrets." not in TEXT


@pytest.mark.parametrize("name", LINTERS)
def test_a_linter_finds_nothing(name):
    done = linted(name, PATH)
    assert done.returncode == 0, done.stdout + done.stderr
