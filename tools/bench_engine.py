#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine beside other runtimes: same weights, one run, interleaved, one thread, ratios.

    make bench-engine            installs onnxruntime, openvino and ncnn into the venv

Each engine's embedding is compared with the float64 reference before it is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from bench import write_onnx  # noqa: E402

import efm3  # noqa: E402
from efm3 import engine as engines  # noqa: E402
from efm3 import reference, synthesis  # noqa: E402
from efm3.network import layers  # noqa: E402

Run = Callable[[], Any]


def ours(path: Path, x: Any, isa: str) -> Run:
    """Our engine on one instruction set."""
    e = efm3.Engine(path, isa=isa)
    return lambda: e.embed(x)


def onnxruntime(path: Path, x: Any) -> Run:
    """ONNX Runtime, one thread, sequential, all optimisations."""
    import onnxruntime as ort

    o = ort.SessionOptions()
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    o.add_session_config_entry("session.intra_op.allow_spinning", "0")
    s = ort.InferenceSession(str(path), o, providers=["CPUExecutionProvider"])
    return lambda: s.run(None, {"input": x})[0]


def openvino(path: Path, x: Any) -> Run:
    """OpenVINO in float32, one thread, latency mode."""
    import openvino as ov

    model = ov.Core().compile_model(str(path), "CPU", {
        "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32"})
    request = model.create_infer_request()
    return lambda: request.infer({0: x})[0]


def write_ncnn(model: efm3.Model, base: Path) -> None:
    """The network as ncnn's .param and .bin, BatchNorm folded, weights in float32."""
    rows, blobs, weights, name_of, x = [], 1, b"", {}, "data"
    rows.append("Input data 0 1 data")
    consumers = {layer.residual for layer in layers(model.arch) if layer.residual}
    for layer in layers(model.arch):
        t = {k.rsplit(".", 2)[-2] + "." + k.rsplit(".", 1)[-1]: v.astype(np.float64)
             for k, v in ((n, model.tensors[n]) for n, _ in layer.tensors)}
        if layer.name in consumers:
            a, b = f"{layer.name}_in0", f"{layer.name}_in1"
            rows.append(f"Split {layer.name}_split 1 2 {x} {a} {b}")
            name_of[layer.name], x, blobs = b, a, blobs + 2
        scale = t["bn.w"] / np.sqrt(t["bn.var"] + 1e-5)
        w = (t["conv.w"] * scale[:, None, None, None]).astype("<f4")
        bias = (t["bn.b"] - t["bn.mean"] * scale).astype("<f4")
        kind = "ConvolutionDepthWise" if layer.groups > 1 else "Convolution"
        group = f" 7={layer.groups}" if layer.groups > 1 else ""
        rows.append(f"{kind} {layer.name} 1 1 {x} {layer.name}_y 0={layer.out_channels} "
                    f"1={layer.kernel} 3={layer.stride} 4={layer.padding} 5=1 6={w.size}{group}")
        weights += b"\0\0\0\0" + w.tobytes() + bias.tobytes()
        x, blobs = f"{layer.name}_y", blobs + 1
        if layer.act:
            rows.append(f"PReLU {layer.name}_act 1 1 {x} {layer.name}_a 0={layer.out_channels}")
            weights += t["act.w"].astype("<f4").tobytes()
            x, blobs = f"{layer.name}_a", blobs + 1
        if layer.residual:
            rows.append(f"BinaryOp {layer.name}_add 2 1 {x} {name_of[layer.residual]} "
                        f"{layer.name}_r 0=0")
            x, blobs = f"{layer.name}_r", blobs + 1
    text = "\n".join(["7767517", f"{len(rows)} {blobs}", *rows, ""])
    base.with_suffix(".param").write_text(text)
    base.with_suffix(".bin").write_bytes(weights)


def ncnn(base: Path, x: Any, last: str) -> Run:
    """ncnn, one thread, float32 storage, Winograd and 16-bit paths off."""
    import ncnn as nc

    net = nc.Net()
    o = net.opt
    o.num_threads = 1
    o.use_fp16_packed = o.use_fp16_storage = o.use_fp16_arithmetic = False
    o.use_bf16_storage = o.use_winograd_convolution = False
    net.load_param(str(base.with_suffix(".param")))
    net.load_model(str(base.with_suffix(".bin")))
    image = nc.Mat(np.ascontiguousarray(x[0])).clone()

    def run() -> Any:
        ex = net.create_extractor()
        ex.input("data", image)
        _, out = ex.extract(last)
        v = np.array(out).reshape(1, -1)
        return v / np.linalg.norm(v)
    return run


def measure(runs: dict[str, Run], rounds: int) -> dict[str, tuple[float, float]]:
    """Least and median seconds of each, interleaved in a new order every round."""
    times: dict[str, list[float]] = {k: [] for k in runs}
    order = list(runs)
    rng = np.random.default_rng(0)
    for _ in range(5):
        for k in order:
            runs[k]()
    for _ in range(rounds):
        rng.shuffle(order)
        for k in order:
            runs[k]()
            start = time.perf_counter()
            runs[k]()
            times[k].append(time.perf_counter() - start)
    return {k: (min(v), float(np.median(v))) for k, v in times.items()}


def main() -> None:
    """Print a table for each size, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", action="store_true", help="the other runtimes too")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    table = [bench(name, options.peers, options.rounds) for name in efm3.ARCHS]
    if options.json:
        print(json.dumps(table, indent=2))
        return
    for row in table:
        print(f"{row['arch']}: {row['percent_of_peak']:.1f} % of {row['peak_gmac']:.1f} GMAC/s")
        for k, r in row["engines"].items():
            print(f"  {k:14} min {r['min_ms']:8.3f} ms  median {r['median_ms']:8.3f} ms"
                  f"  ours/it {r['ratio_of_minima']:.2f} (medians {r['ratio_of_medians']:.2f})"
                  f"  max error {r['max_error']:.1e}")


def bench(name: str, peers: bool, rounds: int) -> dict[str, Any]:
    """One size: every engine's times, and ours as a ratio to each."""
    path = ROOT / "weights" / f"facex_{name}.bin"
    model = efm3.load(path)
    x = reference.prepare(synthesis.images(11, 1))
    want = reference.forward(model, x)
    best = next(k for k, here in engines.isas().items() if here)
    runs = {best: ours(path, x, best)}
    runs |= {k: ours(path, x, k) for k, here in engines.isas().items()
             if here and k not in (best, "scalar")}
    with tempfile.TemporaryDirectory() as folder:
        if peers:
            onnx, base = Path(folder) / "m.onnx", Path(folder) / "m"
            write_onnx(model, onnx)
            write_ncnn(model, base)
            runs |= {"onnxruntime": onnxruntime(onnx, x), "openvino": openvino(onnx, x),
                     "ncnn": ncnn(base, x, "embed_proj_y")}
        peak = engines.fma_peak(best)
        errors = {k: float(np.abs(np.asarray(run()) - want).max()) for k, run in runs.items()}
        times = measure(runs, rounds)
        peak = max(peak, engines.fma_peak(best))
    least, median = times[best]
    return {"arch": name, "peak_gmac": peak / 1e9,
            "percent_of_peak": 100 * efm3.Engine(path).macs / least / peak,
            "engines": {k: {"min_ms": a * 1e3, "median_ms": b * 1e3,
                            "ratio_of_minima": least / a, "ratio_of_medians": median / b,
                            "max_error": errors[k]} for k, (a, b) in times.items()}}


if __name__ == "__main__":
    main()
