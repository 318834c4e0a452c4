# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed while they save, and two that save at once."""

from __future__ import annotations

import argparse
import ctypes
import mmap
import os
import random
import signal
import time
from collections import Counter
from typing import NoReturn

from tests.faults.bench import EVER, FAIL, KILL, KILL_HALF, Bench, attempt, points, shim


def kills(bench: Bench, args: argparse.Namespace) -> dict[str, object]:
    """SIGKILL before each call of a save, behind the last, and half way through each write."""
    bench.reset()
    plain = attempt(lambda: bench.save(1), FAIL, 0, EVER, EVER)
    assert plain is not None
    n = int(str(plain["calls"]))
    bad, states, killed = [], {"old": 0, "new": 0}, 0
    for mode in (KILL, KILL_HALF):
        for k in points(n, args.step):
            bench.reset()
            killed += attempt(lambda: bench.save(1), mode, 0, k, k) is None
            state = bench.state()
            states[state] = states.get(state, 0) + 1
            if state not in ("old", "new") or len(bench.strays()) > 1:
                bad.append(f"killed at call {k}: {state}, beside it {bench.strays()}")
            bench.save(1)
            if bench.state() != "new":
                bad.append(f"after the kill at call {k} the next save gave {bench.state()}")
    return {"calls": n, "killed": killed, "states": states, "bad": bad}


class Watch(ctypes.Structure):
    """What a process that saves tells the one that kills it, in memory that both have."""

    _fields_ = [("count", ctypes.c_long), ("inside", ctypes.c_long), ("call", ctypes.c_char * 16),
                ("saves", ctypes.c_long), ("seconds", ctypes.c_double)]

    def begin(self) -> None:
        """For a new process; the duration of a save stays."""
        self.count = self.inside = self.saves = 0

    def place(self) -> str:
        """Where the process is."""
        return f"in {self.call.decode()}" if self.inside else "between calls"


def save_for_ever(bench: Bench, watch: Watch, which: int) -> NoReturn:
    """Save one and the other model until somebody kills this process."""
    lib = shim()
    lib.fault_watch(ctypes.byref(watch))
    lib.fault_arm(FAIL, 0, EVER, EVER)
    while True:
        start = time.perf_counter()
        bench.save(which)
        watch.seconds, watch.saves, which = time.perf_counter() - start, watch.saves + 1, 1 - which


def wait_and_kill(pid: int, watch: Watch, draw: random.Random, calls: int, by_call: bool) -> None:
    """SIGKILL once the first save has begun: up to two saves later, by calls or by time.

    Nearly all calls are writes and nearly all time is syncing, so either alone would miss much.
    """
    until = 1 + (draw.randrange(2 * calls) if by_call else 0)
    rest = draw.random() * (20e-6 if by_call else 2 * watch.seconds)
    give_up = time.perf_counter() + 60
    while watch.count < until:
        os.sched_yield()
        if time.perf_counter() > give_up:
            break
    end = time.perf_counter() + rest
    while time.perf_counter() < end:
        # A sleep would round to the scheduler's ticks: short waits spin.
        time.sleep(max(0.0, end - time.perf_counter() - 200e-6))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def storm(bench: Bench, args: argparse.Namespace) -> dict[str, object]:
    """Kills at random moments of a process that saves without end."""
    draw = random.Random(args.seed)
    bad, states, places, strays, saves = [], {"old": 0, "new": 0}, Counter[str](), 0, 0
    bench.reset()
    plain = attempt(lambda: bench.save(1), FAIL, 0, EVER, EVER)
    assert plain is not None and plain["said"] == "ok", plain
    watch = Watch.from_buffer(mmap.mmap(-1, ctypes.sizeof(Watch)))
    watch.seconds = 0.01
    for i in range(args.count):
        watch.begin()
        pid = os.fork()
        if pid == 0:
            # Either content may be the next to be written over either.
            save_for_ever(bench, watch, i // 2 % 2)
        wait_and_kill(pid, watch, draw, int(str(plain["calls"])), i % 2 == 0)
        places[watch.place()] += 1
        saves += watch.saves
        state = bench.state()
        states[state] = states.get(state, 0) + 1
        left = bench.strays()
        strays += len(left)
        if state not in ("old", "new") or len(left) > 1:
            bad.append(f"kill {i}, {watch.place()}: {state}, beside it {left}")
        for name in left:
            os.unlink(bench.folder / name)
    return {"kills": args.count, "whole saves between them": saves, "states": states,
            "fell": dict(sorted(places.items())), "temporary files left": strays, "bad": bad}


def writers(bench: Bench, args: argparse.Namespace) -> dict[str, object]:
    """Two processes save to one path; what a third sees is always one of the two files."""
    bench.reset()
    children = []
    for which in (0, 1):
        pid = os.fork()
        if pid == 0:
            for _ in range(args.count):
                bench.save(which)
            os._exit(0)
        children.append(pid)
    bad, seen, looks = [], set(), 0
    while children:
        state = bench.state()
        seen.add(state)
        looks += 1
        if state not in ("old", "new"):
            bad.append(f"look {looks}: {state}")
        children = [p for p in children if os.waitpid(p, os.WNOHANG)[0] == 0]
    if bench.strays():
        bad.append(f"left {bench.strays()}")
    return {"saves": 2 * args.count, "looks": looks, "seen": sorted(seen), "bad": bad}
