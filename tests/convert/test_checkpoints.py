# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints without PyTorch: forms of the file, what stands beside the weights, heads, choices,
orders, activations, and files that lie."""

import io
import pickle
import random
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.convert import FORMATS, Wanted, _unpickle, module_of, read, read_network
from tests.convert import checkpoint_files as files
from tests.convert.checkpoint_files import Call, Global, New, Tensor, bfloat16

HOSTILE = Path(__file__).resolve().parents[3] / "shared" / "cases" / "hostile"


@pytest.fixture
def saved(tmp_path):
    """saved(value) writes a checkpoint; saved(value, old=True) as PyTorch did before 1.6."""
    def make(value, name="c.pt", old=False):
        path = tmp_path / name
        path.write_bytes(value if isinstance(value, bytes)
                         else (files.stream if old else files.archive)(value))
        return path
    return make


def same(a, b):
    return all(np.array_equal(a.tensors[k], v) for k, v in b.tensors.items())


def found(path, small, **wanted):
    """The reader's Source, after a look at whether it holds `small`'s layers, in their order."""
    source = module_of(FORMATS["torch"]).read(str(path), Wanted(**wanted))
    convs = [n.inputs[1].value for n in source.graph.nodes if n.op == "Conv"]
    want = [v for k, v in small.tensors.items() if k.endswith("conv.w")]
    assert len(convs) == len(want)
    assert all(np.array_equal(a, b) for a, b in zip(convs, want, strict=True))
    return source


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize("old", [True, False])
def test_new_and_old_files(small, state, saved, old):
    network = read_network(saved(state, old=old))
    assert same(network.model, small)
    assert [a[:12] for a in network.assumed] == ["BatchNorm's ", "padding and ", "the input is",
                                                 "the input is", "a checkpoint", "strides are "]


@pytest.mark.parametrize("protocol", range(6))
def test_a_plain_pickle_of_arrays(small, state, saved, protocol):
    found(saved(pickle.dumps(state, protocol), "c.pkl"), small)
    turned = {k: np.asfortranarray(v) for k, v in state.items()}
    found(saved(pickle.dumps(turned, protocol), "c.pkl"), small)


@pytest.mark.parametrize("beside", [
    {"epoch": 3, "lr": 0.1, "big": 1 << 90, "losses": [0.5] * 1000, "none": None},
    {"args": New("argparse.Namespace", {"width": 1.0, "path": "x"})},
    {"best": Call("numpy.core.multiarray.scalar", (Call("numpy.dtype", ("f8", False, True)),
                                                   "\x00" * 8))},
    {"optimizer": {"state": {0: {"exp_avg": zeros(8, 3, 3, 3)}}, "param_groups": [{"lr": 0.1}]}},
    {"cfg": Call("omegaconf.dictconfig.DictConfig", (), {"_content": {"a": 1}})},
    {"head": {"weight": zeros(99, 12)}}, {"set": Call("builtins.set", ([1, 2],))},
    {"device": Call("torch.device", ("cuda", 0))}, {7: "seven", "name": Global("a.b")},
])
def test_what_stands_beside_the_weights_does_not_matter(small, state, saved, beside):
    found(saved({"model": state, **beside}), small)


def test_values_beside_the_weights_in_one_dict(small, state, saved):
    found(saved({"epoch": 3, "args": New("argparse.Namespace", {}), **state}), small)


def test_half_precision_is_exact(state, saved):
    for make in (bfloat16, lambda v: files.tensor(v.astype(np.float16))):
        model = read(saved({k: make(v) if v.ndim else v for k, v in state.items()}))
        want = state["stem.conv.weight"]
        want = ((want.view(np.uint32) >> 16 << 16).view(np.float32) if make is bfloat16
                else want.astype(np.float16).astype(np.float32))
        assert np.array_equal(model.tensors["stem.conv.w"], want)


def test_views_of_one_storage(small, state, saved):
    """Strides, offsets, and the bit that stands for a minus sign."""
    w = state["stages.0.project.conv.weight"]
    turned = np.ascontiguousarray(w.transpose(1, 0, 2, 3))
    rows = np.concatenate([zeros(5), -state["stem.bn.bias"]])
    state["stages.0.project.conv.weight"] = Tensor(
        turned.tobytes(), "Float", turned.size, w.shape, (1, w.shape[0], 1, 1))
    state["stem.bn.bias"] = Tensor(rows.tobytes(), "Float", rows.size, (8,), (1,), 5,
                                   (False, None, {"neg": True}))
    assert same(read(saved(state)), small)


# Heads.

HEADS = {
    "head.weight": zeros(99, 12), "model.head.weight": zeros(12, 99), "margin.weight": zeros(9, 12),
    "fc.weight": zeros(99, 12), "weight": zeros(7, 12), "kernel": zeros(12, 99),
    "module.head.kernel": zeros(12, 9, 3), "_orig_mod.head.weight": zeros(99, 12),
}


@pytest.mark.parametrize("key", HEADS)
@pytest.mark.parametrize("first", [True, False])
def test_a_head_is_dropped_and_said(small, state, saved, key, first):
    head = {key: HEADS[key]}
    if key.endswith(".weight") and len(HEADS[key]) == 99:
        head[key.replace("weight", "bias")] = zeros(99)
    source = found(saved({**head, **state} if first else {**state, **head}), small)
    assert f"{key} {[*HEADS[key].shape]} is a classification head: dropped" in source.graph.assumed


@pytest.mark.parametrize("key,shape", [
    ("head.weight", (99, 13)), ("head.weight", (16, 24, 1, 1)), ("head.scale", ()),
    ("head.kernel", (5, 6, 7)),
])
def test_what_is_no_head_does_not_vanish(state, saved, refused, key, shape):
    error = refused(saved({**state, key: np.zeros(shape, np.float32)}), "X015"
                    if len(shape) in (0, 3) else "X009")
    assert "head" in str(error)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("own", [
    {"last.weight": zeros(12, 12)}, {"last.weight": zeros(12, 12), "last.bias": zeros(12)},
    {"last.weight": zeros(12, 12, 1, 1)}, {"last.kernel": zeros(12, 12)},
])
def test_a_square_layer_at_the_end_may_be_either(state, saved, refused, own, first):
    refused(saved({**own, **state} if first else {**state, **own}), "X015", next(iter(own)),
            "one more layer", "head", "--key", "ONNX")


def test_a_square_layer_with_a_batchnorm_is_one(small, state, saved, pictures):
    turned = np.eye(12, dtype=np.float32)[::-1] * 2
    more = {"last.weight": turned, "bn.running_mean": zeros(12),
            "bn.running_var": np.full(12, 1 - 1e-5, np.float32)}
    x = pictures[:1]
    got = reference.forward(read_network(saved({**state, **more})).model, x)
    assert np.abs(got - reference.forward(small, x)[:, ::-1]).max() < 1e-6


# Several networks.

def test_several_state_dicts_must_be_chosen(small, state, saved, refused):
    other = {**state, "stem.bn.bias": state["stem.bn.bias"] + 1}
    path = saved({"model": state, "deep": {"er": {"model.ema": other}}, "head": {"w": zeros(3)}})
    refused(path, "X018", "model, deep.er.model.ema", "--key")
    found(path, small, key="model")
    ema = read_network(path, Wanted(key="deep.er.model.ema")).model
    assert np.array_equal(ema.tensors["stem.bn.b"], small.tensors["stem.bn.b"] + 1)
    refused(path, "X018", "nothing", "no tensors under nothing", wanted=Wanted(key="nothing"))
    path = saved({"a": {"b": {**other, "stem.conv.weight": zeros(8, 3, 3, 3)}}, "a.b": state})
    found(path, small, key="a.b")


def test_the_same_state_dict_twice_is_one(small, state, saved):
    tensors = {k: files.tensor(v) for k, v in state.items()}
    found(saved([{"a": tensors}]), small)


def test_two_networks_in_one_dict(small, state, saved, refused):
    both = {f"student.{k}": v for k, v in state.items()} | {
        f"teacher.net.{k}": v for k, v in state.items()}
    refused(saved(both), "X018", "student, teacher", "--key")
    found(saved(both), small, key="student")
    path = saved({"state_dict": both})
    found(path, small, key="state_dict.student")
    refused(path, "X018", "no tensors under", wanted=Wanted(key="state_dict.pupil"))


# The order of the keys.

def flat(state):
    """One flat Sequential: features.0, features.1, ..."""
    out, number, last = {}, -1, None
    for k, v in state.items():
        path, _, name = k.rpartition(".")
        number, last = number + (path != last), path
        out[f"features.{number}.{name}"] = v
    return out


def test_keys_sorted_as_text(small, state, saved):
    for keys, word in ((flat(state), "numbers"), (state, "block by block")):
        network = read_network(saved({k: keys[k] for k in sorted(keys)}))
        assert same(network.model, small)
        assert any(word in a and "not in the network's order" in a for a in network.assumed)


def test_numbered_names_are_sorted_by_their_numbers(small, state, saved):
    named = {k.replace("stages.", "block"): v for k, v in state.items()}
    network = read_network(saved({k: named[k] for k in sorted(named)}))
    assert same(network.model, small)


def test_the_right_layer_is_blamed_where_keys_are_sorted(state, saved, refused):
    broken = flat(state)
    key = next(k for k, v in broken.items() if v.shape == (16, 1, 3, 3))
    broken[key] = zeros(16, 1, 5, 5)
    refused(saved({k: broken[k] for k in sorted(broken)}), "X009", f"in {key[:-7]}")


# Activations and epsilon.

def bare(state):
    return {k: v for k, v in state.items() if ".act." not in k}


def test_relu_is_the_callers_word(state, saved, refused):
    path = saved(bare(state))
    refused(path, "X009", "stem.conv has no PReLU", "--act relu or --act leaky:SLOPE")
    refused(path, "X009", "no PReLU", wanted=Wanted(act="prelu"))
    for act, slope in (("relu", 0.0), ("leaky:0.1", 0.1)):
        network = read_network(path, Wanted(act=act))
        acts = {k: v for k, v in network.model.tensors.items() if k.endswith("act.w")}
        assert len(acts) == 2 * 15 + 3
        assert all((v == np.float32(slope)).all() for v in acts.values())
        assert not any("ctivation" in a for a in network.assumed)
    refused(saved(state), "X009", "has PReLUs", "stem.act", wanted=Wanted(act="relu"))


def test_another_network_is_not_told_to_give_an_activation(saved, refused):
    error = refused(saved({"conv1.weight": zeros(64, 3, 7, 7),
                           "layer1.weight": zeros(64, 64, 3, 3)}), "X009", "conv1")
    assert "--act" not in str(error)


@pytest.fixture
def paired(state):
    """The checkpoint with two linear layers at the end, 24 to 20 to 12."""
    rng = np.random.default_rng(4)
    w = state.pop("embed_proj.conv.weight")
    out = {}
    for k, v in state.items():
        if k == "embed_proj.bn.weight":
            out |= {"embed_proj.one.weight": rng.normal(size=(20, 24)).astype(np.float32),
                    "embed_proj.one.bias": rng.normal(size=20).astype(np.float32),
                    "embed_proj.two.weight": np.resize(w, (12, 20))}
        out[k] = v
    return out


def test_the_checkpoint_itself_is_run(paired, saved, pictures, refused, monkeypatch):
    """With the arch's strides and additions put in, a pair of linear layers as it is."""
    from efm3.convert import _units
    path = saved(paired)
    network = read_network(path)
    x = pictures[:1]
    ran, result = network.run(x), reference.forward(network.model, x)
    assert network.framework.startswith(("PyTorch", "float64 evaluation of the graph"))
    assert 0 < np.abs(ran - result).max() < 1e-6
    real = _units.tensors

    def wrong(arch, units):
        out = real(arch, units)
        out["stem.bn.b"], out["stem.bn.mean"] = out["stem.bn.mean"], out["stem.bn.b"]
        return out
    monkeypatch.setattr(_units, "tensors", wrong)
    refused(path, "X013", "differ from the source")


