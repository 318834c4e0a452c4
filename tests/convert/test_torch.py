# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch checkpoints. Without PyTorch these are skipped; `make test-torch` runs them."""


import json
import pickle
import subprocess
import sys
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

import efm3
from efm3 import reference
from efm3.convert import read, read_network, write
from efm3.convert.checked import convert
from tests.convert import families

NEEDS = ("torch",)

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
VECTORS = ROOT / "spec" / "vectors"


@pytest.fixture
def checkpoint(tmp_path):
    """checkpoint(value) saves it and gives the path."""
    def make(value, name="c.pt", **options):
        torch.save(value, tmp_path / name, **options)
        return tmp_path / name
    return make


@pytest.fixture
def sd(state):
    return OrderedDict((k, torch.from_numpy(v)) for k, v in state.items())


def same(a, b):
    return all(np.array_equal(a.tensors[k], v) for k, v in b.tensors.items())


def test_the_original_checkpoint_gives_the_original_bytes(tmp_path):
    done = convert(DATA / "nano.pt", tmp_path / "n.bin")
    assert (tmp_path / "n.bin").read_bytes() == (VECTORS / "nano.bin").read_bytes()
    assert done.check.source == "torch" and done.check.max_error < 1e-12
    convert(DATA / "nano.pt", tmp_path / "n.bin", arch=efm3.ARCHS["nano"], strict=True)
    assert (tmp_path / "n.bin").read_bytes() == (VECTORS / "nano.bin").read_bytes()


def test_round_trip(vector, odd_text, round_trip):
    for path in (vector, odd_text):
        round_trip(path, ".pt")


def test_what_is_written_is_the_original_naming(tmp_path):
    convert(VECTORS / "nano.bin", tmp_path / "n.pth")
    ours = torch.load(tmp_path / "n.pth", weights_only=True)
    theirs = torch.load(DATA / "nano.pt", weights_only=True)
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[k], v) for k, v in theirs.items() if "num_batches" not in k)


@pytest.mark.parametrize("wrap", [
    lambda s: s, lambda s: {"model": s, "epoch": 3, "optimizer": {"state": {0: {"m": s}}}},
    lambda s: {"state_dict": s}, lambda s: {"model": s, "ema": s}, dict,
    lambda s: {f"module.{k}": v for k, v in s.items()},
    lambda s: s | {"head.weight": torch.zeros(9, 12)},
    lambda s: {"model": {f"module.{k}": v for k, v in s.items()} | {
        "module.head.kernel": torch.zeros(12, 9, 3)}},
    lambda s: {k: v.double() if v.is_floating_point() else v for k, v in s.items()},
    lambda s: {k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in s.items()},
])
def test_wrappers(small, sd, checkpoint, wrap):
    assert same(read(checkpoint(wrap(sd)), strict=True), small)


def test_the_old_file_format(small, sd, checkpoint):
    assert same(read(checkpoint(sd, _use_new_zipfile_serialization=False)), small)


def test_half_precision_is_exact_in_float32(sd, checkpoint):
    for kind in (torch.float16, torch.bfloat16):
        model = read(checkpoint({k: v.to(kind) for k, v in sd.items()}), strict=True)
        want = sd["stem.conv.weight"].to(kind).float().numpy()
        assert np.array_equal(model.tensors["stem.conv.w"], want)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_families(family, checkpoint, pictures, tmp_path):
    net = families.make(family)
    path = checkpoint({"state_dict": net.state_dict()})
    done = convert(path, tmp_path / "f.bin", strict=True)
    assert done.arch.stages == efm3.ARCHS["nano"].stages
    assert (done.arch.stem_channels, done.arch.block_channels, done.arch.final_channels,
            done.arch.embedding_dim) == (8, 12, 16, 10)
    model = efm3.load(tmp_path / "f.bin")
    want = families.embeddings(net, pictures)
    assert np.abs(reference.forward(model, pictures) - want).max() < 1e-12
    with efm3.Engine(model) as e:
        assert np.abs(e.embed(pictures) - want).max() < 1e-5


