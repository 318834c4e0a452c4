# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tensors alone, as npz and safetensors: the families' names, and what the tensors leave open."""

import numpy as np
import pytest

from tests.zoo import keys_net
from tests.zoo.base import ARCH, LEAK
from tests.zoo.keys_net import Keys, Safetensors
from tests.zoo.styles import Misses, Styles, converts, refused

NEEDS = ("safetensors",)

STYLES, MISSES = Styles(), Misses()
miss = MISSES.miss

KNOWN = {"eps": 1e-5, "arch": ARCH, "act": "prelu"}
"""What tensors do not state: with it nothing of the network itself is assumed."""
EPS, STRIDES, ORDER = "epsilon", "strides", "not in the network's order"


def style(*assumed, **options):
    """A style whose caller knows the network."""
    return STYLES.style(*assumed, **(KNOWN | options))


@pytest.mark.parametrize("name", STYLES)
def test_a_style_becomes_the_same_network(name, tmp_path):
    converts(STYLES[name], tmp_path)


@pytest.mark.parametrize("name", MISSES)
def test_a_near_miss_is_refused_with_its_fact(name, tmp_path):
    refused(MISSES[name], tmp_path)


# Families.

@style()
class Original(Keys):
    pass


@STYLES.style(EPS, STRIDES)
class NothingSaid(Keys):
    """The caller knows nothing: all that is taken for granted is listed."""

    unsaid = ("padding and residual additions", "L2 norm follows")


@STYLES.style(EPS, arch=ARCH)
class EpsUnsaid(Keys):
    pass


@style()
class Plain(Keys):
    family = staticmethod(keys_net.plain)


@style()
class Numbered(Keys):
    family = staticmethod(keys_net.numbered)


@style()
class Bottlenecks(Keys):
    family = staticmethod(keys_net.bottlenecks)


@style()
class Inverted(Keys):
    family = staticmethod(keys_net.inverted)


@style()
class Flat(Keys):
    family = staticmethod(keys_net.flat)


@style(ORDER)
class OriginalSorted(Safetensors):
    """A safetensors file, whose names are sorted."""


@style(ORDER)
class PlainSorted(Safetensors):
    family = staticmethod(keys_net.plain)


@style(ORDER)
class NumberedSorted(Safetensors):
    family = staticmethod(keys_net.numbered)


@style(ORDER)
class BottlenecksSorted(Safetensors):
    family = staticmethod(keys_net.bottlenecks)


@style(ORDER)
class FlatSorted(Safetensors):
    """features.10 before features.2."""

    family = staticmethod(keys_net.flat)


# Layers.

@style()
class ZeroBias(Plain):
    def conv(self, part):
        return {"weight": part.w, "bias": part.beta * 0}


@style()
class Bias(Plain):
    """Every convolution has a bias before its BatchNorm."""

    def conv(self, part):
        return {"weight": part.w, "bias": part.beta}

    def bn(self, part):
        return super().bn(part) | {"running_mean": part.mean + part.beta}


@style()
class LinearBias(Plain):
    """Only the linear layer has one, as nn.Linear does by itself."""

    def conv(self, part):
        own = {"weight": part.w}
        return own | {"bias": part.beta} if part.name == "embed_proj" else own

    def bn(self, part):
        more = part.beta if part.name == "embed_proj" else 0
        return super().bn(part) | {"running_mean": part.mean + more}


@style()
class NoAffine(Numbered):
    """The last BatchNorm has neither scale nor shift."""

    def conv(self, part):
        sign = np.sign(part.gamma)[:, None, None, None] if part.name == "embed_proj" else 1
        return {"weight": part.w * sign}

    def bn(self, part):
        if part.name != "embed_proj":
            return super().bn(part)
        mean = np.sign(part.gamma) * (part.mean - part.beta / part.factor)
        return {"running_mean": mean.astype(np.float32),
                "running_var": (1 / part.factor ** 2 - 1e-5).astype(np.float32)}


@style()
class BareLinear(Plain):
    """The last layer has neither BatchNorm nor bias, where the others have both."""

    kind = "bare"

    def bn(self, part):
        return {} if part.name == "embed_proj" else super().bn(part)


