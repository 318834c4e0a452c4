# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The drawing of a network: every layer once, in order, inside its panel; long stages folded."""

import itertools
from dataclasses import replace

import pytest

import efm3
from efm3 import Stage, untrained
from efm3.conformance import sample
from efm3.inspection import inspect
from efm3.network import layers, macs
from efm3.report import topology
from efm3.scan import scan


def rows(arch):
    """The layers as `efm3 inspect` gives them; the header alone is needed."""
    return inspect(scan(efm3.format.PREFIX.build(
        {"magic": efm3.format.MAGIC, "version": efm3.format.VERSION, "arch": arch.header(),
         "json_len": 0})))["topology"]


LONG = replace(efm3.ARCHS["nano"], stages=(Stage(1, 40, 1), Stage(2, 2, 2)), gdc_kernel=28)


@pytest.mark.parametrize("arch", [*efm3.ARCHS.values(), sample.ARCH], ids=lambda a: a.name)
def test_every_layer_is_a_bar(arch):
    found = topology.drawing(rows(arch))
    walk = layers(arch)
    assert [b["name"] for b in found["bars"]] == [x.name for x in walk]
    assert [b["kind"] for b in found["bars"]] == [x.kind for x in walk]
    adding = [x.name.rpartition(".")[0] for x in walk if x.residual]
    assert [a["name"] for a in found["arcs"]] == adding and not found["folds"]
    assert len(found["panels"]) == len(arch.stages) + 2
    assert topology.millions(macs(arch)) in found["about"]
    # The widest layer has the widest bar, and the costliest the longest number's bar.
    wide = max(walk, key=lambda x: x.out_channels)
    assert max(b["width"] for b in found["bars"]) == topology.WIDEST
    assert next(b for b in found["bars"] if b["name"] == wide.name)["width"] == topology.WIDEST
    assert max(b["macs_width"] for b in found["bars"]) == topology.NUMBER


@pytest.mark.parametrize("arch", [efm3.ARCHS["xs"], LONG, sample.ARCH], ids=lambda a: a.name)
def test_nothing_lies_over_another(arch):
    found = topology.drawing(rows(arch))
    ends = [(p["y"], p["y"] + p["height"]) for p in found["panels"]]
    assert ends[0][0] == 0 and ends[-1][1] == found["height"]
    assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))
    tops = [b["y"] for b in found["bars"]]
    assert all(b - a >= topology.STEP for a, b in itertools.pairwise(tops))
    for bar in found["bars"]:
        assert any(p["start"] <= bar["y"] and bar["y"] + topology.ROW <= p["end"]
                   for p in found["panels"])
        assert bar["x"] >= topology.LEFT and bar["x"] + bar["width"] < topology.LABEL
        assert 1 <= bar["macs_width"] <= topology.NUMBER
    by_name = {b["name"]: b["y"] for b in found["bars"]}
    for arc in found["arcs"]:  # from above the block to below it
        first, last = by_name[f"{arc['name']}.expand"], by_name[f"{arc['name']}.project"]
        assert arc["start"] < first and last + topology.ROW < arc["end"]


def test_a_long_stage_is_folded():
    found = topology.drawing(rows(LONG))
    fold, = found["folds"]
    assert fold["text"].startswith("… 37 blocks more like the one above, ")
    drawn = [b["name"] for b in found["bars"]]
    assert [n for n in drawn if n.startswith("stage1.") and n.endswith(".dw")] == [
        f"stage1.block{n}.dw" for n in (0, 1, 39)]
    assert found["panels"][1]["text"] == "stage 1 · 40 blocks · 24 channels · 56→56 px"
    most = topology.drawing(rows(replace(LONG, stages=(Stage(1, 250, 1), Stage(2, 2, 2)))))
    assert most["height"] == found["height"]


def test_words():
    first, second, *_, last = rows(efm3.ARCHS["nano"])
    assert [topology.label(r) for r in (first, second, last)] == [
        "stem 3×3 /2 3→24", "dw_stem 3×3 24", "embed_proj 1×1 184→256"]
    assert topology.title(first) == ("stem: conv, weights 24×3×3×3, 112×112 to 56×56 pixels, "
                                     "PReLU, 720 parameters, 2,032,128 MACs")
    assert [topology.millions(n) for n in (0, 4999, 5000, 125_000, 1_234_567_890)] == [
        "0.00M", "0.00M", "0.01M", "0.13M", "1,234.57M"]


def test_an_unknown_network_is_not_drawn():
    assert inspect(scan(b"<html>"))["topology"] == []
    assert len(rows(sample.ARCH)) == len(inspect(scan(untrained.dumps(sample.ARCH, 1)))["topology"])
