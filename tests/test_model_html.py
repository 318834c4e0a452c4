# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a notebook shows of a model: each layer of the walk, what the mirror says, in some 100 kB.
"""

import subprocess
import sys
from dataclasses import replace

import pytest

import efm3
from efm3 import Arch, Stage, model_html
from efm3.conformance import sample
from efm3.network import layers, macs, parameters
from tests.hostile_names import COUNT, fragment, hostile, weights
from tests.test_notebook import seen


@pytest.mark.parametrize("name", list(efm3.ARCHS))
def test_a_published_size(name):
    arch = efm3.ARCHS[name]
    html = efm3.Model(arch, {})._repr_html_()
    fragment(html)
    words = seen(html)
    assert words.startswith(f"MobileFaceNet {name} 3×112×112 RGB face → {arch.embedding_dim:,} ")
    assert f"{parameters(arch):,} parameters" in words and f"{macs(arch):,} MACs" in words
    for layer in layers(arch):
        assert f" {layer.name} {layer.kind} " in words
        assert f"{layer.parameters:,} {layer.macs:,}" in words
    assert words.count("pointwise + input") == sum(bool(x.residual) for x in layers(arch))


def test_what_the_mirror_says():
    model = efm3.load(sample.with_mirror(lambda m: m | {"name": "mine", "meta": {
        "licence": "MIT", "seed": 7, "trained": False, "own": 1, "picture": "turned-180"}})(
            sample.base()))
    html = model._repr_html_()
    fragment(html)
    words = seen(html)
    assert "MobileFaceNet mine " in words and "licence MIT" in words and "seed 7" in words
    assert "trained False" in words and "1 more" in words
    assert "takes its picture turned by 180°" in words
    model.mirror["meta"]["picture"] = "sideways"
    assert "unknown picture" in seen(model._repr_html_())


@pytest.mark.parametrize("name", hostile(COUNT))
def test_hostile_names(name):
    fragment(efm3.load(weights(name))._repr_html_())
    # A published size shows the name beside its own.
    html = efm3.Model(replace(efm3.ARCHS["nano"], name=f"<script>{name}"), {})._repr_html_()
    fragment(html)
    assert seen(html).startswith("MobileFaceNet nano ") and "calls itself <script>" in seen(html)


def test_it_is_bounded():
    """The most blocks that the format allows, and a mirror of long texts."""
    arch = Arch("<" * 9000, 1.0, 8, 8, 8, 8, 7, (Stage(1, 250, 2), Stage(1, 1, 2), Stage(1, 1, 2),
                                                 Stage(1, 1, 1)))
    long = {"licence": "\x1b" * 99_999, "source": {"&" * 999: ["<"] * 99_999}, "seed": 10 ** 4400}
    model = efm3.Model(arch, {}, {"meta": long | {f"x{i}": i for i in range(9999)}})
    html = model._repr_html_()
    fragment(html)
    walk, words = layers(arch), seen(html)
    shown = [x.name for x in walk if f" {x.name} " in words]
    assert len(shown) == model_html.MOST_LAYERS
    assert shown[-4:] == [x.name for x in walk[-4:]]
    assert f"… {len(walk) - len(shown)} more" in words and len(html) < 100_000


def test_a_program_that_shows_nothing_does_not_load_it():
    code = ("import sys, efm3\nefm3.Model, efm3.Report\n"
            "sys.exit(bool({'efm3.notebook', 'efm3.model_html'} & sys.modules.keys()))")
    subprocess.run([sys.executable, "-c", code], check=True)
