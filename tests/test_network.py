# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The published counts come out of the one walk."""

import json
from pathlib import Path

import pytest

from efm3 import network
from efm3.arch import ARCHS

DATA = Path(__file__).parent / "data"

PUBLISHED = [
    ("nano", (24, 48, 184, 256), 198_624, 206_352, 826_875, 34.70),
    ("tiny", (32, 72, 280, 512), 452_240, 463_824, 1_856_763, 66.41),
    ("standard", (56, 112, 464, 512), 968_240, 986_240, 3_946_431, 171.13),
    ("xs", (88, 176, 688, 512), 2_077_744, 2_105_280, 8_422_586, 409.92),
]
JSON_LEN = {"nano": 239, "tiny": 239, "standard": 243, "xs": 238}


@pytest.mark.parametrize("name,channels,params,stored,size,mmacs", PUBLISHED)
def test_published_numbers(name, channels, params, stored, size, mmacs):
    arch = ARCHS[name]
    assert (arch.stem_channels, arch.block_channels, arch.final_channels,
            arch.embedding_dim) == channels
    assert network.parameters(arch) == params
    assert network.stored_values(arch) == stored
    assert network.file_size(arch, 0) + JSON_LEN[name] == size
    assert round(network.macs(arch) / 1e6, 2) == mmacs
    assert len(network.tensor_layout(arch)) == 283


def test_layout_equals_the_original_exporters():
    want = json.loads((DATA / "nano.layout.json").read_text())["nano"]
    assert [[n, list(s)] for n, s in network.tensor_layout(ARCHS["nano"])] == want


def test_residual_only_where_shape_and_stride_allow():
    by_name = {layer.name: layer for layer in network.layers(ARCHS["nano"])}
    assert by_name["stage1.block0.project"].residual == ""
    assert by_name["stage1.block1.project"].residual == "stage1.block1.expand"
    assert by_name["stage3.block0.project"].residual == "stage3.block0.expand"
    assert by_name["stage4.block0.project"].residual == ""