@style()
class LinearWithBiasAlone(Plain):
    """The last layer has a bias and no BatchNorm."""

    def conv(self, part):
        if part.name != "embed_proj":
            return super().conv(part)
        return {"weight": part.folded.astype(np.float32),
                "bias": part.offset.astype(np.float32)}

    def bn(self, part):
        return {} if part.name == "embed_proj" else super().bn(part)


@style()
class Folded(Plain):
    """No BatchNorm anywhere."""

    def conv(self, part):
        return {"weight": part.folded.astype(np.float32),
                "bias": part.offset.astype(np.float32)}

    def bn(self, part):
        return {}


@style()
class OneSlope(Flat):
    """nn.PReLU() has one slope for all channels."""

    kind = "leaky"

    def act(self, slope):
        return {} if slope is None else {"weight": slope[:1]}


@style(act="relu")
class Relu(Plain):
    """Activations leave no tensor: the caller says which."""

    kind = "relu"

    def act(self, slope):
        return {}


@style(act=f"leaky:{LEAK}")
class Leaky(Plain):
    kind = "leaky"

    def act(self, slope):
        return {}


@style(eps=1e-3, verify=True)
class OtherEps(Plain):
    """A network of another epsilon, which only the caller knows."""

    def bn(self, part):
        scale = part.factor * np.sqrt(part.var + 1e-3)
        return super().bn(part) | {"weight": scale.astype(np.float32)}


@style(bgr=True, verify=True)
class Blue(Plain):
    def conv(self, part):
        return {"weight": part.w[:, ::-1] if part.name == "stem" else part.w}


@style(input_range=(-1, 1), verify=True)
class Scaled(Plain):
    def conv(self, part):
        w = part.w * np.float32(127.5 / 128) if part.name == "stem" else part.w
        return {"weight": w}


@style(ORDER)
class Half(Safetensors):
    """Half precision."""

    def tensors(self):
        return {k: v.astype(np.float16) if v.ndim else v for k, v in super().tensors().items()}


@style()
class Double(Keys):
    def tensors(self):
        return {k: v.astype(np.float64) if v.ndim else v for k, v in super().tensors().items()}


# Beside the network.

@style()
class Parallel(Plain):
    """nn.DataParallel's prefix."""

    prefix = "module."

    def tensors(self):
        return {self.prefix + k: v for k, v in super().tensors().items()}


@style()
class Compiled(Parallel):
    prefix = "_orig_mod."


@style()
class Backbone(Parallel):
    prefix = "model.backbone."


class Head(Plain):
    """A training head beside the network."""

    name = "head.weight"

    def tensors(self):
        return super().tensors() | {self.name: np.ones((20, 9), np.float32)}


for number, name in enumerate(("head.weight", "margin.weight", "fc.weight", "arcface.kernel")):
    style("head")(type(f"Head{number}", (Head,), {"name": name}))


class Twin(Plain):
    """The network and its moving average in one file."""

    def tensors(self):
        own = super().tensors()
        other = {k: v * 0 + 1 for k, v in own.items()}
        return {f"model_ema.{k}": v for k, v in other.items()} | {
            f"model.{k}": v for k, v in own.items()}


@style(key="model")
class Chosen(Twin):
    pass


# Near-misses.

@miss("X018", "model_ema", "model", "--key", **KNOWN)
class NotChosen(Twin):
    pass


@miss("X018", "ghost", "conv2_dw", **(KNOWN | {"key": "ghost"}))
class NoSuchKey(Plain):
    pass


@miss("X009", "PReLU", "--act", **{k: v for k, v in KNOWN.items() if k != "act"})
class ActUnsaid(Relu):
    """No activation has a tensor, and nobody says which they are."""


@miss("X014", "eps", arch=ARCH, strict=True)
class StrictWithoutEps(Plain):
    pass


@miss("X009", "2 channels a group", "conv2_dw.conv", **KNOWN)
class TwoChannelsAGroup(Plain):
    def conv(self, part):
        w = np.concatenate([part.w, part.w], axis=1) if part.name == "dw_stem" else part.w
        return {"weight": w}


@miss("X009", "7×6", "conv_6_dw.conv", **KNOWN)
class NarrowPictures(Plain):
    def conv(self, part):
        return {"weight": part.w[..., :6] if part.name == "gdconv" else part.w}


@miss("X015", "running_var", **KNOWN)
class HalfANorm(Plain):
    def bn(self, part):
        own = super().bn(part)
        return {k: v for k, v in own.items() if k != "running_var" or part.name != "stem"}
