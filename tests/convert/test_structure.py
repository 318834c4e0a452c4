# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Matching by structure and shape: folds, strides, state_dicts of any naming, refusals."""

import random
from dataclasses import replace

import numpy as np
import pytest

import efm3
from efm3 import format as fmt
from efm3 import untrained
from efm3.conformance import sample
from efm3.convert import _state_dict
from efm3.convert._base import Wanted
from efm3.convert._fold import IDENTITY_VAR, fold, identity_bn
from efm3.convert.matching import network_of
from efm3.network import layers


def test_identity_bn_keeps_every_weight_in_double():
    # All mantissas: 2^23 floats from 1 on; scaling by a power of two changes nothing else.
    w = np.arange(1 << 23, 1 << 24, dtype=np.uint32).astype(np.float32)
    bias = np.full(1, -0.1, np.float32)
    again, b = fold(w[None], identity_bn(1, bias))
    assert np.array_equal(again[0].view(np.uint32), w.view(np.uint32))
    assert b.view(np.uint32) == bias.view(np.uint32)


def test_identity_bn_keeps_the_edges_of_float32():
    w = np.array([0.0, -0.0, 1e-45, -1e-45, 1.1754942e-38, 1.1754944e-38, 3.4028235e38, -1.5],
                 np.float32)
    again, _ = fold(w[None], identity_bn(1))
    assert np.array_equal(again[0].view(np.uint32), w.view(np.uint32))


def test_identity_bn_is_one_in_float32():
    scale = np.float32(1) / np.sqrt(IDENTITY_VAR + np.float32(fmt.BN_EPS))
    assert scale == np.float32(1) and np.float32(1 - 1e-5) == IDENTITY_VAR


def test_the_neighbours_of_the_identity_are_worse():
    # The bound of the derivation: the next float32 but one breaks the fold.
    w = np.arange(1 << 23, 1 << 24, dtype=np.uint32).astype(np.float32)
    for steps in (-1, 2):
        bn = identity_bn(1)
        bn["bn.var"] = bn["bn.var"] + np.float32(steps * 2.0**-24)
        assert not np.array_equal(fold(w[None], bn)[0][0], w)


def test_the_engine_folds_the_identity_away(small):
    """A network of folded convolutions runs in the engine as their plain sums: bits are equal."""
    folded = {}
    for layer in layers(small.arch):
        bn = {k: small.tensors[f"{layer.name}.{k}"] for k in ("bn.w", "bn.b", "bn.mean", "bn.var")}
        w, b = fold(small.tensors[f"{layer.name}.conv.w"], bn)
        folded |= {f"{layer.name}.conv.w": w,
                   **{f"{layer.name}.{k}": v for k, v in identity_bn(len(w), b).items()}}
        if layer.act:
            folded[f"{layer.name}.act.w"] = small.tensors[f"{layer.name}.act.w"]
    x = untrained.images(4, 2)
    with efm3.Engine(small) as a, efm3.Engine(efm3.dumps(small.arch, folded)) as b:
        assert np.array_equal(a.embed(x).view(np.uint32), b.embed(x).view(np.uint32))


def source(state, **wanted):
    return _state_dict.source_of({k: v.shape for k, v in state.items()}, state.__getitem__,
                                 sum(v.nbytes for v in state.values()), Wanted(**wanted), {})


def matched(state, arch=None, **wanted):
    network = network_of(source(state, **wanted), Wanted(arch, **wanted))
    return network.model.tensors, network.model.arch, network.assumed


def same(tensors, model):
    return all(np.array_equal(tensors[k], v) for k, v in model.tensors.items())


EPS = "BatchNorm's epsilon is not in a checkpoint: taken as 1e-05 (--eps)"
PADDED = ("padding and residual additions are not in a checkpoint: taken as EFM3's (--arch "
          "says so)")


STRIDES = "strides are not in a checkpoint: taken as those of the published stages (--arch says so)"


