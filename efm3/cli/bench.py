# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 bench`: measure how fast the engine runs a file here."""

from __future__ import annotations

import time

import click

from efm3.cli import isa_option, json_option, needs_engine, precision_option, source
from efm3.cli._kinds import FILE
from efm3.texts import dumps, printable


@click.command("bench")
@click.argument("file", type=FILE)
@isa_option
@precision_option
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True,
              help="threads that share a batch")
@click.option("--batch", type=click.IntRange(1, 4096), default=1, show_default=True,
              help="pictures of a pass")
@click.option("--runs", type=click.IntRange(1, 1_000_000), default=200, show_default=True,
              help="passes that are timed, after some that are not")
@click.option("--layers", is_flag=True, help="also print a table of the layers")
@json_option
def command(file: str, isa: str | None, precision: str, threads: int, batch: int, runs: int,
            layers: bool, as_json: bool) -> None:
    """Time the forward pass of FILE's network, from pixels: min, median and p99 of a batch.

    The percentage is of this core's multiply-adds of float32 per second, measured before and
    after in the same run (the better one), times the threads; below f32 it may pass 100.

    \b
    efm3 bench weights.bin --layers
    efm3 bench weights.bin --precision fast --threads 2

    Exit codes: 0 measured, 1 FILE is refused or there is no engine, 2 usage, 3 unreadable.
    """
    import numpy as np

    from efm3 import engine as engines
    from efm3 import untrained
    from efm3.reference import prepare

    with needs_engine():
        e = engines.Engine(source(file), isa=isa, precision=precision, threads=threads)
    x = untrained.images(11, batch)
    peak = engines.fma_peak(e.isa)
    for _ in range(min(20, runs)):
        e.embed(x)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        e.embed(x)
        times.append(time.perf_counter() - start)
    peak = max(peak, engines.fma_peak(e.isa)) * threads
    least, median, p99 = (float(np.percentile(times, q)) for q in (0, 50, 99))
    work = e.macs * batch
    out: dict[str, object] = {
        "file": file, "isa": e.isa, "precision": precision, "threads": threads,
        "batch": batch, "runs": runs,
        "min_ms": least * 1e3, "median_ms": median * 1e3, "p99_ms": p99 * 1e3,
        "peak_gmac_per_s": peak / 1e9, "percent_of_peak": 100 * work / least / peak}
    rows = []
    if layers:
        single = peak / threads
        profile = e.profile(prepare(x[:1])[0])
        for layer in e.layers:
            seconds = profile[layer.name]
            rows.append({"layer": layer.name, "arithmetic": layer.arithmetic, "macs": layer.macs,
                         "us": seconds * 1e6,
                         "percent_of_peak": 100 * layer.macs / max(seconds, 1e-9) / single})
        out["layers"] = rows
    if as_json:
        click.echo(dumps(out, indent=2))
        return
    click.echo(f"{printable(file)}: {e.isa}, {precision}, {threads} thread(s), batch {batch}, "
               f"{runs} runs")
    click.echo(f"  min {least * 1e3:.3f} ms  median {median * 1e3:.3f} ms  p99 {p99 * 1e3:.3f} ms"
               f"  {out['percent_of_peak']:.1f} % of {peak / 1e9:.1f} GMAC/s")
    for r in rows:
        click.echo(f"  {r['layer']:24}{r['arithmetic']:>4}{r['macs']:>12,}{r['us']:>10.1f} us"
                   f"{r['percent_of_peak']:>7.1f} %")
