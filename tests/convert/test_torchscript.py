# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""TorchScript programs written by hand: what is followed, each operation by its value, and what is
refused with its line. test_torch has what PyTorch itself writes."""

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.convert import (
    FORMATS,
    Wanted,
    _torchscript_code,
    _torchscript_text,
    module_of,
    read_network,
)
from efm3.convert.graph import run
from tests.convert import checkpoint_files as files
from tests.convert.checkpoint_files import HEAD, NET, New

RNG = np.random.default_rng(8)


@pytest.fixture
def source(tmp_path):
    """source(lines, constants, ...) is the reader's Source for such a program."""
    def make(lines, constants=(), wanted=None, **more):
        path = tmp_path / "s.pt"
        path.write_bytes(lines if isinstance(lines, bytes)
                         else files.scripted(lines, constants, **more))
        return module_of(FORMATS["torch"]).read(str(path), wanted or Wanted())
    return make


@pytest.fixture
def refused_in(source):
    """refused_in(words, lines, ...): the reader refuses the program with all of these words."""
    def check(code, words, *args, **more):
        with pytest.raises(efm3.Efm3Error) as e:
            source(*args, **more)
        assert e.value.code == code, e.value
        for word in words:
            assert word in str(e.value), e.value
    return check


def test_a_network_states_everything(small, tmp_path, pictures):
    lines, constants = files.program(small)
    norm = ["n = torch.linalg_vector_norm(y, 2, [1], True)", "return torch.div(y, n)"]
    (tmp_path / "s.pt").write_bytes(files.scripted([*lines, *norm], constants))
    network = read_network(tmp_path / "s.pt")
    assert all(np.array_equal(network.model.tensors[k], v) for k, v in small.tensors.items())
    assert len(network.assumed) == 2 and all("input" in a for a in network.assumed)


def test_its_epsilon_is_taken(small, tmp_path, pictures):
    lines, constants = files.program(small, eps=1e-3)
    (tmp_path / "s.pt").write_bytes(files.scripted([*lines, "return y"], constants))
    network = read_network(tmp_path / "s.pt")
    got = network.model.tensors["stem.bn.var"].astype(np.float64) - 1e-3 + 1e-5
    assert np.abs(got - small.tensors["stem.bn.var"]).max() < 1e-6
    x = pictures[:1]
    assert np.abs(network.run(x) - reference.forward(network.model, x)).max() < 1e-6


