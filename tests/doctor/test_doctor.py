# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The doctor sees what is broken, says what is missing, and tells neither from the other."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

import efm3
from efm3 import verification
from efm3.doctor import _engine, _libraries, _surroundings, examine

LATER = f"python_version < '3.{sys.version_info[1] + 1}'"
NOW = f"python_version < '3.{sys.version_info[1]}'"


class Said:
    """What the doctor would tell."""

    def __init__(self):
        self.problems, self.notes = [], []

    def broken(self, what, fix):
        assert fix
        self.problems.append(what)

    def survey(self, quick=False):
        required, extras = _libraries.survey(quick, self.broken, self.notes.append)
        return {row["name"]: row for row in required}, {row["name"]: row for row in extras}


def test_requirements_are_read_for_this_python():
    lines = ["a>=2", "b[x,y] >= 1.5, <3", f"c>=2; {LATER}", f"d>=2; {NOW}",
             f"e.f; {LATER} and extra == \"g\"", "h ; extra == 'g'", "?", ""]
    assert _libraries.wanted(lines) == [
        ("a", ">=2", ""), ("b", ">= 1.5, <3", ""), ("c", ">=2", ""), ("e.f", "", "g"),
        ("h", "", "g")]
    assert [w.name for w in _libraries.wanted([f"c; {NOW.replace('<', '>=')}"])] == ["c"]


@pytest.mark.parametrize("version,wanted,old", [
    ("1.9", ">=2", True), ("2", ">=2.0", False), ("2.0.1", ">=2", False), ("10.2", ">=10.3", True),
    ("3.0rc1", ">=3.0", False), ("1", "", False), ("unknown", ">=1", True), ("9", "<8", False)])
def test_older(version, wanted, old):
    assert _libraries.older(version, wanted) is old