# What is refused.

@pytest.mark.parametrize("value,code,words", [
    (5, "X015", ["it holds a int"]), ([], "X015", ["list"]), ({}, "X015", ["dict"]),
    (New("families.Flat", {"_modules": {}, "_parameters": {"weight": zeros(8, 3, 3, 3)}}), "X004",
     ["families.Flat", "torch.save(model.state_dict(), path)"]),
    ({"net": New("a.Net", {"_modules": {"c": New("b.Conv", {"_modules": {}})}})}, "X004",
     ["a.Net"]),
    (Call("os.system", ("true",)), "X004", ["os.system", "could run code", "state_dict"]),
    ({"x": Call("builtins.eval", ("1",))}, "X004", ["builtins.eval"]),
    ([Call("builtins.bytearray", (2_000_000_000,))] * 9, "X015", ["list"]),
])
def test_what_is_no_checkpoint(saved, refused, value, code, words):
    for old in (False, True):
        refused(saved(value, old=old), code, *words)


T = "stem.bn.bias"
ODD = {
    "text": ("text", "X006", "stem.bn.bias is a str"),
    "integers": (np.zeros(8, np.int32), "X006", "holds int32"),
    "complex": (np.zeros(8, np.complex64), "X006", "holds complex64"),
    "float8": (Tensor(b"x" * 8, "Untyped", 8, (8,), (1,), 0, (
        False, None, Global("torch.float8_e4m3fn")), "torch._utils._rebuild_tensor_v3"), "X006",
        "holds float8_e4m3fn"),
    "conjugated": (Tensor(bytes(64), "ComplexFloat", 8, (8,), (1,), 0, (
        False, None, {"conj": True})), "X006", "conjugated"),
    "sparse": (Call("torch._utils._rebuild_sparse_tensor", (0, (1,))), "X006", "sparse"),
    "quantized": (Call("torch._utils._rebuild_qtensor", (0,)), "X006", "quantized"),
    "meta": (Call("torch._utils._rebuild_meta_tensor_no_storage", (0,)), "X006", "meta"),
    "expanded": (Tensor(bytes(4), "Float", 1, (1 << 40,), (0,)), "X006", "more than"),
    "far": (Tensor(bytes(32), "Float", 8, (8,), (1,), 1), "X006", "has not"),
    "negative": (Tensor(bytes(32), "Float", 8, (8,), (-1,), 7), "X006", "no tensor"),
    "huge": (Tensor(b"", "Float", 1, (1 << 2000,), (1,)), "X006", "no tensor"),
    "short": (Tensor(bytes(28), "Float", 8, (8,), (1,)), "X006", "has not"),
    "deep": (np.zeros((1,) * 9, np.float32), "X006", "no tensor"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_tensors(state, saved, refused, case):
    value, code, words = ODD[case]
    refused(saved({**state, T: value}), code, words)


@pytest.mark.parametrize("stride", [-5, 0, 1 << 50])
def test_any_stride_of_one_value(small, state, saved, stride):
    """PyTorch takes it: there is nothing to step to."""
    key = "embed_proj.conv.weight"
    a = np.array(state[key])
    odd = Tensor(a.tobytes(), "Float", a.size, a.shape, (a.shape[1], 1, stride, stride))
    assert same(read_network(saved({**state, key: odd})).model, small)


@pytest.mark.parametrize("shape, strides", [
    ((8,), ()), ((8,), None), ((8,), []), ([8], [1]), ([8], (1,))])
def test_sides_and_strides_as_pytorch_takes_them(small, state, saved, shape, strides):
    """Lists, and no strides for values in a row: `Tensor.set_` of the same gives these values."""
    odd = Tensor(np.array(state[T]).tobytes(), "Float", 8, shape, strides)
    assert same(read_network(saved({**state, T: odd})).model, small)


@pytest.mark.parametrize("shape, strides", [
    ((8,), (1, 1)), ((8,), 1), (8, (1,)), ((8.0,), (1,)), ((8,), ("1",)), ((1,) * 65, (1,) * 65)])
def test_sides_and_strides_that_make_no_tensor(state, saved, refused, shape, strides):
    odd = Tensor(np.array(state[T]).tobytes(), "Float", 8, shape, strides)
    refused(saved({**state, T: odd}), "X006", "stem.bn.bias is a Thing, not a tensor")


def test_a_key_that_is_no_text(state, saved, refused):
    refused(saved({**state, 7: zeros(8)}), "X015", "is 7, not text")
    refused(saved({**state, (1, 2): zeros(8)}), "X015", "tuple, not text")


def reads(path, words):
    """The reader itself refuses the file, whatever its first bytes say of it."""
    with pytest.raises(efm3.Efm3Error, match=words) as e:
        module_of(FORMATS["torch"]).read(str(path), Wanted())
    assert e.value.code == "X003"


@pytest.mark.parametrize("old", [True, False])
def test_damage(state, saved, old):
    data = saved({"model": {k: v for k, v in state.items() if "stages" not in k}}, old=old
                 ).read_bytes()
    for n in [0, 1, 30, *range(100, len(data), len(data) // 12), len(data) - 1]:
        reads(saved(data[:n]), "c.pt")
    rng = random.Random(3)
    for _ in range(80):
        bad = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            bad[rng.randrange(min(len(bad), 3000) if old else len(bad))] = rng.randrange(256)
        try:
            module_of(FORMATS["torch"]).read(str(saved(bytes(bad))), Wanted())
        except efm3.Efm3Error as e:
            assert e.code[0] == "X"


def test_a_flipped_bit_in_the_weights(state, saved):
    data = files.archive({"model": state})
    at = data.index(state["stem.conv.weight"].tobytes())
    reads(saved(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]), "checksum")


@pytest.mark.parametrize("data,words", [
    (b"x" * 257 + b"ustar" + bytes(300), "tar archive: unpack it"),
    (b"\x80\x02N", "ends before"), (b"\x80\x02\xff.", "0xff"), (b"\x80\x02Pa\n.", "PERSID"),
    (b"\x80\x02(X\x01\x00\x00\x00aQ.", "storage's name"), (b"\x80\x02N\x85a.", "no list"),
    (b"\x80\x02}(Nu.", "no dict"), (b"", "ends before"),
])
def test_other_files(saved, data, words):
    reads(saved(data), words)


@pytest.mark.parametrize("names,words", [
    (["a.npy"], "--from npz"), (["m/models/model.json"], "torch.export"),
    (["m/model.json"], "1.0"), (["net.pt", "b"], "archive of net.pt"), ([], "archive of nothing"),
])
def test_other_archives(saved, names, words):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name in names:
            z.writestr(name, b"x")
    reads(saved(out.getvalue()), words)


@pytest.mark.parametrize("name", ["bytearray_list.pt", "f8.pt", "negconj.pt"])
def test_the_hostile_files_of_the_cases(refused, name):
    if not (HOSTILE / name).is_file():
        pytest.skip(f"{name} is not beside the project")
    refused(HOSTILE / name, "X006" if name == "f8.pt" else "X015")


@pytest.mark.parametrize("body", [
    b"(" + b"]" * 40_000 + b"t", b"(" + b"}" * 40_000 + b"t", b"N" + b"\x94" * 40_000,
    b"(" + b"N0" * 30_000 + b"t", b"](" * 20_000 + b"e" * 20_000, b"(" + b"\x8f" * 40_000 + b"t",
    b"(" + (b"X\x04\x10\x00\x00" + b"a" * 4096 + "😀".encode()) * 200 + b"t",
])
def test_a_pickle_cannot_make_much(saved, monkeypatch, body):
    """Its values are counted as they are made: memory is bounded before anything is loaded."""
    monkeypatch.setattr(_unpickle, "ROOM", 1 << 20)
    path = saved(b"\x80\x04" + body + b".")
    tracemalloc.start()
    try:
        reads(path, "more values than a checkpoint has")
        assert tracemalloc.get_traced_memory()[1] < 3 * path.stat().st_size + (2 << 20)
    finally:
        tracemalloc.stop()


def test_names_within_names_are_counted_not_walked(state, saved, refused):
    refused(saved({**state, "a." * 100_000 + "weight": zeros(1)}), "X015", "names within names")


def test_colliding_numbers_are_not_hashed(saved, refused):
    ones = {i * ((1 << 61) - 1): None for i in range(20)}
    wide = b"".join(pickle.dumps(k, 2)[2:-1] + b"N" for k in ones)
    refused(saved(b"\x80\x02}(" + wide * 2000 + b"u."), "X015", "dict")


def test_a_typed_tensor_within_itself(saved, refused):
    name = b"ctorch._tensor\n_rebuild_from_type_v2\nq\x00"
    deep = name + b"(h\x00N" * 20_000 + b")" + b"t" * 20_000 + b"R."
    refused(saved(b"\x80\x02" + deep), "X015", "_rebuild_from_type_v2")


@pytest.mark.parametrize("said", [b"", b"Big", b"littel", b"little\n", b"\x1b[2J" * 99])
def test_a_byte_order_is_one_of_two(state, saved, said):
    with pytest.raises(efm3.Efm3Error) as e:
        read_network(saved(files.archive(state, byteorder=said)))
    assert e.value.code == "X003" and str(e.value).isprintable()
    swapped = {k: files.tensor(v.astype(v.dtype)) for k, v in state.items()}
    for t in swapped.values():
        size = np.dtype({"Float": "f4", "Long": "i8"}[t.kind]).itemsize
        t.data = np.frombuffer(t.data, f"V{size}").view(f"<u{size}").byteswap().tobytes()
    big = read_network(saved(files.archive(swapped, byteorder=b"big"), "big.pt")).model
    assert same(read_network(saved(state)).model, big)
