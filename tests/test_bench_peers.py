# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The peers themselves compute our network, in float32 and below."""

import numpy as np
import pytest

import efm3
from efm3 import reference, untrained
from efm3.verification import distance
from tools import ROOT
from tools.bench import peers

NEEDS = ("ncnn", "ai_edge_litert")


@pytest.mark.parametrize("name, least", [
    ("onnxruntime f32", 0.9999999), ("onnxruntime int8 dynamic", 0.98), ("ncnn f32", 0.9999999),
    ("ncnn bf16", 0.9995), ("ncnn int8", 0.98), ("litert f32", 0.9999999), ("litert int8", 0.999)])
def test_a_peer_computes_the_network(name, least, tmp_path):
    model = efm3.load(ROOT / "weights" / "facex_nano.bin")
    wanted = [p for p in peers.PEERS if p.name == name]
    found, absent = peers.started(wanted, model, tmp_path, "nano")
    assert not absent
    x = untrained.images(11, 2)
    have = np.concatenate([np.asarray(found[name](x[i:i + 1])(), np.float64) for i in range(2)])
    cosine = distance(have, reference.forward(model, reference.prepare(x)))[1]
    # What is quantised differs, or nothing was; float32 does not.
    assert least <= cosine and (cosine < 0.9999999) == (not name.endswith("f32"))