def test_original_naming(small, state):
    tensors, arch, assumed = matched(state)
    assert same(tensors, small) and list(tensors) == list(small.tensors)
    assert replace(arch, name="small", width_mult=0.125) == small.arch
    assert assumed[:2] == [EPS, PADDED] and assumed[-1] == STRIDES
    assert matched(state, eps=1e-5)[2] == assumed[1:]


def test_another_epsilon_is_the_callers(small, state):
    tensors, _, assumed = matched(state, eps=1e-3)
    assert EPS not in assumed and PADDED in assumed
    want = small.tensors["stem.bn.var"].astype(np.float64) + 1e-3
    assert np.abs(tensors["stem.bn.var"] + 1e-5 - want).max() < 1e-6


@pytest.mark.parametrize("name", list(efm3.ARCHS))
def test_published_sizes_are_recognised(name):
    arch = efm3.ARCHS[name]
    state = {k: np.zeros(v.shape, np.float32) for k, v in _state_dict.original(
        arch, {n: np.zeros(s, np.float32) for n, s in efm3.tensor_layout(arch)}) if v is not None}
    assert matched(state)[1] == arch


def test_head_prefix_and_counters_are_dropped(small, state):
    wrapped = {f"module.{k}": v for k, v in state.items()}
    tensors, _, assumed = matched(wrapped | {"module.head.weight": zeros(99, 12)})
    assert same(tensors, small)
    assert "module.head.weight [99, 12] is a classification head: dropped" in assumed


def test_any_names_in_the_networks_order(small, state):
    rng, seen = random.Random(1), {}
    def other(part):
        return seen.setdefault(part, f"x{rng.randrange(10**9)}")
    renamed = {".".join([*map(other, k.split(".")[:-1]), k.split(".")[-1]]): v
               for k, v in state.items()}
    tensors, _, assumed = matched(renamed)
    assert same(tensors, small) and not any("order" in a for a in assumed)


def test_one_flat_list_of_modules(small, state):
    flat, number, last = {}, -1, None
    for k, v in state.items():
        path, _, name = k.rpartition(".")
        number, last = number + (path != last), path
        flat[f"{number}.{name}"] = v
    assert same(matched(flat)[0], small)


def test_shuffled_keys_are_put_in_order_and_said(small, state):
    keys = list(state)
    random.Random(2).shuffle(keys)
    tensors, _, assumed = matched({k: state[k] for k in keys})
    assert same(tensors, small) and any("order" in a for a in assumed)


BLOCK = ["conv1", "bn1", "prelu1", "conv2", "bn2", "prelu2", "conv3", "bn3"]
ORDERS = {
    "grouped": ["conv1", "conv2", "conv3", "bn1", "bn2", "bn3", "prelu1", "prelu2"],
    "in pairs": ["conv1", "conv2", "bn1", "bn2", "prelu1", "prelu2", "conv3", "bn3"],
    "norms first": ["bn1", "bn2", "bn3", "prelu1", "prelu2", "conv1", "conv2", "conv3"],
    "backwards": BLOCK[::-1], "slopes before norms": ["conv1", "conv2", "conv3", "prelu2", "prelu1",
                                                      "bn3", "bn2", "bn1"],
}


def blockwise(state, order, names="conv{n} bn{n} prelu{n}"):
    """The checkpoint with a block's modules beside one another, registered in this order."""
    kinds = dict(zip(("conv", "bn", "act"), names.split(), strict=True))
    numbers = {"expand": 1, "dw": 2, "project": 3}
    blocks, front, back = {}, {}, {}
    for k, v in state.items():
        first, *inner = k.split(".")
        if first == "stages":
            number, role, kind, name = inner
            plain = {"conv": "conv", "bn": "bn", "act": "prelu"}[kind] + str(numbers[role])
            own = kinds[kind].format(n=numbers[role], r=role)
            blocks.setdefault(int(number), {}).setdefault(plain, {})[
                f"blocks.{number}.{own}.{name}"] = v
        else:
            (back if blocks else front)[k] = v
    inside = [blocks[number][plain] for number in sorted(blocks) for plain in order]
    return front | {k: v for own in inside for k, v in own.items()} | back