X = RNG.normal(size=(1, 3, 112, 112))
V = RNG.normal(size=(4, 3)).astype(np.float32)
K = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
EXPRESSIONS = [
    ("torch.relu(x)", np.maximum(X, 0)), ("torch.neg(torch.abs(x))", -np.abs(X)),
    ("torch.clamp(x, -1, 1)", np.clip(X, -1, 1)), ("torch.clamp_min(x, 0.5)", np.maximum(X, 0.5)),
    ("torch.hardtanh(x, 0., 6.)", np.clip(X, 0, 6)), ("torch.relu6(x)", np.clip(X, 0, 6)),
    ("torch.leaky_relu(x, 0.1)", np.where(X > 0, X, 0.1 * X)),
    ("torch.prelu(x, CONSTANTS.c2)", np.where(X > 0, X, np.array([1, 2, 3.])[:, None, None] * X)),
    ("torch.add(x, x, alpha=2)", 3 * X), ("torch.sub(x, 1)", X - 1), ("torch.rsub(x, 1)", 1 - X),
    ("torch.mul(x, CONSTANTS.c3)", X * 0.5), ("torch.div(x, 2)", X / 2),
    ("torch.pow(x, 2)", X**2), ("torch.square(x)", X**2), ("torch.exp(x)", np.exp(X)),
    ("torch.rsqrt(torch.exp(x))", 1 / np.sqrt(np.exp(X))), ("torch.maximum(x, torch.neg(x))",
                                                           np.abs(X)),
    ("torch.where(torch.gt(x, 0), x, torch.mul(x, 3))", np.where(X > 0, X, 3 * X)),
    ("torch.sigmoid(x)", 1 / (1 + np.exp(-X))), ("torch.hardswish(x)", X * np.clip(
        X / 6 + 0.5, 0, 1)), ("torch.to(x, 6)", X), ("torch.contiguous(x)", X),
    ("torch.mean(x, [2, 3], True)", X.mean((2, 3), keepdims=True)),
    ("torch.sum(x, [1])", X.sum(1)), ("torch.norm(x, 2, [1], True)", np.sqrt((X * X).sum(
        1, keepdims=True))), ("torch.frobenius_norm(x, [1], True)", np.sqrt((X * X).sum(
            1, keepdims=True))), ("torch.norm(x, 1, [1])", np.abs(X).sum(1)),
    ("torch.adaptive_avg_pool2d(x, [1, 1])", X.mean((2, 3), keepdims=True)),
    ("torch.avg_pool2d(x, [112, 112])", X.mean((2, 3), keepdims=True)),
    ("torch.flatten(x, 2)", X.reshape(1, 3, -1)), ("torch.view(x, [1, -1])", X.reshape(1, -1)),
    ("torch.reshape(x, [torch.size(x, 0), -1])", X.reshape(1, -1)),
    ("torch.squeeze(x)", X[0]), ("torch.squeeze(torch.squeeze(x, 0))", X[0]),
    ("torch.unsqueeze(x, -1)", X[..., None]), ("torch.permute(x, [0, 2, 3, 1])",
                                              X.transpose(0, 2, 3, 1)),
    ("torch.transpose(x, 1, -1)", X.swapaxes(1, -1)),
    ("torch.slice(x, 3, 1, -1, 2)", X[..., 1:-1:2]), ("torch.select(x, 1, -1)", X[:, 2]),
    ("torch.flip(x, [1])", X[:, ::-1]), ("torch.index(x, [None, CONSTANTS.c4])", X[:, [2, 1, 0]]),
    ("torch.index_select(x, 1, CONSTANTS.c4)", X[:, [2, 1, 0]]),
    ('torch.index(x, [None, torch.to(CONSTANTS.c4, torch.device("cpu"), 4)])', X[:, [2, 1, 0]]),
    ("torch.index(x, [None, torch.tensor([2, 1, 0], dtype=4)])", X[:, [2, 1, 0]]),
    ("torch.cat([x, x], 1)", np.concatenate([X, X], 1)),
    ("(torch.split(x, 1, 1))[1]", X[:, 1:2]), ("(torch.chunk(x, 2, 1))[1]", X[:, 2:]),
    ("torch.pad(x, [1, 2, 0, 1])", np.pad(X, ((0, 0), (0, 0), (0, 1), (1, 2)))),
    ("torch.constant_pad_nd(x, [1, 0], 0.5)", np.pad(X, ((0, 0),) * 3 + ((1, 0),),
                                                     constant_values=0.5)),
    ("torch.expand(torch.mean(x, [1], True), [-1, 3, -1, -1])", np.repeat(
        X.mean(1, keepdims=True), 3, 1)),
    ("torch.expand_as(torch.mean(x, [1], True), x)", np.repeat(X.mean(1, keepdims=True), 3, 1)),
    ("torch.linear(torch.permute(x, [0, 2, 3, 1]), CONSTANTS.c0)", np.moveaxis(X, 1, 3) @ V.T),
    ("torch.matmul(torch.permute(x, [0, 2, 3, 1]), torch.t(CONSTANTS.c0))",
     np.moveaxis(X, 1, 3) @ V.T),
    ("torch.dropout(x, 0.5, False)", X), ("(torch.size(x))[1]", None),
]
CONSTANTS = (V, K, np.array([1, 2, 3], np.float32), np.array(0.5, np.float64),
             np.array([2, 1, 0], np.int64))


@pytest.mark.parametrize("text,want", EXPRESSIONS, ids=[t for t, _ in EXPRESSIONS])
def test_operations(source, text, want):
    if want is None:
        text, want = f"torch.mul(x, {text})", X * 3
    graph = source([f"return {text}"], CONSTANTS).graph
    got = run.forward(graph, X)
    assert got.shape == want.shape and np.abs(got - want).max() < 1e-12
    assert graph.output.shape == want.shape


