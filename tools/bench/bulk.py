# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures a second of a bulk run, beside its two steps alone and beside plain loops.

    python -m tools.bench bulk                    rates, all sides in one run, interleaved
    python -m tools.bench bulk --memory 100000    and the memory of a run over so many

The pictures are JPEGs of 112x112, all different. Every side is a process that is started anew in
each round, and counts from its first pictures to its last. `decode` and `embed` are the bulk
run's two steps alone, in as many processes as it has workers and without any talk between
processes; what they allow together is 1 / (1/decode + 1/embed). The plain loops are Pillow and
ONNX Runtime as one writes them, in one process with ONNX Runtime's own threads.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import efm3
from efm3 import convert
from efm3.bulk.rows import Made, Maker, Plan
from efm3.pictures.load import crop
from tools import ROOT
from tools.bench.evaluation import make_set

NANO = ROOT / "weights" / "facex_nano.bin"
BATCH = 32
FIRST = 256
"""Pictures before the clock starts: imports, starts of workers and first calls are not counted."""
AGAIN = 5
"""Times that the bulk run goes over the pictures."""
SLOW = 512
"""Pictures of the plain loops, which take ten times as long."""
SIDES = ("bulk", "threads", "decode", "embed", "plain loop", "plain loop, batches")


def make_pictures(folder: Path, count: int) -> list[str]:
    """So many JPEGs; their paths."""
    paths = []
    for i, data in enumerate(make_set(folder / "set.bin", count // 2)):
        paths.append(str(folder / f"{i:06}.jpg"))
        Path(paths[-1]).write_bytes(data)
    return paths


def pieces(paths: list[str]) -> Iterator[list[str]]:
    """The paths in batches."""
    for at in range(0, len(paths), BATCH):
        yield paths[at:at + BATCH]


Rate = tuple[float, float]
"""Pictures a second, and milliseconds of processor time for each."""


class Clock:
    """Time and processor time since it was made, per picture."""

    def __init__(self) -> None:
        self._start, self._used = time.perf_counter(), time.process_time() + _children()
        self.children = 0.0

    def rate(self, pictures: int) -> Rate:
        """For so many pictures; `children` holds what children that are gone had used."""
        used = time.process_time() + max(self.children, _children()) - self._used
        return pictures / (time.perf_counter() - self._start), 1000 * used / pictures


def _children() -> float:
    """Seconds of processor time of this process's living children."""
    total = 0
    for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


def timed(step: Callable[[list[str]], object], paths: list[str]) -> Rate:
    """A step over batches of paths, the first ones not counted."""
    for piece in pieces(paths[:FIRST]):
        step(piece)
    clock = Clock()
    for piece in pieces(paths[FIRST:]):
        step(piece)
    return clock.rate(len(paths) - FIRST)


def bulk(paths: list[str], jobs: int) -> Rate:
    """The run, from the row after the first ones to the finished table, over the pictures again
    and again: a part's writing belongs to 8,192 rows, and a table's end to many."""
    paths = paths * AGAIN
    from efm3 import bulk as package

    clocks: list[Clock] = []
    done = itertools.count(1)

    def told(made: Made) -> None:
        count = next(done)
        if count == FIRST:
            clocks.append(Clock())
        elif count == len(paths):
            clocks[0].children = _children()

    with tempfile.TemporaryDirectory() as folder:
        package.embed(NANO, paths, f"{folder}/x.parquet", jobs=jobs, told=told)
        return clocks[0].rate(len(paths) - FIRST)


def threads(paths: list[str], jobs: int) -> Rate:
    """The same rows by threads of one process, each with an engine."""
    makers = [Maker(NANO, Plan()) for _ in range(jobs)]
    with ThreadPoolExecutor(jobs) as pool:
        def run(maker: Maker, own: list[str]) -> None:
            for piece in pieces(own):
                maker.made([(p, p) for p in piece])
        run(makers[0], paths[:FIRST])
        clock, rest = Clock(), paths[FIRST:]
        list(pool.map(run, makers, [rest[k::jobs] for k in range(jobs)]))
        return clock.rate(len(rest))


def decode(paths: list[str], jobs: int) -> Rate:
    """Reading and decoding alone."""
    return timed(lambda piece: [crop(p) for p in piece], paths)


def embed(paths: list[str], jobs: int) -> Rate:
    """The engine alone, on pictures in memory."""
    engine = efm3.Engine(NANO)
    pixels = np.stack([crop(p).pixels for p in paths[:BATCH]])
    return timed(lambda piece: engine.embed(pixels[:len(piece)]), paths)


def plain(paths: list[str], onnx: str, batch: int) -> Rate:
    """Pillow and ONNX Runtime, a picture or a batch at a time."""
    import onnxruntime
    from PIL import Image

    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def one(path: str) -> Any:
        pixels = np.asarray(Image.open(path).convert("RGB"), np.float32)
        return ((pixels - 127.5) / 128).transpose(2, 0, 1)

    def step(piece: list[str]) -> None:
        for at in range(0, len(piece), batch):
            session.run(None, {name: np.stack([one(p) for p in piece[at:at + batch]])})
    return timed(step, paths[:FIRST + SLOW])


def side(name: str, paths: list[str], jobs: int, onnx: str) -> Rate:
    """The rate of one side, in this process."""
    if name.startswith("plain"):
        return plain(paths, onnx, BATCH if "batches" in name else 1)
    return {"bulk": bulk, "threads": threads, "decode": decode, "embed": embed}[name](paths, jobs)


def measured(name: str, paths: list[str], jobs: int, onnx: str) -> Rate:
    """The rate of one side in processes of its own: the steps alone in as many as workers."""
    alone = name in ("decode", "embed")
    count = jobs if alone else 1
    words = [sys.executable, "-m", "tools.bench.bulk", "--side", name, "--jobs", str(jobs),
             "--onnx", onnx]
    env = {"OPENBLAS_NUM_THREADS": "1", **os.environ}
    started = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                cwd=ROOT, env=env) for _ in range(count)]
    for process in started:
        assert process.stdin
        process.stdin.write("\n".join(paths))
        process.stdin.close()
    rates: list[Rate] = []
    for process in started:
        assert process.stdout
        words = process.stdout.read().split()
        if process.wait():
            raise SystemExit(f"{name}: exit {process.returncode}")
        rates.append((float(words[0]), float(words[1])))
    return sum(rate for rate, _ in rates), statistics.mean(used for _, used in rates)


