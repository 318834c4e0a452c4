# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command: what it does not know, and what it says where the compiler is missing."""

import pytest

from tools.foreign import platforms
from tools.release import pack
from tools.wheels import __main__ as command
from tools.wheels import assembled

NEEDS = ("cyclonedx", "elftools", "pefile", "macholib")


def test_an_unknown_platform_is_told_with_those_that_there_are(capsys):
    assert command.main(["build", "amiga"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("wheels: no platform amiga; there are manylinux2014_x86_64, ")


def test_without_the_compiler_it_is_skipped_and_said(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(platforms, "ZIG", tmp_path / "zig")
    assert command.main(["--out", str(tmp_path), "build"]) == 0
    assert "skipped, no build/zig" in capsys.readouterr().out and not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["again", "audit", "try"])
def test_no_wheel_is_told(capsys, tmp_path, verb):
    assert command.main(["--out", str(tmp_path), verb]) == 1
    assert capsys.readouterr().err == f"wheels: no wheel in {tmp_path}: build them first\n"


def test_one_platform_by_either_of_its_names():
    for name in ("manylinux2014_aarch64", "manylinux_2_17_aarch64"):
        (target,) = command._chosen([name])
        assert target.triple == "aarch64-linux-gnu.2.17"


@pytest.mark.parametrize("changed", ["", "efm3-1-cp310-abi3-win_amd64.whl", "efm3-1.cdx.json"])
def test_another_build_is_compared_file_by_file(capsys, monkeypatch, tmp_path, changed):
    """Of the platforms that are there; what else lies there is no matter."""
    names = ["efm3-1-cp310-abi3-win_amd64.whl", "efm3-1-py3-none-any.whl", "efm3-1.cdx.json"]
    for name in [*names, "efm3-1.tar.gz"]:
        (tmp_path / name).write_bytes(b"PK\5\6" + bytes(18))

    def build(_, out, chosen):
        assert [t.platform for t in chosen] == ["win_amd64"]
        for name in names:
            (out / name).write_bytes(b"PK\5\6" + bytes(18 if name != changed else 17))
        return names[:2]

    monkeypatch.setattr(assembled, "build_here", build)
    monkeypatch.setattr(pack, "members", lambda path: {})
    assert command.main(["--out", str(tmp_path), "again"]) == bool(changed)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"2 wheels built again, {int(bool(changed))} files differ"
    assert [line.split()[0] for line in lines[:-1]] == [changed] * bool(changed)