def test_a_block_in_its_own_order(small, state):
    tensors, _, assumed = matched(blockwise(state, BLOCK))
    assert same(tensors, small) and not any("order" in a for a in assumed)


@pytest.mark.parametrize("names", ["conv{n} bn{n} prelu{n}", "conv_{r} batch_norm_{r} act_{r}",
                                   "{r} {r}_bn {r}_act"])
@pytest.mark.parametrize("order", ORDERS)
def test_blocks_registered_in_another_order(small, state, order, names):
    tensors, _, assumed = matched(blockwise(state, ORDERS[order], names))
    assert same(tensors, small) and any("not in the network's order" in a for a in assumed)


def test_numbers_of_other_layers_are_not_followed(small, state):
    """conv0, bn1, conv1, bn2, conv2: the numbers agree, and the channels do not."""
    own = without(blockwise(state, BLOCK), *(f"blocks.{i}.bn3" for i in range(15)))
    for n in (1, 2, 3):
        own = {k.replace(f".conv{n}.", f".conv{n - 1}."): v for k, v in own.items()}
    tensors = matched(own)[0]
    for k, v in small.tensors.items():
        assert ".project.bn" in k or np.array_equal(tensors[k], v)


@pytest.mark.parametrize("names", ["conv{n} bn{n} prelu{n}", "conv_{r} bn_{r} prelu_{r}"])
def test_blocks_in_the_order_of_the_text(small, state, names):
    own = blockwise(state, BLOCK, names)
    tensors, _, assumed = matched({k: own[k] for k in sorted(own)})
    assert same(tensors, small) and any("not in the network's order" in a for a in assumed)


def test_single_slopes_and_batchnorm_without_scale(small, state):
    state["stem.act.weight"] = np.array([0.25], np.float32)
    del state["embed_proj.bn.weight"], state["embed_proj.bn.bias"]
    tensors, _, _ = matched(state)
    assert tensors["stem.act.w"].tolist() == [0.25] * 8
    assert tensors["embed_proj.bn.w"].tolist() == [1.0] * 12
    assert not tensors["embed_proj.bn.b"].any()


def test_a_folded_state_dict(small, state):
    plain = {}
    for layer in layers(small.arch):
        bn = {k: small.tensors[f"{layer.name}.{k}"] for k in ("bn.w", "bn.b", "bn.mean", "bn.var")}
        w, b = fold(small.tensors[f"{layer.name}.conv.w"], bn)
        plain |= {f"{layer.name}.c.weight": w, f"{layer.name}.c.bias": b}
        if layer.act:
            plain[f"{layer.name}.a.weight"] = small.tensors[f"{layer.name}.act.w"]
    tensors, _, _ = matched(plain)
    w, b = fold(tensors["stem.conv.w"], {k[5:]: v for k, v in tensors.items()
                                         if k.startswith("stem.bn.")})
    assert np.array_equal(w, plain["stem.c.weight"]) and np.array_equal(b, plain["stem.c.bias"])


def test_linear_with_bias_at_the_end(small, state):
    for k in [k for k in state if k.startswith("embed_proj.bn")]:
        del state[k]
    state["embed_proj.conv.weight"] = state["embed_proj.conv.weight"][:, :, 0, 0]
    state["embed_proj.conv.bias"] = np.arange(12, dtype=np.float32)
    tensors, _, _ = matched(state)
    assert tensors["embed_proj.bn.b"].tolist() == list(range(12))
    assert tensors["embed_proj.bn.var"][0] == IDENTITY_VAR


def zeros(*shape):
    return np.zeros(shape, np.float32)


def without(state, *prefixes):
    return {k: v for k, v in state.items() if not k.startswith(prefixes)}


def put_after(state, key, new):
    """`state` with more keys after `key`, as a module registered there."""
    out = {}
    for k, v in state.items():
        out[k] = v
        if k == key:
            out |= new
    return out


