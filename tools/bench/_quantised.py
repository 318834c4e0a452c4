# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One network in eight bits, in the formats of the peers and by their own tools.

Scales that are fixed beforehand come from PICTURES drawn pictures, which are not those that a
result is compared on. Each function writes one file, or a file and what lies beside it.
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import efm3
from efm3 import reference, untrained
from efm3.arrays import Floats
from efm3.network import layers
from tools.bench._files import write_ncnn, write_onnx

PICTURES = 128


def calibration() -> Floats:
    """The pictures [PICTURES, 3, 112, 112] that fixed scales are made from."""
    return reference.prepare(untrained.images(29, PICTURES))


def ncnn(model: efm3.Model, path: Path) -> None:
    """ncnn's .param and .bin; pointwise layers in int8, their inputs' scales by largest magnitude.

    The table and the conversion are ncnn2table's and ncnn2int8's, which its wheel lacks.
    """
    inputs = {after.name: before.name for before, after in pairwise(layers(model.arch))
              if after.kind == "pointwise"}
    reach = dict.fromkeys(inputs, 1e-30)
    with efm3.Engine(model) as e:
        for picture in calibration():
            maps = e.activations(picture)
            for name, before in inputs.items():
                reach[name] = max(reach[name], float(np.abs(maps[before]).max()))
    write_ncnn(model, path.with_suffix(""), reach)


def tflite(model: efm3.Model, path: Path) -> None:
    """TFLite with int8 weights, a scale an output channel, and float32 maps: XNNPACK makes levels
    of each map as it comes. Depthwise layers stay float32: in int8 they leave XNNPACK."""
    from tests.convert.tflite_files import Style, network

    path.write_bytes(network(model, Style(weights="int8 pointwise")))


def openvino(model: efm3.Model, path: Path) -> None:
    """OpenVINO's .xml and .bin by NNCF's post-training quantisation, symmetric."""
    import nncf
    import openvino as ov

    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "m.onnx"
        write_onnx(model, plain)
        pictures = nncf.Dataset([x[None] for x in calibration()])
        small = nncf.quantize(ov.Core().read_model(plain), pictures, subset_size=PICTURES,
                              preset=nncf.QuantizationPreset.PERFORMANCE)
        ov.save_model(small, path, compress_to_fp16=False)


def onnx_dynamic(model: efm3.Model, path: Path) -> None:
    """ONNX with ConvInteger: levels of each map as it comes. Weights are unsigned: the CPU
    provider has no other."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        quantize_dynamic(_folded(model, folder), path, weight_type=QuantType.QUInt8)


def onnx_static(model: efm3.Model, path: Path) -> None:
    """ONNX with QuantizeLinear and DequantizeLinear around convolutions and sums, scales by
    largest magnitude, one an output channel of weights."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder:
        quantize_static(_folded(model, folder), path, _reader(), quant_format=QuantFormat.QDQ,
                        op_types_to_quantize=["Conv", "Add"], per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def _folded(model: efm3.Model, folder: str) -> Path:
    path = Path(folder) / "m.onnx"
    write_onnx(model, path, fold=True)
    return path


def _reader() -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # the library is not followed
        """The pictures, one after the other, then None."""

        def __init__(self) -> None:
            self._left = iter(calibration())

        def get_next(self) -> dict[str, Floats] | None:
            """One picture as the input of that name."""
            x = next(self._left, None)
            return None if x is None else {"input": x[None]}
    return Reader()
