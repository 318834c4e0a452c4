# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Ratios against named tools, both sides in one run, interleaved; medians and minima.

    make bench                             the tool beside gguf-dump and onnx.checker
    python -m tools.bench engine --peers   the engine beside other runtimes
    python -m tools.bench conformance      the conformance kit
    python -m tools.bench bulk             pictures a second of a bulk run, beside plain loops
    python -m tools.bench daft             a bulk run on Daft, beside the default engine
    python -m tools.bench search           the nearest of a million, beside numpy's product
    python -m tools.bench eval             6,000 pairs of faces
    python -m tools.bench accuracy         cosines and TAR of the engine's precisions
    python -m tools.bench train            a training step beside plain PyTorch
    python -m tools.bench drawn            drawn heads beside photographs, as a network sees them
    python -m tools.bench start            cold start of the commands, beside python -c pass
    python -m tools.bench web              the engine in Node and Chromium, beside onnxruntime-web
    python -m tools.bench faces            finding and cutting out faces, beside the detector alone

Below 1 means that ours is faster or smaller. Peers: gguf-dump on the same tensors,
onnx.checker with full_check and onnx.load on the same network.
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
from efm3 import convert
from efm3.conformance import sample
from tools import ROOT
from tools.bench._files import write_gguf, write_onnx

XS = ROOT / "weights" / "facex_xs.bin"
PY = sys.executable
OTHERS = {"engine": "engine", "conformance": "conformance", "train": "train", "eval": "evaluation",
          "start": "start", "faces": "faces", "search": "search", "bulk": "bulk",
          "daft": "bulk_daft", "drawn": "drawn", "accuracy": "accuracy", "web": "web"}
"""Word to the module of this package that measures it."""


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
    a: list[tuple[float, int]] = []
    b: list[tuple[float, int]] = []
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


def conversion(command: str, onnx: Path, small: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """`efm3 convert` of the xs ONNX without its check, beside onnx.load; and its memory."""
    target, tiny = onnx.with_name("converted.bin"), onnx.with_name("small.onnx")
    convert.write(efm3.load(small), tiny)
    ours = [command, "convert", str(onnx), str(target), "--no-verify"]
    theirs = [PY, "-c", f"import onnx; onnx.load({str(onnx)!r})"]
    memory = pair(ours, [command, "convert", str(tiny), str(target), "--no-verify"], 3)
    over = (memory["ours_peak_kib"] - memory["theirs_peak_kib"]) * 1024 / onnx.stat().st_size
    return {"convert ONNX to EFM3 vs onnx.load": pair(ours, theirs, rounds),
            "convert, peak memory beyond that for a 14 kB file": {"x_file": round(over, 2)}}


def main() -> None:
    """Run everything and print a table, or JSON."""
    if sys.argv[1:2] and sys.argv[1] in OTHERS:
        word = sys.argv[1]
        try:
            other = import_module(f"tools.bench.{OTHERS[word]}")
        except ModuleNotFoundError as e:
            sys.exit(f"tools.bench {word}: {e}")
        sys.argv[:2] = [f"python -m tools.bench {word}"]
        other.main()
        return
    parser = argparse.ArgumentParser(prog="python -m tools.bench",
                                     description=(__doc__ or "").splitlines()[0])
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
        out |= conversion(efm3_, onnx, small, n)
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
