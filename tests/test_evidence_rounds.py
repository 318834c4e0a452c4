# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rounds of the fuzzers: their steps, and one that was stopped."""

import sys
import types

import pytest

from tools.evidence import __main__ as evidence
from tools.evidence import _book, _sources, fuzz, fuzz_python


@pytest.fixture
def book(tmp_path, monkeypatch):
    """An empty book, and a part `fake` whose source is a file."""
    monkeypatch.setattr(_book, "PATH", tmp_path / "evidence.json")
    monkeypatch.setitem(_sources.GROUPS, "left", ("efm3/version.py",))
    monkeypatch.setitem(_sources.DEPENDS, "fake", ("left",))
    _book._begun.cache_clear()
    module = types.ModuleType("tools.evidence.fake")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    yield module
    _book._begun.cache_clear()


def test_a_round_without_a_fuzzer_is_not_whole(book, monkeypatch):
    ran = []

    def run():
        for _, step in fuzz.run(False):
            step()
    for name in ("drive", "libfuzzer", "afl"):
        monkeypatch.setattr(fuzz, name, lambda *words, name=name: ran.append(name))
    monkeypatch.setattr(fuzz, "has_libfuzzer", lambda: False)
    monkeypatch.setattr(fuzz.shutil, "which", lambda name: None)
    with pytest.raises(_book.NotHere, match=r"clang with libFuzzer, afl-clang-fast"):
        run()
    assert ran == ["drive", "drive"]
    monkeypatch.setattr(fuzz.shutil, "which", lambda name: name)
    with pytest.raises(_book.NotHere, match=r"not installed: clang with libFuzzer \("):
        run()
    assert ran[-1] == "afl"
    monkeypatch.setattr(fuzz, "has_libfuzzer", lambda: True)
    run()
    assert ran.count("libfuzzer") == len(fuzz.ROUND)
    # A part that counts is one round: without it none is recorded.
    monkeypatch.setattr(fuzz, "has_libfuzzer", lambda: False)
    assert evidence.renew("fuzz", False, True, False) == 0 and _book.read()["figures"] == {}


