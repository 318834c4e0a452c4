# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The Kaitai description's text; what its parser does is tests/test_kaitai.py."""

import re

import pytest

from efm3 import format as fmt
from efm3 import layers
from efm3.conformance import sample
from efm3.forms import FORMS, _yaml
from efm3.forms._shape import CLAUSES, VECTORS, block, outer
from efm3.rules import load_rules

TEXT = FORMS["ksy"].text()


def type_of(name):
    """The text of a type."""
    return re.search(rf"^  {name}:\n(.*?)(?=^  \w|\Z)", TEXT, re.M | re.S)[1]


@pytest.mark.parametrize("name,struct", [("stage", fmt.STAGE), ("arch", fmt.ARCH_HEADER)])
def test_fields_are_the_declarations_in_order(name, struct):
    seq = type_of(name).split("    instances:")[0].split("    seq:")[1]
    ids = [i.strip('"') for i in re.findall(r"- id: (\S+)", seq)]
    declared = [c.name for c in struct.subcons]
    assert ids[:len(declared)] == declared
    for c in struct.subcons:
        assert f"doc: {_yaml._scalar(c.docs)}" in seq


def test_every_clause_is_a_rule_of_level_structure():
    rules = load_rules()
    codes = {c.upper() for c in re.findall(r"doc-ref: EFM3\.md#(\w+)", TEXT)}
    assert codes <= set(CLAUSES.values()) <= set(rules)
    assert {rules[c].level for c in codes} == {"structure"}
    limits = {c for c in rules if c[0] == "H" and rules[c].severity == "error"}
    assert limits <= codes


def test_layers_are_the_walks():
    before, after = outer()
    tensors = type_of("tensors")
    ids = re.findall(r"- id: (\w+)", tensors)
    assert ids == [*(r.id for r in before), "stages", *(r.id for r in after)]
    known = layers(sample.ARCH)
    assert [r.id for r in before + after] == [x.name for x in known if "." not in x.name]
    first = [x for x in known if x.name.startswith("stage1.block0.")]
    assert [(r.id, r.act, r.tensors) for r in block()] == [
        (x.name.rsplit(".", 1)[1], x.act, len(x.tensors)) for x in first]
    assert VECTORS == ("bn_w", "bn_b", "bn_mean", "bn_var", "act_w")


def test_no_line_is_long():
    assert max(map(len, TEXT.splitlines())) <= 100


@pytest.mark.parametrize("value,text", [
    ("arch", "arch"), ("n", '"n"'), ("No", '"No"'), ("0.11", '"0.11"'), ("a: b", '"a: b"'),
    ("a #b", '"a #b"'), ("a:b", "a:b"), ("28 + 1", "28 + 1"), (3, "3"), ("", '""'),
    ("_ >= 1", "_ >= 1"), ("[x]", '"[x]"'), ("- x", '"- x"'), ("x:", '"x:"'),
])
def test_yaml_scalars(value, text):
    assert _yaml.dump({"k": value}) == f"k: {text}\n"


def test_yaml_blocks():
    assert _yaml.dump({"a": {"b": [{"c": 1, "d": [0, 0]}, {"c": 2}]}}) == (
        "a:\n  b:\n    - c: 1\n      d: [0, 0]\n    - c: 2\n")
    words = "word " * 30
    assert _yaml.dump({"a": words.strip()}).startswith("a: >-\n  word ")
    assert _yaml.dump({"a": words + "\nb"}).startswith("a: |\n  word ")
