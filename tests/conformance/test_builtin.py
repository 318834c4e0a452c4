# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Our own implementations answer as subjects do, refusals included."""

import json

import numpy as np
import pytest

import efm3
from efm3 import engine
from efm3.conformance import sample
from efm3.conformance.builtin import builtin

BASE = sample.base()


def test_names():
    assert builtin("python").implementation["name"] == "efm3"
    assert builtin("engine").implementation["language"] == "c"
    with pytest.raises(ValueError, match="@python, @reference, @engine"):
        builtin("rust")


def test_an_isa_that_is_not_here_is_said_so(monkeypatch):
    monkeypatch.setattr(engine, "isas", lambda: {"neon": False, "scalar": True})
    with pytest.raises(ValueError, match="there is no @neon here"):
        builtin("neon")


def test_without_the_extension_it_is_said_so(monkeypatch):
    def missing():
        raise engine.EngineMissing("not built")
    monkeypatch.setattr(engine, "isas", missing)
    with pytest.raises(ValueError, match="not built"):
        builtin("scalar")


def test_read():
    assert builtin("python").read(BASE, "values").value["version"]["value"] == "3"
    assert builtin("python").read(BASE[:-1], "structure").kind == "refused"
    assert builtin("engine").read(BASE, "structure").kind == "ok"
    assert "E_TRUNCATED" in builtin("engine").read(BASE[:-1], "structure").reason


@pytest.mark.parametrize("name", ["engine", "scalar", "reference"])
def test_embed(name):
    x = np.zeros((3, 112, 112), np.float32)
    embedding, layers = builtin(name).embed(BASE, x).value
    assert embedding.shape == (8,) and layers["stem"].shape == (8 * 56 * 56,)
    assert builtin(name).embed(BASE + b"x", x).kind == "refused"


def test_write_and_edit():
    model = efm3.load(BASE)
    arch = {k: getattr(model.arch, k) for k in model.arch.__dataclass_fields__}
    arch["stages"] = [vars(s) for s in model.arch.stages]
    assert builtin("python").write(json.dumps(arch), model.tensors).value == efm3.dumps(model.arch,
                                                                            model.tensors)
    assert builtin("python").write(json.dumps(arch | {"gdc_kernel": 1}), {}).kind == "refused"
    new = builtin("python").edit(BASE, json.dumps({"meta": {"a": 1}, "values": [
        {"tensor": "stem.bn.b", "at": 2, "value": 4.0}]})).value
    edited = efm3.load(new)
    assert edited.mirror["meta"] == {"a": 1} and edited.tensors["stem.bn.b"][2] == 4.0
    assert builtin("python").edit(BASE + b"x", "{}").kind == "refused"


@pytest.mark.parametrize("text,words", [
    ("{", "no JSON"), ("[" * 100000, "no JSON"), ("[]", "not an object"), ("{}", "not an object"),
    ('{"stages": 1}', "not an object")])
def test_an_arch_that_is_none_is_refused(text, words):
    answer = builtin("python").write(text, {})
    assert answer.kind == "refused" and "W014" in answer.reason and words in answer.reason


def test_the_engine_computes_in_a_precision():
    x = np.random.default_rng(3).normal(size=(3, 112, 112)).astype(np.float32)
    f32, fast = (builtin("scalar", p).embed(BASE, x).value[0] for p in ("f32", "fast"))
    assert np.array_equal(builtin("scalar").embed(BASE, x).value[0], f32)
    assert 1e-6 < np.abs(fast - f32).max() < 0.2
