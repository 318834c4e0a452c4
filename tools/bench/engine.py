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
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import efm3
from efm3 import engine as engines
from efm3 import reference, untrained
from efm3.precision import LEAST, PRECISIONS
from efm3.verification import distance
from tools import ROOT
from tools.bench._files import write_ncnn, write_onnx

Run = Callable[[], Any]


def ours(path: Path, x: Any, isa: str, precision: str = "f32") -> Run:
    """Our engine on one instruction set."""
    e = efm3.Engine(path, isa=isa, precision=precision)
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
    parser.add_argument("--precision", choices=(*PRECISIONS, "all"), default="f32",
                        help="our engine below f32 too, on every instruction set")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    lower = [p for p in LEAST if options.precision in (p, "all")]
    table = [bench(name, options.peers, options.rounds, lower) for name in efm3.ARCHS]
    if options.json:
        print(json.dumps(table, indent=2))
        return
    for row in table:
        print(f"{row['arch']}: {row['percent_of_peak']:.1f} % of {row['peak_gmac']:.1f} GMAC/s")
        for k, r in row["engines"].items():
            print(f"  {k:16} min {r['min_ms']:8.3f} ms  median {r['median_ms']:8.3f} ms"
                  f"  ours/it {r['ratio_of_minima']:.2f} (medians {r['ratio_of_medians']:.2f})"
                  f"  max error {r['max_error']:.1e}  cosine {r['cosine']:.6f}")


def bench(name: str, peers: bool, rounds: int, lower: Sequence[str] = ()) -> dict[str, Any]:
    """One size: every engine's times, and ours in f32 as a ratio to each."""
    path = ROOT / "weights" / f"facex_{name}.bin"
    model = efm3.load(path)
    x = reference.prepare(untrained.images(11, 1))
    want = reference.forward(model, x)
    best = next(k for k, here in engines.isas().items() if here)
    runs = {best: ours(path, x, best)}
    runs |= {k: ours(path, x, k) for k, here in engines.isas().items()
             if here and k not in (best, "scalar")}
    runs |= {f"{k} {p}": ours(path, x, k, p) for k in list(runs) for p in lower}
    with tempfile.TemporaryDirectory() as folder:
        if peers:
            onnx, base = Path(folder) / "m.onnx", Path(folder) / "m"
            write_onnx(model, onnx)
            write_ncnn(model, base)
            runs |= {"onnxruntime": onnxruntime(onnx, x), "openvino": openvino(onnx, x),
                     "ncnn": ncnn(base, x, "embed_proj_y")}
        peak = engines.fma_peak(best)
        found = {k: np.asarray(run(), np.float64) for k, run in runs.items()}
        times = measure(runs, rounds)
        peak = max(peak, engines.fma_peak(best))
    least, median = times[best]
    return {"arch": name, "peak_gmac": peak / 1e9,
            "percent_of_peak": 100 * efm3.Engine(path).macs / least / peak,
            "engines": {k: {"min_ms": a * 1e3, "median_ms": b * 1e3,
                            "ratio_of_minima": least / a, "ratio_of_medians": median / b,
                            "max_error": float(np.abs(found[k] - want).max()),
                            "cosine": distance(found[k], want)[1]} for k, (a, b) in times.items()}}


if __name__ == "__main__":
    main()
