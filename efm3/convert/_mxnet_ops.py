# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""MXNet's operations, each with its attributes' defaults, as nodes of the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from efm3.convert._layers import MOST_PARTS, Call, Foreign, Made
from efm3.convert._mxnet_symbol import Attrs
from efm3.convert.graph import Node
from efm3.findings import refuse


@dataclass
class Op(Call):
    """An operation of a symbol."""

    attrs: Attrs

    def pair(self, name: str, default: int) -> tuple[int, int]:
        """A pair of numbers, (height, width)."""
        out = self.attrs.sizes(name, ()) or (default, default)
        if len(out) != 2:
            raise Foreign(f"{self.op} in {len(out)} dimensions")
        return out[0], out[1]

    def axes(self, name: str, rank: int) -> tuple[int, ...]:
        """Axes counted from the front; all of them where none is stated."""
        stated = self.attrs.sizes(name, ()) if name in self.attrs else ()
        return tuple(dict.fromkeys(self.axis(a, rank) for a in stated)) or tuple(range(rank))


def _laid_out(c: Op) -> None:
    layout = c.attrs.word("layout", "None")
    if layout not in ("None", "NCHW"):
        raise Foreign(f"{c.op} in layout {layout[:9]}")


def _convolution(c: Op) -> Node:
    _laid_out(c)
    kernel = c.attrs.sizes("kernel")
    bias = not c.attrs.flag("no_bias", False)
    c.takes(3 if bias else 2)
    if len(kernel) != 2:
        raise Foreign(f"{c.op} in {len(kernel)} dimensions")
    _sized(c, c.inputs[1], (c.attrs.whole("num_filter"), None, *kernel))
    (top, left) = c.pair("pad", 0)
    return c.add("Conv", *c.inputs, strides=c.pair("stride", 1), dilations=c.pair("dilate", 1),
                 pads=(top, left, top, left), group=c.attrs.whole("num_group", 1))


def _sized(c: Op, weight: Node, want: Sequence[int | None]) -> None:
    """Refuses a weight of another shape than the attributes state; None is any size."""
    have = c.shape(weight)
    if len(have) != len(want) or any(w not in (None, h) for h, w in zip(have, want, strict=True)):
        refuse("X006", f"{weight.place} has shape {[*have]}, {c.place} states "
                       f"{['any' if w is None else w for w in want]}", weight.place, [*have])


def _norm(c: Op) -> Node:
    c.takes(5)
    x, gamma, beta, mean, var = c.inputs
    axis = c.axis(c.attrs.whole("axis", 1), len(c.shape(x)))
    if c.attrs.flag("fix_gamma", True):
        # It is 1, whatever the file holds.
        gamma = c.const(np.ones(c.shape(beta), np.float32))
    y = c.add("BatchNorm", c.swapped(x, 1, axis), gamma, beta, mean, var,
              eps=c.attrs.real("eps", 1e-3))
    return c.swapped(y, 1, axis)


def _dense(c: Op) -> Node:
    c.takes(2 if c.attrs.flag("no_bias", False) else 3)
    x, weight, *bias = c.inputs
    _sized(c, weight, (c.attrs.whole("num_hidden"), None))
    if c.attrs.flag("flatten", True):
        x = c.flat(x, 1)
    return c.add("Dense", x, weight, *bias)


def _leaky(c: Op) -> Node:
    kind = c.attrs.word("act_type", "leaky")
    if kind == "prelu":
        c.takes(2)
        x, gamma = c.inputs
        return c.add("PRelu", x, c.along(x, gamma))
    if kind == "leaky":
        return c.add("LeakyRelu", c.one(), alpha=c.attrs.real("slope", 0.25))
    if kind == "rrelu":
        bounds = c.attrs.real("lower_bound", 0.125), c.attrs.real("upper_bound", 0.334)
        return c.add("LeakyRelu", c.one(), alpha=sum(bounds) / 2)
    raise Foreign(kind[:20].capitalize())


ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softrelu": "Softplus",
               "softsign": "Softsign", "mish": "Mish"}


