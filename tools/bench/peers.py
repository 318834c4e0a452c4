# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Other runtimes on the same network, in float32 and in the lower precisions that each has.

A peer is a file that is written from our weights, and a way to run it on one thread. Files are
kept in a folder, so that a machine without the libraries that write them can run them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import efm3
from efm3 import reference
from efm3.arrays import Array, Floats, Pixels
from tools.bench import _files, _quantised

Run = Callable[[], Any]
"""Computes one embedding [1, D]."""
Start = Callable[[Pixels], Run]
"""Takes a picture [1, 112, 112, 3]; what it returns is timed."""
Take = Callable[[Floats], Run]
"""As Start, of a picture as a network takes it, [1, 3, 112, 112]."""

WHEELS = {"onnxruntime": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn",
          "litert": "ai-edge-litert"}
"""Runtime to the package that holds it."""


class Absent(Exception):
    """A runtime cannot do on this processor what was asked."""


def onnxruntime(path: Path) -> Take:
    """ONNX Runtime, sequential, all optimisations."""
    import onnxruntime as ort

    o = ort.SessionOptions()
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    o.add_session_config_entry("session.intra_op.allow_spinning", "0")
    s = ort.InferenceSession(str(path), o, providers=["CPUExecutionProvider"])
    return lambda x: lambda: s.run(None, {"input": x})[0]


def openvino(path: Path, hint: str = "f32") -> Take:
    """OpenVINO, latency mode; layers that the file does not quantise run in `hint`."""
    import openvino as ov

    core = ov.Core()
    if hint == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise Absent("the processor has no bf16 arithmetic (AVX512_BF16, AMX)")
    request = core.compile_model(str(path), "CPU", {
        "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": hint}).create_infer_request()
    return lambda x: lambda: request.infer({0: x})[0]


def ncnn(path: Path, *, bf16: bool = False) -> Take:
    """ncnn, Winograd and float16 off; int8 is in the file."""
    import ncnn as nc

    net = nc.Net()
    o = net.opt
    o.num_threads = 1
    o.use_fp16_packed = o.use_fp16_storage = o.use_fp16_arithmetic = False
    o.use_winograd_convolution = False
    o.use_bf16_storage = bf16
    if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
        raise RuntimeError(f"ncnn does not load {path.name}")

    def start(x: Floats) -> Run:
        image = nc.Mat(np.ascontiguousarray(x[0])).clone()

        def run() -> Array:
            ex = net.create_extractor()
            ex.input("data", image)
            _, out = ex.extract("embed_proj_y")
            v = np.array(out).reshape(1, -1)
            return np.asarray(v / np.linalg.norm(v))
        return run
    return start


def litert(path: Path) -> Take:
    """LiteRT, which hands what it can to XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter

    i = Interpreter(str(path), num_threads=1)
    i.allocate_tensors()
    into, out = (d[0]["index"] for d in (i.get_input_details(), i.get_output_details()))

    def start(x: Floats) -> Run:
        picture = np.ascontiguousarray(x.transpose(0, 2, 3, 1))

        def run() -> Any:
            i.set_tensor(into, picture)
            i.invoke()
            return i.get_tensor(out)
        return run
    return start


def _float_ncnn(model: efm3.Model, path: Path) -> None:
    _files.write_ncnn(model, path.with_suffix(""))


def _float_tflite(model: efm3.Model, path: Path) -> None:
    from tests.convert.tflite_files import network

    path.write_bytes(network(model))


class Peer(NamedTuple):
    """A runtime in a precision; `file` is how its file's name ends, after the size."""

    runtime: str
    precision: str
    file: str
    write: Callable[[efm3.Model, Path], None]
    load: Callable[[Path], Take]

    @property
    def name(self) -> str:
        """Runtime and precision, as tables call it."""
        return f"{self.runtime} {self.precision}"

    def file_in(self, folder: Path, model: efm3.Model, size: str) -> Path:
        """The peer's file SIZE and `file`, written where it is not there."""
        path = folder / f"{size}{self.file}"
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=folder) as new:
                self.write(model, Path(new) / path.name)
                # The file itself comes last: where it is, what lies beside it is whole.
                for made in sorted(Path(new).iterdir(), key=lambda p: p.name == path.name):
                    made.replace(folder / made.name)
        return path

    def start(self, folder: Path, model: efm3.Model, size: str) -> Start:
        """The peer with its file loaded. Raises what its library raises."""
        take = self.load(self.file_in(folder, model, size))
        return lambda pixels: take(reference.prepare(pixels))


PEERS = (
    Peer("onnxruntime", "f32", ".onnx", _files.write_onnx, onnxruntime),
    Peer("onnxruntime", "int8 dynamic", "-dynamic.onnx", _quantised.onnx_dynamic, onnxruntime),
    Peer("onnxruntime", "int8 static", "-static.onnx", _quantised.onnx_static, onnxruntime),
    Peer("openvino", "f32", ".onnx", _files.write_onnx, openvino),
    Peer("openvino", "bf16", ".onnx", _files.write_onnx, lambda path: openvino(path, "bf16")),
    Peer("openvino", "int8", "-openvino.xml", _quantised.openvino, openvino),
    Peer("ncnn", "f32", "-ncnn.param", _float_ncnn, ncnn),
    Peer("ncnn", "bf16", "-ncnn.param", _float_ncnn, lambda path: ncnn(path, bf16=True)),
    Peer("ncnn", "int8", "-int8.param", _quantised.ncnn, ncnn),
    Peer("litert", "f32", ".tflite", _float_tflite, litert),
    Peer("litert", "int8", "-int8.tflite", _quantised.tflite, litert),
)


def chosen(words: str, lower: bool) -> list[Peer]:
    """The peers of a list of runtimes with commas, or of "all"; those below f32 with `lower`.

    Raises ValueError for a runtime that is not in WHEELS.
    """
    wanted = list(WHEELS) if words == "all" else words.split(",")
    for word in wanted:
        if word not in WHEELS:
            raise ValueError(f"{word!r} is none of {', '.join(WHEELS)}")
    return [p for p in PEERS if p.runtime in wanted and (lower or p.precision == "f32")]


def versions(peers: Sequence[Peer]) -> dict[str, str]:
    """Runtime to its version, of those that are installed."""
    out = {}
    for runtime in dict.fromkeys(p.runtime for p in peers):
        try:
            out[runtime] = metadata.version(WHEELS[runtime])
        except metadata.PackageNotFoundError:
            continue
    return out


def attempt(what: Callable[[], Any]) -> tuple[Any, str]:
    """What a call gives and "", or None and the reason why it gives nothing."""
    try:
        return what(), ""
    except Absent as e:
        return None, str(e)
    except ImportError as e:
        return None, f"not installed: {e}"
    except Exception as e:  # a foreign library raises what it likes
        return None, f"{type(e).__name__}: {(str(e).strip().splitlines() or [''])[0]}"


def started(peers: Sequence[Peer], model: efm3.Model, folder: Path,
            size: str) -> tuple[dict[str, Start], dict[str, str]]:
    """Name to what runs it, and name to the reason of those that do not run here."""
    starts, absent = dict[str, Start](), dict[str, str]()
    for peer in peers:
        start, why = attempt(partial(peer.start, folder, model, size))
        if why:
            absent[peer.name] = why
        else:
            starts[peer.name] = start
    return starts, absent
