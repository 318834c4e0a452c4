# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: what its two ONNX exporters, TorchScript and torch.save make of the network."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from tests.zoo.base import ARCH, base
from tests.zoo.keys_net import Keys, plain
from tests.zoo.styles import Style, converts

NEEDS = ("torch", "onnx", "onnxruntime", "onnxscript")

KNOWN = {"eps": 1e-5, "arch": ARCH, "act": "prelu"}


class Layer(nn.Module):
    """One of our layers with its arrays."""

    def __init__(self, part):
        super().__init__()
        layer, c = part.layer, len(part.w)
        self.conv = nn.Conv2d(layer.in_channels, c, layer.kernel, layer.stride, layer.padding,
                              groups=layer.groups, bias=False)
        self.bn = nn.BatchNorm2d(c)
        self.act = nn.Identity() if part.slope is None else nn.PReLU(c)
        for module, name, value in (
                (self.conv, "weight", part.w), (self.bn, "weight", part.gamma),
                (self.bn, "bias", part.beta), (self.bn, "running_mean", part.mean),
                (self.bn, "running_var", part.var), (self.act, "weight", part.slope)):
            if value is not None:
                getattr(module, name).data = torch.from_numpy(np.array(value))

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Block(nn.Module):
    def __init__(self, expand, dw, project, adds: bool):
        super().__init__()
        self.expand, self.dw, self.project, self.adds = expand, dw, project, adds

    def forward(self, x):
        y = self.project(self.dw(self.expand(x)))
        return x + y if self.adds else y


class Body(nn.Module):
    """The network up to [N, D, 1, 1]."""

    def __init__(self):
        super().__init__()
        parts = base().parts
        rows = [Layer(part) for part in parts]
        blocks = [Block(*rows[i:i + 3], bool(parts[i + 2].layer.residual))
                  for i in range(2, len(rows) - 3, 3)]
        self.layers = nn.Sequential(*rows[:2], *blocks, *rows[-3:])

    def forward(self, x):
        return self.layers(x)


class Normalize(Body):
    def forward(self, x):
        return nn.functional.normalize(self.layers(x).flatten(1))


class View(Body):
    def forward(self, x):
        x = self.layers(x)
        x = x.view(x.size(0), -1)
        return x / torch.norm(x, 2, 1, True)


class Reshape(Body):
    def forward(self, x):
        x = self.layers(x)
        x = x.reshape(x.shape[0], x.shape[1])
        return x / x.pow(2).sum(1, keepdim=True).sqrt()


class Squeeze(Body):
    def forward(self, x):
        x = self.layers(x).squeeze(3).squeeze(2)
        return x.div(x.norm(p=2, dim=1, keepdim=True).clamp(min=1e-12).expand_as(x))


class Last(Body):
    """Pictures [N, 112, 112, 3] of 0..255."""

    def forward(self, x):
        x = (x.permute(0, 3, 1, 2) - 127.5) / 128
        return nn.functional.normalize(self.layers(x).flatten(1))


ENDS = {c.__name__: c for c in (Normalize, View, Reshape, Squeeze, Last)}


class File:
    """A style whose file `make(path)` writes."""

    kind = "prelu"
    says_range = True

    def __init__(self, make, name, unsaid=()):
        self.make, self.name, self.unsaid = make, name, unsaid

    def save(self, folder):
        self.make(folder / self.name)
        return folder / self.name

    def run(self, path, x):
        return None


def example(end, batch):
    return torch.zeros((batch, 112, 112, 3) if end == "Last" else (batch, 3, 112, 112))


def known(end):
    """What the file states: the range of its pictures, or nothing."""
    return {"bgr": False} if end == "Last" else {"bgr": False, "input_range": (
        -127.5 / 128, 127.5 / 128)}


@pytest.mark.parametrize("batch,opset", [
    (0, 9), (0, 11), (0, 13), (0, 17), (0, 20), (1, 9), (1, 17), (2, 11), (2, 20)])
