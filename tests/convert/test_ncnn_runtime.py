# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ncnn itself: it runs what is written, and each layer is what the reader says it is."""

from __future__ import annotations

from pathlib import Path

import ncnn as library
import numpy as np
import pytest

import efm3
from efm3.convert import ncnn
from efm3.convert._base import Wanted
from efm3.convert._ncnn_param import TYPES
from efm3.convert.graph import run
from efm3.convert.matching import network_of
from tests.convert import ncnn_files as files
from tests.convert.ncnn_files import floats, picture, raw, write

NEEDS = ("ncnn",)
RNG = np.random.default_rng(3)
SHAPES = ((6, 5, 4), (6, 4), (6,))
ONE_VECTOR = ("Scale c 1 1 in out 0=6", "Bias c 1 1 in out 0=6", "PReLU c 1 1 in out 0=6",
              "Normalize c 1 1 in out 0=1 3=6", "Normalize c 1 1 in out 3=6 2=0.5 9=1")
PLAIN = (
    *(f"{k} c 1 1 in out" for k in (
        "ReLU", "AbsVal", "TanH", "Sigmoid", "Swish", "HardSigmoid", "HardSwish", "Flatten", "Noop",
        "Dropout", "Clip", "Power", "Squeeze", "Reduction")),
    "ReLU c 1 1 in out 0=0.25", "Clip c 1 1 in out 0=0.0", "Clip c 1 1 in out 0=-0.5 1=6.0e-01",
    "Dropout c 1 1 in out 0=0.25", "Power c 1 1 in out 0=2.0 1=0.5 2=0.25",
    "HardSwish c 1 1 in out 0=1.666667e-01 1=0.5",
    *(f"UnaryOp c 1 1 pos out 0={i}" for i in (0, 1, 4, 5, 6, 7, 15, 16)),
    *(f"BinaryOp c 1 1 pos out 0={i} 1=1 2=1.5" for i in range(10)),
    *(f"Reduction c 1 1 pos out 0={i} 4={k}" for i in range(9) for k in (0, 1)),
    *(f"Reduction c 1 1 in out 0={i} 1=0 -23303={a} 4={k} 5=1 2=0.5" for i in (0, 3, 8)
      for k in (0, 1) for a in ("1,0", "1,-1")),
    "Reshape c 1 1 in out 0=-1", "Reshape c 1 1 in out 0=-1 1=2",
    "Reshape c 1 1 in out 0=1 1=-1 2=3", "ExpandDims c 1 1 in out -23303=1,0",
    "ExpandDims c 1 1 in out -23303=1,-1", "Slice c 1 2 in a out -23300=2,2,-233",
    "Slice c 1 3 in a b out -23300=3,1,-233,-233 1=-1",
    "Crop c 1 1 in out -23309=1,-3 -23310=1,-1 -23311=1,0",
    "Crop c 1 1 in out -23309=1,1 -23310=1,-233 -23311=1,-1",
    "Padding c 1 1 in out 0=1 1=2 2=3 3=1 5=0.5")
MAPS = (
    *(f"Permute c 1 1 in out 0={i}" for i in range(6)), "Crop c 1 1 in out 0=1 1=2 2=3 3=2 4=3 5=2",
    "Crop c 1 1 in out 0=1 1=2 2=3 3=-233 4=-233 5=-233 6=1 7=1", "Pooling c 1 1 in out 4=1",
    "Pooling c 1 1 in out 0=1 4=1", "Pooling c 1 1 in out 0=1 1=4 11=5 2=3",
    "Pooling c 1 1 in out 0=1 7=1 8=1", "Padding c 1 1 in out 0=1 3=1 5=0.5 7=1 8=2",
    *(f"Reduction c 1 1 in out 0=4 1=0 -23303={a} 5=1" for a in ("2,0,1", "2,1,2", "3,0,1,2")))
LINEAR = (
    ("Convolution c 1 1 in out 0=3 1=3 4=1 5=1 6=162", 162),
    ("Convolution c 1 1 in out 0=3 1=2 2=2 3=2 4=1 11=3 12=1 14=2 15=0 5=1 6=108", 108),
    *((f"Convolution c 1 1 in out 0=3 1=4 11=3 3={s} 4={p} 5=1 6=216", 216)
      for s in (1, 2, 3) for p in (-233, -234)),
    ("Convolution c 1 1 in out 0=3 1=3 4=1 5=1 6=162 18=1.5 9=2 -23310=1,0.3", 162),
    ("Convolution c 1 1 in out 0=3 1=1 5=1 6=18 9=3 10=-0.5,0.5", 18),
    ("Convolution c 1 1 in out 0=3 1=1 5=1 6=18 9=6 -23310=2,0.2,0.5", 18),
    ("ConvolutionDepthWise c 1 1 in out 0=3 1=3 5=1 6=54 7=3 9=4", 54),
    ("InnerProduct c 1 1 in out 0=3 1=1 2=360 9=1", 360))
