# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Four readers and one verdict: scan, load, validate at level structure, and the C loader.

The C loader runs in tests/hostile/guard.c: a page without access behind the input, every byte that
it holds counted, every call timed. A `Tally` adds up what many inputs gave.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cffi import FFI

import efm3
import efm3.model
import efm3.validator
from efm3 import format as fmt
from efm3 import rules
from efm3.scan import Scan, scan
from tools import ROOT
from tools.evidence import _engine

rules.load_rules("structure")  # data read once does not count as a reader's time
WORK = ROOT / "build" / "hostile"
CAPACITY = 1 << 20
SLACK = 1 << 20
MOST_NS = 100_000_000
WRAP = "-Wl," + ",".join(f"--wrap={f}" for f in ("malloc", "calloc", "posix_memalign", "free"))

Where = tuple[Any, ...]
Input = tuple[Where, bytes]

CONSTANT = [(p, f.con.lo) for p, f in fmt.FIELDS.items()
            if f.con.lo == f.con.hi and f.size in (1, 2, 4) and p != "magic"]
SPARE = [[f"arch.stages[{i}].{k}" for k in "tns"] for i in range(fmt.STAGE_SLOTS)]


def scan_accepts(s: Scan) -> bool:
    """The verdict of a scan: a whole table behind a header whose constants are what they must be.

    It asks no rule, so that it is a reader of its own.
    """
    get = s.values.get
    return (s.complete and get("magic") == fmt.MAGIC and get("arch.pad") == bytes(3)
            and all(get(path) == value for path, value in CONSTANT)
            and not any(get(p) for record in SPARE[s.values["arch.n_stages"]:] for p in record))


class Guard:
    """The C loader under watch."""

    def __init__(self, work: Path = WORK, optimise: str = "-O2",
                 source: Path = ROOT / "engine" / "src") -> None:
        work.mkdir(parents=True, exist_ok=True)
        flags = [optimise, "-g", "-shared", "-fPIC", "-fvisibility=hidden", f"-I{source}",
                 f"-I{ROOT}/tests/fuzz", str(ROOT / "tests/fuzz/mutate.c"), WRAP]
        path = _engine.build("cc", str((work / "guard.so").absolute()), "tests/hostile/guard.c",
                             *flags)
        self._ffi = FFI()
        self._ffi.cdef("""
            typedef struct Load {
                int32_t status, sound; uint64_t peak, held, cpu_ns;
            } Load;
            int guard_open(size_t capacity, const char *crash);
            int guard_load(const void *data, size_t size, Load *out);
            size_t guard_mutate(uint8_t *data, size_t size, size_t max, uint64_t seed);
        """)
        self._lib = self._ffi.dlopen(str(path))
        self.work = work
        if self._lib.guard_open(CAPACITY, str(work / "crash.bin").encode()):
            raise RuntimeError("no memory for the guarded page")
        self.last = self._ffi.new("Load *")
        self._room = self._ffi.new("uint8_t[]", CAPACITY)

    def accepts(self, data: bytes | memoryview) -> bool:
        """Loads and frees; `last` says what it took. Raises RuntimeError for a broken promise."""
        last = self.last
        if not self._lib.guard_load(self._ffi.from_buffer(data), len(data), last):
            raise RuntimeError(f"{len(data)} bytes are too long for the guarded page")
        if not last.sound or last.held:
            raise RuntimeError(f"a promise of the header is broken on {bytes(data)!r}")
        return bool(last.status == 0)

    def mutate(self, data: bytes, most: int, seed: int) -> bytes:
        """One mutation by tests/fuzz/mutate.c, at most `most` bytes long."""
        self._ffi.memmove(self._room, data, len(data))
        n = self._lib.guard_mutate(self._room, len(data), most, seed)
        return bytes(self._ffi.buffer(self._room, n))


@dataclass
class Tally:
    """What many inputs gave; of refused ones the most memory and time, and on which input."""

    guard: Guard
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    through_python: int = 0
    split: list[str] = field(default_factory=list)
    over: int = 0
    peak: tuple[int, int, Where] = (0, 0, ())
    slowest: tuple[int, Where] = (0, ())
    slow: int = 0
    slowest_python: tuple[int, Where] = (0, ())

    def c_only(self, where: Where, data: bytes) -> bool:
        """The C loader's verdict, counted."""
        ok = self.guard.accepts(data)
        last = self.guard.last
        self.inputs += 1
        if ok:
            self.accepted += 1
            return True
        self.refused += 1
        peak, ns = last.peak, last.cpu_ns
        if peak > self.peak[0]:
            self.peak = peak, len(data), where
        if ns > self.slowest[0]:
            self.slowest = ns, where
        self.slow += ns > 1_000_000
        self.over += peak > 2 * len(data) + SLACK or ns > MOST_NS
        return False

    def all_four(self, where: Where, data: bytes) -> None:
        """The verdicts of all four, counted and compared."""
        c = self.c_only(where, data)
        start = time.thread_time_ns()
        scanned = scan_accepts(scan(data))
        valid = efm3.validate(data, "structure").ok
        try:
            efm3.load(data, level="structure")
            loaded = True
        except efm3.Efm3Error:
            loaded = False
        ns = time.thread_time_ns() - start
        self.through_python += 1
        if not c and ns > self.slowest_python[0]:
            self.slowest_python = ns, where
            self.over += ns > MOST_NS
        if not scanned == valid == loaded == c:
            self._split(where, data, f"scan {scanned}, validate {valid}, load {loaded}, C {c}")

    def _split(self, where: Where, data: bytes, words: str) -> None:
        path = self.guard.work / f"split-{len(self.split)}.bin"
        path.write_bytes(data)
        self.split.append(f"{' '.join(map(str, where))}: {words}; kept as {path.name}")

    def numbers(self) -> dict[str, Any]:
        """The figure's numbers. Raises RuntimeError for a split or a limit that was passed."""
        if self.split or self.over:
            raise RuntimeError(f"{len(self.split)} splits, {self.over} over a limit: "
                               f"{self.split[:3]} {self.peak} {self.slowest} {self.slowest_python}")
        out: dict[str, Any] = {
            "C loader": self.inputs, "all four readers": self.through_python,
            "accepted": self.accepted, "refused": self.refused, "disagreements": 0}
        if self.refused:
            peak, size, where = self.peak
            out |= {"most bytes held on a refusal": f"{peak:,} ({size:,} bytes of {_said(where)})",
                    "slowest refusal in C": f"{self.slowest[0] / 1e6:.3f} ms "
                                            f"({_said(self.slowest[1])})",
                    "refusals in C over 1 ms": self.slow}
        if self.slowest_python[0]:
            out["slowest refusal by all three in Python"] = (
                f"{self.slowest_python[0] / 1e6:.1f} ms ({_said(self.slowest_python[1])})")
        return out


def _said(where: Where) -> str:
    return " ".join(map(str, where))


def through(tally: Tally, inputs: Iterable[Input], step: int = 1) -> None:
    """Every input through C, one in `step` through all four."""
    gc.disable()  # what is timed is the reader
    try:
        for i, (where, data) in enumerate(inputs):
            if i % step:
                tally.c_only(where, data)
            else:
                tally.all_four(where, data)
            if i % 20000 == 0:
                gc.collect()
    finally:
        gc.enable()
