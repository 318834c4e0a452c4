# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ncnn's graph file, as text (`.param`) or binary (`.param.bin`): layers, blobs, parameters.

Text: a line 7767517, a line with the counts of layers and blobs, then a line for each layer: type,
name, counts of inputs and outputs, their names, and parameters `id=value`; an array is
`-23300-id=count,value,...` or `id=value,...`. A value with a point or an exponent is a real number.
Binary: the same in 32-bit words, without names, and a parameter's type is known to its layer alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

import numpy as np

from efm3.convert.graph.build import MOST_NODES
from efm3.findings import refuse

MAGIC = 7767517
MOST_BYTES = 1 << 21
"""Longest graph file: 256 blocks, the most that EFM3 has, need 3,000 lines."""
ARRAY, STRING, LAST = -23300, -23400, -233
MOST_IDS, MOST_DIGITS = 32, 40

_NAMES = """
AbsVal ArgMax BatchNorm Bias BNLL Concat Convolution Crop Deconvolution Dropout Eltwise ELU Embed
Exp Flatten InnerProduct Input Log LRN MemoryData MVN Pooling Power PReLU Proposal Reduction ReLU
Reshape ROIPooling Scale Sigmoid Slice Softmax Split SPP TanH Threshold Tile RNN LSTM BinaryOp
UnaryOp ConvolutionDepthWise Padding Squeeze ExpandDims Normalize Permute PriorBox DetectionOutput
Interp DeconvolutionDepthWise ShuffleChannel InstanceNorm Clip Reorg YoloDetectionOutput Quantize
Dequantize Yolov3DetectionOutput PSROIPooling ROIAlign Packing Requantize Cast HardSigmoid SELU
HardSwish Noop PixelShuffle DeepCopy Mish StatisticsPooling Swish Gemm GroupNorm LayerNorm
Softplus GRU MultiHeadAttention GELU Convolution1D Pooling1D ConvolutionDepthWise1D Convolution3D
ConvolutionDepthWise3D Pooling3D MatMul Deconvolution1D DeconvolutionDepthWise1D Deconvolution3D
DeconvolutionDepthWise3D Einsum DeformableConv2D GLU Fold Unfold GridSample CumulativeSum CopyTo
Erf Diag CELU Shrink RMSNorm Spectrogram InverseSpectrogram Flip SDPA RotaryEmbed
"""
TYPES = tuple(_NAMES.split())
"""Layer types by their number in a binary file; ncnn only appends to them."""

Value = int | float | str | bytes | list[int | float]
"""A parameter; bytes (32-bit words) from a binary file."""

_PAIR = re.compile(r'(-?\d{1,9})=("[^"]*"|\S+)\s*')
_WHOLE = re.compile(r"[+-]?\d+")
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Params:
    """A layer's parameters by id; each is read as the type that the layer takes."""

    def __init__(self, values: Mapping[int, Value], place: str) -> None:
        self._values = values
        self._place = place

    def whole(self, key: int, default: int = 0) -> int:
        """A whole number of 32 bits."""
        value = self._values.get(key, default)
        if isinstance(value, bytes) and len(value) == 4:
            return int.from_bytes(value, "little", signed=True)
        # ncnn takes the bits of a number of the wrong type; only those of 0 are the same.
        if isinstance(value, float) and value == 0:
            return 0
        if not isinstance(value, int):
            self._wrong(key, value, "a whole number")
        return value

    def real(self, key: int, default: float = 0.0) -> float:
        """A real number, as it is printed."""
        value = self._values.get(key, default)
        if isinstance(value, bytes) and len(value) == 4:
            value = _printed(value)
        if isinstance(value, int) and value == 0:
            return 0.0
        if not isinstance(value, float) or not math.isfinite(value):
            self._wrong(key, value, "a real number, with a point or an exponent")
        return value

    def wholes(self, key: int) -> list[int]:
        """An array of whole numbers; empty where it is not there."""
        value = self._values.get(key, [])
        if isinstance(value, bytes):
            return [int(v) for v in np.frombuffer(value, "<i4")]
        if not isinstance(value, list) or not all(isinstance(v, int) for v in value):
            self._wrong(key, value, "an array of whole numbers")
        return [int(v) for v in value]

    def reals(self, key: int) -> list[float]:
        """An array of real numbers; empty where it is not there."""
        value = self._values.get(key, [])
        if isinstance(value, bytes):
            value = [_printed(value[i:i + 4]) for i in range(0, len(value), 4)]
        if not isinstance(value, list) or not all(
                v == 0 or (isinstance(v, float) and math.isfinite(v)) for v in value):
            self._wrong(key, value, "an array of real numbers, with a point or an exponent")
        return [float(v) for v in value]

    def __contains__(self, key: int) -> bool:
        return key in self._values

    def _wrong(self, key: int, value: object, want: str) -> NoReturn:
        refuse("X006", f"{self._place}: parameter {key} is {str(value)[:60]}, not {want}",
               self._place, value, want)


