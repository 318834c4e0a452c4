# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance export`: pairs, an index, a digest."""

import json
import shutil

import pytest


def test_export(cli, tmp_path):
    result = cli("conformance", "export", tmp_path / "set", "--select", "H004")
    assert result.exit_code == 0 and "cases" in result.stdout
    index = json.loads((tmp_path / "set" / "index.json").read_text())
    assert index["digest"] in result.stdout
    assert (tmp_path / "set" / "reader" / "bad-h004-stem-kernel-4.bin").is_file()
    assert (tmp_path / "set" / "run.sh").is_file()


@pytest.mark.parametrize("name", ["kit.tar.gz", "kit.tgz", "kit.zip"])
def test_archives(cli, tmp_path, name):
    result = cli("conformance", "export", tmp_path / name, "--select", "bad-h004-stem-kernel-4")
    assert result.exit_code == 0 and "1 cases" in result.stdout
    shutil.unpack_archive(tmp_path / name, tmp_path, "zip" if name.endswith("zip") else "gztar")
    (folder,) = tmp_path.glob("efm3-kit-*")
    assert (folder / "reader" / "bad-h004-stem-kernel-4.bin").is_file()


def test_json_is_the_index(cli, tmp_path):
    result = cli("conformance", "export", tmp_path, "--select", "H004", "--json")
    assert json.loads(result.stdout) == json.loads((tmp_path / "index.json").read_text())


def test_refusals(cli, tmp_path):
    assert cli("conformance", "export", tmp_path, "--select", "nothing").exit_code == 1
    (tmp_path / "file").write_text("")
    assert cli("conformance", "export", tmp_path / "file").exit_code == 2
    assert cli("conformance", "export", tmp_path / "file" / "x", "--select", "H004").exit_code == 3
