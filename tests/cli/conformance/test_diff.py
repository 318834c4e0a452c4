# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance diff`: agreement, and a disagreement that becomes a case."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from efm3.conformance import cases

READER = Path(__file__).resolve().parents[3] / "efm3" / "conformance" / "scaffolds" / "reader.py"


def test_agreement(cli):
    result = cli("conformance", "diff", "--a", "@python", "--b", "@engine", "--files", "200")
    assert result.exit_code == 0 and result.stdout == "200 files: no disagreement\n"


def test_a_bug_that_is_put_in_is_found_and_written_as_a_case(cli, tmp_path):
    bad = tmp_path / "reader.py"
    bad.write_text(READER.read_text().replace("need(pad == bytes(3),", "need(True,"))
    a = shlex.join([sys.executable, str(bad), "--lines"])
    b = shlex.join([sys.executable, str(READER), "--lines"])
    result = cli("conformance", "diff", "--a", a, "--b", b, "--protocol", "lines", "--files", "400",
                 "--enough", "1", "-o", tmp_path / "out", "--json")
    assert result.exit_code == 1
    value = json.loads(result.stdout)
    assert not value["agree"] and value["found"][0]["words"].startswith("A accepts, B refuses")
    text = (tmp_path / "out" / "found-1.toml").read_text()
    case = cases.parse(text, "found", "invalid")
    assert {f.code for f in case.findings} == {"H002"}
    assert (tmp_path / "out" / "found-1.bin").read_bytes() == case.data()


def test_time_ends_it(cli):
    result = cli("conformance", "diff", "--a", "@python", "--b", "@python", "--seconds", "0.2",
                 "--files", "1000000", "--json")
    assert result.exit_code == 0 and 0 < json.loads(result.stdout)["files"] < 1000000


def test_usage(cli):
    assert cli("conformance", "diff", "--a", "@python").exit_code == 2
    assert cli("conformance", "diff", "--a", "@python", "--b", "@none").exit_code == 2
    assert cli("conformance", "diff", "--a", "@python", "--b", "x {nope}").exit_code == 2


@pytest.mark.parametrize("protocol", ["simple", "lines"])
def test_a_program_that_cannot_be_run_does_not_disagree(cli, protocol):
    result = cli("conformance", "diff", "--a", "@python", "--b", "/nowhere/reader", "--protocol",
                 protocol)
    assert result.exit_code == 3 and not result.stdout and "cannot be run" in result.stderr