def _printed(word: bytes) -> float:
    """A float32 by its shortest decimal, which is what a text file would print."""
    return float(str(np.frombuffer(word, "<f4")[0]))


class Layer(NamedTuple):
    """A line of the file; blobs by their number, in the order in which layers put them out."""

    kind: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    params: Params

    @property
    def place(self) -> str:
        """What a refusal calls it."""
        return f"{self.name} ({self.kind})"


class Net(NamedTuple):
    """The graph: each layer after those whose blobs it takes."""

    layers: list[Layer]
    blobs: list[str]
    binary: bool


def is_text(head: bytes) -> bool:
    """True where a file that begins so is ncnn's text."""
    return head.split(maxsplit=1)[:1] == [b"%d" % MAGIC]


def is_binary(head: bytes) -> bool:
    """True where a file that begins so is ncnn's binary graph."""
    return head[:4] == MAGIC.to_bytes(4, "little")


def parse(data: bytes, path: str) -> Net:
    """The graph in a file's bytes, at most MOST_BYTES. Raises X003, X006, X007, X008."""
    if is_binary(data):
        return _Binary(data, path).net()
    if not is_text(data[:64]):
        refuse("X003", f"{path} does not begin with ncnn's {MAGIC}; files older than that number "
                       "have to be converted again", path, data[:16], MAGIC)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as e:
        refuse("X003", f"{path} is not text: byte {e.start} is {data[e.start]:#x}", path)
    return _text(text, path)


