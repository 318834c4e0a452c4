# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What goes into the package, and a module that is too large; test_package.py tries the package."""

import json
import re

import pytest

from efm3 import format as fmt
from tools.web import __main__ as command
from tools.web import build


def test_the_fields_are_the_declarations():
    rows = [json.loads(line.strip().rstrip(",").replace("'", '"'))
            for line in build.fields().splitlines() if line.startswith("  [")]
    assert [r[0] for r in rows] == list(fmt.FIELDS)
    assert all(fmt.FIELDS[path][1:3] == (offset, size) for path, offset, size, _ in rows)


def test_what_the_loader_calls_is_exported():
    text = (build.HOME / "index.js").read_text(encoding="utf-8")
    called = set(re.findall(r"\bx\.(\w+)", text)) - {"memory", "_initialize", "malloc", "free"}
    source = (build.HOME / "src/scan.c").read_text(encoding="utf-8")
    own = re.findall(r"EXPORT\((mfn_\w+)\)", source)
    assert called == {*build.exports(), *own} & called
    # Exported and called by nobody: dead weight.
    assert {*build.exports(), *own} - called == {"mfn_version"}


def test_a_module_over_the_limit_is_no_package(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "compile_row", lambda row, path: path.write_bytes(
        b"\0" * (build.LIMIT + 1)))
    with pytest.raises(RuntimeError, match=r"wasmrelaxed\.wasm: 122881 bytes"):
        build.package(tmp_path / "out")


def test_the_command_without_a_compiler(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, "ZIG", tmp_path / "none")
    assert command.main() == 0
    assert "skipped, no build/zig" in capsys.readouterr().out


def test_the_command_says_what_fails(monkeypatch, capsys, tmp_path):
    def package(*folder):
        raise RuntimeError("no space")
    monkeypatch.setattr(command, "ZIG", tmp_path)
    monkeypatch.setattr(build, "package", package)
    monkeypatch.setattr("sys.argv", ["web"])
    assert command.main() == 1
    assert capsys.readouterr().err == "wasm: no space\n"