BROADCAST = ("0=1", "0=6", "0=4", "0=5 1=6", "0=4 1=5 2=6", "0=1 1=1 2=6", "0=4 1=1 2=6",
             "0=4 1=5 2=1", "0=1 1=1")


@pytest.fixture(autouse=True)
def _seeded():
    globals()["RNG"] = np.random.default_rng(3)


def ran(path: Path, x: np.ndarray, first: int, last: int) -> np.ndarray:
    """What ncnn makes of the files, in this process: they are our own."""
    net = library.Net()
    for name in ("use_vulkan_compute", "use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic",
                 "use_bf16_storage", "use_winograd_convolution"):
        setattr(net.opt, name, False)
    net.opt.num_threads = 1
    load = net.load_param_bin if path.suffix == ".bin" else net.load_param
    weights = path.name.removesuffix(".bin").removesuffix(".param") + ".bin"
    assert load(str(path)) == 0 and net.load_model(str(path.with_name(weights))) == 0
    extractor = net.create_extractor()
    extractor.input(first, library.Mat(x).clone())
    failed, out = extractor.extract(last)
    assert not failed
    return np.array(out, np.float64)


def alike(folder, shape, lines, data=b"", tolerance=1e-5):
    """The reader's graph and ncnn agree on one blob in, and the last blob out."""
    lines = [picture(*shape), *lines]
    path = write(folder, lines, data)
    blobs = sum(int(line.split()[3]) for line in lines)
    x = (RNG.standard_normal(shape) * 2).astype(np.float32)
    want = ran(path, x, 0, blobs - 1)
    graph = ncnn.read(str(path), Wanted(output="out")).graph
    got = run.forward(graph, x[None])[0]
    assert got.shape == want.shape, lines
    assert np.abs(got - want).max() <= tolerance * max(1, np.abs(want).max()), lines


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layers_on_blobs_of_each_rank(shape, tmp_path):
    for line in PLAIN:
        alike(tmp_path, shape, [line] if " pos " not in line else ["AbsVal p 1 1 in pos", line])
    for line in ONE_VECTOR:
        alike(tmp_path, shape, [line], raw(RNG.standard_normal(6)))
    for across in ("0=1", "0=0", "0=1 4=0", "0=0 4=0"):
        for mode in range(3):
            alike(tmp_path, shape, [f"Normalize c 1 1 in out {across} 1=1 2=0.5 3=1 9={mode}"],
                  raw([1.5]))
    statistics = raw(RNG.standard_normal((2, 6)), [0, 1, 2, 3, 0, 1], RNG.standard_normal(6))
    for eps in ("", "1=1.000000e-03"):
        alike(tmp_path, shape, [f"BatchNorm c 1 1 in out 0=6 {eps}"], statistics)
    for line in ("Eltwise c 2 1 a q out", "Eltwise c 2 1 a q out 0=2", "Concat c 2 1 a q out",
                 "Eltwise c 2 1 a q out 0=1 -23301=2,0.5,-1.0", "Concat c 2 1 a q out 0=-1"):
        alike(tmp_path, shape, ["Split s 1 2 in a b", "AbsVal p 1 1 b q", line])


def test_layers_on_maps(tmp_path):
    for line in MAPS:
        alike(tmp_path, SHAPES[0], [line])
    for line, count in LINEAR:
        for make in (floats, files.half, files.brain):
            alike(tmp_path, SHAPES[0], [line], make(RNG.standard_normal(count))
                  + raw(RNG.standard_normal(3)))
    table = files.table(RNG.standard_normal(256), RNG.integers(0, 256, 18))
    alike(tmp_path, SHAPES[0], ["Convolution c 1 1 in out 0=3 1=1 5=1 6=18"],
          table + raw([1, 2, 3]))