class _Blobs:
    """Names of the blobs so far; each is put out once, before it is taken."""

    def __init__(self, count: int) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._count = count

    def taken(self, name: str, place: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            refuse("X007", f"{place} takes {name!r}, which no layer before it puts out", place,
                   name)
        return number

    def put(self, name: str, place: str) -> int:
        if name in self._numbers:
            refuse("X007", f"{place} puts out {name!r}, which another layer puts out too", place,
                   name)
        if len(self.names) == self._count:
            refuse("X003", f"{place}: the file states {self._count} blobs and has more", place,
                   len(self.names) + 1, self._count)
        self._numbers[name] = len(self.names)
        self.names.append(name)
        return len(self.names) - 1


def _counts(layers: int, blobs: int, path: str) -> None:
    if layers < 1 or blobs < 1:
        refuse("X003", f"{path} states {layers} layers and {blobs} blobs", path)
    if layers > MOST_NODES:
        refuse("X008", f"{path} states {layers:,} layers", path, layers, f"at most {MOST_NODES:,}")


def _text(text: str, path: str) -> Net:
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    words = lines[1].split() if len(lines) > 1 else []
    if lines[0].split() != [str(MAGIC)] or len(words) != 2 or not all(
            w.isascii() and w.isdigit() and len(w) < 10 for w in words):
        refuse("X003", f"{path} has no line with the counts of layers and blobs after the first",
               path, " ".join(words)[:60], "two whole numbers")
    layers, count = int(words[0]), int(words[1])
    _counts(layers, count, path)
    if layers != len(lines) - 2:
        cut = ": it is cut short" if layers > len(lines) - 2 else ""
        refuse("X003", f"{path} states {layers} layers and has {len(lines) - 2}{cut}", path,
               len(lines) - 2, layers)
    blobs = _Blobs(count)
    return Net([_line(line, blobs, path) for line in lines[2:]], blobs.names, False)


def _line(line: str, blobs: _Blobs, path: str) -> Layer:
    words = line.split(maxsplit=4)
    if len(words) < 4 or not all(w.isascii() and w.isdigit() and len(w) < 8 for w in words[2:4]):
        refuse("X003", f"{path}: {line.strip()[:60]!r} is not a layer", path, line.strip(),
               "type, name, two counts, blobs, parameters")
    kind, name, inputs, outputs = words[0], words[1], int(words[2]), int(words[3])
    place = f"{name} ({kind})"
    if kind.startswith("pnnx."):
        refuse("X003", f"{path} is PNNX's own graph; PNNX writes ncnn's too, to NAME.ncnn.param "
                       "and NAME.ncnn.bin", path, kind, "Input")
    rest = words[4].split(maxsplit=inputs + outputs) if len(words) > 4 else []
    if len(rest) < inputs + outputs:
        refuse("X003", f"{place} states {inputs} inputs and {outputs} outputs and names "
                       f"{len(rest)}", place, len(rest), inputs + outputs)
    taken = tuple(blobs.taken(n, place) for n in rest[:inputs])
    put = tuple(blobs.put(n, place) for n in rest[inputs:inputs + outputs])
    more = rest[inputs + outputs] if len(rest) > inputs + outputs else ""
    return Layer(kind, name, taken, put, Params(_pairs(more, place), place))


def _pairs(text: str, place: str) -> dict[int, Value]:
    out: dict[int, Value] = {}
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None:
            refuse("X003", f"{place}: {text[at:at + 40]!r} is not a parameter", place,
                   text[at:at + 40], "id=value")
        key, word, at = int(found[1]), found[2], found.end()
        old = key <= ARRAY
        key = ARRAY - key if old else key
        _check_id(key, place)
        if old:
            count, *values = word.split(",")
            if count != str(len(values)):
                refuse("X003", f"{place}: array {key} states {count[:20]} values and has "
                               f"{len(values)}", place, len(values), count)
            out[key] = [_number(v, place, key) for v in values]
        elif word[0] == '"' or word[0].isalpha():
            out[key] = word
        elif "," in word:
            out[key] = [_number(v, place, key) for v in word.removesuffix(",").split(",")]
        else:
            out[key] = _number(word, place, key)
    return out


def _check_id(key: int, place: str) -> None:
    if not 0 <= key < MOST_IDS:
        refuse("X003", f"{place} has a parameter {key}", place, key, f"0 to {MOST_IDS - 1}")


def _number(word: str, place: str, key: int) -> int | float:
    if len(word) <= MOST_DIGITS and word.isascii():
        if _WHOLE.fullmatch(word) and -2**31 <= int(word) < 2**31:
            return int(word)
        if _REAL.fullmatch(word) and not _WHOLE.fullmatch(word):
            return float(word)
    refuse("X006", f"{place}: parameter {key} is {word[:40]!r}, not a number", place, word)


class _Binary:
    """Reads the words of a binary graph."""

    def __init__(self, data: bytes, path: str) -> None:
        self._data, self._path, self._at = data, path, 4

    def net(self) -> Net:
        layers, count = self._whole(), self._whole()
        _counts(layers, count, self._path)
        blobs = _Blobs(count)
        found = [self._layer(i, blobs) for i in range(layers)]
        if self._at != len(self._data):
            refuse("X003", f"{self._path} has {len(self._data) - self._at} bytes after its last "
                           "layer", self._path, len(self._data), self._at)
        return Net(found, blobs.names, True)

    def _layer(self, number: int, blobs: _Blobs) -> Layer:
        code, inputs, outputs = self._whole(), self._whole(), self._whole()
        kind = TYPES[code] if 0 <= code < len(TYPES) else f"type{code}"
        name = f"layer{number}"
        place = f"{name} ({kind})"
        taken = tuple(blobs.taken(str(n), place) for n in self._wholes(inputs))
        put = []
        for n in self._wholes(outputs):
            # ncnn numbers blobs as layers put them out, and its programs take them by number.
            if blobs.put(str(n), place) != n:
                refuse("X007", f"{place} puts out blob {n} where {len(blobs.names) - 1} is next",
                       place, n, len(blobs.names) - 1)
            put.append(n)
        return Layer(kind, name, taken, tuple(put), Params(self._values(place), place))

    def _values(self, place: str) -> dict[int, Value]:
        out: dict[int, Value] = {}
        while (key := self._whole()) != LAST:
            if key <= STRING:
                key = STRING - key
                _check_id(key, place)
                size = self._whole()
                out[key] = self._take((size + 3) // 4 * 4)[:size].decode("utf-8", "replace")
            elif key <= ARRAY:
                key = ARRAY - key
                _check_id(key, place)
                out[key] = self._take(4 * self._whole())
            else:
                _check_id(key, place)
                out[key] = self._take(4)
        return out

    def _take(self, size: int) -> bytes:
        left = len(self._data) - self._at
        if not 0 <= size <= left:
            refuse("X003", f"{self._path} is cut short or damaged: {size} bytes are wanted at byte "
                           f"{self._at}, and {left} are left", self._path, left, size)
        self._at += size
        return self._data[self._at - size:self._at]

    def _whole(self) -> int:
        return int.from_bytes(self._take(4), "little", signed=True)

    def _wholes(self, count: int) -> list[int]:
        return [int(v) for v in np.frombuffer(self._take(4 * count), "<i4")]
