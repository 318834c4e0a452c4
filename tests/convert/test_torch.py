# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch checkpoints. Without PyTorch these are skipped; `make test-extras` runs them."""


import argparse
import datetime
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
from efm3.convert import Wanted, read, read_network, write
from efm3.convert._checkpoint import Checkpoint
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
    first = efm3.load(VECTORS / "nano.bin")
    assert same(efm3.load(tmp_path / "n.bin"), first)
    assert done.check.source == "PyTorch" and done.check.max_error < 1e-12
    done = convert(DATA / "nano.pt", tmp_path / "n.bin", arch=efm3.ARCHS["nano"])
    assert same(efm3.load(tmp_path / "n.bin"), first)


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
    assert same(read(checkpoint(wrap(sd))), small)


def test_the_old_file_format(small, sd, checkpoint):
    assert same(read(checkpoint(sd, _use_new_zipfile_serialization=False)), small)


def test_what_pickle_itself_writes(small, sd, tmp_path):
    for protocol in range(6):
        (tmp_path / "c.pkl").write_bytes(pickle.dumps(sd, protocol))
        assert same(read(tmp_path / "c.pkl", format="torch"), small)


@pytest.mark.parametrize("old", [True, False])
def test_values_are_pytorchs_own(checkpoint, old):
    """Views, types and bits, as torch.load reads them."""
    w = torch.randn(6, 5, 3, 3)
    value = {"t": w.permute(1, 0, 3, 2), "part": w[1:4, 2:3], "half": w.half(),
             "double": w.double(), "bfloat16": w.bfloat16(), "none": w[:0],
             "one": torch.zeros(1).expand(2, 2),
             "parameter": torch.nn.Parameter(w), "slice": w.reshape(-1)[7:19], "scalar": w.sum()}
    if not old:
        value["minus"] = torch._neg_view(w)
    path = checkpoint(value, _use_new_zipfile_serialization=not old)
    with open(path, "rb") as f:
        ours = Checkpoint(f, str(path))
        for key, tensor in ours.root.texts.items():
            want = value[key].detach()
            got = ours.array(key, tensor)
            assert got.shape == want.shape
            assert np.array_equal(got.astype(np.float64), want.double().numpy()), key


@pytest.mark.parametrize("family", families.FAMILIES)
def test_families(family, checkpoint, pictures, tmp_path):
    net = families.make(family)
    path = checkpoint({"state_dict": net.state_dict()})
    done = convert(path, tmp_path / "f.bin")
    assert done.check.source == "PyTorch" and done.check.max_error < 1e-12
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


def test_a_linear_layer_with_a_bias_before_its_norm(checkpoint, pictures):
    net = families.make("plain", linear_bias=True)
    model = read(checkpoint(net.state_dict()))
    want = families.embeddings(net, pictures)
    assert np.abs(reference.forward(model, pictures) - want).max() < 1e-6


def test_another_epsilon(checkpoint, pictures):
    net = families.make("flat")
    for m in net.modules():
        if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
            m.eps = 1e-3
    path = checkpoint(net.state_dict())
    want = families.embeddings(net, pictures)
    network = read_network(path, Wanted(eps=1e-3))
    assert np.abs(reference.forward(network.model, pictures) - want).max() < 1e-6
    assert np.abs(network.run(pictures) - want).max() < 1e-12
    assert np.abs(reference.forward(read(path), pictures) - want).max() > 1e-5


def test_refused_members_of_the_families(checkpoint, refused):
    path = checkpoint(families.make("plain", dw_groups=4).state_dict())
    refused(path, "X009", "grouped convolution with 2 channels a group in conv2_dw.conv",
            "second layer")