def install(folder, name, code="", version="1.0", **files):
    """A distribution whose module has this code, as pip leaves it."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text(f"{module}.py,,\n{info.name}/METADATA,,\n")
    for file, text in files.items():
        (info / file).write_text(text)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(_libraries, "distribution", lambda: SimpleNamespace(
        requires=["h-good>=1", "h-gone>=1", *(f"{n}>=1; extra == 'e'" for n in (
            "h-good", "h-raises", "h-old", "h-ends", "h-last")), "h-lost; extra == 'f'"],
        metadata=SimpleNamespace(get_all=lambda _: ["e", "f"])))
    install(tmp_path, "h-good", "print('noise')")
    install(tmp_path, "h-raises", "raise OSError('lib\\x1b[31m.so: no such symbol')")
    install(tmp_path, "h-old", version="0.9")
    install(tmp_path, "h-ends", "import os; os._exit(9)")
    install(tmp_path, "h-last")
    return tmp_path


def test_libraries_are_tried_and_one_that_ends_the_process_is_found(place):
    said = Said()
    required, extras = said.survey()
    assert required["h-good"]["state"] == "ok" and required["h-gone"]["state"] == "missing"
    rows = {row["name"]: row for row in extras["e"]["libraries"]}
    assert {name: row["state"] for name, row in rows.items()} == {
        "h-good": "ok", "h-raises": "broken", "h-old": "old", "h-ends": "broken", "h-last": "ok"}
    assert "no such symbol" in rows["h-raises"]["reason"] and "9" in rows["h-ends"]["reason"]
    assert [p.split()[0] for p in said.problems] == ["h-gone", "h-raises", "h-ends"]
    assert len(said.notes) == 1 and "h-old is 0.9, not >=1" in said.notes[0]
    assert extras["e"]["installed"] and not extras["f"]["installed"]  # missing is not broken
    assert "[f]" in extras["f"]["install"]


def test_quick_tries_nothing(place):
    said = Said()
    required, extras = said.survey(quick=True)
    assert required["h-good"]["state"] == "untried"
    assert {r["state"] for r in extras["e"]["libraries"]} == {"untried", "old"}


def test_an_import_that_takes_too_long_is_untried(place, monkeypatch):
    monkeypatch.setattr(_libraries, "LONGEST", 0.0)
    assert Said().survey()[0]["h-good"]["state"] == "untried"


def test_efm3_that_is_not_installed(monkeypatch):
    def gone(_):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "distribution", gone)
    said = Said()
    assert said.survey() == ({}, {}) and "not installed" in said.notes[0]
    assert _surroundings.package(said.broken, said.notes.append)["how"] == "not installed"
    assert not said.problems


def test_another_version_in_the_metadata_is_broken(monkeypatch):
    monkeypatch.setattr(_surroundings, "__version__", "9.9")
    said = Said()
    _surroundings.package(said.broken, said.notes.append)
    assert len(said.problems) == 1 and "9.9" in said.problems[0]


def engine(quick=False):
    said = Said()
    return _engine.state(quick, said.broken, said.notes.append), said


def test_the_engine_works_here():
    row, said = engine()
    if row["state"] == "absent":
        pytest.skip("the engine is not built")
    assert row["state"] == "works" and not said.problems
    assert row["version"] == efm3.__version__ and row["isas"][row["isa"]]
    assert [c["isa"] for c in row["checks"]] == [n for n, here in row["isas"].items() if here]
    assert row["precisions"]["f32"] == "f32"
    row, said = engine(quick=True)
    assert row["state"] == "untried" and row["isas"] and not row["checks"]


def test_no_engine_is_a_note_and_one_for_another_python_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(_engine, "find_spec", lambda _: None)
    monkeypatch.setattr(_engine, "PACKAGE", tmp_path)
    row, said = engine()
    assert row["state"] == "absent" and said.notes and not said.problems
    (tmp_path / "_engine.cpython-39-x.so").touch()
    row, said = engine()
    assert row["state"] == "broken" and "another Python" in said.problems[0]


def test_an_engine_that_does_not_load(monkeypatch):
    def fail(_):
        raise ImportError("no symbol \x1b[31m")

    monkeypatch.setattr(_engine, "find_spec", lambda _: SimpleNamespace(origin="x.so"))
    monkeypatch.setattr(_engine, "imported", lambda _: {"efm3._engine": None})
    monkeypatch.setattr(_engine, "import_module", fail)
    row, said = engine()
    assert row["state"] == "broken" and "cannot be loaded: no symbol" in said.problems[0]


def test_an_engine_that_was_cut_off_ends_the_process_that_loads_it(tmp_path):
    """On Linux the loader reads behind the end of the file: SIGBUS. Not in the doctor."""
    extension = find_spec("efm3._engine")
    if extension is None:
        pytest.skip("the engine is not built")
    copy = tmp_path / "efm3"
    shutil.copytree(_engine.PACKAGE, copy, ignore=shutil.ignore_patterns(
        "__pycache__", "*.so", "*.pyd"))
    file = Path(extension.origin)
    (copy / file.name).write_bytes(file.read_bytes()[:100_000])
    done = subprocess.run([sys.executable, "-m", "efm3", "doctor", "--quick", "--json"],
                          cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)},
                          capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["engine"]["state"] == "broken"
    assert "cannot be loaded" in told["problems"][0]["what"]


@pytest.mark.parametrize("what", ["__version__", "_header"])
def test_an_engine_of_another_version(what, monkeypatch):
    monkeypatch.setattr(_engine, what, (lambda: "9.9") if what == "_header" else "9.9")
    row, said = engine()
    if row["state"] == "absent":
        pytest.skip("the engine is not built")
    assert row["state"] == "broken" and "9.9" in said.problems[0]


def test_an_engine_that_computes_wrongly(monkeypatch):
    if engine(quick=True)[0]["state"] == "absent":
        pytest.skip("the engine is not built")
    right = verification.verify
    monkeypatch.setattr(verification, "verify", lambda model: right(model, tolerance=0.0))
    row, said = engine()
    assert row["state"] == "broken" and "computes wrongly" in said.problems[0]


def test_an_instruction_set_that_is_not_here(monkeypatch):
    if engine(quick=True)[0]["state"] == "absent":
        pytest.skip("the engine is not built")
    monkeypatch.setenv("MFN_ISA", "none such")
    row, said = engine()
    assert row["state"] == "broken" and "MFN_ISA" in said.problems[0]


def test_a_temporary_folder_that_is_none(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(file))
    said = Said()
    rows = {r["purpose"]: r for r in _surroundings.folders(said.broken, said.notes.append)}
    assert not rows["temporary"]["writable"] and len(said.problems) == 1

    def none():
        raise FileNotFoundError(2, "No usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    _surroundings.folders(said.broken, said.notes.append)
    assert len(said.problems) == 2


def test_settings_that_are_found_and_that_cannot_be_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    said = Said()
    assert _surroundings.config(said.broken) == {"file": None, "reason": None}
    (tmp_path / "efm3.toml").write_text('level = "structure"\n')
    assert _surroundings.config(said.broken)["file"].endswith("efm3.toml") and not said.problems
    (tmp_path / "efm3.toml").write_text('no\x1b = 1\n')
    assert _surroundings.config(said.broken)["reason"] and len(said.problems) == 1


def test_home_is_shown_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "own"))
    told = examine(quick=True).to_json()
    assert str(tmp_path) not in json.dumps(told)
    folders = {f["purpose"]: f["path"] for f in told["folders"]}
    assert folders["temporary"] == os.path.join("~", "own") and folders["working"] == "~"
    assert _surroundings.short(f"{tmp_path}2/a, '{tmp_path}'") == f"{tmp_path}2/a, '~'"
    for home in ("/", ""):
        monkeypatch.setenv("HOME", home)
        monkeypatch.setenv("USERPROFILE", home)
        assert _surroundings.short("/a/b") == "/a/b"


def test_closed_and_missing_streams(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    rows = {r["name"]: r for r in _surroundings.streams()}
    assert rows["stdin"] == {"name": "stdin", "encoding": None, "errors": None, "terminal": False}


@pytest.mark.parametrize("width", [10, 40, 80, 200])
def test_the_text_fits_and_is_safe(width, monkeypatch):
    monkeypatch.setenv("TERM", "\x1b]0;no\x07 ::error::no")
    monkeypatch.setenv("MFN_ISA", "\x9b31m")
    found = examine(quick=True, colours=True)
    text = found.text(width)
    assert not any(c in text for c in "\x1b\x07\x9b") and "\n::" not in text
    longest = max((w for line in text.splitlines() for w in line.split()), key=len)
    assert max(map(len, text.splitlines())) <= max(width, 13 + len(longest), 33)
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert found.ok == (not found.problems) and "\nresult " in text


def test_the_same_words_for_the_same_facts():
    found = examine(quick=True)
    assert found.to_json()["ok"] is found.ok
    assert efm3.doctor.examine is examine
    if found.ok:
        assert "as far as was tried" in found.text(200)
