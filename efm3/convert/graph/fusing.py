# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rewrites that leave each convolution with one BatchNorm, and no more.

Written for a convolution C of weight w and no bias; BN has scale g, shift b, mean m, variance v,
and r = sqrt(v + eps). All are computed in float64.
"""

from __future__ import annotations

import numpy as np

from efm3 import format as fmt
from efm3.arrays import Array
from efm3.convert._fold import IDENTITY_VAR
from efm3.convert.graph.nodes import INPUT, Node
from efm3.convert.graph.rewrite import Maker, Rule, vector, wide


def _params(n: Node) -> list[Array] | None:
    """scale, shift, mean, variance; None where one is not a constant."""
    values = [i.value for i in n.inputs[1:]]
    return None if any(v is None for v in values) else [v for v in values if v is not None]


def _norm(make: Maker, x: Node, params: list[Array], eps: float, place: str) -> Node:
    return make.make("BatchNorm", x, *(make.const(p, place) for p in params), place=place, eps=eps)


def _bare(conv: Node, make: Maker) -> Node:
    return make.make("Conv", *conv.inputs[:2], place=conv.place, **conv.attrs)


def bias_into_mean(n: Node, make: Maker) -> Node | None:
    """g·(C(x) + c - m)/r + b = g·(C(x) - (m - c))/r + b."""
    conv, params = n.inputs[0], _params(n)
    if conv.op != "Conv" or len(conv.inputs) < 3 or params is None:
        return None
    bias = conv.inputs[2].value
    if bias is None:
        return None
    mean = wide(params[2]) - wide(bias) if bias.any() else params[2]
    return _norm(make, _bare(conv, make), [*params[:2], mean, params[3]], n.attrs["eps"], n.place)


def norm_of_norm(n: Node, make: Maker) -> Node | None:
    """g2·(g·(x - m)/r + b - m2)/r2 + b2 = (g2/r2)·g·(x - m)/r + (g2/r2)·(b - m2) + b2."""
    below = n.inputs[0]
    outer, inner = _params(n), _params(below) if below.op == "BatchNorm" else None
    if outer is None or inner is None:
        return None
    g2, b2, m2, v2 = map(wide, outer)
    with np.errstate(all="ignore"):
        factor = g2 / np.sqrt(v2 + n.attrs["eps"])
        scale, shift = factor * wide(inner[0]), factor * (wide(inner[1]) - m2) + b2
    return _norm(make, below.inputs[0], [scale, shift, *inner[2:]], below.attrs["eps"], n.place)


def _other(n: Node) -> tuple[Node, Array | None]:
    """(x, c as a vector of x's channels) of an operation on x and a constant; None if it is not."""
    a, b = n.inputs
    if b.value is not None and a.value is None:
        return a, vector(b.value, a.shape) if a.shape == n.shape else None
    if a.value is not None and b.value is None:
        return b, vector(a.value, b.shape) if b.shape == n.shape else None
    return a, None


def neg_to_mul(n: Node, make: Maker) -> Node | None:
    """-x = x·(-1)."""
    return make.make("Mul", n.inputs[0], make.const(-1.0, n.place), place=n.place)


def sub_to_add(n: Node, make: Maker) -> Node | None:
    """x - c = x + (-c); c - x = x·(-1) + c."""
    a, b = n.inputs
    if b.value is not None:
        return make.make("Add", a, make.const(-wide(b.value), b.place), place=n.place)
    if a.value is not None:
        minus = make.make("Mul", b, make.const(-1.0, n.place), place=n.place)
        return make.make("Add", minus, a, place=n.place)
    return None


def div_to_mul(n: Node, make: Maker) -> Node | None:
    """x/c = x·(1/c), c without zeros."""
    a, b = n.inputs
    if b.value is None or not b.value.all() or a.value is not None:
        return None
    return make.make("Mul", a, make.const(1 / wide(b.value), b.place), place=n.place)


def mul_into_norm(n: Node, make: Maker) -> Node | None:
    """s·BN(x) has scale s·g and shift s·b; s·(C(x) + c) is a BN of scale s, mean -c, r = 1."""
    x, s = _other(n)
    if s is None:
        return None
    if x.op == "BatchNorm":
        params = _params(x)
        if params is None:
            return None
        new = [wide(s) * params[0], wide(s) * params[1], *params[2:]]
        return _norm(make, x.inputs[0], new, x.attrs["eps"], x.place)
    if x.op == "Conv":
        zero, var = np.zeros(len(s), np.float32), np.full(len(s), IDENTITY_VAR, np.float32)
        return _norm(make, x, [s, zero, zero, var], fmt.BN_EPS, n.place)
    return None


def add_into_norm(n: Node, make: Maker) -> Node | None:
    """BN(x) + t has shift b + t; C(x) + c + t has bias c + t."""
    x, t = _other(n)
    if t is None:
        return None
    if x.op == "BatchNorm":
        params = _params(x)
        if params is None:
            return None
        # A BatchNorm spelled by Mul and Add keeps the values of both.
        shift = wide(params[1]) + t if params[1].any() else t
        return _norm(make, x.inputs[0], [params[0], shift, *params[2:]], x.attrs["eps"], x.place)
    if x.op == "Conv":
        bias = t
        if len(x.inputs) > 2:
            if x.inputs[2].value is None:
                return None
            bias = wide(x.inputs[2].value) + t
        return make.make("Conv", *x.inputs[:2], make.const(bias, n.place), place=x.place,
                         **x.attrs)
    return None


def mul_of_prelu(n: Node, make: Maker) -> Node | None:
    """s·PReLU(x, a) = PReLU(s·x, a) for s > 0."""
    x, s = _other(n)
    if s is None or x.op != "PRelu" or not (s > 0).all():
        return None
    factor = make.const(s.reshape(-1, *[1] * (len(x.shape or ()) - 2)), n.place)
    inner = make.make("Mul", x.inputs[0], factor, place=n.place)
    return make.make("PRelu", inner, x.inputs[1], place=x.place)


def mul_of_mul(n: Node, make: Maker) -> Node | None:
    """t·(s·x) = (t·s)·x, and t + (s + x) = (t + s) + x."""
    x, t = _other(n)
    if t is None or x.op != n.op:
        return None
    y, s = _other(x)
    if s is None or y.shape is None:
        return None
    both = wide(t) * s if n.op == "Mul" else wide(t) + s
    shaped = make.const(both.reshape(-1, *[1] * (len(y.shape) - 2)), n.place)
    return make.make(n.op, y, shaped, place=n.place)


def pad_into_conv(n: Node, make: Maker) -> Node | None:
    """C(Pad(x)) is C with more padding where the pad is of zeros, in height and width alone."""
    x = n.inputs[0]
    if x.op != "Pad" or x.attrs["mode"] != "constant" or x.attrs["value"] != 0:
        return None
    pads = x.attrs["pads"]
    if len(pads) != 4 or any(v for pair in pads[:2] for v in pair) or n.attrs["strides"] is None:
        return None
    top, left, bottom, right = n.attrs["pads"]
    new = (top + pads[2][0], left + pads[3][0], bottom + pads[2][1], right + pads[3][1])
    return make.make("Conv", x.inputs[0], *n.inputs[1:], place=n.place,
                     **{**n.attrs, "pads": new})


def affine_into_conv(n: Node, make: Maker) -> Node | None:
    """C(s·x + t) has weight w·s, and bias sum of w·t where there is no padding.

    With padding, or where none is stated, t must be 0: the border is of zeros, not of t. Not at
    the picture: what happens there says which pictures the network takes.
    """
    x, w = n.inputs[0], n.inputs[1].value
    if x.op not in ("Mul", "Add", "BatchNorm") or w is None or n.attrs["group"] < 1:
        return None
    if x.op == "BatchNorm":
        params = _params(x)
        y = x.inputs[0]
        if params is None or y.op == "Conv":
            return None
        g, b, m, v = map(wide, params)
        with np.errstate(all="ignore"):
            s = g / np.sqrt(v + x.attrs["eps"])
        t = b - m * s
    else:
        y, c = _other(x)
        if c is None or y.op == "Conv":
            return None
        s, t = (wide(c), np.zeros(len(c))) if x.op == "Mul" else (np.ones(len(c)), wide(c))
    pads = any(n.attrs["pads"]) or (n.attrs["strides"] is None and w.shape[2:] != (1, 1))
    if _from_picture(y) or (t.any() and pads):
        return None
    group, (out, part, _, _) = n.attrs["group"], w.shape
    per = np.broadcast_to(s.reshape(group, 1, part), (group, out // group, part)).reshape(out, part)
    weight = _scaled(w, per)
    if t.any() and len(n.inputs) > 2 and n.inputs[2].value is None:
        return None
    more = []
    if t.any():
        shift = np.broadcast_to(t.reshape(group, 1, part), (group, out // group, part))
        bias = np.einsum("oikl,oi->o", wide(w), shift.reshape(out, part))
        if len(n.inputs) > 2 and n.inputs[2].value is not None:
            bias = bias + wide(n.inputs[2].value)
        more = [make.const(bias, n.place)]
    else:
        more = list(n.inputs[2:])
    return make.make("Conv", y, make.const(weight, n.inputs[1].place), *more, place=n.place,
                     **n.attrs)


def _scaled(w: Array, factor: Array) -> Array:
    """w times a factor for each pair of channels. Float32 or less gives float32, a row at a time:
    w may be large."""
    out = np.empty(w.shape, np.float64 if w.dtype == np.float64 else np.float32)
    with np.errstate(all="ignore"):
        for row, of, f in zip(out, w, factor, strict=True):
            row[...] = wide(of) * f[:, None, None]
    return out


def _from_picture(n: Node) -> bool:
    """True where nothing but what changes a picture lies below; bounded by what may."""
    for _ in range(32):
        if n.op == INPUT:
            return True
        if n.op in ("Conv", "PRelu", "Dense") or not n.inputs:
            return False
        n = next((i for i in n.inputs if i.value is None), n.inputs[0])
    return False


def mean_to_conv(n: Node, make: Maker) -> Node | None:
    """The mean over a map of k×k values is a depthwise convolution of weights 1/k²."""
    x = n.inputs[0]
    if n.attrs["axes"] != (2, 3) or x.shape is None or len(x.shape) != 4 or None in x.shape:
        return None
    _, c, h, w = (s or 0 for s in x.shape)
    if h != w or h < 2 or c * h * w > 1 << 20 or n.shape is None:
        return None
    weight = np.full((c, 1, h, w), 1 / (h * w))
    conv = make.make("Conv", x, make.const(weight, n.place), place=n.place, strides=(1, 1),
                     pads=(0, 0, 0, 0), dilations=(1, 1), group=c)
    return make.reshape(conv, [s or 0 for s in n.shape], n.place)


RULES: dict[str, tuple[Rule, ...]] = {
    "BatchNorm": (norm_of_norm, bias_into_mean),
    "Neg": (neg_to_mul,), "Sub": (sub_to_add,), "Div": (div_to_mul,),
    "Mul": (mul_of_mul, mul_into_norm, mul_of_prelu),
    "Add": (mul_of_mul, add_into_norm),
    "Conv": (pad_into_conv, affine_into_conv),
    "ReduceMean": (mean_to_conv,),
}