SE = {"stages.0.se.fc1.weight": zeros(4, 16, 1, 1), "stages.0.se.fc2.weight": zeros(16, 4, 1, 1)}
REFUSALS = {
    "grouped dw_stem": (lambda s: s | {"dw_stem.conv.weight": zeros(8, 2, 3, 3)}, "X009",
                        "grouped convolution with 2 channels a group in dw_stem.conv"),
    "SE in the block": (lambda s: put_after(s, "stages.0.dw.act.weight", SE), "X008",
                        "SE block at stages.0.se.fc1"),
    "SE after the block": (lambda s: put_after(s, "stages.0.project.bn.running_var", {
        "a.weight": zeros(2, 8), "b.weight": zeros(8, 2)}), "X008", "SE block at a"),
    "bias of another size": (lambda s: s | {"stages.1.expand.conv.bias": zeros(8)}, "X006",
                             "stages.1.expand.conv.bias has shape [8]"),
    "kernel 5x5": (lambda s: s | {"stages.2.dw.conv.weight": zeros(16, 1, 5, 5)}, "X009",
                   "kernel 5×5 in stages.2.dw.conv"),
    "kernel not square": (lambda s: s | {"stem.conv.weight": zeros(8, 3, 3, 5)}, "X009",
                          "kernel 3×5"),
    "even stem": (lambda s: s | {"stem.conv.weight": zeros(8, 3, 2, 2)}, "X009",
                  "stem_kernel is odd"),
    "expand 3x3": (lambda s: s | {"stages.2.expand.conv.weight": zeros(16, 8, 3, 3)}, "X009",
                   "kernel 3×3 in stages.2.expand.conv"),
    "grouped project": (lambda s: s | {"stages.2.project.conv.weight": zeros(8, 8, 1, 1)}, "X009",
                        "8 channels a group in stages.2.project.conv"),
    "no act in dw": (lambda s: without(s, "stages.3.dw.act"), "X009",
                     "stages.3.dw.conv has no PReLU"),
    "act in project": (lambda s: put_after(s, "stages.3.project.bn.running_var", {
        "stages.3.project.act.weight": zeros(8)}), "X009",
        "stages.3.project.conv has an activation"),
    "no mean": (lambda s: without(s, "stages.3.dw.bn.running_mean"), "X015",
                "stages.3.dw.bn.running_mean is missing"),
    "half affine": (lambda s: without(s, "stages.3.dw.bn.weight"), "X015",
                    "dw.bn.weight is missing"),
    "bn of another size": (lambda s: s | {"stem.bn.running_mean": zeros(9)}, "X006",
                           "stem.bn.running_mean has shape [9]"),
    "act of another size": (lambda s: s | {"stem.act.weight": zeros(9)}, "X006",
                            "stem.act.weight has shape [9]"),
    "stray key": (lambda s: s | {"pos_embed": zeros(1, 2, 3)}, "X015", "pos_embed"),
    "layer norm": (lambda s: s | {"n.weight": zeros(8), "n.bias": zeros(8)}, "X015", "n has"),
    "bn first": (lambda s: {"n.running_mean": zeros(4), "n.running_var": zeros(4), **s}, "X006",
                 "n.running_mean has shape [4] beside a convolution of 3"),
    "other channels": (lambda s: s | {"stages.3.expand.conv.weight": zeros(16, 9, 1, 1)}, "X009",
                       "takes 9 channels, the layer before it puts out 8"),
    "flattened fully": (lambda s: s | {"embed_proj.conv.weight": zeros(12, 24 * 49)}, "X009",
                        "takes 1176 channels"),
    "no network": (lambda s: {"a.weight": zeros(3, 4)}, "X009", "a takes 4 channels"),
    "too small": (lambda s: {k: v for k, v in s.items() if k.startswith(("stem", "dw_stem"))},
                  "X008", "2 convolutions"),
    "nothing": (lambda s: {}, "X008", "no convolution"),
    "empty weight": (lambda s: s | {"stem.conv.weight": zeros(0, 3, 3, 3)}, "X006",
                     "a weight of shape [0, 3, 3, 3]"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_name_the_key_and_the_reason(state, case):
    change, code, words = REFUSALS[case]
    with pytest.raises(efm3.Efm3Error) as e:
        matched(change(state))
    assert e.value.code == code and words in str(e.value), e.value


def test_expansion_that_is_no_multiple(small, state):
    for k in [k for k in state if k.startswith(("stages.1.expand", "stages.1.dw"))]:
        if state[k].ndim:
            state[k] = np.concatenate([state[k], state[k][:4]])
    state["stages.1.project.conv.weight"] = zeros(8, 20, 1, 1)
    with pytest.raises(efm3.Efm3Error, match="expands 8 channels to 20, which is not a multiple"):
        matched(state)


def of(arch):
    values = {n: np.zeros(s, np.float32) for n, s in efm3.tensor_layout(arch)}
    return {k: v for k, v in _state_dict.original(arch, values) if v is not None}


def test_strides_that_shapes_leave_open(vector):
    arch = efm3.load(vector).arch
    state = of(arch)
    if arch.name == "nano":
        assert matched(state)[1] == arch
        return
    with pytest.raises(efm3.Efm3Error) as e:
        matched(state)
    assert e.value.code == "X010" and "--arch" in str(e.value)
    stages = " ".join(f"({s.t},{s.n},{s.s})" for s in arch.stages)
    assert stages in str(e.value) or "more" in str(e.value)
    assert matched(state, arch)[1] == arch


def test_the_only_strides_are_taken_and_said():
    arch = replace(sample.ARCH, stages=(efm3.Stage(2, 3, 2), efm3.Stage(4, 2, 2),
                                        efm3.Stage(2, 1, 2)))
    _, found, assumed = matched(of(arch))
    assert found.stages == arch.stages and "(2,3,2) (4,2,2) (2,1,2)" in "".join(assumed)


def test_more_blocks_in_the_published_stages():
    stages = tuple(replace(s, n=s.n + (s.t == 2)) for s in efm3.ARCHS["nano"].stages)
    _, found, assumed = matched(of(replace(sample.ARCH, stages=stages)))
    assert found.stages == stages and STRIDES in assumed


def test_strides_are_assumed_unless_they_are_given(small, state):
    assert STRIDES in matched(state)[2]
    assert not any("strides" in a for a in matched(state, small.arch)[2])


def test_wide_strides_where_nothing_else_fits():
    arch = efm3.Arch("wide", 1, 8, 8, 8, 8, 14, (efm3.Stage(2, 1, 4),))
    _, found, assumed = matched(of(arch))
    assert (found.stages, found.stem_stride) == (arch.stages, 2) and assumed
    # 112 to 38 is a stride of 3, in the stem or after it.
    arch = efm3.Arch("wide", 1, 8, 8, 8, 8, 38, (efm3.Stage(2, 1, 3),), stem_stride=1)
    with pytest.raises(efm3.Efm3Error, match=r"X010.*2 choices.*stem_stride 1 \(2,1,3\)"):
        matched(of(arch))


def test_no_strides_fit(state):
    state["gdconv.conv.weight"] = zeros(24, 1, 9, 9)
    with pytest.raises(efm3.Efm3Error, match="no strides lead"):
        matched(state)


def test_a_given_arch_is_held_against_the_shapes(state):
    with pytest.raises(efm3.Efm3Error, match=r"X011 stem.conv.*\[8, 3, 3, 3\].*nano's stem"):
        matched(state, efm3.ARCHS["nano"])
    with pytest.raises(efm3.Efm3Error, match=r"X011.*convolutions"):
        matched(state, sample.ARCH)


def test_channels_that_no_arch_states(state):
    for k in list(state):
        if k.startswith("stages.0.project") and state[k].ndim:
            state[k] = np.concatenate([state[k], state[k]])
    state["stages.1.expand.conv.weight"] = zeros(16, 16, 1, 1)
    with pytest.raises(efm3.Efm3Error, match="first stage keeps the stem's 8"):
        matched(state)


def test_hostile_kernel_sizes_end():
    state = of(sample.ARCH)
    for side in (111, 500):
        state["gdconv.conv.weight"] = np.zeros((16, 1, side, side), np.float32)
        with pytest.raises(efm3.Efm3Error):
            matched(state)