def test_families_with_other_ends(checkpoint, pictures):
    for net in (families.make("numbered", affine=False),
                families.make("plain", c=12, b=12, f=15, d=7)):
        model = read(checkpoint(net.state_dict()))
        want = families.embeddings(net, pictures)
        assert np.abs(reference.forward(model, pictures) - want).max() < 1e-12


def test_refused_members_of_the_families(checkpoint, refused):
    path = checkpoint(families.make("plain", dw_groups=4).state_dict())
    refused(path, "X009", "conv2_dw.conv has groups=4 for 8 channels", "second layer")
    path = checkpoint(families.make("plain", linear_bias=True).state_dict())
    refused(path, "X009", "bias in embed_proj", "linear")


EXPORTS = [(fold, free, opset) for fold in (True, False) for free in (True, False)
           for opset in (9, 17)]


@pytest.mark.parametrize("family", families.FAMILIES)
def test_families_through_onnx(family, pictures, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    net = families.make(family)
    pictures = pictures[:1]
    want = families.embeddings(net, pictures)
    torch.save(net.state_dict(), tmp_path / "f.pt")
    exact = read(tmp_path / "f.pt")
    mode = torch.onnx.TrainingMode
    for fold, free, opset in EXPORTS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(net, torch.zeros(1, 3, 112, 112), tmp_path / "f.onnx",
                              opset_version=opset, dynamo=False, do_constant_folding=fold,
                              training=mode.EVAL if fold else mode.PRESERVE,
                              input_names=["input"],
                              dynamic_axes={"input": {0: "n"}} if free else None)
        network = read_network(tmp_path / "f.onnx", strict=True)
        if fold:
            error = np.abs(reference.forward(network.model, pictures) - want).max()
            assert error < 1e-5, (free, opset)
        else:
            assert same(network.model, exact), (free, opset)
    assert np.abs(network.run(pictures) - want).max() < 1e-5


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("new", [True, False])
def test_a_pickle_that_runs_code_is_refused_unrun(sd, checkpoint, tmp_path, refused, new):
    flag = tmp_path / "ran"
    path = checkpoint({"model": sd, "x": Hostile(flag)}, _use_new_zipfile_serialization=new)
    refused(path, "X004", "io.open", "could run code")
    assert not flag.exists()


def test_a_bare_pickle_is_refused_unrun(tmp_path, refused):
    flag = tmp_path / "ran"
    (tmp_path / "c.pt").write_bytes(pickle.dumps(Hostile(flag), protocol=2))
    refused(tmp_path / "c.pt", "X004", "io.open")
    assert not flag.exists()


def test_a_whole_module_is_refused(checkpoint, refused):
    refused(checkpoint(families.make("flat")), "X004", "families.Flat", "state_dict")


def test_torchscript_is_refused(tmp_path, refused):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "c.pt"))
    refused(tmp_path / "c.pt", "X004", "TorchScript")


@pytest.mark.parametrize("value,code,word", [
    (lambda s: 5, "X015", "int"), (lambda s: [s], "X015", "list"), (lambda s: {}, "X015", "dict"),
    (lambda s: {"a": s, "b": s}, "X015", "2 under a, b"),
    (lambda s: s | {"stem.conv.weight": "text"}, "X006", "stem.conv.weight is a str"),
    (lambda s: s | {7: s["stem.conv.weight"]}, "X015", "7"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(8, dtype=torch.int32)}, "X006", "stem.bn.bias"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(8, dtype=torch.complex64)}, "X006",
     "stem.bn.bias"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(8).to_sparse()}, "X006", "stem.bn.bias"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(8, device="meta")}, "X006", "stem.bn.bias"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(1).expand(1 << 40)}, "X006", "more than"),
    (lambda s: s | {"stem.conv.weight": torch.zeros(8, 5, 3, 3)}, "X009", "stem.conv takes 5"),
    (lambda s: s | {"stem.bn.bias": torch.full((8,), float("nan"))}, "W005", "stem.bn.b"),
])
def test_wrong_contents(sd, checkpoint, refused, value, code, word):
    refused(checkpoint(value(sd)), code, word)