def _activation(c: Op) -> Node:
    op = ACTIVATIONS.get(c.attrs.word("act_type"))
    if op in (None, "Softplus", "Softsign", "Mish"):
        raise Foreign(op or f"Activation {c.attrs.word('act_type')[:20]}")
    return c.add(op, c.one())


def _pool(c: Op) -> Node:
    _laid_out(c)
    whole = c.attrs.flag("global_pool", False)
    kernel = (1, 1) if whole else c.pair("kernel", 1)
    return c.pooled(c.one(), c.attrs.word("pool_type", "max"), whole, kernel, c.pair("stride", 1),
                    c.pair("pad", 0))


def _unit(c: Op) -> Node:
    x, mode = c.one(), c.attrs.word("mode", "instance")
    rank = len(c.shape(x))
    axes = {"instance": tuple(range(1, rank)), "channel": (1,), "spatial": tuple(range(2, rank))}
    if mode not in axes or not axes[mode]:
        raise Foreign(f"L2Normalization {mode[:20]}")
    return c.builder.normalised(x, axes[mode], c.place, added=c.attrs.real("eps", 1e-10))


def _reshape(c: Op) -> Node:
    """0 keeps a size, -1 is the rest, -2 all further sizes, -3 joins two, -4 splits one in two."""
    x = c.one()
    if c.attrs.flag("reverse", False) or "shape" not in c.attrs:
        raise Foreign(f"{c.op} from the end")
    have, codes, out = list(c.shape(x)), list(c.attrs.sizes("shape")), []
    at = 0
    while codes:
        code = codes.pop(0)
        if code > 0 or code == -1:
            out.append(code)
            at += 1
        elif code == -2:
            out += have[at:]
            at = len(have)
        elif at >= len(have) or code < -4 or (code == -3 and at + 1 >= len(have)) or (
                code == -4 and len(codes) < 2):
            refuse("X006", f"{c.place} cannot bring {have} into shape "
                           f"{c.attrs.word('shape')[:60]}", c.place)
        elif code == 0:
            out.append(have[at])
            at += 1
        elif code == -3:
            out.append(have[at] * have[at + 1])
            at += 2
        else:
            one, two = codes.pop(0), codes.pop(0)
            one = have[at] // two if one == -1 and two > 0 else one
            out += [one, have[at] // one if two == -1 and one > 0 else two]
            at += 1
    return c.reshape(x, out)


def _transpose(c: Op) -> Node:
    x = c.one()
    perm = c.attrs.sizes("axes", ()) or tuple(reversed(range(len(c.shape(x)))))
    return c.add("Transpose", x, perm=perm)


def _expand(c: Op) -> Node:
    x = c.one()
    shape = c.shape(x)
    axis = c.axis(c.attrs.whole("axis"), len(shape) + 1)
    return c.reshape(x, (*shape[:axis], 1, *shape[axis:]))


def _squeeze(c: Op) -> Node:
    x = c.one()
    shape = c.shape(x)
    axes = c.axes("axis", len(shape))
    if "axis" in c.attrs and any(shape[a] != 1 for a in axes):
        refuse("X006", f"{c.place} leaves out axes of {[*shape]} that are not 1", c.place)
    # A value of one number keeps an axis.
    return c.reshape(x, [s for i, s in enumerate(shape) if i not in axes or s != 1] or [1])


def _split(c: Op) -> Made:
    x = c.one()
    shape = c.shape(x)
    axis = c.axis(c.attrs.whole("axis", 1), len(shape))
    count = c.attrs.whole("num_outputs")
    if not 1 <= count <= MOST_PARTS or shape[axis] % count:
        refuse("X006", f"{c.place} cannot split {[*shape]} into {count} parts", c.place)
    each = shape[axis] // count
    parts = [c.part(x, axis, i * each, (i + 1) * each) for i in range(count)]
    if c.attrs.flag("squeeze_axis", False):
        parts = [c.reshape(p, shape[:axis] + shape[axis + 1:]) for p in parts]
    return parts


def _slice(c: Op) -> Node:
    x = c.one()
    begin, end = c.attrs.wholes("begin"), c.attrs.wholes("end")
    steps = [1 if s is None else s for s in c.attrs.wholes("step", ())] or [1] * len(begin)
    if not len(begin) == len(end) == len(steps) <= len(c.shape(x)) or 0 in steps:
        refuse("X006", f"{c.place} has {len(begin)} begins, {len(end)} ends, steps {steps}",
               c.place)
    for axis, (start, stop, step) in enumerate(zip(begin, end, steps, strict=True)):
        if (start, stop, step) != (None, None, 1):
            x = _sliced(c, x, axis, start, stop, step)
    return x


def _sliced(c: Op, x: Node, axis: int, start: int | None, stop: int | None, step: int) -> Node:
    """A slice with its ends counted from the front, as far as Python's slices can say them."""
    span = range(*slice(start, stop, step).indices(c.shape(x)[axis]))
    last = span.stop if span.stop >= 0 else None
    return c.add("Slice", x, axis=axis, start=span.start, stop=last, step=step)


def _slice_axis(c: Op) -> Node:
    x = c.one()
    axis = c.axis(c.attrs.whole("axis"), len(c.shape(x)))
    ends = [*c.attrs.wholes("begin"), *c.attrs.wholes("end")]
    if len(ends) != 2:
        refuse("X006", f"{c.place} has {len(ends)} ends, not 2", c.place)
    return _sliced(c, x, axis, ends[0], ends[1], 1)


def _reverse(c: Op) -> Node:
    x = c.one()
    for axis in c.axes("axis", len(c.shape(x))):
        x = _sliced(c, x, axis, None, None, -1)
    return x


def _concat(c: Op) -> Node:
    if len(c.inputs) > MOST_PARTS:
        refuse("X007", f"{c.place} has {len(c.inputs):,} inputs", c.place)
    for x in c.inputs:
        c.shape(x)
    return c.add("Concat", *c.inputs, axis=c.attrs.whole("dim", 1))


def _pad(c: Op) -> Node:
    width = c.attrs.sizes("pad_width")
    pairs = tuple(zip(width[::2], width[1::2], strict=False))
    return c.add("Pad", c.one(), pads=pairs, value=c.attrs.real("constant_value", 0.0),
                 mode=c.attrs.word("mode"))


def _take(c: Op) -> Node:
    c.takes(2)
    x, at = c.inputs
    axis = c.axis(c.attrs.whole("axis", 0), len(c.shape(x)))
    if at.value is None or at.value.size > MOST_PARTS:
        raise Foreign(c.op)
    # Indices are floating point numbers here; they are cut off and kept within the axis.
    chosen = np.clip(np.nan_to_num(at.value.astype(np.float64)), 0, c.shape(x)[axis] - 1)
    return c.add("Gather", x, c.const(chosen.astype(np.int64)), axis=axis)


def _dot(c: Op) -> Node:
    c.takes(2)
    x, w = c.inputs
    if len(c.shape(x)) != 2 or len(c.shape(w)) != 2 or c.attrs.flag("transpose_a", False):
        raise Foreign(c.op)
    return c.add("Dense", x, w if c.attrs.flag("transpose_b", False) else c.swapped(w, 0, 1))


def _cast(c: Op) -> Node:
    """Floating point numbers of all sizes are one kind: the graph does not round."""
    kind = c.attrs.word("dtype").rstrip("0123456789")
    if kind not in ("float", "bfloat", "int", "uint", "bool"):
        raise Foreign(f"{c.op} to {kind[:20]}")
    return c.add("Cast", c.one(),
                 kind={"bfloat": "float", "uint": "int"}.get(kind, kind))


def _clip(c: Op) -> Node:
    return c.add("Clip", c.one(), low=c.attrs.real("a_min"), high=c.attrs.real("a_max"))


def _dropout(c: Op) -> Node:
    if c.attrs.word("mode", "training") != "training":
        raise Foreign("Dropout that always drops")
    return c.one()


def _where(c: Op) -> Node:
    c.takes(3)
    return c.add("Where", *c.inputs)


def _reduced(op: str) -> Callable[[Op], Node]:
    def make(c: Op) -> Node:
        x = c.one()
        rank = len(c.shape(x))
        axes = c.axes("axis", rank)
        if c.attrs.flag("exclude", False):
            axes = tuple(a for a in range(rank) if a not in axes)
        return c.add(op, x, axes=axes, keepdims=c.attrs.flag("keepdims", False))
    return make


def _length(c: Op) -> Node:
    order = c.attrs.whole("ord", 2)
    if order not in (1, 2):
        raise Foreign(f"norm of order {order}")
    return _reduced(f"ReduceL{order}")(c)


def _unary(op: str) -> Callable[[Op], Node]:
    return lambda c: c.add(op, c.one())


def _two(op: str) -> Callable[[Op], Node]:
    def make(c: Op) -> Node:
        c.takes(2)
        return _truth(c, c.add(op, *c.inputs))
    return make


def _scalar(op: str, turned: bool = False) -> Callable[[Op], Node]:
    """The operation with a constant as its second input, or as its first."""
    def make(c: Op) -> Node:
        pair = (c.one(), c.const(c.attrs.real("scalar")))
        return _truth(c, c.add(op, *reversed(pair) if turned else pair))
    return make


def _truth(c: Op, node: Node) -> Node:
    """A comparison gives 0 and 1, as numbers."""
    return c.add("Cast", node, kind="float") if node.op in COMPARISONS.values() else node


COMPARISONS = {"greater": "Greater", "greater_equal": "GreaterEqual", "lesser": "Less",
               "lesser_equal": "LessEqual", "equal": "Equal"}
ARITHMETIC = {"Add": ("elemwise_add", "broadcast_add", "_add", "_plus", "_Plus", "_grad_add",
                      "broadcast_plus", "_npi_add"),
              "Sub": ("elemwise_sub", "broadcast_sub", "_sub", "_minus", "_Minus",
                      "broadcast_minus", "_npi_subtract"),
              "Mul": ("elemwise_mul", "broadcast_mul", "_mul", "_Mul", "_npi_multiply"),
              "Div": ("elemwise_div", "broadcast_div", "_div", "_Div", "_npi_true_divide"),
              "Max": ("broadcast_maximum", "_maximum", "_Maximum", "_npi_maximum"),
              "Min": ("broadcast_minimum", "_minimum", "_Minimum", "_npi_minimum"),
              "Pow": ("broadcast_power", "_power", "_Power")}
SCALARS = {"Add": ("_plus_scalar", "_PlusScalar", "_npi_add_scalar"),
           "Sub": ("_minus_scalar", "_MinusScalar", "_npi_subtract_scalar"),
           "Mul": ("_mul_scalar", "_MulScalar", "_npi_multiply_scalar"),
           "Div": ("_div_scalar", "_DivScalar", "_npi_true_divide_scalar"),
           "Max": ("_maximum_scalar", "_MaximumScalar", "_npi_maximum_scalar"),
           "Min": ("_minimum_scalar", "_MinimumScalar", "_npi_minimum_scalar"),
           "Pow": ("_power_scalar", "_PowerScalar", "_npi_power_scalar")}
TURNED = {"Sub": ("_rminus_scalar", "_RMinusScalar", "_npi_rsubtract_scalar"),
          "Div": ("_rdiv_scalar", "_RDivScalar", "_npi_rtrue_divide_scalar"),
          "Pow": ("_rpower_scalar", "_RPowerScalar", "_npi_rpower_scalar")}
UNARY = {"relu": "Relu", "_npx_relu": "Relu", "sigmoid": "Sigmoid", "_npx_sigmoid": "Sigmoid",
         "tanh": "Tanh", "sqrt": "Sqrt", "abs": "Abs", "negative": "Neg", "exp": "Exp",
         "sign": "Sign", "reciprocal": "Reciprocal"}
REDUCED = {"sum": "ReduceSum", "sum_axis": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax",
           "max_axis": "ReduceMax", "min": "ReduceMin", "min_axis": "ReduceMin",
           "prod": "ReduceProd"}
SAME = ("identity", "_copy", "BlockGrad", "stop_gradient", "_np_copy")
LAYERS: dict[Callable[[Op], Node | Made], tuple[str, ...]] = {
    _convolution: ("Convolution", "Convolution_v1", "_npx_convolution"),
    _norm: ("BatchNorm", "BatchNorm_v1", "_contrib_SyncBatchNorm", "_npx_batch_norm"),
    _dense: ("FullyConnected", "_npx_fully_connected"),
    _leaky: ("LeakyReLU", "_npx_leaky_relu"),
    _activation: ("Activation", "_npx_activation"),
    _pool: ("Pooling", "Pooling_v1", "_npx_pooling"),
    _unit: ("L2Normalization",), _reshape: ("Reshape", "reshape"),
    _transpose: ("transpose", "_np_transpose", "_npi_transpose"), _expand: ("expand_dims",),
    _squeeze: ("squeeze",), _split: ("SliceChannel", "split"), _slice: ("slice", "crop"),
    _slice_axis: ("slice_axis",), _reverse: ("reverse", "flip"), _concat: ("Concat", "concat"),
    _pad: ("Pad", "pad"), _take: ("take",), _dot: ("dot",),
    _cast: ("Cast", "cast", "amp_cast", "_npx_cast"), _clip: ("clip", "_npi_clip"),
    _dropout: ("Dropout", "_npx_dropout"), _where: ("where",), _length: ("norm",),
}

TABLE: dict[str, Callable[[Op], Node | Made]] = {
    name: make for make, names in LAYERS.items() for name in names}
TABLE |= {n: _two(op) for op, names in ARITHMETIC.items() for n in names}
TABLE |= {n: _scalar(op) for op, names in SCALARS.items() for n in names}
TABLE |= {n: _scalar(op, turned=True) for op, names in TURNED.items() for n in names}
TABLE |= {f"{head}{word}{tail}": make(op) for word, op in COMPARISONS.items()
          for head, tail, make in (("broadcast_", "", _two), ("_", "", _two),
                                   ("_", "_scalar", _scalar))}
TABLE |= {name: _unary(op) for name, op in UNARY.items()}
TABLE |= {name: _reduced(op) for name, op in REDUCED.items()}
TABLE |= dict.fromkeys(SAME, Call.one)
TABLE |= {
    "Flatten": lambda c: c.flat(c.one(), 1), "flatten": lambda c: c.flat(c.one(), 1),
    "_npx_batch_flatten": lambda c: c.flat(c.one(), 1),
    "SwapAxis": lambda c: c.swapped(c.one(), c.attrs.whole("dim1", 0), c.attrs.whole("dim2", 0)),
    "ElementWiseSum": lambda c: c.chain("Add", c.inputs),
    "add_n": lambda c: c.chain("Add", c.inputs),
    "amp_multicast": lambda c: c.inputs,
    "square": lambda c: c.add("Mul", c.one(), c.one()),
    "rsqrt": lambda c: c.add("Reciprocal", c.add("Sqrt", c.one())),
    "softmax": lambda c: c.foreign("Softmax"), "SoftmaxActivation": lambda c: c.foreign("Softmax"),
}
"""Each operation's function by its name: its one output, or all of them."""

