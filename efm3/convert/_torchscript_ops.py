# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the operations of a TorchScript program are in the graph.

Each function of `OPERATIONS` has the parameters of PyTorch's own operation, by their names. On
numbers and lists they compute; on a value that depends on the picture they make a node.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from efm3.convert._checkpoint import Checkpoint
from efm3.convert._unpickle import Tensor
from efm3.convert.graph import Builder, Node
from efm3.convert.graph.nodes import CONST
from efm3.convert.graph.ops import MOVING
from efm3.findings import Efm3Error, printable, refuse

FOREIGN = {"elu": "Elu", "selu": "Selu", "gelu": "Gelu", "silu": "Swish", "mish": "Mish",
           "softplus": "Softplus", "softmax": "Softmax", "log_softmax": "LogSoftmax",
           "layer_norm": "LayerNorm", "instance_norm": "InstanceNorm", "group_norm": "GroupNorm",
           "max_pool2d": "MaxPool", "avg_pool2d": "AveragePool"}
"""Names of operations that EFM3 has not, as a refusal of any source has them."""
ALONE = ("elu", "selu", "gelu", "silu", "mish", "softplus", "softmax", "log_softmax", "layer_norm",
         "instance_norm", "group_norm", "celu", "rrelu", "erf", "sin", "log", "softsign")
"""Operations whose output has their input's shape."""
INTEGERS = (0, 1, 2, 3, 4, 11)
"""PyTorch's numbers of the types that hold no fractions."""
MOST_ITEMS = 4_096


class Operations:
    """Makes nodes of operations, in one Builder."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.b = Builder(checkpoint.size)
        self.place = ""
        self._constants: dict[int, tuple[Tensor, Node]] = {}
        self._changed: dict[int, Node] = {}
        self._seen: set[int] = set()
        """Inputs of operations that give views: a change in place would change those too."""

    def __call__(self, name: str, args: list[Any], keywords: dict[str, Any], path: str) -> Any:
        """The value of `name(*args, **keywords)` in the module at `path`."""
        short = name.removeprefix("torch.").removeprefix("ops.").removeprefix("aten.")
        here = short.endswith("_") and not short.endswith("__")
        short = short.removesuffix("_") if here else short
        self.place = f"{printable(path[:120]) or 'forward'} ({printable(short[:60])})"
        make = OPERATIONS.get(short)
        try:
            if make is None:
                return self.foreign(short, *args)
            value = make(self, *args, **keywords)
        except Efm3Error:
            raise
        except (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError,
                ZeroDivisionError) as e:
            refuse("X008", f"{self.place} is called as no network here calls it: "
                           f"{printable(str(e))[:120]}", self.place)
        if here and isinstance(value, Node) and args:
            self._change(args[0], value)
        if isinstance(value, Node) and value.op in MOVING:
            self._seen |= {id(value), *(id(i) for i in value.inputs)}
        return value

    def node(self, value: Any) -> Node:
        """A node, a tensor of the file, or a number, as a node."""
        if isinstance(value, Node):
            now: Node = value
            while id(now) in self._changed:
                now = self._changed[id(now)]
            return now
        if isinstance(value, Tensor):
            if id(value) not in self._constants:
                array = self.checkpoint.array(self.place, value, whole=True)
                self._constants[id(value)] = value, self.b.const(array, self.place)
            return self._constants[id(value)][1]
        if isinstance(value, (bool, int, float)):
            return self.b.const(float(value), self.place)
        raise TypeError(f"a {type(value).__name__} for a tensor")

    def add(self, op: str, *inputs: Any, **attrs: Any) -> Node:
        """A node of the graph's own operations."""
        return self.b.add(op, *(self.node(i) for i in inputs), place=self.place, **attrs)

    def foreign(self, name: str, *args: Any) -> Node:
        """A node of an operation that the graph has not. Raises X008 where no tensor is in it."""
        inputs = [self.node(a) for a in args if isinstance(a, (Node, Tensor))]
        if "mkldnn" in name.lower():
            refuse("X008", f"{self.place} is of torch.jit.optimize_for_inference, which keeps the "
                           "weights in a form of one processor: save the module as it was before, "
                           "or its state_dict alone", self.place)
        if not inputs:
            refuse("X008", f"{self.place} is not followed; a module that is traced "
                           "(torch.jit.trace), or its state_dict alone, is read", self.place)
        node = self.b.add(FOREIGN.get(name, f"{name[:60]} of PyTorch"), *inputs, place=self.place)
        if name in ALONE:
            node.shape = inputs[0].shape
        return node

    def shape(self, value: Any) -> tuple[int, ...]:
        """The shape of a value. Raises X008 where it is not known."""
        shape = self.node(value).shape
        if shape is None or None in shape:
            refuse("X008", f"{self.place} takes a shape that is not known", self.place)
        return tuple(s or 0 for s in shape)

    def axis(self, value: Any, axis: int, more: int = 0) -> int:
        """An axis, counted from the front."""
        rank = len(self.shape(value)) + more
        if type(axis) is not int or not -rank <= axis < rank:
            raise ValueError(f"axis {axis} of {rank}")
        return axis % rank

    def _change(self, old: Any, new: Node) -> None:
        old = self.node(old)
        if old is new or old.op == CONST:
            return
        if id(old) in self._seen:
            refuse("X008", f"{self.place} changes a value that other views share", self.place)
        self._changed[id(old)] = new