@pytest.mark.parametrize("end", ["Normalize", "View", "Reshape", "Squeeze", "Last"])
def test_the_older_exporter(end, opset, batch, tmp_path):
    """A free batch (0), or a fixed one."""
    def make(path):
        axes = {} if batch else {"dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(ENDS[end]().eval(), (example(end, batch or 1),), path,
                              input_names=["x"], output_names=["y"], opset_version=opset,
                              dynamo=False, **axes)
    converts(Style(lambda: File(make, "x.onnx"), known(end)), tmp_path)


@pytest.mark.parametrize("end", ["Normalize", "View"])
def test_the_older_exporter_with_norms_kept(end, tmp_path):
    def make(path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(ENDS[end]().eval(), (example(end, 1),), path, dynamo=False,
                              training=torch.onnx.TrainingMode.PRESERVE,
                              do_constant_folding=False)
    converts(Style(lambda: File(make, "x.onnx"), known(end)), tmp_path)


@pytest.mark.parametrize("batch,end", [
    (0, "Normalize"), (0, "View"), (0, "Reshape"), (0, "Squeeze"), (0, "Last"),
    (2, "Normalize")])
def test_the_newer_exporter(end, batch, tmp_path):
    def make(path):
        shapes = {} if batch else {"dynamic_shapes": ({0: torch.export.Dim("n")},)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(ENDS[end]().eval(), (example(end, 2),), path, dynamo=True,
                              verbose=False, **shapes)
    converts(Style(lambda: File(make, "x.onnx"), known(end)), tmp_path)


@pytest.mark.parametrize("end", ["Normalize", "View", "Reshape", "Squeeze", "Last"])
@pytest.mark.parametrize("way", ["traced", "scripted", "frozen"])
def test_torchscript(end, way, tmp_path):
    def make(path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net = ENDS[end]().eval()
            done = (torch.jit.trace(net, example(end, 1)) if way == "traced"
                    else torch.jit.script(net))
            torch.jit.save(torch.jit.freeze(done) if way == "frozen" else done, str(path))
    converts(Style(lambda: File(make, "x.pt"), known(end)), tmp_path)


def state():
    """The network's tensors in the naming of most checkpoints."""
    keys = Keys()
    keys.family = plain
    return {k: torch.from_numpy(np.array(v)) for k, v in keys.tensors().items()}


def other():
    """Tensors of the same names that are not the network's."""
    return {k: torch.ones_like(v) for k, v in state().items()}


CHECKPOINTS = {
    "bare": ("c.pt", state, {}),
    "under a key": ("c.pth", lambda: {"state_dict": state(), "epoch": 3}, {}),
    "tar": ("c.pth.tar", lambda: {"epoch": 3, "state_dict": {
        f"module.{k}": v for k, v in state().items()}, "optimizer": {"state": {}}}, {}),
    "lightning": ("c.ckpt", lambda: {"state_dict": {
        f"model.{k}": v for k, v in state().items()}, "global_step": 7}, {}),
    "deep": ("c.pt", lambda: {"nets": {"face": {"weights": state()}, "hand": other()}},
             {"key": "nets.face.weights"}),
    "moving average": ("c.pt", lambda: {"model": other(), "model_ema": state()},
                       {"key": "model_ema"}),
    "no suffix": ("pytorch_model", state, {}),
    "bin": ("pytorch_model.bin", state, {}),
    "half": ("c.pt", lambda: {k: v.half() if v.dim() else v for k, v in state().items()}, {}),
}


@pytest.mark.parametrize("case", [
    "bare", "under a key", "tar", "lightning", "deep", "moving average", "no suffix", "bin",
    "half"])
def test_checkpoints(case, tmp_path):
    name, make, options = CHECKPOINTS[case]
    own = KNOWN | known("") | options
    converts(Style(lambda: File(lambda path: torch.save(make(), path), name, Keys.unsaid), own),
             tmp_path)