def test_truncated_and_flipped(sd, checkpoint, tmp_path, refused):
    data = checkpoint(sd).read_bytes()
    path = tmp_path / "d.pt"
    for n in [0, 1, 30, *range(100, len(data), len(data) // 20)]:
        path.write_bytes(data[:n])
        refused(path, "X003")
    path.write_bytes((VECTORS / "nano.bin").read_bytes())
    refused(path, "X003")
    rng = np.random.default_rng(2)
    for _ in range(60):
        bad = bytearray(data)
        for at in rng.integers(0, len(data), 4):
            bad[at] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try:
            read(path)
        except efm3.Efm3Error as e:
            assert e.code[0] == "X"


def test_a_compressed_archive_is_not_unpacked(sd, checkpoint, tmp_path, refused):
    with zipfile.ZipFile(checkpoint(sd)) as old, \
            zipfile.ZipFile(tmp_path / "d.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            big = info.filename.endswith("data/0")
            new.writestr(info.filename, bytes(1 << 25) if big else old.read(info))
    refused(tmp_path / "d.pt", "X003", "unpacks")


def test_metadata_that_contradict_the_weights(small, tmp_path, refused):
    write(small, tmp_path / "c.pt")
    state = torch.load(tmp_path / "c.pt", weights_only=True)
    state.efm3 = dict(state.efm3, **{"efm3.arch": "{}"})
    torch.save(state, tmp_path / "c.pt")
    refused(tmp_path / "c.pt", "X012", "efm3.arch")


def test_the_check_runs_the_checkpoint_not_the_result(sd, checkpoint, refused, monkeypatch):
    """A converter that mixes up two tensors is caught, and leaves no file."""
    from efm3.convert import _units
    real = _units.tensors

    def wrong(arch, units):
        out = real(arch, units)
        out["stem.bn.b"], out["stem.bn.mean"] = out["stem.bn.mean"], out["stem.bn.b"]
        return out
    monkeypatch.setattr(_units, "tensors", wrong)
    refused(checkpoint(sd), "X013", "differ from the source")


def test_verify_against(cli, tmp_path):
    result = cli("verify", VECTORS / "nano.bin", "--against", DATA / "nano.pt", "--json")
    value = json.loads(result.stdout)
    assert result.exit_code == 0 and value["ok"] and value["framework"] == "torch"
    assert value["outcomes"][0]["isa"] == "reference"
    assert len(value["outcomes"]) == 1 + sum(efm3.engine.isas().values())
    model = efm3.load(VECTORS / "nano.bin")
    tensors = {k: np.array(v) for k, v in model.tensors.items()}
    tensors["embed_proj.bn.b"][0] += 0.01
    efm3.save(tmp_path / "w.bin", model.arch, tensors)
    result = cli("verify", tmp_path / "w.bin", "--against", DATA / "nano.pt", "--isa", "scalar")
    assert result.exit_code == 1 and "FAIL reference" in result.stdout
    assert "NOT verified" in result.stdout


def test_the_alias_of_the_original_page(tmp_path):
    def run(arch, file):
        return subprocess.run(
            [sys.executable, ROOT / "tools" / "verify_bin.py", "--arch", arch, "--bin", file,
             "--ckpt", DATA / "nano.pt"], capture_output=True, text=True, check=False)
    done = run("nano", VECTORS / "nano.bin")
    assert done.returncode == 0 and "max_err = " in done.stdout
    done = run("xs", VECTORS / "nano.bin")
    assert done.returncode == 1 and "not of arch xs" in done.stderr
    (tmp_path / "x.bin").write_bytes(b"EFM3")
    assert run("nano", tmp_path / "x.bin").returncode == 1


def test_the_file_is_read_from_a_regular_file_only(tmp_path):
    (tmp_path / "d.pt").mkdir()
    for path in (tmp_path / "d.pt", tmp_path / "none.pt"):
        with pytest.raises(OSError):
            read(path)


def test_counters_let_a_module_load_strictly(small, tmp_path):
    write(small, tmp_path / "c.pt")
    state = torch.load(tmp_path / "c.pt", weights_only=True)
    assert state["stem.bn.num_batches_tracked"].shape == ()
    block = families.Named(3, 8, 3, 2)
    block.load_state_dict({k[5:].replace("act.", "prelu."): v for k, v in state.items()
                           if k.startswith("stem.")}, strict=True)
    assert torch.equal(block.conv.weight, state["stem.conv.weight"])
