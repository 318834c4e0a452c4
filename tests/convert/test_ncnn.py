# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ncnn: what is written is read back, pairs, stored forms, binary graphs, the other process."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.convert import _ncnn_bin, _ncnn_run, ncnn
from efm3.convert._base import Wanted
from efm3.convert.graph import run
from efm3.convert.matching import network_of
from efm3.source import Unreadable
from tests.convert import ncnn_files as files
from tests.convert.ncnn_files import floats, forward, pair, picture, raw, refusal, write
from tests.systems import ABORTED, KILLED

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
IN = picture(4, 3, 5)
CONV = "Convolution c 1 1 in out 0=2 1=1 5=1 6=8"
X = np.random.default_rng(1).standard_normal((4, 3, 5))
A, B, C, D = np.random.default_rng(2).standard_normal((4, 4)).astype(np.float32)


def test_a_written_pair_is_read_back_bit_for_bit(small, tmp_path, pictures, small_embeddings):
    path = pair(tmp_path, small)
    for given in (path, ncnn.beside(path)):
        source = ncnn.read(given, Wanted())
        assert source.files == (ncnn.beside(path) if given == path else path,)
        network = network_of(source, Wanted())
        assert network.model.arch.header() == small.arch.header()
        assert all(np.array_equal(network.model.tensors[k], v) for k, v in small.tensors.items())
        assert not any("norm" in a for a in network.assumed) and not source.approximate
    got = np.concatenate([run.forward(source.graph, u[None]) for u in pictures])
    assert np.abs(got - small_embeddings).max() < 1e-12


def test_a_folded_pair_has_no_batchnorm(small, tmp_path, pictures, small_embeddings):
    path = pair(tmp_path, small, fold=True)
    assert "BatchNorm" not in Path(path).read_text()
    model = network_of(ncnn.read(path, Wanted()), Wanted()).model
    assert np.abs(reference.forward(model, pictures) - small_embeddings).max() < 1e-5


def test_the_text_is_ncnns(small, tmp_path):
    text = Path(pair(tmp_path, small)).read_text()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[:2] == ["7767517", f"{len(lines) - 2} {sum(int(n.split()[3]) for n in lines[2:])}"]
    assert lines[2:5] == [
        "Input input 0 1 input 0=112 1=112 2=3",
        "Convolution stem.conv 1 1 input stem.conv 0=8 1=3 3=2 4=1 5=0 6=216",
        "BatchNorm stem.bn 1 1 stem.conv stem.bn 0=8 1=1.000000e-05"]
    assert lines[-1] == ("Normalize normalize 1 1 embed_proj.bn embedding "
                         "0=1 1=1 2=1.000000e-12 3=1 4=1 9=1")


def test_weights_go_beside_a_param_alone():
    assert ncnn.beside("a/f.ncnn.param") == "a/f.ncnn.bin" and ncnn.beside("F.PARAM") == "F.bin"
    with pytest.raises(efm3.Efm3Error, match="X001"):
        ncnn.beside("f.bin")


def test_an_efm3_file_does_not_become_weights(small, tmp_path):
    small.save(tmp_path / "f.bin")
    with pytest.raises(efm3.Efm3Error, match=r"X001.*is an EFM3 file; write to .*f\.ncnn\.param"):
        ncnn.beside(str(tmp_path / "f.param"))
    (tmp_path / "f.bin").write_bytes(b"\0\0\0\0")
    assert ncnn.beside(str(tmp_path / "f.param")) == str(tmp_path / "f.bin")


@pytest.mark.skipif(not (SHARED / "real").is_dir(), reason="the real files are not here")
def test_real_files():
    real = SHARED / "real"
    want = np.load(real / "embeddings.npz")["y1"]
    image = pytest.importorskip("PIL.Image")
    names = sorted((ROOT / "examples").glob("*.png"))
    pixels = np.stack([np.asarray(image.open(n).convert("RGB")) for n in (names[0], names[-1])])
    source = ncnn.read(str(real / "y1.ncnn.bin"), Wanted())
    # One picture as the source has it, in pixels, another one in what it is converted to.
    y = run.forward(source.graph, pixels[:1].transpose(0, 3, 1, 2).astype(np.float32))[0]
    assert np.abs(y / np.linalg.norm(y) - want[0]).max() < 1e-5
    model = network_of(source, Wanted()).model
    assert np.abs(reference.forward(model, reference.prepare(pixels[-1:])) - want[-1]).max() < 1e-5
    source = ncnn.read(str(real / "relu6.ncnn.param"), Wanted())
    clips = [n for n in source.graph.nodes if n.op == "Clip"]
    assert len(clips) == 32 and clips[0].place == "Clip_1 (Clip)"
    assert all((n.attrs["low"], n.attrs["high"]) == (0, 6) for n in clips)
    with pytest.raises(efm3.Efm3Error, match="ReLU6 at Clip_1"):
        network_of(source, Wanted())


@pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="the cases are not here")
def test_cut_files(tmp_path):
    cases = SHARED / "cases" / "convert"
    assert refusal(cases / "ncnn_first40.param", None, "states 160 layers and has 38") == "X003"
    assert refusal(cases / "ncnn_first4k.bin", None, "ncnn_first4k.param.bin") == "X005"
    (tmp_path / "y.param").write_bytes((SHARED / "real" / "y1.ncnn.param").read_bytes())
    (tmp_path / "y.bin").write_bytes((cases / "ncnn_first4k.bin").read_bytes())
    assert refusal(tmp_path / "y.param", None, "conv_1_conv2d (Convolution) takes 6,912") == "X003"


WEIGHT = np.array([0.5, -1.25, 3, 7, -0.1, 0, 1, 2.5])
STORED = [
    (floats(WEIGHT), WEIGHT), (floats(WEIGHT, files.SCALED), WEIGHT),
    (files.half(WEIGHT), WEIGHT.astype(np.float16)),
    (files.brain(WEIGHT), np.where(WEIGHT == -0.1, -0.099609375, WEIGHT)),
    (files.table(np.arange(256) / 8, [0, 1, 2, 255, 4, 5, 6, 7]), np.array(
        [0, 1, 2, 255, 4, 5, 6, 7]) / 8),
]


@pytest.mark.parametrize("data,want", STORED, ids=["float32", "scaled", "half", "brain", "table"])
def test_stored_forms(data, want, tmp_path):
    source = ncnn.read(str(write(tmp_path, [IN, CONV], data + raw([1, 2]))), Wanted())
    weight = source.graph.output.inputs[1].value
    assert weight.dtype == np.float32 and not source.approximate
    assert np.array_equal(weight.reshape(-1), np.float32(want))


@pytest.mark.parametrize("size,make", [(3, files.half), (3, files.brain), (3, files.small)])
def test_odd_counts_are_padded_to_words(size, make, tmp_path):
    lines = [picture(3, 1, 1), "Convolution c 1 1 in a 0=1 1=1 6=3 8=1", "Bias b 1 1 a out 0=1"]
    if make is not files.small:
        lines[1] = lines[1].removesuffix(" 8=1")
    scales = raw([4], [1]) if make is files.small else b""
    path = write(tmp_path, lines, make([1, 2, 4]) + scales + raw([8]))
    want = 15 if make is not files.small else 9.75
    assert forward(path, np.ones((3, 1, 1))).item() == want


