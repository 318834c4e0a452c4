# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part B: the most memory and time that Python takes for a refusal, at every level.

`inspect` refuses nothing; it is measured on the same files. What takes most memory in a mirror is
among them, 1 MiB of each.

Nothing is remembered from one reading to the next. Tracing memory (tracemalloc) is slow, so it
sees every u32 at 40 values, one in 97 of the other sets, and two slices of mutated files; one in
nine of these in the short form. Time is taken of the same files without tracing, as that of the
processor.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice
from typing import Any

import efm3
from efm3 import format as fmt
from efm3 import scan
from efm3.codes import LEVELS
from efm3.conformance import sample
from efm3.inspection import inspect
from efm3.network import layers, tensor_layout
from tools.evidence import _book
from tools.evidence._damage import SETS, bases, edges
from tools.evidence._hostile import MOST_NS, SLACK, Guard, Input, Where
from tools.evidence._mutants import mutated

STEP = 97
MUTATED = 10_000


def inputs(guard: Guard) -> Iterator[Input]:
    """What is traced."""
    files = bases()
    for name, data in files.items():
        yield from edges(name, data)
        for make in SETS.values():
            if make is not edges:
                yield from islice(make(name, data), 0, None, STEP)
    yield from chain(mutated(guard, 0, MUTATED), mutated(guard, -1, MUTATED))
    yield from long_mirrors(files["tiny"])


def long_mirrors(data: bytes) -> Iterator[Input]:
    """The file with mirrors of nearly 1 MiB, which disagree with its header."""
    own = bytes(scan.scan(data).mirror or b"").rstrip(b" ")[:-1]
    own = own.replace(b'"embedding_dim":', b'"embedding_dim":1')
    for item in ITEMS:
        many = item * ((fmt.MAX_JSON_LEN - len(own) - 99) // len(item))
        for around in (b'"%s"',) if len(item) == 1 else (b"[%s]", b'{"x":[%s]}'):
            inner = around % (many if len(item) == 1 else many[:-1])
            new = own + b',"meta":{"x":' + inner + b"}}"
            yield ("mirror of", item.decode()), sample.text(new)(data)


ITEMS = (b"a", b"{},", b"[],", b"0,", b"1e100,", b'"",', b'{"a":[]},', b"[[[[[[[]]]]]]],")


def _refuses(use: Callable[[bytes], Any]) -> Callable[[bytes], bool]:
    def reader(data: bytes) -> bool:
        try:
            return bool(use(data))
        except efm3.Efm3Error:
            return False
    return reader


READERS: dict[str, Callable[[bytes], bool]] = {
    "inspect": lambda data: inspect(scan.scan(data))["card"]["verdict"]["ok"]} | {
    f"{name} at {level}": _refuses(use) for level in LEVELS for name, use in (
        ("validate", lambda data, level=level: efm3.validate(data, level).ok),
        ("load", lambda data, level=level: efm3.load(data, level)))}
"""What reads a file: true where it finds no error in it."""


def _limit(name: str, data: bytes) -> int:
    """Bytes that a reader may take: four times the mirror where it is looked at."""
    if name.endswith("structure"):
        return 2 * len(data) + SLACK
    if name == "inspect":
        arch = scan.scan(data).arch
        return 7 * len(data) + SLACK + (2048 * len(layers(arch)) if arch else 0)
    return len(data) + 4 * len(scan.scan(data).mirror or b"") + SLACK


def measure(some: Iterator[Input]) -> dict[str, Any]:
    """The most on refused files, by reader. Raises RuntimeError over `_limit`."""
    worst: dict[str, tuple[int, int, Where]] = dict.fromkeys(READERS, (0, 0, ()))
    refused, most = 0, 0.0
    tracemalloc.start()
    try:
        for where, data in some:
            for name, read in READERS.items():
                _forget()
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                ok = read(data)
                peak = tracemalloc.get_traced_memory()[1] - before
                if ok:
                    continue
                refused += name == "load at values"
                worst[name] = max(worst[name], (peak, len(data), where))
                most = max(most, peak / _limit(name, data))
                if peak > _limit(name, data):
                    raise RuntimeError(f"{name} takes {peak} bytes for {where}")
    finally:
        tracemalloc.stop()
    return {"refused files": refused, "most part of the bound": round(most, 3)} | {
        f"most bytes in {name}": f"{peak:,} ({size:,} bytes of {' '.join(map(str, where))})"
        for name, (peak, size, where) in worst.items()}


def times(some: Iterator[Input]) -> dict[str, Any]:
    """The slowest refusal by reader, in ms: of what is slower than all before, the best of three
    times. Raises RuntimeError over MOST_NS at level structure."""
    worst: dict[str, tuple[int, int, Where]] = dict.fromkeys(READERS, (0, 0, ()))
    refused = 0
    gc.disable()
    try:
        for where, data in some:
            for name, read in READERS.items():
                ok, ns = _timed(read, data)
                refused += not ok and name == "load at values"
                if ok or ns <= worst[name][0]:
                    continue
                ns = min(ns, *(_timed(read, data)[1] for _ in range(2)))
                worst[name] = max(worst[name], (ns, len(data), where))
                if ns > MOST_NS and name.endswith("structure"):
                    raise RuntimeError(f"{name} takes {ns} ns for {where}")
            gc.collect(0)
    finally:
        gc.enable()
    return {"refused files": refused, "slowest refusal, ms": {
        name: round(ns / 1e6, 1) for name, (ns, _, _) in worst.items()}} | {
        f"slowest of {name}": f"{size:,} bytes of {' '.join(map(str, where))}"
        for name, (_, size, where) in worst.items()}


def _timed(read: Callable[[bytes], bool], data: bytes) -> tuple[bool, int]:
    _forget()
    start = time.thread_time_ns()
    ok = read(data)
    return ok, time.thread_time_ns() - start


def _forget() -> None:
    for remembered in (scan._network, tensor_layout):
        remembered.cache_clear()


def _measured(use: Callable[[Iterator[Input]], dict[str, Any]], long: bool) -> dict[str, Any]:
    for data in bases().values():  # neither memory nor time of one-time loads counts
        for read in READERS.values():
            read(data)
    step = 1 if long else 9
    numbers = use(islice(inputs(Guard()), 0, None, step))
    sample = (f"one in {step} of " if step > 1 else "") + (
        f"every u32 at 40 values, one in {STEP} of the other sets, {2 * MUTATED:,} mutated files")
    return _book.figure(f"python -m tools.evidence{' --long' if long else ''} limits",
                        {"files": sample} | numbers, seed=0)


def run(long: bool) -> Iterator[tuple[str, _book.Measure]]:
    """The figures."""
    yield "memory of a refusal in Python", partial(_measured, measure, long)
    yield "time of a refusal in Python", partial(_measured, times, long)