def test_addmm(source):
    b = RNG.normal(size=4).astype(np.float32)
    graph = source(["v = torch.mean(x, [2, 3])",
                    "return torch.addmm(CONSTANTS.c1, v, torch.t(CONSTANTS.c0))"], (V, b)).graph
    assert np.abs(run.forward(graph, X) - (X.mean((2, 3)) @ V.T + b)).max() < 1e-12


@pytest.mark.parametrize("call,strides,pads,group", [
    ("torch.conv2d(x, CONSTANTS.c0)", (1, 1), (0, 0, 0, 0), 1),
    ("torch.conv2d(x, CONSTANTS.c0, None, [2, 2], [1, 1], [1, 1], 1)", (2, 2), (1, 1, 1, 1), 1),
    ("torch.conv2d(x, CONSTANTS.c1, None, 2, 1, 1, 3)", (2, 2), (1, 1, 1, 1), 3),
    ('torch.conv2d(x, CONSTANTS.c0, None, [1], "same")', (1, 1), (1, 1, 1, 1), 1),
    ('torch.conv2d(x, CONSTANTS.c0, padding="valid")', (1, 1), (0, 0, 0, 0), 1),
    ("torch._convolution(x, CONSTANTS.c0, None, [2, 1], [0, 1], [1, 1], False, [0, 0], 1, False, "
     "False, True, True)", (2, 1), (0, 1, 0, 1), 1),
])
def test_convolutions(source, call, strides, pads, group):
    node = source([f"return {call}"], (K, K[:3, :1])).graph.output
    assert node.op == "Conv" and node.place in ("forward (conv2d)", "forward (_convolution)")
    assert (node.attrs["strides"], node.attrs["pads"], node.attrs["group"]) == (
        strides, pads, group)


def test_modules_functions_loops_and_conditions(source):
    """Submodules and their methods, a function of another file, defaults, for, while and if."""
    net = HEAD + """    conv = self.conv
    layers = self.layers
    _0 = getattr(layers, "0")
    y, n = (conv)._twice((conv).forward(x, ), k=3), 2
    for i in range(n):
      y = (_0).forward(y, )
    k = 0
    while torch.lt(k, 3):
      if torch.eq(k, 1):
        y = __torch__.tools.half(y, )
      else:
        pass
      k = torch.add(k, 1)
    z : Optional[Tensor] = None
    if torch.__is__(z, None):
      w = annotate(List[int], [])
      w0 = torch.append(w, 1)
    else:
      ops.prim.RaiseException("never", "builtins.ValueError")
    training = self.training
    if training:
      y = torch.dropout(y, 0.5, True)
    else:
      y = y
    return unchecked_cast(Tensor, y)
"""
    conv = """class Conv(Module):
  weight : Tensor
  gain : Final[float] = 2.
  def forward(self: __torch__.parts.Conv,
    x: Tensor) -> Tensor:
    weight = self.weight
    return torch.conv2d(x, weight)
  def _twice(self: __torch__.parts.Conv,
    x: Tensor,
    k: int=1) -> Tensor:
    gain = self.gain
    return torch.mul(torch.mul(x, gain), k)
class Add(Module):
  def forward(self: __torch__.parts.Add,
    x: Tensor) -> Tensor:
    return torch.add(x, 1)
"""
    tools = "def half(x: Tensor,\n    by: float=2.) -> Tensor:\n  return torch.div(x, by)\n"
    eye = np.eye(3, dtype=np.float32)[:, :, None, None]
    root = New(f"{NET}.Net", {"training": True, "conv": New("__torch__.parts.Conv", {
        "weight": eye}), "layers": New("__torch__.parts.List", {"0": New("__torch__.parts.Add",
                                                                         {})})})
    made = source(files.script({NET: net, "__torch__.parts": conv, "__torch__.tools": tools}, root))
    assert np.abs(run.forward(made.graph, X) - (X * 6 + 2) / 2).max() < 1e-12
    places = [n.place for n in made.graph.nodes]
    assert "conv (conv2d)" in places and "layers.0 (add)" in places


