# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the page's worker asks of Python, asked here; tests/page/cases.test.mjs asks it there."""

import gc
import importlib.util
import io
import json
import shutil

import pytest

from tools import ROOT
from tools.page import packed

NANO = ROOT / "weights/facex_nano.bin"


@pytest.fixture
def glue(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("glue", ROOT / "page" / "glue.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    facts = json.loads(module.begin(str(tmp_path / "files")))
    assert facts["level"] == "values" and facts["rules"] > 100
    return module


def test_a_verb_prints_what_the_command_prints(glue, cli, tmp_path):
    (held,) = json.loads(glue.clear(json.dumps(["mine.bin"])))
    shutil.copy(NANO, tmp_path / "files" / held)
    words = ["validate", "--no-config", "--format", "json", "--", held]
    code, out, err = json.loads(glue.run(json.dumps(words)))
    assert (code, err) == (0, "") and json.loads(out)["ok"] and out == cli(*words).stdout
    page = json.loads(glue.run(json.dumps(["report", "--no-config", "-o", "-", "--", held])))
    assert page[0] == 0 and page[1].startswith("<!doctype html>") and "mine.bin" in page[1]
    code, out, err = json.loads(glue.run(json.dumps(["validate", "--", "gone.bin"])))
    assert code == 3 and "gone.bin" in out + err
    assert json.loads(glue.run(json.dumps(["nonsense"])))[0] == 2


def test_nothing_is_kept_of_a_verb_that_has_ended(glue, tmp_path):
    def streams():
        gc.collect()
        return sum(isinstance(o, io.TextIOWrapper) for o in gc.get_objects())
    words = ["validate", "--no-config", "--format", "json", "--", "gone.bin"]
    said = [glue.run(json.dumps(words)) for _ in range(2)]
    before = streams()
    assert [glue.run(json.dumps(words)) for _ in range(20)] == 20 * said[:1] == 10 * said
    assert streams() == before


def test_names_are_such_as_a_file_can_have(glue, tmp_path):
    names = ["a.bin", "a.bin", "-", "", "..", "x/../y.bin", "n\0l", "\ud800.bin", "é" * 300,
             "--json"]
    held = json.loads(glue.clear(json.dumps(names)))
    assert held[0] == "a.bin" and held[-1] == "--json" and len({*held}) == len(names)
    for name in held:
        (tmp_path / "files" / name).write_bytes(b"")
    assert sorted(p.name for p in (tmp_path / "files").iterdir()) == sorted(held)
    assert not json.loads(glue.clear("[]")) and not list((tmp_path / "files").iterdir())


def test_what_kind_of_file_it_is(glue, tmp_path):
    glue.clear("[]")
    (tmp_path / "files" / "p.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\n"
                                               b"oid sha256:" + b"4d" * 32 + b"\nsize 9\n")
    found = json.loads(glue.kind("p.bin"))
    assert found["name"] == "lfs" and "git lfs pull" in found["todo"]
    (tmp_path / "files" / "q.bin").write_bytes(b"\x93nothing known")
    assert glue.kind("q.bin") == "null"


def test_every_verb_is_asked_once_and_nothing_is_left(glue, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(glue, "run", lambda words: asked.append(json.loads(words)))
    monkeypatch.setattr(glue, "kind", asked.append)
    glue.warm("a.bin")
    assert {words[0] for words in asked[:-1]} == {*packed.VERBS} and asked[-1] == "a.bin"
