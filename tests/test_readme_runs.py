# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The commands of README and of the pages that a newcomer reads after it, one after the other."""

import shlex

from tests.test_repo import blocks


def test_readme_efm3_commands_run(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an empty folder: what is read was copied by a command before
    ran = 0
    for block in blocks("sh"):
        for line in block.splitlines():
            if line.startswith("efm3 "):
                words = shlex.split(line, comments=True)[1:]
                result = cli(*words)
                assert result.exit_code == 0, f"{line}\n{result.output}"
                ran += 1
    assert ran >= 35
