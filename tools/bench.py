#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Ratios against named tools, both sides in one run, interleaved; medians and minima.

    make bench                             the tool beside gguf-dump and onnx.checker
    python tools/bench.py engine --peers   the engine beside other runtimes
    python tools/bench.py conformance      the conformance kit

Below 1 means that ours is faster or smaller. Peers: gguf-dump on the same tensors, and
onnx.checker with full_check on the same network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import efm3
from efm3 import sample
from efm3.network import layers

ROOT = Path(__file__).resolve().parent.parent
XS = ROOT / "weights" / "facex_xs.bin"
PY = sys.executable


def write_gguf(model: efm3.Model, path: Path) -> None:
    """The same tensors as GGUF."""
    import gguf

    writer = gguf.GGUFWriter(str(path), "efm3")
    for name, tensor in model.tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_onnx(model: efm3.Model, path: Path) -> None:
    """The same network as ONNX, BatchNorm not folded."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, x, inputs = [], [], "input", {}
    for layer in layers(model.arch):
        name = layer.name
        inputs[name] = x
        for tensor, _ in layer.tensors:
            value = np.ascontiguousarray(model.tensors[tensor])
            if tensor.endswith("act.w"):
                value = value.reshape(-1, 1, 1)
            weights.append(numpy_helper.from_array(value, tensor))
        p = layer.padding
        nodes.append(helper.make_node(
            "Conv", [x, f"{name}.conv.w"], [f"{name}.c"], group=layer.groups, pads=[p] * 4,
            strides=[layer.stride] * 2, kernel_shape=[layer.kernel] * 2))
        bn = [f"{name}.bn.{k}" for k in ("w", "b", "mean", "var")]
        x = f"{name}.y"
        nodes.append(helper.make_node("BatchNormalization", [f"{name}.c", *bn], [x]))
        if layer.act:
            nodes.append(helper.make_node("PRelu", [x, f"{name}.act.w"], [f"{name}.a"]))
            x = f"{name}.a"
        if layer.residual:
            nodes.append(helper.make_node("Add", [x, inputs[layer.residual]], [f"{name}.r"]))
            x = f"{name}.r"
    nodes.append(helper.make_node("Flatten", [x], ["flat"]))
    nodes.append(helper.make_node("LpNormalization", ["flat"], ["embedding"], axis=1, p=2))
    graph = helper.make_graph(
        nodes, "mobilefacenet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT,
                                       [1, model.arch.embedding_dim])], weights)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


# A child's peak memory counts what its parent had when it was started, so a small process
# starts it, and times it too.
LAUNCH = """
import os, sys, time
null = os.open(os.devnull, os.O_WRONLY)
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ,
                     file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""
ENV = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def once(command: list[str]) -> tuple[float, int]:
    """Seconds and peak resident KiB of one whole process."""
    done = subprocess.run([PY, "-S", "-c", LAUNCH, *command], capture_output=True, text=True,
                          check=True, env=ENV)
    took, peak, code = done.stdout.split()
    if code != "0":
        raise SystemExit(f"{command}: exit {code}\n{done.stderr}")
    return float(took), int(peak)


def pair(ours: list[str], theirs: list[str], rounds: int) -> dict[str, Any]:
    """Interleaved whole-process runs of both, after one of each to warm the caches."""
    once(ours)
    once(theirs)
    a, b = [], []
    for i in range(rounds):
        for side, command in ((a, ours), (b, theirs))[::1 if i % 2 else -1]:
            side.append(once(command))
    times = np.array([[t for t, _ in a], [t for t, _ in b]])
    median, least = np.median(times, axis=1), times.min(axis=1)
    return {"ours_s": round(float(median[0]), 4), "theirs_s": round(float(median[1]), 4),
            "ratio": round(float(median[0] / median[1]), 3),
            "ratio_of_minima": round(float(least[0] / least[1]), 3),
            "ours_peak_kib": max(m for _, m in a), "theirs_peak_kib": max(m for _, m in b)}


def throughput(path: Path, rounds: int) -> dict[str, Any]:
    """Warm validate in this process, level values, from bytes in memory."""
    data = path.read_bytes()
    efm3.validate(data)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        efm3.validate(data)
        times.append(time.perf_counter() - start)
    size = len(data) / 1e9
    return {"median_GB_per_s": round(size / float(np.median(times)), 2),
            "best_GB_per_s": round(size / min(times), 2)}


def main() -> None:
    """Run everything and print a table, or JSON."""
    if sys.argv[1:2] in (["engine"], ["conformance"]):
        other = import_module(f"bench_{sys.argv[1]}")
        sys.argv[:2] = [f"bench.py {sys.argv[1]}"]
        other.main()
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    out: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        model = efm3.load(XS)
        gguf, onnx = Path(folder) / "xs.gguf", Path(folder) / "xs.onnx"
        write_gguf(model, gguf)
        write_onnx(model, onnx)
        plain = Path(folder) / "xs.bin"
        efm3.save(plain, model.arch, model.tensors)
        efm3_ = str(Path(PY).with_name("efm3"))
        dump = str(Path(PY).with_name("gguf-dump"))
        check = f"import onnx; onnx.checker.check_model({str(onnx)!r}, full_check=True)"
        n = options.rounds
        out["inspect vs gguf-dump"] = pair([efm3_, "inspect", str(XS)], [dump, str(gguf)], n)
        out["validate vs onnx.checker full_check"] = pair(
            [efm3_, "validate", str(XS)], [PY, "-c", check], n)
        small = Path(folder) / "small.bin"
        small.write_bytes(sample.sealed())
        memory = pair([efm3_, "validate", str(XS)], [efm3_, "validate", str(small)], 3)
        over = (memory["ours_peak_kib"] - memory["theirs_peak_kib"]) * 1024 / XS.stat().st_size
        out["validate, peak memory beyond that for a 14 kB file"] = {"x_file": round(over, 2)}
        out["validate in process, warm, sealed file"] = throughput(XS, 3 * n)
        out["validate in process, warm, unsealed file"] = throughput(plain, 3 * n)
    if options.json:
        print(json.dumps(out, indent=2))
        return
    for name, row in out.items():
        print(name)
        print("  " + "  ".join(f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