@pytest.mark.parametrize("shape", [(6,), (5, 6), (1, 6)], ids=str)
def test_an_inner_product_of_vectors(shape, tmp_path):
    data = floats(RNG.standard_normal(18)) + raw(RNG.standard_normal(3))
    alike(tmp_path, shape, ["InnerProduct c 1 1 in out 0=3 1=1 2=18"], data)
    if len(shape) == 1:
        alike(tmp_path, shape, ["Convolution c 1 1 in out 0=3 1=1 5=1 6=18"], data)


def test_blobs_of_different_ranks(tmp_path):
    for sizes in BROADCAST:
        count = int(np.prod([int(p.split("=")[1]) for p in sizes.split()]))
        for inputs in ("in m", "m in"):
            alike(tmp_path, SHAPES[0], [f"MemoryData m 0 1 m {sizes}",
                                        f"BinaryOp c 2 1 {inputs} out 0=1"],
                  raw(RNG.standard_normal(count)))


@pytest.mark.parametrize("kind,params,scales", [
    ("Convolution", "0=4 1=3 4=1 5=1 6=144 8=1", 4), ("Convolution", "0=4 1=3 5=1 6=144 8=102", 4),
    ("ConvolutionDepthWise", "0=4 1=3 4=1 5=1 6=36 7=4 8=1", 4),
    ("ConvolutionDepthWise", "0=4 1=3 5=1 6=72 7=2 8=101", 2),
    ("ConvolutionDepthWise", "0=4 1=3 5=1 6=36 7=4 8=102", 1),
    ("InnerProduct", "0=4 1=1 2=320 8=1", 4),
])
def test_weights_of_8_bits_are_nearly_what_ncnn_has(kind, params, scales, tmp_path):
    count = int(params.split("6=" if kind != "InnerProduct" else " 2=")[1].split()[0])
    lines, top = [f"{kind} c 1 1 in out {params}"], []
    if " 8=10" in params:
        # Its output is of 8 bits too, which another layer of 8 bits takes.
        lines, top = [f"{kind} c 1 1 in m {params}",
                      "Convolution d 1 1 m out 0=4 1=1 5=1 6=16 8=1"], [6]
    data = (files.small(RNG.integers(-127, 128, count)) + raw(RNG.standard_normal(4))
            + raw([200, 300, 400, 150][:scales], [12], top))
    if top:
        data += files.small(RNG.integers(-127, 128, 16))
        data += raw(RNG.standard_normal(4), [99] * 4, top)
    alike(tmp_path, (4, 5, 4), lines, data, 0.1)


def test_layer_numbers():
    for number, kind in enumerate(TYPES):
        assert library.layer_to_index(kind) in (number, -1), kind
    assert library.layer_to_index("ConvolutionDepthWise") == TYPES.index("ConvolutionDepthWise")


@pytest.mark.parametrize("fold", [False, True])
def test_ncnn_runs_what_is_written(fold, small, tmp_path, pictures, small_embeddings):
    path = str(tmp_path / "f.ncnn.param")
    (tmp_path / "f.ncnn.param").write_bytes(b"".join(ncnn.parts(small, path, fold)))
    (tmp_path / "f.ncnn.bin").write_bytes(b"".join(ncnn.weights(small, path, fold)))
    network = network_of(ncnn.read(path, Wanted()), Wanted())
    assert np.abs(network.run(pictures) - small_embeddings).max() < 1e-5
    assert network.framework == "ncnn"


def test_a_binary_graph_runs(tmp_path):
    lines = [picture(6, 5, 4), "BinaryOp m 1 1 in m 0=1 1=1 2=127.5",
             "BatchNorm n 1 1 m n 0=6 1=1.000000e-05", "Reduction r 1 1 n r 0=8 1=0 -23303=1,0 5=1"]
    (tmp_path / "x.param.bin").write_bytes(files.words(lines))
    (tmp_path / "x.bin").write_bytes(raw(RNG.standard_normal((2, 6)), np.ones(6), np.ones(6)))
    source = ncnn.read(str(tmp_path / "x.bin"), Wanted())
    u = RNG.standard_normal((1, 6, 5, 4)).astype(np.float32)
    want = run.forward(source.graph, u).reshape(-1)
    assert source.runtime is not None
    assert np.abs(source.runtime.start()(u) - want).max() < 1e-5 * np.abs(want).max()


def test_what_ncnn_refuses(tmp_path):
    path = write(tmp_path, [picture(6, 5, 4), "NoSuchLayer n 1 1 in out"])
    source = ncnn.read(str(path), Wanted())
    with pytest.raises(efm3.Efm3Error, match=r"X013.*ncnn refuses it"):
        source.runtime.start()
