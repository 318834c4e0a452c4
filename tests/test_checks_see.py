# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The loader's checks alone, the tools that take checks out, and the page of promises."""

import importlib
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), str(ROOT / "tests"), *sys.path])
    return importlib.import_module


@needs_cc
def test_the_loaders_checks_hold(tool, tmp_path):
    """Every bound, every failing call, the corpus and every cut before a faulting page."""
    mutate_c = tool("mutate_c")
    assert mutate_c.build(mutate_c.SRC, tmp_path / "checker", mutate_c.FLAGS) == ""
    assert mutate_c.killer(tmp_path / "checker", mutate_c.verbs(tmp_path)) == ""


@needs_cc
@pytest.mark.parametrize("name,by", [
    ("loader.c read_arch: LIMITS(GDC_KERNEL, gdc_kernel);", "pack"),
    ("cursor.h mfn_cur_has: always n <= c->size - c->at", "cursor"),
    ("file.c read_fully: never got == 0", "file"),
])
def test_a_check_of_the_loader_taken_out_is_noticed(tool, name, by):
    mutate_c = tool("mutate_c")
    ((_, killer),) = mutate_c.kill([m for m in mutate_c.mutants() if m.name == name])
    assert killer.startswith(f"check_loader {by}: ")


@pytest.mark.parametrize("name,by", [
    ("efm3/rules/table.py T014: finds nothing", "bad-t014"),
    ("efm3/mirror.py _integer: never digits > 20", "bad-m007"),
])
def test_a_check_in_python_taken_out_is_noticed(tool, name, by):
    mutate_python = tool("mutate_python")
    mutant = next(m for m in mutate_python.mutants() if m.name == name)
    assert mutate_python._case(mutant) == ""
    assert mutate_python._forked(mutant).startswith(by)


def test_every_listed_exception_is_a_mutant_or_a_line(tool):
    see, names = tool("mutate_checks"), set()
    for module in (see.mutate_c, see.mutate_engine, see.mutate_python):
        names |= {m.name for m in module.mutants()}
    assert set(see.excuses()) <= names
    assert all(see.excuses().values())
    for e in see.tomllib.loads(see.EXCEPTIONS.read_text(encoding="utf-8"))["untaken"]:
        assert e["line"] in (ROOT / e["file"]).read_text(encoding="utf-8") and e["why"]


def test_a_promise_without_its_test_is_not_made(tool, monkeypatch):
    security = tool("gen_security")
    assert "## Not promised" in security.text()
    for ref in ("tests/test_scan.py::test_none", "tests/none.py", "make none"):
        monkeypatch.setattr(security, "PROMISES", (security.Promise("it flies", (ref,)),))
        with pytest.raises(security.Unproved, match="none"):
            security.text()


def test_figures_show_what_there_is_and_what_is_not(tool, monkeypatch):
    security = tool("gen_security")
    figure = {"date": "2026-01-02", "commit": "abc", "seed": 7, "command": "x",
              "numbers": {"kills": 20000, "by": {"call": 5}}}
    row = {"date": "2026-01-02", "commit": "abc", "sanitizer": "asan", "command": "y",
           "executions": 1234567, "seconds": 9.6, "findings": 0}
    monkeypatch.setattr(security, "book", lambda: {
        "figures": {"faults": {"storm": figure}}, "counters": {"fuzz.load": [row]}})
    page = security.text()
    assert "| storm | kills: 20,000<br>by call: 5 | 2026-01-02 | abc | 7 | `x` |" in page
    assert "| fuzz.load | asan | 1,234,567 | 10 | 0 | 2026-01-02 | abc | `y` |" in page
    assert page.count("Not measured.") == len(security.AREAS) - 2