def compared(found: dict[str, list[Rate]]) -> dict[str, Any]:
    """The best and the middle of each side, and the ratios; on a machine that does other things
    too, the processor's time says more than the clock."""
    best = {name: max(rate for rate, _ in rows) for name, rows in found.items()}
    used = {name: min(used for _, used in rows) for name, rows in found.items()}
    out: dict[str, Any] = {
        name: {"best_per_s": round(best[name]),
               "median_per_s": round(statistics.median(rate for rate, _ in rows)),
               "processor_ms": round(used[name], 3)} for name, rows in found.items()}
    together = 1 / (1 / best["decode"] + 1 / best["embed"])
    out["bulk, of what its steps allow"] = {
        "ratio": round(best["bulk"] / together, 3),
        "processor_ratio": round((used["decode"] + used["embed"]) / used["bulk"], 3)}
    for name in ("plain loop", "plain loop, batches"):
        out[f"bulk, over the {name}"] = {
            "ratio": round(best["bulk"] / best[name], 2),
            "processor_ratio": round(used[name] / used["bulk"], 2)}
    return out


def memory(paths: list[str], count: int, jobs: int) -> dict[str, Any]:
    """The most that a run and its workers hold together, over the same pictures again and again.

    Resident pages are counted in each process that has them; the proportional set counts what
    several share once.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "list"
        with names.open("w") as f:
            f.writelines(f"{paths[i % len(paths)]}\n" for i in range(count))
        command = [str(Path(sys.executable).with_name("efm3")), "embed", str(NANO), "--files-from",
                   str(names), "-o", f"{folder}/x.parquet", "--jobs", str(jobs), "-q"]
        process, start = subprocess.Popen(command), time.perf_counter()
        series: list[tuple[int, int]] = []
        while process.poll() is None:
            series.append(_held(process.pid))
            time.sleep(0.5)
        took = time.perf_counter() - start
    middle = [rss for rss, _ in series[len(series) // 4:-len(series) // 4]]
    return {"pictures": count, "seconds": round(took, 1), "exit": process.returncode,
            "most_rss_mb": max(rss for rss, _ in series),
            "most_pss_mb": max(pss for _, pss in series),
            "steady_rss_mb": [min(middle), max(middle)]}


def _held(pid: int) -> tuple[int, int]:
    """Resident and proportional MB of a process and its children."""
    sums = {"Rss:": 0, "Pss:": 0}
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (str(pid), *children):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                key, _, rest = line.partition(" ")
                if key in sums:
                    sums[key] += int(rest.split()[0])
    except OSError:
        pass  # it ended meanwhile
    return sums["Rss:"] // 1024, sums["Pss:"] // 1024


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, metavar="PICTURES")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--onnx", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(*side(options.side, sys.stdin.read().split("\n"), options.jobs, options.onnx))
        return
    found: dict[str, list[Rate]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        paths = make_pictures(Path(folder), options.pictures)
        onnx = str(Path(folder) / "nano.onnx")
        convert.write(efm3.load(NANO), onnx)
        for _ in range(options.rounds):
            for name in SIDES:
                found[name].append(measured(name, paths, options.jobs, onnx))
        out = compared(found)
        if options.memory:
            out["memory"] = memory(paths, options.memory, options.jobs)
    if options.json:
        print(json.dumps(out, indent=2))
        return
    for name, row in out.items():
        print(f"{name:36} " + "  ".join(f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