def test_a_round_in_python_without_atheris_is_not_whole(monkeypatch):
    monkeypatch.setattr(fuzz_python, "drive", lambda rounds: None)
    monkeypatch.setitem(sys.modules, "atheris", None)
    monkeypatch.setattr(fuzz_python.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(_book.NotHere, match="atheris"):
        list(fuzz_python.run(False))


def test_the_steps_of_a_long_round_are_its_runs(monkeypatch):
    """However they are cut: sixty short rounds in C, each target of libFuzzer whole."""
    made = []
    for name in ("drive", "libfuzzer", "afl"):
        monkeypatch.setattr(fuzz, name, lambda *words, name=name: made.append((name, *words)))
    monkeypatch.setattr(fuzz, "has_libfuzzer", lambda: True)
    monkeypatch.setattr(fuzz.shutil, "which", lambda name: name)
    names = []
    for name, step in fuzz.run(True):
        names.append(name)
        step()
    assert len(set(names)) == len(names)
    assert sum(w[2] for w in made if w[:2] == ("drive", "address,undefined")) == 3_000_000
    guided = {w[3] for w in made if w[:2] == ("libfuzzer", "address,undefined")}
    assert guided == {"read", "mirror", "load"}
    assert sum(w[4] for w in made if w[:2] == ("libfuzzer", "address,undefined") and w[4] > 0
               ) == 21_000_000
    monkeypatch.setattr(fuzz_python, "drive", lambda rounds: made.append(rounds))
    monkeypatch.setattr(fuzz_python.importlib.util, "find_spec", lambda name: None)
    del made[:]
    with pytest.raises(_book.NotHere):
        for _, step in fuzz_python.run(True):
            step()
    assert sum(made) == 50_000


def test_a_round_goes_on_where_it_was_stopped(book, monkeypatch):
    ran = []

    def steps(stop):
        for k in range(4):
            def step(k=k):
                if k == stop:
                    raise KeyboardInterrupt
                ran.append(k)
                _book.count("fake.x", "none", 10 + k, 1.0, "run")
            yield f"step {k}", step
    with pytest.raises(KeyboardInterrupt):
        _book.round_of("fake", "fake", steps(2), True)
    assert _book.read()["rounds"]["fake"]["done"] == {"step 0": 10, "step 1": 11}
    # A short round is another one, and so is one on other sources.
    with pytest.raises(KeyboardInterrupt):
        _book.round_of("fake", "fake", steps(0), False)
    assert ran == [0, 1]
    assert _book.round_of("fake", "fake", steps(None), True) == 46 and ran == [0, 1, 2, 3]
    assert "rounds" not in _book.read()
    with pytest.raises(KeyboardInterrupt):
        _book.round_of("fake", "fake", steps(1), True)
    monkeypatch.setattr(_book, "sources", lambda key: {"left": "another"})
    assert _book.round_of("fake", "fake", steps(None), True) == 46 and ran[4:] == [0, 0, 1, 2, 3]


def test_a_fuzzer_that_does_not_say_what_it_did_is_an_error(book, monkeypatch, tmp_path):
    monkeypatch.setattr(fuzz, "WORK", tmp_path)
    monkeypatch.setattr(fuzz, "TARGETS", {"load": fuzz.Target([], tmp_path / "grown")})
    monkeypatch.setattr(fuzz, "libfuzzer_program", lambda *words: tmp_path / "program")
    monkeypatch.setattr(fuzz, "seeds", list)
    monkeypatch.setattr(fuzz, "_run", lambda command: (0, "Done.", 1.0))
    with pytest.raises(RuntimeError, match="does not say how many"):
        fuzz.libfuzzer("none", 1)
    monkeypatch.setattr(fuzz_python, "_run", lambda *words: (0, "Done."))
    with pytest.raises(RuntimeError, match="does not say how many"):
        fuzz_python.atheris("scan", 1)
    assert _book.read()["counters"] == {}


def test_a_round_of_a_part_that_counts_is_its_figure(book, monkeypatch):
    monkeypatch.setattr(_sources, "COUNTING", ("fake",))

    def run(long):
        yield "all", lambda: _book.count("fake.runs", "none", 7, 1.0, "x")
    book.run = run
    for long in (False, False, True, True):  # the second of each has nothing to do
        assert evidence.renew("fake", long, False, False) == 0
    assert _book.total("fake") == 14
    assert _book.read()["figures"]["fake"]["a round"]["numbers"] == {"executions": 7}

    def found():
        _book.count("fake.runs", "none", 1, 1.0, "x", 1)
        raise RuntimeError("a finding")

    def finds(long):
        yield "all", found
    book.run = finds
    assert evidence.renew("fake", True, True, False) == 1
    assert _book.read()["figures"]["fake"]["a round"]["numbers"] == {"executions": 7}


@pytest.mark.parametrize("alone", [0, 77])
def test_a_timeout_counts_where_its_input_is_slow_alone(book, monkeypatch, tmp_path, alone):
    monkeypatch.setattr(fuzz, "WORK", tmp_path)
    monkeypatch.setattr(fuzz, "TARGETS", {"load": fuzz.Target([], tmp_path / "grown")})
    monkeypatch.setattr(fuzz, "libfuzzer_program", lambda *words: tmp_path / "program")
    monkeypatch.setattr(fuzz, "seeds", list)
    kept, asked = tmp_path / "finding-libfuzzer-load-plain-timeout-0a", []

    def run(command):
        asked.append([str(word) for word in command])
        if str(kept) in asked[-1]:
            return alone, "", 0.1
        if len(asked) == 1:
            kept.write_bytes(b"x")
            return 70, f"Test unit written to {kept}\nnumber_of_executed_units: 400\n", 20.0
        return 0, "number_of_executed_units: 600\n", 5.0
    monkeypatch.setattr(fuzz, "_run", run)
    monkeypatch.setattr(fuzz, "_keep", lambda name, out: fuzz.Finding(name))
    if alone:
        with pytest.raises(fuzz.Finding):
            fuzz.libfuzzer("none", 100, runs=1000)
    else:
        fuzz.libfuzzer("none", 100, runs=1000)
        assert "-runs=600" in asked[2] and "-max_total_time=80" in asked[2]
    row, = _book.read()["counters"]["fuzz_c.libfuzzer.load"]
    assert (row["executions"], row["findings"]) == ((400, 1) if alone else (1000, 0))
    assert kept.exists() == bool(alone)
