# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Caffe's network, of either form: its layers, and a caffemodel's arrays by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from efm3.arrays import Array
from efm3.convert._protobuf import (
    BYTES,
    EIGHT,
    FOUR,
    REAL,
    SPAN,
    VARINT,
    WHOLE,
    WORD,
    Message,
    Schema,
    Span,
    Wire,
)
from efm3.convert._unread import Data
from efm3.convert.graph.ops import MOST_RANK
from efm3.findings import printable, refuse

SHAPE: Schema = {1: ("dim", WHOLE)}
RULE: Schema = {1: ("phase", WHOLE), 2: ("min_level", WHOLE), 3: ("max_level", WHOLE),
                4: ("stage", WORD), 5: ("not_stage", WORD)}
CONVOLUTION: Schema = {
    1: ("num_output", WHOLE), 2: ("bias_term", WHOLE), 3: ("pad", WHOLE),
    4: ("kernel_size", WHOLE), 5: ("group", WHOLE), 6: ("stride", WHOLE), 9: ("pad_h", WHOLE),
    10: ("pad_w", WHOLE), 11: ("kernel_h", WHOLE), 12: ("kernel_w", WHOLE), 13: ("stride_h", WHOLE),
    14: ("stride_w", WHOLE), 16: ("axis", WHOLE), 18: ("dilation", WHOLE)}
POOLING: Schema = {
    1: ("pool", WHOLE), 2: ("kernel_size", WHOLE), 3: ("stride", WHOLE), 4: ("pad", WHOLE),
    5: ("kernel_h", WHOLE), 6: ("kernel_w", WHOLE), 7: ("stride_h", WHOLE), 8: ("stride_w", WHOLE),
    9: ("pad_h", WHOLE), 10: ("pad_w", WHOLE), 12: ("global_pooling", WHOLE)}
DENSE: Schema = {1: ("num_output", WHOLE), 2: ("bias_term", WHOLE), 5: ("axis", WHOLE),
                 6: ("transpose", WHOLE)}
ALONG: Schema = {1: ("axis", WHOLE), 2: ("num_axes", WHOLE), 4: ("bias_term", WHOLE)}
LAYER: Schema = {
    1: ("name", WORD), 2: ("type", WORD), 3: ("bottom", WORD), 4: ("top", WORD),
    7: ("blobs", SPAN), 8: ("include", RULE), 9: ("exclude", RULE),
    104: ("concat_param", {1: ("concat_dim", WHOLE), 2: ("axis", WHOLE)}),
    106: ("convolution_param", CONVOLUTION),
    110: ("eltwise_param", {1: ("operation", WHOLE), 2: ("coeff", REAL)}),
    111: ("exp_param", {1: ("base", REAL), 2: ("scale", REAL), 3: ("shift", REAL)}),
    117: ("inner_product_param", DENSE), 121: ("pooling_param", POOLING),
    122: ("power_param", {1: ("power", REAL), 2: ("scale", REAL), 3: ("shift", REAL)}),
    123: ("relu_param", {1: ("negative_slope", REAL)}),
    126: ("slice_param", {1: ("slice_dim", WHOLE), 2: ("slice_point", WHOLE), 3: ("axis", WHOLE)}),
    131: ("prelu_param", {2: ("channel_shared", WHOLE)}),
    133: ("reshape_param", {1: ("shape", SHAPE), 2: ("axis", WHOLE), 3: ("num_axes", WHOLE)}),
    135: ("flatten_param", {1: ("axis", WHOLE), 2: ("end_axis", WHOLE)}),
    136: ("reduction_param", {1: ("operation", WHOLE), 2: ("axis", WHOLE), 3: ("coeff", REAL)}),
    139: ("batch_norm_param", {1: ("use_global_stats", WHOLE), 3: ("eps", REAL)}),
    141: ("bias_param", ALONG), 142: ("scale_param", ALONG),
    143: ("input_param", {1: ("shape", SHAPE)}),
}
OLD_LAYER: Schema = {2: ("bottom", WORD), 3: ("top", WORD), 4: ("name", WORD), 5: ("type", WHOLE),
                     6: ("blobs", SPAN)}
"""A layer of before 2014. Its parameters are not read: it can give weights, no structure."""
NET: Schema = {1: ("name", WORD), 2: ("layers", OLD_LAYER), 3: ("input", WORD),
               4: ("input_dim", WHOLE), 8: ("input_shape", SHAPE), 100: ("layer", LAYER)}
BLOB: Schema = {1: ("num", WHOLE), 2: ("channels", WHOLE), 3: ("height", WHOLE),
                4: ("width", WHOLE), 7: ("shape", SHAPE)}
VALUES = {5: ("<f4", FOUR), 8: ("<f8", EIGHT)}
"""numpy's type and the wire type of one value, by the number of a blob's field of values."""


class Model:
    """A caffemodel: its layers as messages, and the arrays of each."""

    def __init__(self, data: Data, path: str) -> None:
        self._wire = Wire(data, path)
        self.path, self.size = self._wire.path, len(data)
        self.net = self._wire.message(Span(0, len(data)), NET)
        self._blobs: dict[str, list[Span]] = {}
        for layer in (*self.net.all("layer"), *self.net.all("layers")):
            spans = layer.spans("blobs")
            name = layer.word("name")
            if spans and name in self._blobs:
                refuse("X015", f"{self.path} has the arrays of {printable(name)} twice",
                       printable(name))
            if spans:
                self._blobs[name] = spans
        if not self._blobs:
            refuse("X003", f"{self.path} holds no layer with weights: it is no caffemodel",
                   self.path)

    def arrays(self, name: str, place: str, counts: Sequence[int]) -> list[Array]:
        """The layer's arrays. Raises X015, X006 where there are not so many."""
        spans = self._blobs.get(name)
        if spans is None:
            refuse("X015", f"{place} has no arrays in {self.path}", place)
        if len(spans) not in counts:
            refuse("X006", f"{place} has {len(spans)} arrays in {self.path}, not "
                           f"{' or '.join(map(str, counts))}", place, len(spans), [*counts])
        return [self._array(s, f"array {i} of {place}") for i, s in enumerate(spans)]

    def _array(self, span: Span, what: str) -> Array:
        data, parts = self._wire.data, []
        for number, wire, _, body in self._wire.fields(*span):
            dtype, single = VALUES.get(number, ("", VARINT))
            if dtype and wire not in (BYTES, single):
                refuse("X003", f"{what} has values of wire type {wire}", what)
            if dtype:
                if (body.end - body.start) % np.dtype(dtype).itemsize:
                    refuse("X003", f"{what} ends within a value", what)
                parts.append(np.frombuffer(data[body.start:body.end], dtype))
        shape = _shape(self._wire.message(span, BLOB), what)
        values = parts[0] if len(parts) == 1 else np.concatenate(parts or [np.zeros(0, "<f4")])
        if math.prod(shape) != values.size:
            refuse("X006", f"{what} has {values.size:,} values for shape {shape}", what,
                   values.size, shape)
        return values.reshape(shape)


def _shape(blob: Message, what: str) -> list[int]:
    shape = blob.sub("shape").wholes("dim")
    if "shape" not in blob:
        # Before shapes of any rank there were four sizes.
        shape = [blob.whole(k, 1) for k in ("num", "channels", "height", "width")]
    if len(shape) > MOST_RANK or min(shape, default=1) < 1:
        refuse("X006", f"{what} has shape {shape[:MOST_RANK + 1]}", what)
    return shape