@pytest.mark.parametrize("lines", [
    ["_1 = (_0).__init__(False, 5, True, )"],
    ["_0._enabled = False", '_0.fast_dtype = torch.get_autocast_dtype("cuda")'],
])
@pytest.mark.parametrize("name", ["amp.autocast_mode.autocast", "autograd.grad_mode.no_grad"])
def test_contexts_change_no_value(source, name, lines):
    """As PyTorch writes them, scripted and frozen."""
    whole = f"__torch__.torch.{name}"
    graph = source([f"_0 = {whole}.__new__({whole})", *lines, "with _0:", "  x0 = torch.relu(x)",
                    "return torch.add(x0, 1)"]).graph
    assert np.abs(run.forward(graph, X) - (np.maximum(X, 0) + 1)).max() < 1e-12


def test_changes_in_place(source):
    graph = source(["y = torch.relu_(x)", "y0 = torch.add_(y, 1)", "return torch.mul(x, y)"]).graph
    want = np.maximum(X, 0) + 1
    assert np.abs(run.forward(graph, X) - want * want).max() < 1e-12


def test_a_picture_with_its_channels_last(source):
    graph = source(["y = torch.permute(x, [0, 3, 1, 2])", "return torch.conv2d(y, CONSTANTS.c0)"],
                   (K,)).graph
    assert graph.input.shape == (1, 112, 112, 3)


@pytest.mark.parametrize("lines", [
    ["return (x, torch.relu(x))"], ["return [x, torch.relu(x), None]"],
    ['return {"a": x, "1": torch.relu(x)}'],
])
def test_outputs_are_chosen(source, refused_in, lines):
    graph = source(lines, wanted=Wanted(output="1")).graph
    assert graph.output.op == "Relu"
    refused_in("X018", ["--output"], lines)
    refused_in("X018", ["--output"], lines, wanted=Wanted(output="7"))


def test_a_module_is_chosen(source, refused_in):
    inner = HEAD.replace("class Net", "class Inner") + "    return torch.relu(x)\n"
    root = New(f"{NET}.Net", {"net": New("__torch__.parts.Inner", {})})
    data = files.script({NET: HEAD + "    return x\n", "__torch__.parts": inner}, root)
    assert source(data, wanted=Wanted(key="net")).graph.output.op == "Relu"
    refused_in("X008", ["no other"], data, wanted=Wanted(key="other"))


