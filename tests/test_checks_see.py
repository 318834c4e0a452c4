# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The loader's checks alone, the tools that take checks out, and the page of promises."""

import shutil
from pathlib import Path

import pytest

from tools.gen import promises, security
from tools.mutants import _rooms, c, checks, engine, python, tested

ROOT = Path(__file__).resolve().parent.parent
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


@needs_cc
def test_the_loaders_checks_hold(tmp_path):
    """Every bound, every failing call, the corpus and every cut before a faulting page."""
    assert c.build(c.SRC, tmp_path / "checker", c.FLAGS) == ""
    assert c.killer(tmp_path / "checker", c.verbs(tmp_path)) == ""


@needs_cc
@pytest.mark.parametrize("name,by", [
    ("loader.c read_arch: LIMITS(GDC_KERNEL, gdc_kernel);", "pack"),
    ("cursor.h mfn_cur_has: always n <= c->size - c->at", "cursor"),
    ("cursor.h mfn_add64: as b >= UINT64_MAX - a", "cursor"),
    ("loader.c check_shape: as widest * a->t[i] >= MFN_FMT_MAX_EXPANDED", "file"),
    ("loader.c verify_prefix: E_STATE for E_JSON_LEN", "pack"),
    ("platform_file.c mfn_os_open: without O_CLOEXEC", "file"),
])
def test_a_change_of_the_loader_is_noticed(name, by):
    ((_, killer),) = c.kill([m for m in c.mutants() if m.name == name])
    assert killer.startswith(f"check_loader {by}: ")


@needs_cc
def test_a_change_of_the_engine_is_noticed():
    """A freed handle that stays live, a batch whose bytes wrap around, and one each in the files
    that have checks of their own."""
    names = {"api.c mfn_engine_free: without engine->cookie = 0": "check_engine misuse",
             "api.c forward: never count > SIZE_MAX / (im->arch.embedding_dim * sizeof(float))":
             "check_engine counts",
             "mirror.c take_number: never !one_of(t, \"eE\")": "check_engine mirror",
             "pack_int.c put_taps: without lost = x - level": "check_engine packing",
             "plan.c size_chain: as band > 2": "check_engine plan",
             "pool.c mfn_pool_run: without atomic_store(&p->next, 0)": "check_pool",
             "stem.c load_line: as from <= 0": "check_engine stem"}
    chosen = [m for m in engine.mutants() if m.name in names]
    found = {m.name: killer for m, killer in engine.kill(chosen)}
    assert set(found) == set(names)
    for name, by in names.items():
        assert found[name].startswith(f"{by}: ")


def test_each_kind_of_change_is_made():
    names = [m.name.split(": ", 1)[1].split()[0] for m in [*c.mutants(), *engine.mutants()]]
    assert {"never", "always", "as", "the", "without", "E_STATE", "E_ARG"} <= set(names)
    assert len(names) >= 250


@pytest.mark.parametrize("name,by", [
    ("efm3/rules/table.py T014: finds nothing", "bad-t014"),
    ("efm3/grammar.py _integer: never digits > len(_DIGITS) - 1", "bad-m007"),
])
def test_a_check_in_python_taken_out_is_noticed(name, by):
    mutant = next(m for m in python.mutants() if m.name == name)
    assert python._case(mutant) == ""
    assert python._forked(mutant).startswith(by)


@pytest.mark.parametrize("name,by", [
    ("efm3/train/schedule.py FLOOR is 0.02, not 0.01", "test_rate_"),
    ("efm3/train/schedule.py rate: < is <= in step < warmup", "test_rate_"),
    ("efm3/train/config.py _fits: never said['choices'] and value not in said['choices']",
     "test_options_of_a_strange_checkpoint_are_refused"),
    ("efm3/arithmetic.py splitmix: 30 is 60 in z = (z ^ z >> 30) * _FIRST & _MASK",
     "tests/test_arithmetic.py::test_"),
])
def test_a_slip_in_python_is_noticed(name, by):
    ((_, killer),) = tested.kill([m for m in tested.mutants() if m.name == name])
    assert by in killer


def test_what_no_test_notices_is_alive(monkeypatch):
    """With another module's tests; and a test that fails by itself is no killer."""
    floor = [m for m in tested.mutants() if m.name.startswith("efm3/train/schedule.py FLOOR")]
    monkeypatch.setitem(tested.CHECKED, "efm3.train.schedule",
                        _rooms.Room(("tests/train/test_config.py",)))
    assert [k for _, k in tested.kill(floor)] == ["", ""]
    monkeypatch.setitem(tested.CHECKED, "efm3.train.schedule", _rooms.Room(("tests/none.py",)))
    with pytest.raises(RuntimeError, match="no such tests"):
        list(tested.kill(floor))


def test_every_room_has_its_mutants():
    """400 and more in evaluation, conversion, pictures and the schedule; each is one place."""
    names = [m.name for m in tested.mutants()]
    assert len(set(names)) == len(names)
    rooms = [n.split("/")[1] for n in names]
    for room in ("evaluation", "convert", "pictures", "train"):
        assert rooms.count(room) > 40, room


def test_every_listed_exception_is_a_mutant_or_a_line():
    names = set()
    for module in (c, engine, python, tested):
        names |= {m.name for m in module.mutants()}
    assert set(checks.excuses()) <= names
    assert all(checks.excuses().values())
    for e in checks.listed("untaken"):
        assert e["line"] in (ROOT / e["file"]).read_text(encoding="utf-8") and e["why"]


def test_a_promise_without_its_test_is_not_made(monkeypatch):
    assert "## Not promised" in security.text()
    for ref in ("tests/test_scan.py::test_none", "tests/none.py", "make none"):
        room = promises.Room("Flight", (promises.Clause("it flies", (ref,)),))
        monkeypatch.setattr(promises, "PROMISES", (room,))
        with pytest.raises(promises.Unproved, match="none"):
            security.text()