FORMS = {
    "traced": lambda net: torch.jit.trace(net, torch.zeros(1, 3, 112, 112)),
    "scripted": torch.jit.script,
    "frozen": lambda net: torch.jit.freeze(torch.jit.script(net)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("family", families.FAMILIES)
def test_torchscript(family, form, pictures, tmp_path):
    """Read without running it; then PyTorch runs it, and both agree with the network."""
    net, pictures = families.make(family), pictures[:2]
    want = families.embeddings(net, pictures)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        FORMS[form](net).save(str(tmp_path / "c.pt"))
    network = read_network(tmp_path / "c.pt")
    # Freezing folds in float32.
    most = 1e-5 if form == "frozen" else 1e-6
    assert np.abs(reference.forward(network.model, pictures) - want).max() < most
    assert np.abs(network.run(pictures) - want).max() < 1e-5 and network.framework == "PyTorch"
    assert not any("padding" in a or "epsilon" in a or "stride" in a for a in network.assumed)


def test_torchscript_of_another_epsilon_and_relu(pictures, tmp_path):
    class Relu(families.Named):
        def __init__(self, *args, **kw):
            super().__init__(*args, **kw)
            if isinstance(self.prelu, torch.nn.PReLU):
                self.prelu = torch.nn.ReLU(inplace=True)
            self.bn.eps = 2e-3

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(families, "Named", Relu)
        warnings.simplefilter("ignore")
        net = families.make("plain")
        want = families.embeddings(net, pictures)
        torch.jit.trace(net, torch.zeros(1, 3, 112, 112)).save(str(tmp_path / "c.pt"))
    network = read_network(tmp_path / "c.pt")
    assert np.abs(reference.forward(network.model, pictures) - want).max() < 1e-6
    assert not network.model.tensors["stem.act.w"].any()


def test_torchscript_in_training_mode_is_read_as_eval_makes_it(pictures, tmp_path):
    net = families.make("flat")
    want = families.embeddings(net, pictures)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(net.train()).save(str(tmp_path / "c.pt"))
    network = read_network(tmp_path / "c.pt")
    assert np.abs(reference.forward(network.model, pictures) - want).max() < 1e-6
    assert np.abs(network.run(pictures) - want).max() < 1e-5


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
        network = read_network(tmp_path / "f.onnx")
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
    refused(path, "X004", "io.open", "could run code", "torch.save(model.state_dict(), path)")
    assert not flag.exists()


def test_a_bare_pickle_is_refused_unrun(tmp_path, refused):
    flag = tmp_path / "ran"
    (tmp_path / "c.pt").write_bytes(pickle.dumps(Hostile(flag), protocol=2))
    refused(tmp_path / "c.pt", "X004", "io.open")
    assert not flag.exists()


def test_a_whole_module_is_refused(checkpoint, refused):
    refused(checkpoint(families.make("flat")), "X004", "families.Flat", "state_dict")


def test_what_is_beside_the_weights(small, sd, checkpoint):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(3, 3, 3, 3))])
    optimizer.param_groups[0]["params"][0].grad = torch.ones(3, 3, 3, 3)
    optimizer.step()
    value = {"state_dict": sd, "args": argparse.Namespace(lr=0.1, path=Path("x")),
             "best": np.float64(0.5), "optimizer": optimizer.state_dict(),
             "rng": torch.get_rng_state(), "numpy": np.arange(3), "device": torch.device("cpu"),
             "type": torch.float32, "size": torch.Size([1]), "when": datetime.date(2020, 1, 1)}
    for new in (True, False):
        assert same(read(checkpoint(value, _use_new_zipfile_serialization=new)), small)


@pytest.mark.parametrize("value,code,word", [
    (lambda s: 5, "X015", "int"), (lambda s: {}, "X015", "dict"),
    (lambda s: {"a": s, "b": {**s, "stem.bn.bias": torch.ones(8)}}, "X018", "2 state_dicts: a, b"),
    (lambda s: s | {"stem.conv.weight": "text"}, "X006", "stem.conv.weight is a str"),
    (lambda s: s | {7: s["stem.conv.weight"]}, "X015", "7"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(8, dtype=torch.int32)}, "X006", "stem.bn.bias"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(8).to(torch.float8_e4m3fn)}, "X006", "float8_e4m3"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(8, dtype=torch.complex64).conj()}, "X006",
     "conjugated"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(8).to_sparse()}, "X006", "sparse"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(8, device="meta")}, "X006", "meta"),
    (lambda s: s | {"stem.bn.bias": torch.quantize_per_tensor(torch.zeros(8), 1, 0, torch.qint8)},
     "X006", "quantized"),
    (lambda s: s | {"stem.bn.bias": torch.zeros(1).expand(1 << 40)}, "X006", "more than"),
    (lambda s: s | {"stem.conv.weight": torch.zeros(8, 5, 3, 3)}, "X009", "stem.conv takes 5"),
    (lambda s: s | {"stem.bn.bias": torch.full((8,), float("nan"))}, "W005", "stem.bn.b"),
])
def test_wrong_contents(sd, checkpoint, refused, value, code, word):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = checkpoint(value(sd))
    refused(path, code, word)


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


def test_verify_against(cli, tmp_path):
    result = cli("verify", VECTORS / "nano.bin", "--against", DATA / "nano.pt", "--json")
    value = json.loads(result.stdout)
    assert result.exit_code == 0 and value["ok"] and value["framework"] == "PyTorch"
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
