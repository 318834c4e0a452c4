# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine beside other runtimes: same weights, one run, interleaved, one thread, ratios.

    make bench-engine            installs the peers into the venv, and runs all precisions
    python -m tools.bench engine --peers ncnn,litert --precision all
    python -m tools.bench engine --peers --precision all --models DIR --prepare

Everything runs on one core, one picture at a time, in a new order every round. Our engine takes a
picture's bytes, peers the floats that were made of them before the clock starts. Embeddings are
compared with the float64 reference first: the cosine is the least of SEEN drawn pictures. A peer
that does not run is named with the reason. `--prepare` writes the peers' files to DIR and stops;
a later run with `--models DIR` needs only the runtimes, not what writes and quantises.

--json gives an object: `processor`; `versions` of the peers; `sizes`, a list of objects with
    arch, peak_gmac (measured FMA limit, 1e9 MAC/s), percent_of_peak (ours in f32)
    engines      name to min_ms, median_ms, ratio_of_minima and ratio_of_medians (our best f32 to
                 it), to_own_f32 (minima; null for peers), max_error, cosine
    absent       name of a peer to the reason why it is not among the engines
    best_peer    our `fast` to the fastest peer below f32: ours, peer, ratio; null without either
    load_ms      least milliseconds from a file to an engine, of each precision
    two_threads  pictures a second of two threads to one's, of each precision, in batches of
                 BATCH; null where there is one core
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import efm3
from efm3 import engine as engines
from efm3 import reference, untrained
from efm3.precision import LEAST, PRECISIONS
from efm3.verification import distance
from tools import ROOT
from tools.bench import peers
from tools.bench.peers import Peer, Run, Start

SEEN, BATCH, LOADS = 8, 32, 15


def ours(path: Path, isa: str, precision: str = "f32") -> Start:
    """Our engine on one instruction set."""
    e = efm3.Engine(path, isa=isa, precision=precision)
    return lambda x: lambda: e.embed(x)


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


def two_threads(path: Path, precisions: Sequence[str], rounds: int) -> dict[str, float]:
    """Pictures a second on two threads to those on one, in batches of BATCH."""
    x = untrained.images(12, BATCH)
    found = {(p, n): efm3.Engine(path, precision=p, threads=n) for p in precisions for n in (1, 2)}
    times = measure({f"{p} {n}": partial(e.embed, x) for (p, n), e in found.items()}, rounds)
    return {p: times[f"{p} 1"][0] / times[f"{p} 2"][0] for p in precisions}


def load_ms(path: Path, precisions: Sequence[str]) -> dict[str, float]:
    """Least milliseconds from a file that the system has in memory to an engine."""
    runs: dict[str, Run] = {p: partial(efm3.Engine, path, precision=p) for p in precisions}
    return {p: 1e3 * least for p, (least, _) in measure(runs, LOADS).items()}


def best_peer(minima: Mapping[str, float], lower: Iterable[str],
              fast: str) -> dict[str, Any] | None:
    """Our `fast` to the fastest of the peers `lower`, which are below f32."""
    here = [k for k in lower if k in minima]
    if not here or fast not in minima:
        return None
    peer = min(here, key=minima.__getitem__)
    return {"ours": fast, "peer": peer, "ratio": minima[fast] / minima[peer]}


def bench(size: str, others: Sequence[Peer], folder: Path, rounds: int,
          lower: Sequence[str] = ()) -> dict[str, Any]:
    """One size: every engine's times, and ours in f32 as a ratio to each."""
    path = ROOT / "weights" / f"facex_{size}.bin"
    model = efm3.load(path)
    x = untrained.images(11, SEEN)
    want = reference.forward(model, reference.prepare(x))
    here = [k for k, usable in engines.isas().items() if usable]
    best = efm3.Engine(path).isa
    starts = {k: ours(path, k) for k in here if k != "scalar" or k == best}
    own = {f"{k} {p}": k for k in starts for p in lower}
    starts |= {f"{k} {p}": ours(path, k, p) for k in list(starts) for p in lower}
    theirs, absent = peers.started(others, model, folder, size)
    starts |= theirs
    found = {k: np.concatenate([np.asarray(start(x[i:i + 1])(), np.float64) for i in range(SEEN)])
             for k, start in starts.items()}
    peak = engines.fma_peak(best)
    times = measure({k: start(x[:1]) for k, start in starts.items()}, rounds)
    peak = max(peak, engines.fma_peak(best))
    least, median = times[best]
    return {"arch": size, "peak_gmac": peak / 1e9,
            "percent_of_peak": 100 * efm3.Engine(path).macs / least / peak,
            "engines": {k: {"min_ms": a * 1e3, "median_ms": b * 1e3,
                            "ratio_of_minima": least / a, "ratio_of_medians": median / b,
                            "to_own_f32": a / times[own[k]][0] if k in own else None,
                            **dict(zip(("max_error", "cosine"), distance(found[k], want),
                                       strict=True))}
                        for k, (a, b) in times.items()},
            "absent": absent,
            "best_peer": best_peer({k: a for k, (a, _) in times.items()},
                                   [p.name for p in others if p.precision != "f32"],
                                   f"{best} fast")}


