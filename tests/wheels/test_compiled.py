# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is compiled for another system: every source, with headers that fit, by a program whose
errors are told."""

import sys
import sysconfig

import pytest

from tools import ROOT
from tools.cc import SOURCES
from tools.release import BuildFailed
from tools.wheels import compiled
from tools.wheels.targets import TARGETS

NEEDS = ("elftools",)


def test_every_source_of_the_engine_is_in_the_extension():
    made = compiled.sources(ROOT)
    assert {ROOT / name for name in made.files} == {*SOURCES, ROOT / "build/efm3/_engine.c"}
    assert "-O2" in made.flags and "-g0" in made.flags and "-Iengine/include" in made.flags


def test_windows_has_a_configuration_of_its_own_beside_python_s_headers(tmp_path):
    folders = {windows: tmp_path / path
               for windows, path in compiled.headers(tmp_path, compiled.MADE).items()}
    assert (folders[True] / "Python.h").read_bytes() == (folders[False] / "Python.h").read_bytes()
    assert "MS_WIN64" in (folders[True] / "pyconfig.h").read_text()
    here = (folders[False] / "pyconfig.h").read_text()
    size = sysconfig.get_config_var("SIZEOF_LONG")
    assert "MS_WIN64" not in here and f"SIZEOF_LONG {size}" in here


def test_a_configuration_that_is_a_page_of_includes_is_not_taken(tmp_path, monkeypatch):
    """Debian's, which names one by the machine's own name."""
    include = tmp_path / "usr" / "include" / "python3.9"
    include.mkdir(parents=True)
    (include / "pyconfig.h").write_text("#include <arc-linux-gnu/python3.9/pyconfig.h>\n")
    (include / "Python.h").write_text("")
    monkeypatch.setattr(compiled.sysconfig, "get_path", lambda _: str(include))
    for multiarch in (None, "arc-linux-gnu"):
        monkeypatch.setattr(compiled.sysconfig, "get_config_var", lambda _, m=multiarch: m)
        assert compiled.configuration(include) == include / "pyconfig.h"
    whole = include.parent / "arc-linux-gnu" / "python3.9" / "pyconfig.h"
    whole.parent.mkdir(parents=True)
    whole.write_text("#define SIZEOF_LONG 8\n")
    folders = compiled.headers(tmp_path, compiled.MADE)
    assert (tmp_path / folders[False] / "pyconfig.h").read_text() == whole.read_text()
    assert "MS_WIN64" in (tmp_path / folders[True] / "pyconfig.h").read_text()


def test_the_compiler_s_errors_are_told(tmp_path):
    with pytest.raises(BuildFailed, match="exit 3\nwhy"):
        compiled.run([sys.executable, "-c", "import sys; sys.stderr.write('why'); sys.exit(3)"],
                     tmp_path)


def test_the_import_library_names_what_is_wanted(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(compiled, "run", lambda words, folder: asked.append(words))
    windows = [t for t in TARGETS if t.windows]
    for target in windows:
        compiled.import_library(["PyLong_FromLong", "_Py_NoneStruct"], target, tmp_path)
    text = (tmp_path / "python3.def").read_text()
    assert text == "LIBRARY python3.dll\nEXPORTS\n    PyLong_FromLong\n    _Py_NoneStruct\n"
    assert [words[3] for words in asked] == ["i386:x86-64", "arm64"]


def test_the_names_that_python_must_have(tmp_path):
    module = pytest.importorskip("efm3._engine", reason="the engine is not built")
    if sys.platform != "linux":
        pytest.skip("the extension here is no ELF file")
    names = compiled.python_names(module.__file__)
    assert "PyImport_ImportModule" in names and "malloc" not in names


def test_each_target_is_made_and_windows_waits_for_the_first_linux(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(compiled, "run", lambda words, folder: ran.append(words) or "")
    monkeypatch.setattr(compiled, "headers", lambda root, folder: {False: "i", True: "w"})
    monkeypatch.setattr(compiled, "sources", lambda root: compiled.Sources(root, ["a/x.c"], []))
    monkeypatch.setattr(compiled, "python_names", lambda path: [f"Py_{path.parent.name}"])
    monkeypatch.setattr(compiled.Path, "read_bytes", lambda path: path.parent.name.encode())
    (tmp_path / compiled.MADE).parent.mkdir()
    windows = next(t for t in TARGETS if t.windows)
    monkeypatch.setattr(compiled.shutil, "rmtree", lambda path, ignore_errors: path.mkdir())
    made = compiled.extensions(tmp_path, [windows])
    assert made == {windows: compiled.undated(windows.triple.encode())}
    definition = tmp_path / compiled.MADE / windows.triple / "python3.def"
    assert definition.read_text().endswith(f"EXPORTS\n    Py_{TARGETS[0].triple}\n")
    # No word but the compiler's own name is a place on this machine.
    assert not [w for words in ran for w in words[1:] if str(tmp_path) in w]


def test_the_time_alone_is_taken_out_of_a_dll():
    start, rest = bytes(60) + (64).to_bytes(4, "little"), b"PE\0\0\x64\x86\x05\0"
    dated = start + rest + b"\x01\x02\x03\x04" + b"after"
    assert compiled.undated(dated) == start + rest + bytes(4) + b"after"
