# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""MXNet's and Caffe's pairs of files for fuzz_python.py: the structure's length in four bytes, the
structure, the weights.

The mutators change one thing of the structure or of the weights and leave the rest whole.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import re
import shutil
import struct
import tempfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

import efm3
from efm3.arch import Arch, Stage
from efm3.conformance import sample
from efm3.convert import caffe, mxnet
from efm3.convert._base import Wanted
from efm3.convert._caffe_layers import TABLE as CAFFE
from efm3.convert._mxnet_ops import TABLE as MXNET
from efm3.convert.matching import network_of
from efm3.source import Unreadable
from tests.convert import caffe_files, mxnet_files
from tests.fuzz.mutators import raw

ARCH = Arch("small", 0.25, 2, 2, 4, 3, 14, (Stage(2, 1, 2), Stage(2, 1, 2)))
VALUES = ("0", "1", "-1", "2", "3", "112", "(1, 1)", "(0, -1)", "(2, 2)", "(None, 3)", "()", "None",
          "True", "False", "1e38", "nan", "-9223372036854775808", "9" * 18, "(" + "1, " * 9 + ")",
          "x", "", "prelu", "avg", "MAX", "channel", '"', "{", "}", ":", "[1, 2", "#", "\ud800")
NUMBERS = (0, 1, 2, 7, 127, 128, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


def packed(structure: bytes, weights: bytes) -> bytes:
    """Two files as one input."""
    return struct.pack("<I", len(structure)) + structure + weights


def split(data: bytes) -> tuple[bytes, bytes]:
    """The two files of an input."""
    size = int.from_bytes(data[:4], "little")
    return data[4:4 + size], data[4 + size:]


def _small() -> efm3.Model:
    return efm3.load(sample.build(ARCH))


def symbols() -> list[bytes]:
    """A network, and a row of each operation that needs no arrays."""
    layers = mxnet_files.network(_small())
    ones = np.ones((1, 3, 1, 1), np.float16)
    rows = [mxnet_files.Layer("broadcast_mul", "first", params={"weight": ones})]
    own: dict[str, dict[str, Any]] = {
        "Reshape": {"shape": "(0, -1, 0)"}, "transpose": {"axes": "(0, 2, 1)"},
        "expand_dims": {"axis": 1}, "slice_axis": {"axis": 1, "begin": 0, "end": 3},
        "SliceChannel": {"num_outputs": 1}, "clip": {"a_min": 0, "a_max": 6},
        "slice": {"begin": "(0, 0)", "end": "(1, None)"}, "Cast": {"dtype": "float32"},
        "Concat": {"dim": 1}, "squeeze": {}, "Pooling": {"global_pool": 1, "pool_type": "avg"},
        "L2Normalization": {}, "LeakyReLU": {}, "_rminus_scalar": {"scalar": 2}, "mean": {}}
    for op, attrs in own.items():
        rows.append(mxnet_files.Layer(op, op, (rows[-1].name,), {}, attrs))
    return [packed(json.dumps(mxnet_files.symbol(made)).encode(),
                   mxnet_files.arrays(mxnet_files.named(made), magic))
            for made, magic in ((layers, mxnet_files.V2), (rows, mxnet_files.V1), (rows, 0))]


def texts() -> list[bytes]:
    """A network, one in old form, and a row of layers."""
    layers = caffe_files.network(_small())
    row = [caffe_files.Layer("Bias", "first", ("data",), (), (np.ones(3, np.float32),))]
    own: dict[str, dict[str, Any]] = {
        "Power": {"scale": 2, "power": 2}, "ReLU": {"negative_slope": 0.5}, "Slice": {"axis": 2},
        "Permute": {"order": [0, 2]}, "Pooling": {"pool": "AVE", "global_pooling": True},
        "Reshape": {"shape": {"dim": [0, -1, 1]}}, "Concat": {"axis": 1}, "Flatten": {"axis": 1},
        "Eltwise": {"operation": "SUM", "coeff": 2}, "Reduction": {"axis": 1}, "Clip": {"min": 0}}
    for kind, params in own.items():
        row.append(caffe_files.Layer(kind, kind, (row[-1].name,), (), (),
                                     {f"{kind.lower()}_param": params}))
    return [packed(caffe_files.text(made).encode(), caffe_files.model(made, old=old))
            for made, old in ((layers, False), (layers, True), (row, False))]


def symbol(rng: random.Random, data: bytes) -> bytes:
    """One change of a symbol's node, of its output, or of the arrays."""
    structure, weights = split(data)
    kind = rng.randrange(9)
    if kind < 3:
        return (raw(rng, data) if kind == 0 else packed(raw(rng, structure), weights)
                if kind == 1 else packed(structure, _header(rng, weights)))
    try:
        value = json.loads(structure)
        node = rng.choice(value["nodes"])
        heads = value["heads"]
        if kind == 3:
            node["op"] = rng.choice([*MXNET, "null", "Custom", "Conv", "Input", ""])
        elif kind == 4:
            node["name"] = rng.choice(value["nodes"])["name"]
        elif kind == 5:
            attrs = node.setdefault("attrs", {})
            attrs[rng.choice([*attrs, "axis", "axes", "shape", "num_outputs", "layout"])] = (
                rng.choice(VALUES))
        elif kind == 6:
            inputs = node["inputs"]
            ref = [rng.randrange(len(value["nodes"]) + 2) - 1, rng.choice((0, 0, 1, -1)), 0]
            inputs[rng.randrange(len(inputs) + 1):rng.randrange(len(inputs) + 1)] = [ref]
        elif kind == 7:
            node.setdefault("attrs", {})["__shape__"] = rng.choice(VALUES)
        else:
            heads[:] = [[rng.randrange(len(value["nodes"])), 0, 0]] * rng.randrange(3)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return raw(rng, data)
    return packed(json.dumps(value).encode(), weights)


def _header(rng: random.Random, weights: bytes) -> bytes:
    """One number of the arrays' headers changed: counts, shapes, types."""
    at = rng.randrange(min(len(weights), 400) + 1) & ~3
    word = struct.pack("<Q", rng.choice(NUMBERS))[:rng.choice((4, 4, 8))]
    return weights[:at] + word + weights[at + len(word):]


WORD = re.compile(rb"[\w.+-]+")


def text(rng: random.Random, data: bytes) -> bytes:
    """One change of a network's text, or of a caffemodel's lengths."""
    structure, weights = split(data)
    kind = rng.randrange(8)
    if kind == 0:
        return raw(rng, data)
    if kind == 1:
        return packed(structure, raw(rng, weights))
    if kind == 2:
        return packed(raw(rng, structure), weights)
    if kind == 3:
        return packed(structure, _inside(rng, weights))
    words = list(WORD.finditer(structure))
    if not words:
        return raw(rng, data)
    chosen = rng.choice(words)
    new = (rng.choice([*CAFFE, "Data", "Conv", "Input"]) if kind == 4 else
           rng.choice(words)[0].decode() if kind == 5 else rng.choice(VALUES))
    structure = (structure[:chosen.start()] + new.encode("utf-8", "replace")
                 + structure[chosen.end():])
    return packed(structure, weights)


def _inside(rng: random.Random, weights: bytes) -> bytes:
    """A layer with a field more, or changed, and its own length right."""
    starts = [m.start() for m in re.finditer(rb"\xa2\x06", weights)] or [0]
    at = rng.choice(starts)
    size, body = 0, at + 2
    for shift in range(0, 21, 7):
        if body >= len(weights):
            return raw(rng, weights)
        byte = weights[body]
        size |= (byte & 127) << shift
        body += 1
        if byte < 128:
            break
    inner = weights[body:body + size]
    if rng.randrange(2):
        number = rng.choice((1, 2, 3, 4, 7, 8, 106, 139, 142))
        more = rng.choice((caffe_files.whole(number, rng.choice(NUMBERS)),
                           caffe_files.part(number, rng.randbytes(rng.randrange(6))),
                           caffe_files.part(7, caffe_files.blob(np.ones(rng.randrange(4), "f")))))
        inner += more
    else:
        inner = raw(rng, inner)
    return weights[:at] + caffe_files.part(100, inner) + weights[body + size:]


@lru_cache(maxsize=1)
def _folder() -> str:
    # In memory where the system has that: two files for each input.
    shared = "/dev/shm"
    folder = tempfile.mkdtemp(prefix="efm3-", dir=shared if os.path.isdir(shared) else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def reader(module: Any, names: tuple[str, str], given: int) -> Callable[[bytes], str]:
    """A check of a reader of two files of these names, of which one is given: a model, a graph
    that is none of EFM3's, Efm3Error or Unreadable."""
    def check(data: bytes) -> str:
        paths = [os.path.join(_folder(), name) for name in names]
        for path, part in zip(paths, split(data), strict=True):
            with open(path, "wb") as f:
                f.write(part)
        try:
            source = module.read(paths[given], Wanted())
        except efm3.Efm3Error as e:
            return e.code
        except Unreadable:
            return "unreadable"
        try:
            model = network_of(source, Wanted()).model
        except efm3.Efm3Error as e:
            return f"graph {e.code}"
        assert efm3.validate(b"".join(model.parts(finite=False)), "structure").ok
        return "network"
    return check


check_mxnet = reader(mxnet, ("m-symbol.json", "m-0000.params"), 1)
check_caffe = reader(caffe, ("c.prototxt", "c.caffemodel"), 0)