def report(found: dict[str, Any]) -> str:
    """The tables as text."""
    lines = [f"{found['processor']}; " + ", ".join(
        f"{k} {v}" for k, v in found["versions"].items())]
    for row in found["sizes"]:
        lines.append(f"{row['arch']}: {row['percent_of_peak']:.1f} % of "
                     f"{row['peak_gmac']:.1f} GMAC/s")
        for k, r in row["engines"].items():
            own = r["to_own_f32"]
            lines.append(
                f"  {k:24} min {r['min_ms']:8.3f} ms  median {r['median_ms']:8.3f} ms"
                f"  ours/it {r['ratio_of_minima']:.2f} (medians {r['ratio_of_medians']:.2f})"
                f"  {'' if own is None else f'it/own f32 {own:.2f}':15}"
                f"  max error {r['max_error']:.1e}  cosine {r['cosine']:.6f}")
        lines += [f"  {k:24} not run: {why}" for k, why in row["absent"].items()]
        if best := row["best_peer"]:
            lines.append(f"  {best['ours']} to the fastest peer below f32, {best['peer']}: "
                         f"{best['ratio']:.2f}")
        for key, what, unit in (("load_ms", "load", " ms"), ("two_threads", "two threads", " x")):
            if row[key]:
                lines.append(f"  {what}: " + ", ".join(
                    f"{p} {v:.2f}{unit}" for p, v in row[key].items()))
    return "\n".join(lines)


def main() -> None:
    """Print a table for each size, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", nargs="?", const="all", metavar="LIST",
                        help=f"other runtimes too: some of {','.join(peers.WHEELS)}, or all")
    parser.add_argument("--precision", choices=(*PRECISIONS, "all"), default="f32",
                        help="our engine below f32 too, on every instruction set, and the peers")
    parser.add_argument("--models", metavar="DIR", help="keep the peers' files in DIR")
    parser.add_argument("--prepare", action="store_true", help="write the files to DIR and stop")
    parser.add_argument("--sizes", default=",".join(efm3.ARCHS), help="some of the sizes")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = options.sizes.split(",")
    if wrong := [s for s in sizes if s not in efm3.ARCHS]:
        parser.error(f"--sizes: {wrong[0]!r} is none of {', '.join(efm3.ARCHS)}")
    if options.prepare and not (options.peers and options.models):
        parser.error("--prepare needs --peers and --models")
    lower = [p for p in LEAST if options.precision in (p, "all")]
    try:
        others = peers.chosen(options.peers, bool(lower)) if options.peers else []
    except ValueError as e:
        parser.error(f"--peers: {e}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.models or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if options.prepare:
            sys.exit(prepare(sizes, others, folder))
        found = run(sizes, others, folder, options.rounds, lower)
    print(json.dumps(found, indent=2) if options.json else report(found))


def prepare(sizes: Sequence[str], others: Sequence[Peer], folder: Path) -> int:
    """Write the peers' files; 1 where one cannot be written."""
    failed = 0
    for size in sizes:
        model = efm3.load(ROOT / "weights" / f"facex_{size}.bin")
        for peer in others:
            path, why = peers.attempt(partial(peer.file_in, folder, model, size))
            print(f"{size} {peer.name}: {why or path}")
            failed |= why != ""
    return failed


def run(sizes: Sequence[str], others: Sequence[Peer], folder: Path, rounds: int,
        lower: Sequence[str]) -> dict[str, Any]:
    """The whole result, as --json prints it."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    precisions = ("f32", *lower)
    rows = []
    try:
        for size in sizes:
            path = ROOT / "weights" / f"facex_{size}.bin"
            both = None
            if len(cores) > 1:
                os.sched_setaffinity(0, sorted(cores)[-2:])
                both = two_threads(path, precisions, max(1, rounds // 10))
            if cores:
                os.sched_setaffinity(0, {max(cores)})
            rows.append(bench(size, others, folder, rounds, lower)
                        | {"load_ms": load_ms(path, precisions), "two_threads": both})
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
    return {"processor": processor(), "versions": peers.versions(others), "sizes": rows}


def processor() -> str:
    """What the system calls the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
