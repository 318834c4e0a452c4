# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Evidence that cannot go stale unseen: digests of sources, and what is renewed."""

import json
import shutil
import subprocess
import sys
import types
from copy import deepcopy as copy_of
from pathlib import Path

import pytest

from tools import ROOT
from tools.cc import SOURCES
from tools.evidence import __main__ as evidence
from tools.evidence import _book, _sources, exhaustive, faults, fuzz
from tools.gen import figures, security

BOOK = json.loads((ROOT / "docs" / "evidence.json").read_text(encoding="utf-8"))
KEYS = [*(f"{part}.{name}" for part, own in BOOK["figures"].items() for name in own),
        *BOOK["counters"]]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The sources of all groups, as links: a test puts a changed file in the place of one."""
    root = tmp_path_factory.mktemp("copy")
    tools = (_sources.tool(part) for part in evidence.PARTS)
    for name in {name for group in (*_sources.GROUPS, *tools) for name in _sources.files(group)}:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    return root


@pytest.fixture(scope="module")
def whole(copy):
    """The digests of the copy as it is."""
    tree = _sources.Tree(copy)
    for key in KEYS:
        tree(key)
    return tree


@pytest.fixture(scope="module")
def before(whole):
    return {key: whole(key) for key in KEYS}


def stale_in(copy, whole, name):
    """The figures and counters that are stale where one file is changed."""
    path = copy / name
    path.unlink()
    try:
        path.write_bytes((ROOT / name).read_bytes() + b"\n")
        tree = _sources.Tree(copy)
        # Groups without the file are not read again: that takes most of the time.
        tree.known = {group: digest for group, digest in whole.known.items()
                      if name not in _sources.files(group)}
        return {key for key in KEYS if _sources.changed(whole(key), tree(key))}
    finally:
        path.unlink()
        path.symlink_to(ROOT / name)


def those(*starts):
    return {key for key in KEYS if key.startswith(starts)}


SAVES = those("faults.kill", "faults.two writers", "faults.calls", "faults.special")
IN_C = those("fuzz.a", "fuzz_c.afl", "fuzz_c.random", "fuzz_c.libfuzzer.load", "threads.threads",
             "threads.fork", "soak", "memory", "faults.no memory")
MACHINES = those("foreign") - {"foreign.big-endian writer"}
DAMAGE = those("exhaustive", "differential")
READERS = {f"fuzz_python.{target}" for target in ("load", "validate", "scan", "mirror")}
CONVERTERS = {f"fuzz_python.{target}" for target in (
    "npz", "safetensors", "onnx", "c_array", "torch_zip", "tflite", "ncnn", "mxnet", "caffe",
    "torch", "torchscript")}


@pytest.mark.parametrize("name,expected", [
    ("engine/src/kernels/avx2.c", IN_C | MACHINES | those("threads.ends")),
    ("engine/src/loader.c", IN_C | MACHINES | DAMAGE | those(
        "fuzz_c", "threads.ends", "checks.mutants_c", "branches.branches_c")),
    ("tests/faults/kills.py", SAVES - those("faults.special")),
    ("tests/faults/special.py", those("faults.special")),
    ("tests/fuzz/fuzz_load.c", those("fuzz.a", "fuzz_c")),
    ("tests/processes/soak.py", those("soak.soak in Python")),
    ("tools/evidence/soak.py", those("soak")),
    ("tools/evidence/_engine.py", those(
        "soak", "threads", "faults", "memory", "exhaustive", "differential", "limits")),
    ("tools/foreign/machines.py", those("foreign")),
    ("efm3/extras.py", those("fuzz_python") - READERS),
    ("efm3/convert/npz.py", those("fuzz_python") - READERS),
    ("efm3/inspection.py", those("limits", "fuzz_python") - READERS - CONVERTERS),
])
def test_a_planted_change_makes_the_depending_figures_stale_and_no_other(
        copy, whole, name, expected):
    found = stale_in(copy, whole, name)
    # Which modules and tests these two hold is a list of their own.
    found -= those("checks.mutants_python", "branches.branches_python")
    assert found == expected and expected


def test_pages_and_the_command_are_in_no_group():
    """What is in no group cannot make a digest another."""
    names = {name for group in _sources.GROUPS for name in _sources.files(group)}
    for name in ("SECURITY.md", "docs/evidence.json", "docs/codes.md", "spec/EFM3.md",
                 "spec/rules.md", "efm3/codes/_examples.py", "tools/gen/figures.py"):
        assert (ROOT / name).is_file() and name not in names
    assert not any(name.startswith(("docs/", "efm3/cli/", "tools/gen/")) for name in names)


def test_a_source_that_is_gone_or_renamed_makes_stale(copy, before):
    path = copy / "tests/hostile/guard.c"
    path.unlink()
    tree = _sources.Tree(copy)
    assert _sources.changed(before["exhaustive.cut at every byte"],
                            tree("exhaustive.cut at every byte")) == ["damage"]
    path.symlink_to(ROOT / "tests/hostile/guard.c")
    shutil.copy(ROOT / "tests/hostile/guard.c", path.with_name("other.c"))
    assert _sources.Tree(copy)("differential.x") == before["differential.mutated"]


def test_every_glob_of_a_group_finds_files_and_every_group_is_used():
    for group, patterns in _sources.GROUPS.items():
        for pattern in () if callable(patterns) else patterns:
            assert "/" not in pattern or list(ROOT.glob(pattern)), (group, pattern)
        assert _sources.files(group), group
    used = {group for groups in _sources.DEPENDS.values() for group in groups}
    assert used == set(_sources.GROUPS)


def test_the_groups_of_the_engine_hold_what_is_compiled():
    names = {str(p.relative_to(ROOT)) for p in SOURCES if not p.name.startswith("wasm")}
    assert len(names) > 20
    assert names <= {*_sources.files("engine"), *_sources.files("kernels")}
    assert {str(p.relative_to(ROOT)) for p in fuzz.READER} <= set(_sources.files("reader in C"))
    headers = {name for name in _sources.files("engine") if name.endswith(".h")}
    assert headers <= set(_sources.files("reader in C"))


def test_readers_are_the_modules_and_all_that_they_import():
    readers = _sources.files("readers")
    assert {"efm3/model.py", "efm3/rules/_context.py", "efm3/network.py"} <= set(readers)
    assert not any(name.startswith(("efm3/cli", "efm3/convert")) for name in readers)


def test_the_binding_and_the_converters_are_all_that_they_import():
    binding, converters = _sources.files("binding"), _sources.files("converters")
    assert {"efm3/engine.py", "efm3/_engine_build.py", "efm3/model.py", "efm3/precision.py"} <= set(
        binding)
    assert {"efm3/reference.py", "efm3/arithmetic.py", "efm3/extras.py", "efm3/pickles.py",
            "efm3/convert/npz.py", "efm3/convert/graph/build.py"} <= set(converters)
    assert "readers" in _sources.DEPENDS["soak.soak in Python"]
    assert "kernels" in _sources.DEPENDS["threads.ends of a process"]


def test_whatever_is_changed_on_purpose_and_the_tests_that_shall_see_it_are_sources():
    assert {"efm3/model.py", "tests/test_model.py", "efm3/rules/_causes.py",
            "tests/rules/test_rules.py", "efm3/evaluation/scores.py",
            "tests/evaluation/test_scores.py", "efm3/train/schedule.py",
            "tests/train/test_schedule.py", "efm3/pictures/load.py", "tests/pictures/test_load.py",
            "efm3/convert/graph/tail.py"} <= set(_sources.files("checked modules"))


def test_what_measures_is_all_that_it_imports_but_the_book():
    soak, checks = (set(_sources.files(_sources.tool(part))) for part in ("soak", "checks"))
    assert soak == {f"tools/{name}.py" for name in (
        "__init__", "cc", "evidence/_engine", "evidence/soak")}
    assert {"tools/mutants/checks.py", "tools/mutants/c.py"} <= checks
    assert not any(name.endswith(("/_book.py", "/_sources.py")) for name in soak | checks)


@pytest.mark.parametrize("changed,plus", [
    (lambda root: (root / "own/a.c").write_text("2"), "+"),
    (lambda root: (root / "own/new.c").write_text("1"), "+"),
    (lambda root: (root / "own/b.c").unlink(), "+"),
    (lambda root: (root / "other.c").write_text("1"), ""), (lambda root: None, "")])
def test_a_commit_says_whether_a_source_of_the_figure_is_another(
        tmp_path, monkeypatch, changed, plus):
    def git(*words):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@y.z", *words], check=True,
                       cwd=tmp_path, capture_output=True)
    (tmp_path / "own").mkdir()
    for name in ("a", "b"):
        (tmp_path / "own" / f"{name}.c").write_text("1")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    changed(tmp_path)
    monkeypatch.setattr(_book, "ROOT", tmp_path)
    monkeypatch.setattr(_sources, "files", lambda group: sorted(
        str(p.relative_to(tmp_path)) for p in tmp_path.glob("own/*.c")))
    name = _book.commit("soak.soak in C")
    assert name.endswith("+") == bool(plus) and len(name.rstrip("+")) >= 10


def test_an_interpreter_without_its_own_tests_cannot_fail_allocations(monkeypatch):
    monkeypatch.setitem(sys.modules, "_testcapi", None)
    with pytest.raises(_book.NotHere):
        faults._without_memory(41)


def test_every_part_has_sources_a_chapter_and_numbers_to_show():
    chapters = [part for area in figures.AREAS for part in area.parts]
    assert sorted(chapters) == evidence.PARTS
    measured = {_sources.part_of(key) for key in _sources.DEPENDS}
    assert measured == set(evidence.PARTS)
    assert set(figures.SHOWN) == set(evidence.PARTS)
    assert {_sources.part_of(key) for key in KEYS} <= set(evidence.PARTS)
    for part, own in BOOK["figures"].items():
        for name, found in own.items():
            assert figures._short(part, found["numbers"]), (part, name)
    with pytest.raises(_sources.NotDeclared):
        _sources.Tree()("weather.rain")


@pytest.fixture
def book(tmp_path, monkeypatch):
    """An empty book, and a part `fake` of two figures whose sources are a file each."""
    monkeypatch.setattr(_book, "PATH", tmp_path / "evidence.json")
    monkeypatch.setitem(_sources.GROUPS, "left", ("efm3/version.py",))
    monkeypatch.setitem(_sources.GROUPS, "right", ("tools/cc.py",))
    monkeypatch.setitem(_sources.DEPENDS, "fake", ("left",))
    monkeypatch.setitem(_sources.DEPENDS, "fake.right", ("right",))
    _book._begun.cache_clear()
    module = types.ModuleType("tools.evidence.fake")
    module.done = []

    def measure(name, long):
        module.done.append(name)
        return _book.figure("x", {"long form": long})
    module.run = lambda long: [(name, lambda n=name: measure(n, long)) for name in (
        "left", "right")]
    monkeypatch.setitem(sys.modules, "tools.evidence.fake", module)
    yield module
    _book._begun.cache_clear()


def renewed(module, **how):
    module.done.clear()
    assert evidence.renew("fake", **{"long": False, "everything": False, "quick": False} | how) == 0
    return module.done


def edited(**changes):
    """Write other digests into the book, as if the sources had been others then."""
    whole = _book.read()
    for name, digest in changes.items():
        whole["figures"]["fake"][name]["sources"][name] = digest
    _book.PATH.write_text(json.dumps(whole), encoding="utf-8")


def test_only_what_is_missing_stale_or_short_is_renewed(book):
    assert renewed(book) == ["left", "right"]
    assert renewed(book) == []
    edited(right="0" * 12)
    assert renewed(book) == ["right"]
    assert renewed(book, everything=True) == ["left", "right"]
    assert renewed(book, long=True) == ["left", "right"]
    assert renewed(book, long=True) == renewed(book) == []
    assert _book.read()["figures"]["fake"]["left"]["numbers"] == {"long form": True}


def test_a_measurement_that_fails_leaves_the_old_figure(book, capsys):
    assert renewed(book) == ["left", "right"]
    old = _book.read()
    edited(left="0" * 12)

    def broken():
        raise RuntimeError("a finding")

    def not_here():
        raise _book.NotHere("no such machine")
    book.run = lambda long: [("left", broken), ("right", not_here)]
    assert evidence.renew("fake", False, True, False) == 1
    assert _book.read()["figures"]["fake"]["right"] == old["figures"]["fake"]["right"]
    assert "fake.left" in figures.stale(_book.read())[0]
    said = capsys.readouterr().err
    assert "a finding" in said and "right is left out: no such machine" in said


def test_a_figure_that_its_part_no_longer_has_goes(book):
    assert renewed(book) == ["left", "right"]
    book.run = lambda long: []
    assert renewed(book) == [] and _book.read()["figures"] == {}


def test_a_source_changed_during_a_measurement_is_an_error(book, monkeypatch):
    def moves():
        tree = _sources.Tree
        monkeypatch.setattr(_sources, "Tree", lambda: lambda key: tree()(key) | {"left": "1"})
        return _book.figure("x", {})
    book.run = lambda long: [("left", moves)]
    assert evidence.renew("fake", False, False, False) == 1
    assert _book.read()["figures"] == {}


def test_runs_add_up_for_each_state_of_the_sources(book):
    for executions in (10, 20):
        _book.count("fake.runs", "none", executions, 1.0, "x")
    assert [r["executions"] for r in _book.read()["counters"]["fake.runs"]] == [30]
    assert _book.total("fake", fresh=True) == 30
    whole = _book.read()
    whole["counters"]["fake.runs"][0]["sources"]["left"] = "0" * 12
    _book.PATH.write_text(json.dumps(whole), encoding="utf-8")
    assert _book.total("fake", fresh=True) == 0
    _book.count("fake.runs", "none", 5, 1.0, "x")
    assert (_book.total("fake"), _book.total("fake", fresh=True)) == (35, 5)


def test_the_page_shows_what_is_fresh_stale_short_and_not_measured(monkeypatch):
    now = _sources.Tree()("faults.kill -9 storm")
    figure = {"date": "2026-01-02", "commit": "abc", "seed": 7, "command": "x", "long": True,
              "numbers": {"kills": 20000, "other": 1}, "sources": now}
    row = {"date": "2026-01-02", "commit": "abc", "sanitizer": "none", "command": _sources.RANDOM,
           "executions": 1234567, "seconds": 9.6, "findings": 0, "sources": {}}
    whole = {"figures": {"faults": {
        "kill -9 storm": figure, "two writers": figure | {
            "long": False, "sources": now | {"saving": "0" * 12}}}},
        "counters": {"fuzz_c.random": [row]}}
    page = "\n".join(figures.lines(whole))
    assert "| kill -9 storm | kills: 20,000 | 2026-01-02, abc | fresh |" in page
    assert ("| two writers | kills: 20,000 | 2026-01-02, abc | short form; **stale**: saving |"
            in page)
    assert f"| fuzz_c: {_sources.RANDOM} | none | 0 | 1,234,567 | 0 | 2026-01-02, abc |" in page
    assert f"| fuzz_c: {_sources.RANDOM}, random | address,undefined | **not measured** |" in page
    assert "| soak in C |  |  | **not measured** |" in page
    assert "| fuzz: a round |  |  | **not measured** |" in page
    assert figures.stale(whole) == [
        "faults.two writers (saving)", f"fuzz_c.random, none: {_sources.RANDOM} "
        "(engine, kernels, fuzz targets in C, tool)"]
    wanted = sum(map(len, _sources.FIGURES.values())), len(_sources.RUNS)
    assert (f"Of {wanted[0]} figures and {wanted[1]} kinds of runs 2 are stale, "
            f"{sum(wanted) - 3} were not measured.") in page
    monkeypatch.setattr(_book, "read", lambda: whole)
    assert page in security.text()


@pytest.fixture(scope="module")
def all_there():
    """A book with everything that is wanted, fresh and whole."""
    now = _sources.Tree()
    book = {"figures": {part: {name: {"sources": now(f"{part}.{name}"), "long": True}
                               for name in names} for part, names in _sources.FIGURES.items()},
            "counters": {}}
    for target, sanitizer, command in _sources.RUNS:
        book["counters"].setdefault(target, []).append({
            "sources": now(target), "sanitizer": sanitizer, "command": command, "executions": 1,
            "findings": 0})
    return book


def of_runs(book, target, sanitizer):
    (row,) = [r for r in book["counters"][target] if r["sanitizer"] == sanitizer]
    return row


def test_what_is_wanted_and_there_is_fit_for_a_release(all_there):
    assert figures.unfit(all_there) == []
    assert len(figures.missing({"figures": {}, "counters": {}})) == len(_sources.RUNS) + sum(
        map(len, _sources.FIGURES.values()))


@pytest.mark.parametrize("change,said", [
    (lambda b: b["figures"]["soak"].pop("soak in C"), "not measured: soak.soak in C"),
    (lambda b: b["figures"].pop("differential"), "not measured: differential.mutated files"),
    (lambda b: b["counters"].pop("fuzz_c.afl"), "not measured: fuzz_c.afl, none: afl-fuzz"),
    (lambda b: of_runs(b, "fuzz_c.random", "none").update(sanitizer="memory"),
     "not measured: fuzz_c.random, none: drive"),
    (lambda b: b["figures"]["foreign"]["s390x"].update(long=False), "short form: foreign.s390x"),
    (lambda b: of_runs(b, "fuzz_c.afl", "none").update(findings=2), "findings: 2 of fuzz_c.afl"),
    # Fresh runs without a sanitizer say nothing of those with one.
    (lambda b: of_runs(b, "fuzz_c.random", "address,undefined").update(sources={}),
     "stale figure: fuzz_c.random, address,undefined: drive")])
def test_what_is_unfit_for_a_release_is_one_line(all_there, change, said):
    book = copy_of(all_there)
    change(book)
    (line,) = figures.unfit(book)
    assert line.startswith(said)


def test_findings_on_other_sources_and_old_commands_are_history(all_there):
    book = copy_of(all_there)
    old = of_runs(book, "fuzz_c.afl", "none") | {"sources": {}, "findings": 3}
    book["counters"]["fuzz_c.afl"] += [old, old | {"command": "another", "findings": 0}]
    assert figures.unfit(book) == []


def test_the_declared_figures_and_runs_are_those_that_are_made(monkeypatch):
    from tests.fuzz import targets

    monkeypatch.setattr(exhaustive, "Guard", lambda: None)
    assert set(_sources.FIGURES) == set(evidence.PARTS)
    for part, names in _sources.FIGURES.items():
        assert sorted(name for name, _ in evidence._figures(part, False)) == sorted(names)
    assert set(targets.available()) <= set(_sources.FUZZED)
    guided = {(t, s) for t, s, command in _sources.RUNS if command == _sources.LIBFUZZER}
    assert guided == {(f"fuzz_c.libfuzzer.{t}", s) for s, t, _ in fuzz.ROUND}
    assert str(fuzz.LARGEST) in _sources.LIBFUZZER and set(fuzz.DRIVER) == {
        s for t, s, _ in _sources.RUNS if t == "fuzz_c.random"}


def test_the_command_refuses_an_unknown_part(capsys, monkeypatch):
    for words, said in ((["weather"], "no part weather"),
                        (["--jobs", "2", "--into", "x"], "exclude")):
        monkeypatch.setattr(sys, "argv", ["evidence", *words])
        with pytest.raises(SystemExit):
            evidence.main()
        assert said in capsys.readouterr().err
    assert Path(_book.PATH).name == "evidence.json"


def test_the_quick_figures_are_figures():
    parts = set(figures.SHOWN)
    assert all(key.split(".")[0] in parts for key in _sources.QUICK)
    # The time of a refusal is newer than the book.
    assert {key for key in _sources.QUICK if "." in key} - set(KEYS) <= {
        "limits.time of a refusal in Python"}


def test_quick_measures_nothing_else(book, monkeypatch):
    monkeypatch.setattr(_sources, "QUICK", frozenset({"fake.left"}))
    assert renewed(book, quick=True) == ["left"]
    monkeypatch.setattr(_sources, "QUICK", frozenset({"fake"}))
    assert renewed(book, quick=True, everything=True) == ["left", "right"]