@pytest.mark.parametrize("kind,term,scales", [
    ("Convolution", 1, [2, 4, 8, 0]), ("Convolution", 102, [2, 4, 8, 0]),
    ("ConvolutionDepthWise", 1, [2, 0]), ("ConvolutionDepthWise", 101, [2, 4]),
    ("ConvolutionDepthWise", 2, [4]), ("ConvolutionDepthWise", 102, [4]),
    ("InnerProduct", 1, [2, 4, 8, 16]),
])
def test_weights_of_8_bits(kind, term, scales, tmp_path):
    q = np.arange(-8, 8)
    shape = {"Convolution": (4, 4, 1, 1), "ConvolutionDepthWise": (4, 2, 1, 2),
             "InnerProduct": (4, 4)}[kind]
    line = {"Convolution": "0=4 1=1 5=1 6=16", "ConvolutionDepthWise": "0=4 1=2 11=1 5=1 6=16 7=2",
            "InnerProduct": "0=4 1=1 2=16"}[kind]
    path = write(tmp_path, [picture(4, 1, 2) if kind != "InnerProduct" else picture(4),
                            f"{kind} c 1 1 in m {line} 8={term}", "Noop n 1 1 m out"],
                 files.small(q) + raw(A, scales, [1] * (2 if term > 100 else 1)))
    source = ncnn.read(str(path), Wanted())
    by = np.repeat(scales, 4 // len(scales)).reshape(4, *[1] * (len(shape) - 1))
    want = np.where(by == 0, 0, q.reshape(shape) / np.where(by == 0, 1, by))
    assert np.array_equal(source.graph.output.inputs[1].value, want)
    assert source.approximate == "1 layers have weights of 8 bits"


def test_8_bits_need_scales_of_a_known_form_and_a_bound(tmp_path, monkeypatch):
    path = write(tmp_path, [IN, CONV], files.small(range(8)) + raw([1, 2]))
    assert refusal(path, None, "8 bits and no scales") == "X006"
    path = write(tmp_path, [IN, f"{CONV} 8=7"], files.small(range(8)) + raw([1, 2]))
    assert refusal(path, None, "in a form (7)") == "X008"
    monkeypatch.setattr(_ncnn_bin, "MOST_WIDENED", 7)
    assert refusal(path, None, "up to 7") == "X008"


BINARY = [IN, "BinaryOp m 1 1 in m 0=1 1=1 2=127.5", "Split s 1 2 m a b",
          "BatchNorm n 1 1 a n 0=4 1=1.000000e-05", "Reduction r 1 1 n r 0=3 1=0 -23303=2,0,2 5=1",
          "Eltwise e 2 1 n b out 0=1 -23301=2,0.5,1.5"]


def binary(folder, lines=BINARY, data=raw(A, B, abs(C), D), change=lambda w: w):  # noqa: B008
    (folder / "x.param.bin").write_bytes(change(files.words(lines)))
    (folder / "x.bin").write_bytes(data)
    return folder / "x.param.bin"


def test_a_binary_graph_is_the_same(tmp_path):
    path = binary(tmp_path)
    text = write(tmp_path, BINARY, raw(A, B, abs(C), D), "y")
    assert refusal(path, None, "2 outputs", "5, 6") == "X018"
    for given in (path, tmp_path / "x.bin"):
        assert np.array_equal(forward(given, X, "6"), forward(text, X, "out"))
    graph = ncnn.read(str(path), Wanted(output="4")).graph
    assert graph.output.attrs["eps"] == 1e-5 and graph.output.place == "layer3 (BatchNorm)"


@pytest.mark.parametrize("change", [
    lambda w: w[:-4], lambda w: w[:-1], lambda w: w[:11], lambda w: w + b"\0\0\0\0",
    lambda w: w[:4] + b"\xff\xff\xff\x7f" + w[8:], lambda w: w[:16] + b"\xff\xff\xff\x7f" + w[20:],
    lambda w: w[:16] + b"\xff\xff\xff\xff" + w[20:], lambda w: w[:24] + b"\1\0\0\0" + w[28:],
    lambda w: w[:24] + b"\xff\xff\xff\xff" + w[28:], lambda w: w[:28] + b"\x40\0\0\0" + w[32:],
    lambda w: w[:28] + (-23299).to_bytes(4, "little", signed=True) + w[32:],
    lambda w: w[:28] + (-23400).to_bytes(4, "little", signed=True) + b"\xff\xff\xff\x7f" + w[36:],
], ids=range(12))
def test_a_binary_graph_that_cannot_be(change, tmp_path):
    assert refusal(binary(tmp_path, change=change)) in ("X003", "X007", "X008")


def test_a_binary_graph_of_an_unknown_type(tmp_path):
    lines = [IN, "ReLU r 1 1 in out"]
    at = files.words(lines).index(b"\x1a\0\0\0\1\0\0\0\1\0\0\0")
    path = binary(tmp_path, lines, b"", lambda w: w[:at] + b"\0\4\0\0" + w[at + 4:])
    assert ncnn.read(str(path), Wanted()).graph.output.place == "layer1 (type1024)"


def test_partners_are_found_by_name(tmp_path):
    lines = [IN, "ReLU r 1 1 in out"]
    for name in ("x", "x.ncnn", "x-opt", "x.y.z"):
        path = write(tmp_path, lines, name=name)
        for given in (path, tmp_path / f"{name}.bin"):
            assert ncnn.read(str(given), Wanted()).graph.output.op == "Relu"
    path.rename(tmp_path / "net.txt")
    assert refusal(tmp_path / "net.txt", None, "net.bin and net.txt.bin") == "X005"
    (tmp_path / "net.bin").write_bytes(b"")
    assert ncnn.read(str(tmp_path / "net.txt"), Wanted()).files == (str(tmp_path / "net.bin"),)
    assert refusal(tmp_path / "x.y.z.bin", None, "x.y.z.param and x.y.z.param.bin") == "X005"
    (tmp_path / "x.bin").unlink()
    assert refusal(tmp_path / "x.param", None, "looked for x.bin") == "X005"
    source = ncnn.read(str(tmp_path / "x.param"), Wanted(), str(tmp_path / "net.bin"))
    assert source.files == (str(tmp_path / "net.bin"),)
    with pytest.raises(Unreadable):
        ncnn.read(str(tmp_path / "none.param"), Wanted())
    (tmp_path / "x.bin").mkdir()
    assert refusal(tmp_path / "x.param") == "X005"


CHILD = """\
import json, os, sys
words = json.loads(sys.argv[1])["net"]
out = sys.stdout.buffer
def say(count, data=b""):
    out.write(count.to_bytes(4, "little", signed=True) + data)
    out.flush()
"""


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """runner(text): starts what stands for ncnn's process."""
    def make(text):
        monkeypatch.setattr(_ncnn_run, "PROGRAM", CHILD + text)
        monkeypatch.setattr(_ncnn_run, "need", lambda *_: None)
        path = write(tmp_path, [IN, "Flatten f 1 1 in out"])
        return ncnn.read(str(path), Wanted()).runtime.start()
    return make


def test_the_other_process_is_asked_picture_by_picture(runner):
    f = runner("say(0)\nwhile data := sys.stdin.buffer.read(240):\n    say(60, data[::-1])\n")
    u = np.float32(X[None])
    for _ in range(2):
        assert f(u).astype("<f4").tobytes() == u.tobytes()[::-1]
    with pytest.raises(efm3.Efm3Error, match="X013"):
        f(u[:, :, :2])


@pytest.mark.parametrize("text,why", [
    ("os._exit(9)", "code 9"), ("say(-1)", "refuses"), ("say(1 << 30)", "refuses"),
    ("os.abort()", f"code {ABORTED}"), ("out.write(b'ab'); out.flush()", "code 0"),
    ("import time; time.sleep(60)", f"code {KILLED}"),
])
def test_the_other_process_may_end(text, why, runner, monkeypatch):
    if "sleep" in text:
        monkeypatch.setattr(_ncnn_run, "SECONDS", 0.2)
    with pytest.raises(efm3.Efm3Error, match=f"X013.*{why}"):
        runner(text)


def test_the_other_process_may_end_on_a_picture(runner):
    f = runner("say(0)\nos.abort()\n")
    with pytest.raises(efm3.Efm3Error, match=rf"X013.*code {ABORTED}"):
        f(np.float32(X[None]))


def test_the_other_process_gets_our_modules_and_none_of_the_folders(tmp_path, monkeypatch):
    (tmp_path / "ncnn.py").write_text("raise SystemExit(77)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_ncnn_run, "need", lambda *_: None)
    monkeypatch.setattr(_ncnn_run, "PROGRAM", _ncnn_run.PROGRAM.replace(
        "serve(", "import importlib.util, os\nfound = importlib.util.find_spec('ncnn')\n"
        "os._exit(20 + (found is not None and os.getcwd() in found.origin))\nserve("))
    source = ncnn.read(str(write(tmp_path, [IN, "ReLU r 1 1 in out"])), Wanted())
    with pytest.raises(efm3.Efm3Error, match="code 20"):
        source.runtime.start()


def test_maps_beyond_measure_are_not_run(tmp_path):
    path = write(tmp_path, [picture(3, 20000, 20000), "ReLU r 1 1 in out"])
    source = ncnn.read(str(path), Wanted())
    with pytest.raises(efm3.Efm3Error, match=r"X013.*2,400,000,000 values"):
        source.runtime.start()


def test_nothing_is_left_where_the_weights_cannot_be_written(small, tmp_path):
    (tmp_path / "f.ncnn.bin").mkdir()
    with pytest.raises(OSError):
        pair(tmp_path, small)
    assert os.listdir(tmp_path) == ["f.ncnn.bin"]