LINE = "code/__torch__/net.py, line 7"
REFUSED = {
    "unknown call": (["return torch.frobnicate(2)"], "X008", ["forward (frobnicate)"]),
    "unknown word": (["y = z"], "X008", [LINE, "Name"]),
    "statement": (["del x"], "X008", [LINE, "Delete"]),
    "import": (["import os"], "X008", [LINE, "Import"]),
    "lambda": (["y = lambda: 1"], "X008", [LINE, "Lambda"]),
    "no program": (["y = ("], "X008", [LINE, "no program"]),
    "two statements": (["y = 1; z = 2"], "X008", [LINE, "several"]),
    "condition": (["if torch.gt(x, 0):", "  pass", "return x"], "X008", [LINE, "depends on"]),
    "loop": (["for i in x:", "  pass"], "X008", [LINE, "a loop over"]),
    "attribute": (["y = self.nothing"], "X008", [LINE, "no nothing"]),
    "method": (["y = (self).nothing(x, )"], "X008", ["Net has no nothing"]),
    "function": (["y = __torch__.a.b(x, )"], "X008", ["__torch__.a has no b"]),
    "constant": (["y = CONSTANTS.c7"], "X008", [LINE, "no constant 7"]),
    "index": (["y = [1][3]"], "X008", [LINE, "index"]),
    "with": (["with torch.profiler:", "  pass"], "X008", [LINE, "a with enters", "state_dict"]),
    "another context": (["y = __torch__.mine.autocast.__new__(__torch__.mine.autocast)"], "X008",
                        ["has no __new__"]),
    "attribute set": (["x.grad = 1"], "X008", [LINE, "assignment"]),
    "optimized": (["y = torch.to_mkldnn(x)"], "X008", ["optimize_for_inference", "state_dict"]),
    "no indices": (["y = torch.tensor([0.5])"], "X008", ["forward (tensor)", "jit.trace"]),
    "large index": ([f"y = torch.tensor([{1 << 70}])"], "X008", ["forward (tensor)"]),
    "unpacked": (["a, b = [1, 2, 3]"], "X008", [LINE, "assignment"]),
    "starred": (["y = torch.cat(*[x, x])"], "X008", [LINE, "written out"]),
    "arguments": (["y = torch.relu(x, 1, 2)"], "X008", ["forward (relu) is called as no"]),
    "raises": (['ops.prim.RaiseException("a", "b")'], "X008", ["refuses such a picture"]),
    "training": (["y = torch.batch_norm(x, None, None, CONSTANTS.c0, CONSTANTS.c0, True, 0.1, "
                  "1e-5, True)"], "X009", ["training mode"]),
    "dropout": (["y = torch.dropout(x, 0.5, True)"], "X009", ["training mode"]),
    "shape": (["y = torch.view(x, [11, -1])"], "X006", ["cannot become"]),
    "channels": (["y = torch.conv2d(x, CONSTANTS.c1)"], "X006", ["it takes 5 channels"]),
    "shared view": (["v = torch.view(x, [1, -1])", "y = torch.relu_(x)", "return v"], "X008",
                    ["share"]),
    "not returned": (["y = torch.relu(x)"], "X018", ["outputs"]),
    "no picture": (["return CONSTANTS.c0"], "X018", ["outputs"]),
    "endless": (["while True:", "  pass"], "X008", ["line 8", "more steps"]),
    "long range": (["for i in range(1000000000000):", "  pass"], "X008", ["more steps"]),
    "recursion": (["return (self).forward(x, )"], "X008", ["nested too deep"]),
    "large numbers": (["k = 3", *["k = torch.mul(k, k)"] * 9], "X008", ["64 bits"]),
    "long lists": (["k = [1]", *["k = torch.add(k, k)"] * 30], "X008", ["more items"]),
    "long line": (["y = " + "-" * 5000 + "1"], "X008", ["more text"]),
    "deep line": (["y = " + "-" * 3000 + "1"], "X008", ["no program"]),
    "long text": (["y = 1"] * 8_000, "X008", ["more text"]),
    "large constant": (["y = torch.expand(CONSTANTS.c0, [1000000, 3])"], "X008",
                       ["more constants"]),
    "integers": (["return torch.to(x, 4)"], "", []),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_followed(source, refused_in, monkeypatch, case):
    monkeypatch.setattr(_torchscript_code, "MOST_STEPS", 20_000)
    monkeypatch.setattr(_torchscript_text, "MOST_TOKENS", 20_000)
    lines, code, words = REFUSED[case]
    constants = (np.ones(3, np.float32), np.ones((2, 5, 1, 1), np.float32))
    if case == "deep line":
        # Python's own limit, which may be higher than this line.
        with pytest.raises(efm3.Efm3Error, match="X008"):
            source(lines, constants)
    elif code:
        refused_in(code, words, lines, constants)
    else:
        assert source(lines, constants).graph.output.op == "to of PyTorch"


def test_an_operation_that_efm3_has_not_is_named(source):
    node = source(["return torch.elu(x)"]).graph.output
    assert (node.op, node.place, node.shape) == ("Elu", "forward (elu)", (1, 3, 112, 112))


def test_an_archive_without_a_program(refused_in):
    root = New(f"{NET}.Net", {})
    refused_in("X008", ["Net has no forward"], files.script({}, root))
    refused_in("X004", ["no module"], files.script({}, []))
    two = HEAD.replace("x: Tensor", "x: Tensor,\n    y: Tensor") + "    return x\n"
    refused_in("X008", ["takes 2 values"], files.script({NET: two}, root))
