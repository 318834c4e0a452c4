# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What `tools.bench.drawn` does with PyTorch: pictures are drawn, layers are watched."""

import numpy as np
import pytest

import efm3
from efm3 import drawn as synth
from efm3 import untrained
from efm3.conformance import sample
from tools.bench import drawn

NEEDS = ("torch",)


def test_pictures_are_the_generators():
    x, people, rate = drawn.drawn(1, 5, 2, 3, 1.0)
    assert people.tolist() == [0, 0, 0, 1, 1, 1] and rate > 0
    want = synth.Faces(1, 5, 2, 3).batch([4])[0][0].permute(1, 2, 0).numpy()
    assert np.array_equal(x[4], want)


def test_layers_are_measured_against_what_batchnorm_remembers(tmp_path):
    (tmp_path / "x.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    model = efm3.load(tmp_path / "x.bin")
    x = untrained.images(6, 4)
    first, *_, last = drawn.layered(model, x)
    assert first["layer"] == "stem" and last["layer"] == "embed_proj"
    # The same of the first layer, from its definition.
    t = {k: np.asarray(model.tensors[f"stem.{k}"], np.float64)
         for k in ("conv.w", "bn.mean", "bn.var")}
    padded = np.pad(efm3.reference.prepare(x).astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    taps = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))[:, :, ::2, ::2]
    y = np.einsum("ncyxuv,ocuv->noyx", taps, t["conv.w"])
    deviation, var = np.sqrt(t["bn.var"] + 1e-5), y.var((0, 2, 3)) + 1e-5
    assert first["moved"] == pytest.approx(
        (np.abs(y.mean((0, 2, 3)) - t["bn.mean"]) / deviation).mean(), rel=1e-4)
    assert first["wider"] == pytest.approx(
        np.abs(np.log(var / deviation ** 2)).mean(), rel=1e-4)
