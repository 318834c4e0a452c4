# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.bench engine`: what is compared, and what is said of what does not run."""

import json
import sys

import numpy as np
import pytest

import efm3
from efm3 import convert, machine, untrained
from efm3.conformance import sample
from efm3.convert._fold import fold
from efm3.network import BN_TENSORS, layers
from tests.convert.tflite_files import Style, network
from tools.bench import _quantised, engine, peers

PEER = peers.Peer("ncnn", "int8", "-x.param", lambda model, path: None, lambda path: None)


@pytest.fixture(scope="module")
def small():
    return efm3.load(sample.base())


def folded(model, layer):
    w, _ = fold(np.asarray(model.tensors[f"{layer.name}.conv.w"]),
                {k: np.asarray(model.tensors[f"{layer.name}.{k}"]) for k in BN_TENSORS})
    return w.reshape(len(w), -1)


def test_int8_files_hold_the_weights_within_half_a_step(small, tmp_path, monkeypatch):
    monkeypatch.setattr(_quantised, "PICTURES", 2)
    _quantised.ncnn(small, tmp_path / "a.param")
    _quantised.tflite(small, tmp_path / "b.tflite")
    for name in ("a.param", "b.tflite"):
        read = convert.read(tmp_path / name)
        exact = 0
        for layer in layers(small.arch):
            have, want = folded(read, layer), folded(small, layer)
            step = np.abs(want).max(axis=1, keepdims=True) / 127
            off = np.abs(have - want).max()
            if layer.kind == "pointwise":
                # Half a step, and roundings of float32 on the way.
                assert (np.abs(have - want) <= step * 0.5001).all() and off > step.min() / 10
            else:
                exact += 1
                np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-7)
        assert exact


def test_only_pointwise_layers_of_a_style_are_int8(small):
    sizes = [len(network(small, Style(weights=w))) for w in ("int8", "int8 pointwise", "float32")]
    assert sizes == sorted(sizes) and len(set(sizes)) == 3


def test_peers_are_chosen_by_name():
    assert {p.runtime for p in peers.chosen("all", True)} == set(peers.WHEELS)
    assert {p.precision for p in peers.chosen("ncnn,litert", False)} == {"f32"}
    assert {p.name for p in peers.chosen("ncnn", True)} == {"ncnn f32", "ncnn bf16", "ncnn int8"}
    with pytest.raises(ValueError, match="'cnn' is none of onnxruntime, openvino, ncnn, litert"):
        peers.chosen("ncnn,cnn", True)


def test_a_peer_that_does_not_run_is_named_with_the_reason(small, tmp_path):
    def fails(error):
        def write(model, path):
            path.write_bytes(b"half")
            raise error
        return write

    reasons = {"a": ("no bf16", peers.Absent("no bf16")),
               "b": ("not installed: No module named 'x'", ImportError("No module named 'x'")),
               "c": ("RuntimeError: first", RuntimeError("first\nsecond")),
               "d": ("OSError: ", OSError())}
    found, absent = peers.started(
        [PEER._replace(runtime=k, file=f"-{k}", write=fails(e)) for k, (_, e) in reasons.items()],
        small, tmp_path, "s")
    assert not found and absent == {f"{k} int8": why for k, (why, _) in reasons.items()}
    assert list(tmp_path.iterdir()) == []


def test_files_are_written_once_and_then_taken(small, tmp_path):
    written = []

    def write(model, path):
        written.append(path.name)
        path.with_suffix(".bin").write_bytes(b"beside")
        path.write_bytes(b"file")

    peer = PEER._replace(write=write, load=lambda path: lambda x: lambda: (path.name, x.shape))
    for _ in range(2):
        found, absent = peers.started([peer], small, tmp_path, "s")
        assert not absent
        assert found["ncnn int8"](untrained.images(1, 1))() == ("s-x.param", (1, 3, 112, 112))
    assert written == ["s-x.param"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s-x.bin", "s-x.param"]


def test_the_best_peer_is_the_fastest_below_f32():
    times = {"isa": 4.0, "isa fast": 1.0, "a f32": 1.5, "a int8": 3.0, "b int8": 2.0}
    assert engine.best_peer(times, ["a int8", "b int8", "c int8"], "isa fast") == {
        "ours": "isa fast", "peer": "b int8", "ratio": 0.5}
    assert engine.best_peer(times, ["c int8"], "isa fast") is None
    assert engine.best_peer(times, ["a int8"], "isa slow") is None


def test_one_run(monkeypatch, capsys, tmp_path):
    """A size with drawn weights for all four, and a peer of which the library is missing."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/facex_nano.bin").write_bytes(sample.base())
    monkeypatch.setattr(engine, "ROOT", tmp_path)
    monkeypatch.setattr(engine, "LOADS", 2)
    monkeypatch.setattr(engine, "BATCH", 2)
    cores = machine.cores()
    monkeypatch.setitem(sys.modules, "ncnn", None)
    words = ["engine", "--peers", "ncnn", "--precision", "all", "--sizes", "nano", "--rounds", "2"]
    monkeypatch.setattr(sys, "argv", [*words, "--models", str(tmp_path / "m"), "--json"])
    engine.main()
    assert machine.cores() == cores
    found = json.loads(capsys.readouterr().out)
    row = found["sizes"][0]
    assert set(row["absent"]) == {"ncnn f32", "ncnn bf16", "ncnn int8"}
    assert all(why.startswith("not installed: ") for why in row["absent"].values())
    assert row["arch"] == "nano" and set(row["load_ms"]) == {"f32", "high", "fast"}
    assert row["best_peer"] is None
    for name, r in row["engines"].items():
        assert r["min_ms"] > 0 and -1 <= r["cosine"] <= 1.000001
        assert (r["to_own_f32"] is None) == (" " not in name)
    for lines in (engine.report(found), engine.report({**found, "sizes": [
            row | {"two_threads": {"f32": 1.5}, "best_peer": {"ours": "a", "peer": "b",
                                                              "ratio": 0.25}}]})):
        assert "  ncnn bf16                not run: not installed: " in lines
    assert "a to the fastest peer below f32, b: 0.25" in lines and "f32 1.50 x" in lines


@pytest.mark.parametrize("words, said", [
    (["--sizes", "huge"], "--sizes: 'huge' is none of nano"),
    (["--peers", "x"], "--peers: 'x' is none of onnxruntime"),
    (["--prepare"], "--prepare needs --peers and --models")])
def test_wrong_words(words, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["engine", *words])
    with pytest.raises(SystemExit, match="2"):
        engine.main()
    assert said in capsys.readouterr().err