def _pair(v: Any) -> tuple[int, int]:
    """Two numbers, of which one may be left out."""
    values = [v] if type(v) is int else list(v)
    first, *rest = values
    second = rest[0] if rest else first
    if len(rest) > 1 or type(first) is not int or type(second) is not int:
        raise ValueError("two numbers are wanted")
    return first, second


def _conv2d(o: Operations, input: Any, weight: Any, bias: Any = None, stride: Any = 1,
            padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Node:
    (sh, sw), (dh, dw) = _pair(stride), _pair(dilation)
    if isinstance(padding, str):
        _, _, kh, kw = o.shape(weight)
        high, wide = (dh * (kh - 1), dw * (kw - 1)) if padding == "same" else (0, 0)
        # Where both sides cannot be alike, PyTorch pads one more behind.
        pads = (high // 2, wide // 2, high - high // 2, wide - wide // 2)
    else:
        ph, pw = _pair(padding)
        pads = (ph, pw, ph, pw)
    inputs = [input, weight] if bias is None else [input, weight, bias]
    return o.add("Conv", *inputs, strides=(sh, sw), pads=pads, dilations=(dh, dw), group=groups)


def _convolution(o: Operations, input: Any, weight: Any, bias: Any, stride: Any, padding: Any,
                 dilation: Any, transposed: bool, output_padding: Any, groups: int,
                 *flags: Any, **more: Any) -> Node:
    if transposed:
        return o.foreign("conv_transpose2d", input, weight)
    return _conv2d(o, input, weight, bias, stride, padding, dilation, groups)


def _linear(o: Operations, input: Any, weight: Any, bias: Any = None) -> Node:
    return o.add("Dense", input, weight, *([] if bias is None else [bias]))


def _addmm(o: Operations, input: Any, mat1: Any, mat2: Any, *, beta: float = 1,
           alpha: float = 1) -> Node:
    if beta != 1 or alpha != 1:
        return o.foreign("addmm", mat1)
    return _linear(o, mat1, _t(o, mat2), input)


def _matmul(o: Operations, input: Any, other: Any) -> Node:
    return _linear(o, input, _t(o, other))


def _batch_norm(o: Operations, input: Any, weight: Any, bias: Any, running_mean: Any,
                running_var: Any, training: bool, momentum: float, eps: float,
                *flags: Any) -> Node:
    if training or running_mean is None:
        refuse("X009", f"{o.place} takes its statistics from the picture: it is in training mode, "
                       "or tracks none", o.place)
    c = o.node(running_mean).shape or (0,)
    scale = o.b.const(np.ones(c), o.place) if weight is None else weight
    shift = o.b.const(np.zeros(c), o.place) if bias is None else bias
    return o.add("BatchNorm", input, scale, shift, running_mean, running_var, eps=float(eps))


def _prelu(o: Operations, input: Any, weight: Any) -> Node:
    rank, slope = len(o.shape(input)), o.node(weight)
    if len(o.shape(slope)) == 1 and rank > 1:
        slope = o.b.reshape(slope, (o.shape(slope)[0], *[1] * (rank - 2)), o.place, zero=False)
    return o.add("PRelu", input, slope)


def _clip(o: Operations, input: Any, min: Any = None, max: Any = None) -> Node:
    if isinstance(min, (Node, Tensor)) or isinstance(max, (Node, Tensor)):
        low = input if min is None else o.add("Max", input, min)
        return o.node(low) if max is None else o.add("Min", low, max)
    return o.add("Clip", input, low=-math.inf if min is None else float(min),
                 high=math.inf if max is None else float(max))


def _t(o: Operations, input: Any) -> Node:
    if len(o.shape(input)) != 2:
        raise ValueError("a matrix is wanted")
    return o.add("Transpose", input, perm=(1, 0))


def _permute(o: Operations, input: Any, dims: Any) -> Node:
    return o.add("Transpose", input, perm=tuple(o.axis(input, d) for d in dims))


def _transpose(o: Operations, input: Any, dim0: int, dim1: int) -> Node:
    perm = list(range(len(o.shape(input))))
    a, b = o.axis(input, dim0), o.axis(input, dim1)
    perm[a], perm[b] = perm[b], perm[a]
    return o.add("Transpose", input, perm=tuple(perm))


def _reshape(o: Operations, input: Any, shape: Any) -> Node:
    if not all(type(s) is int for s in shape):
        raise ValueError("a shape of whole numbers is wanted")
    return o.b.reshape(o.node(input), shape, o.place, zero=False)


def _flatten(o: Operations, input: Any, start_dim: int = 0, end_dim: int = -1) -> Node:
    shape = o.shape(input)
    a, b = o.axis(input, start_dim), o.axis(input, end_dim)
    return _reshape(o, input, (*shape[:a], math.prod(shape[a:b + 1]), *shape[b + 1:]))


def _squeeze(o: Operations, input: Any, dim: Any = None) -> Node:
    shape = o.shape(input)
    dims = range(len(shape)) if dim is None else [dim] if type(dim) is int else dim
    gone = {o.axis(input, d) for d in dims}
    return _reshape(o, input, [s for i, s in enumerate(shape) if i not in gone or s != 1])


def _unsqueeze(o: Operations, input: Any, dim: int) -> Node:
    shape, at = o.shape(input), o.axis(input, dim, 1)
    return _reshape(o, input, (*shape[:at], 1, *shape[at:]))


def _size(o: Operations, input: Any, dim: int | None = None) -> Any:
    shape = o.shape(input)
    return list(shape) if dim is None else shape[o.axis(input, dim)]


def _expand(o: Operations, input: Any, size: Any, *, implicit: bool = False) -> Node:
    own = o.shape(input)
    own = (*[1] * (len(size) - len(own)), *own)
    want = tuple(a if s == -1 else s for s, a in zip(size, own, strict=True))
    return o.node(input) if want == o.shape(input) else o.add("Expand", input, shape=want)


def _cat(o: Operations, tensors: Any, dim: int = 0) -> Node:
    return o.add("Concat", *tensors, axis=o.axis(tensors[0], dim))


def _slice(o: Operations, input: Any, dim: int = 0, start: Any = None, end: Any = None,
           step: int = 1) -> Node:
    if step < 1 or any(v is not None and type(v) is not int for v in (start, end)):
        raise ValueError("whole numbers are wanted")
    at = o.axis(input, dim)
    if (start or 0) == 0 and step == 1 and (end is None or end >= o.shape(input)[at]):
        return o.node(input)
    return o.add("Slice", input, axis=at, start=start, stop=end, step=step)


def _select(o: Operations, input: Any, dim: int, index: int) -> Node:
    shape, at = o.shape(input), o.axis(input, dim)
    first = index % shape[at] if -shape[at] <= index < shape[at] else shape[at]
    part = o.add("Slice", input, axis=at, start=first, stop=first + 1, step=1)
    return _reshape(o, part, (*shape[:at], *shape[at + 1:]))


def _split(o: Operations, input: Any, sizes: Any, dim: int = 0) -> list[Node]:
    total = o.shape(input)[o.axis(input, dim)]
    if type(sizes) is int:
        sizes = [sizes] * (total // sizes) + ([total % sizes] if total % sizes else [])
    if len(sizes) > MOST_ITEMS or sum(sizes) != total or min(sizes) < 1:
        raise ValueError("parts of other sizes")
    ends = np.cumsum(sizes).tolist()
    return [_slice(o, input, dim, e - s, e) for s, e in zip(sizes, ends, strict=True)]


def _chunk(o: Operations, input: Any, chunks: int, dim: int = 0) -> list[Node]:
    return _split(o, input, -(-o.shape(input)[o.axis(input, dim)] // chunks), dim)


def _flip(o: Operations, input: Any, dims: Any) -> Node:
    for d in dims:
        input = o.add("Slice", input, axis=o.axis(input, d), start=None, stop=None, step=-1)
    return o.node(input)


def _gather(o: Operations, input: Any, dim: int, index: Any) -> Node:
    at, indices = o.axis(input, dim), o.node(index)
    size = o.shape(input)[at]
    if indices.value is None or indices.value.ndim != 1 or indices.value.dtype.kind != "i":
        return o.foreign("index", input)
    if not ((indices.value >= -size) & (indices.value < size)).all():
        raise IndexError("an index outside of its axis")
    return o.add("Gather", input, indices, axis=at)


def _index(o: Operations, input: Any, indices: Any) -> Node:
    """x[:, [2, 1, 0]]."""
    given = [i for i, v in enumerate(indices) if v is not None]
    if len(given) != 1:
        return o.foreign("index", input)
    return _gather(o, input, given[0], indices[given[0]])


def _tensor(o: Operations, data: Any, **more: Any) -> Node:
    """Indices that the program writes out."""
    if not isinstance(data, list) or not 0 < len(data) <= MOST_ITEMS or not all(
            type(v) is int for v in data):
        return o.foreign("tensor")
    return o.b.const(np.array(data, np.int64), o.place)


def _pad(o: Operations, input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Node:
    rank = len(o.shape(input))
    if len(pad) % 2 or len(pad) > 2 * rank:
        raise ValueError(f"{len(pad)} pads for {rank} axes")
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    # The last axis stands first.
    full = (*[(0, 0)] * (rank - len(pairs)), *reversed(pairs))
    return o.add("Pad", input, pads=full, value=float(value or 0), mode=mode)


def _constant_pad(o: Operations, input: Any, pad: Any, value: float = 0) -> Node:
    return _pad(o, input, pad, "constant", value)


def _reduce(op: str) -> Callable[..., Node]:
    def make(o: Operations, input: Any, dim: Any = None, keepdim: bool = False, *,
             dtype: Any = None) -> Node:
        rank = len(o.shape(input))
        dims = range(rank) if dim is None or dim == [] else [dim] if type(dim) is int else dim
        return o.add(op, input, axes=tuple(o.axis(input, d) for d in dims), keepdims=bool(keepdim))
    return make


def _norm(o: Operations, input: Any, p: Any = 2, dim: Any = None, keepdim: bool = False, *,
          dtype: Any = None) -> Node:
    if p not in (1, 2, None):
        return o.foreign("norm", input)
    op = "ReduceL1" if p == 1 else "ReduceL2"
    return _reduce(op)(o, input, dim, keepdim)


def _frobenius(o: Operations, input: Any, dim: Any = None, keepdim: bool = False) -> Node:
    return _norm(o, input, 2, dim, keepdim)


def _pooled(o: Operations, input: Any, output_size: Any) -> Node:
    if _pair(output_size) != (1, 1):
        return o.foreign("adaptive_avg_pool2d", input)
    return _reduce("ReduceMean")(o, input, [2, 3], True)


def _averaged(o: Operations, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
              *flags: Any) -> Node:
    if _pair(kernel_size) != o.shape(input)[2:] or _pair(padding) != (0, 0):
        return o.foreign("avg_pool2d", input)
    return _reduce("ReduceMean")(o, input, [2, 3], True)


def _dropout(o: Operations, input: Any, p: float, train: bool) -> Node:
    if train and p:
        refuse("X009", f"{o.place} drops values: it is in training mode", o.place)
    return o.node(input)


def _same(o: Operations, input: Any, *rest: Any, **more: Any) -> Any:
    """Copies, and moves to another device or type of fractions, or of indices to int64."""
    whole = isinstance(input, Tensor) and input.dtype.startswith("int")
    if whole and 4 in (*rest[:2], more.get("dtype")):
        return input
    if any(type(v) is int and v in INTEGERS for v in (*rest[:2], more.get("dtype"))):
        return o.foreign("to", input)
    return input


def _graphed(*values: Any) -> bool:
    return any(isinstance(v, (Node, Tensor)) for v in values)


def _binary(op: str, plain: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def make(o: Operations, input: Any, other: Any, alpha: float = 1) -> Any:
        if _graphed(input, other):
            if alpha != 1:
                other = o.add("Mul", other, alpha)
            return o.add(op, input, other)
        if isinstance(input, list) and isinstance(other, list) and op == "Add":
            if len(input) + len(other) > MOST_ITEMS:
                raise ValueError("a list of more items than a network needs")
        elif not all(isinstance(v, (bool, int, float)) for v in (input, other)):
            raise TypeError(f"a {type(input).__name__} and a {type(other).__name__}")
        return plain(input, other)
    return make


def _div(o: Operations, input: Any, other: Any, *, rounding_mode: Any = None) -> Any:
    if rounding_mode is not None:
        return o.foreign("div", input)
    return _binary("Div", operator.truediv)(o, input, other)


def _compared(op: str, plain: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def make(o: Operations, input: Any, other: Any) -> Any:
        return o.add(op, input, other) if _graphed(input, other) else plain(input, other)
    return make


def _unequal(o: Operations, input: Any, other: Any) -> Any:
    if _graphed(input, other):
        return o.add("Not", o.add("Equal", input, other))
    return input != other


def _unary(op: str, plain: Callable[[Any], Any] | None = None) -> Callable[..., Any]:
    def make(o: Operations, input: Any) -> Any:
        return plain(input) if plain is not None and not _graphed(input) else o.add(op, input)
    return make


def _append(o: Operations, items: Any, item: Any) -> Any:
    items.append(item)
    return items


def _raised(o: Operations, message: Any, *rest: Any) -> None:
    refuse("X008", f"{o.place}: the program refuses such a picture", o.place)


def _identical(o: Operations, input: Any, other: Any) -> bool:
    return input is other if other is None or input is None else bool(input == other)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "conv2d": _conv2d, "_convolution_mode": _conv2d, "_convolution": _convolution,
    "convolution": _convolution, "linear": _linear, "addmm": _addmm, "matmul": _matmul,
    "mm": _matmul, "batch_norm": _batch_norm, "prelu": _prelu, "_prelu_kernel": _prelu,
    "relu": _unary("Relu"), "relu6": lambda o, input: _clip(o, input, 0, 6),
    "hardtanh": lambda o, input, min_val=-1, max_val=1: _clip(o, input, min_val, max_val),
    "leaky_relu": lambda o, input, negative_slope=0.01: o.add("LeakyRelu", input,
                                                              alpha=float(negative_slope)),
    "clamp": _clip, "clip": _clip, "clamp_min": lambda o, input, min: _clip(o, input, min),
    "clamp_max": lambda o, input, max: _clip(o, input, None, max),
    "hardswish": _unary("HardSwish"), "hardsigmoid": _unary("HardSigmoid"),
    "sigmoid": _unary("Sigmoid"), "tanh": _unary("Tanh"), "exp": _unary("Exp"),
    "abs": _unary("Abs", abs), "neg": _unary("Neg", operator.neg), "sqrt": _unary("Sqrt"),
    "sign": _unary("Sign"), "reciprocal": _unary("Reciprocal"),
    "rsqrt": lambda o, input: o.add("Reciprocal", o.add("Sqrt", input)),
    "square": lambda o, input: o.add("Mul", input, input),
    "add": _binary("Add", operator.add), "sub": _binary("Sub", operator.sub),
    "rsub": lambda o, input, other, alpha=1: _binary("Sub", operator.sub)(o, other, input, alpha),
    "mul": _binary("Mul", operator.mul), "multiply": _binary("Mul", operator.mul),
    "div": _div, "divide": _div, "true_divide": _div,
    "pow": lambda o, input, exponent: o.add("Pow", input, exponent),
    "maximum": _binary("Max", max), "minimum": _binary("Min", min),
    "floordiv": lambda o, a, b: a // b, "remainder": lambda o, a, b: a % b,
    "where": lambda o, condition, input, other: o.add("Where", condition, input, other),
    "eq": _compared("Equal", operator.eq), "gt": _compared("Greater", operator.gt),
    "ge": _compared("GreaterEqual", operator.ge), "lt": _compared("Less", operator.lt),
    "le": _compared("LessEqual", operator.le), "ne": _unequal,
    "sum": _reduce("ReduceSum"), "mean": _reduce("ReduceMean"), "amax": _reduce("ReduceMax"),
    "amin": _reduce("ReduceMin"), "norm": _norm, "linalg_vector_norm": _norm,
    "frobenius_norm": _frobenius, "adaptive_avg_pool2d": _pooled, "avg_pool2d": _averaged,
    "dropout": _dropout, "feature_dropout": _dropout, "alpha_dropout": _dropout,
    "t": _t, "numpy_T": _t, "permute": _permute, "transpose": _transpose,
    "view": _reshape, "reshape": _reshape, "_unsafe_view": _reshape, "flatten": _flatten,
    "squeeze": _squeeze, "unsqueeze": _unsqueeze, "expand": _expand,
    "expand_as": lambda o, input, other: _expand(o, input, o.shape(other)),
    "cat": _cat, "concat": _cat, "slice": _slice, "select": _select, "split": _split,
    "split_with_sizes": _split, "chunk": _chunk, "flip": _flip, "index_select": _gather,
    "index": _index, "tensor": _tensor, "pad": _pad, "constant_pad_nd": _constant_pad,
    **dict.fromkeys(("contiguous", "detach", "clone", "to", "type_as", "float", "double", "half",
                     "cpu", "cuda", "alias", "lift_fresh", "prim.NumToTensor", "prim.data"),
                    _same),
    "size": _size, "dim": lambda o, input: len(o.shape(input)),
    "numel": lambda o, input: math.prod(o.shape(input)), "len": lambda o, items: len(items),
    "append": _append, "format": lambda o, *args: "", "warn": lambda o, *args, **k: None,
    "prim.RaiseException": _raised, "__is__": _identical,
    "__isnot__": lambda o, a, b: not _identical(o, a, b), "__not__": lambda o, a: not a,
    "__and__": lambda o, a, b: a and b, "__or__": lambda o, a, b: a or b,
    "__contains__": lambda o, items, item: item in items,
    # A plain tensor on the processor.
    "prim.layout": lambda o, input: 0, "prim.device": lambda o, input: "cpu",
    "device": lambda o, name, *index: name, "get_autocast_dtype": lambda o, *args: 6,
    "prim.type": lambda o, device: device, "prim.dtype": lambda o, input: 6,
    "prim.is_cuda": lambda o, input: False, "is_floating_point": lambda o, input: True,
}
"""By PyTorch's names, less torch. or ops. at the front and the _ of a change in place."""
