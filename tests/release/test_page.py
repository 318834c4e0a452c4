# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""docs/releasing.md: its commands are taken, its checks are those that are made."""

import os
import re
import shlex
import shutil
import subprocess

import pytest

from tools import ROOT
from tools.release import __main__, checks

PAGE = (ROOT / "docs/releasing.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_its_commands_end_in_words_that_the_program_takes():
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    found = []
    for line in "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).splitlines():
        done = subprocess.run([*shlex.split(line), "-n"], cwd=ROOT, env=env, text=True,
                              capture_output=True, check=True)
        words = shlex.split(done.stdout.splitlines()[-1])
        assert words[1:3] == ["-m", "tools.release"]
        found.append(__main__._parser().parse_args(words[3:]))
    assert [(a.verb, getattr(a, "tag", None)) for a in found] == [
        ("check", "v0.1.0"), ("build", None)]


def test_its_table_has_every_check():
    text = (ROOT / "tools/release/built.py").read_text(encoding="utf-8")
    own = re.findall(r'"(\w+)": \w+', text.partition("CHECKS: dict")[2])
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [*checks.CHECKS, *own]


def test_the_files_that_it_names_exist():
    names = re.findall(r"`([\w./]+/[\w./]+\.\w+)`", PAGE)
    assert len(names) >= 5
    for name in names:
        assert (ROOT / name).is_file(), name
