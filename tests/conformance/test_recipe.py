# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Recipes: every op does what it says, and a recipe that cannot be followed says why."""

import struct

import numpy as np
import pytest

import efm3
from efm3.conformance import recipe, sample
from efm3.conformance.cases import corpus
from efm3.scan import scan

BASE = sample.base()


def patched(**step):
    return recipe.patch(BASE, step)


def test_every_op_is_used_by_the_corpus():
    used = {s["op"] for c in corpus() for s in c.recipe.get("patch", ())}
    assert set(recipe.OPS) == used


@pytest.mark.parametrize("at,offset", [
    (7, 7), ("7", 7), ("end", len(BASE)), ("end-3", len(BASE) - 3), ("json", 92), ("json+2", 94),
    ("n_tensors", scan(BASE).table_offset - 4), ("table", scan(BASE).table_offset),
    ("stem.conv.w.size", scan(BASE).tensors[0].offset),
    ("stem.bn.w.data+4", scan(BASE).tensors[1].data_offset + 4)])
def test_places(at, offset):
    assert recipe.place(BASE, at) == offset


@pytest.mark.parametrize("at", ["nowhere", "stem.conv.size", "end+", "-1"])
def test_places_that_are_none(at):
    with pytest.raises(recipe.RecipeError):
        recipe.place(BASE, at)


def test_values_change_one_tensor_and_keep_a_nans_payload():
    new = patched(op="values", tensor="stem.conv.w", at=1, values=["bits:7f800001", 2.0])
    at = scan(BASE).tensors[0].data_offset + 4
    assert new[at:at + 8] == bytes.fromhex("0100807f") + struct.pack("<f", 2.0)
    assert new[:at] == BASE[:at] and new[at + 8:] == BASE[at + 8:]


def test_shift_adds_to_one_tensor_in_float32():
    new = patched(op="shift", tensor="stem.bn.var", value=0.25)
    at = scan(BASE).tensors[4].data_offset
    end = at + scan(BASE).tensors[4].size
    old = np.frombuffer(BASE[at:end], "<f4")
    assert (np.frombuffer(new[at:end], "<f4") == old + np.float32(0.25)).all()
    assert new[:at] == BASE[:at] and new[end:] == BASE[end:]


def test_drop_add_swap_resize_keep_the_count_right():
    n = scan(BASE).n_tensors
    assert scan(patched(op="drop", tensor="stem.act.w")).n_tensors == n - 1
    assert scan(patched(op="add", before="end", bytes=8)).n_tensors == n + 1
    swapped = scan(patched(op="swap", a="stem.bn.w", b="stem.bn.b"))
    assert swapped.n_tensors == n and len(swapped.data) == len(BASE)
    assert scan(patched(op="resize", tensor="stem.bn.w", bytes=7)).tensors[1].size == 7


def test_mirror_ops_keep_json_len_right():
    for step in ({"op": "mirror_set", "key": "meta.a", "value": 1}, {"op": "mirror", "text": "{}"},
                 {"op": "mirror_sub", "old": "sample", "new": "x", "times": 3},
                 {"op": "mirror_drop", "key": "name"}):
        s = scan(recipe.patch(BASE, step))
        assert s.complete and s.json_len == len(s.mirror)


@pytest.mark.parametrize("step", [
    {}, {"op": "burn"}, {"op": "field"}, {"op": "field", "path": "arch.nothing", "value": 1},
    {"op": "field", "path": "arch.gdc_kernel", "value": 256}, {"op": "drop", "tensor": "x"},
    {"op": "mirror_sub", "old": "@@", "new": ""}, {"op": "put", "at": 0, "hex": "0g"},
    {"op": "recode", "to": "f8"}, {"op": "size", "tensor": "stem.bn.w", "delta": -33},
    {"op": "shift", "tensor": "stem.bn.w", "value": 1e39}, {"op": "shift", "tensor": "stem.bn.w"},
    {"op": "values", "tensor": "stem.bn.w", "values": ["much"]}])
def test_a_patch_that_cannot_be_made(step):
    with pytest.raises(recipe.RecipeError):
        recipe.patch(BASE, step)


def test_bases():
    assert recipe.render({"base": "empty"}) == b""
    assert recipe.render({}) == BASE
    assert efm3.load(recipe.render({"base": "vectors/odd_b"})).arch.name == "odd_b"
    for name in ("nothing", "vectors/nothing", "../README", "vectors/../../README"):
        with pytest.raises(recipe.RecipeError):
            recipe.render({"base": name})


def test_an_unchecked_arch_is_wrong_in_that_alone():
    table = {"stem_kernel": 4, "gdc_kernel": 7}
    with pytest.raises(efm3.Efm3Error):
        recipe.arch_of(table)
    data = recipe.render({"base": "arch", "arch": table, "unchecked": True})
    assert {f.code for f in efm3.validate(data).at_least("error")} == {"H004"}
