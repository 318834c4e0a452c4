# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Lives and ends of engines in one process: `python -m tests.processes.scenarios NAME`.

Each prints nothing on stderr and ends by itself with exit code 0; 77 means: not possible here.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import efm3

ROOT = Path(__file__).resolve().parent.parent.parent
FILE = ROOT / "spec" / "vectors" / "odd_b.bin"
X = np.random.default_rng(3).integers(0, 256, (12, 112, 112, 3), np.uint8)
kept: list[object] = []


def engine(threads: int = 3) -> efm3.Engine:
    """An engine that has worked, so that its pool lives."""
    e = efm3.Engine(FILE, threads=threads)
    e.embed(X)
    return e


def join_child(pid: int) -> None:
    """The child ended well."""
    assert os.waitpid(pid, 0)[1] == 0


def in_child(act: object) -> int:
    """Run `act()` in a fork; exit code 0 where it gives true."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if act() else 1  # type: ignore[operator]
        finally:
            os._exit(code)
    return pid


def exit_global() -> None:
    """The interpreter ends while a module holds an engine."""
    globals()["held"] = engine()


def exit_cycle() -> None:
    """... while a cycle holds one, with the collector off."""
    gc.disable()
    e = engine()
    e.itself = e  # type: ignore[attr-defined]


def exit_atexit() -> None:
    """... and a function at exit uses it and lets it go."""
    e = engine()

    def end() -> None:
        e.embed(X)
        e.close()
    atexit.register(end)


def exit_thread() -> None:
    """... while a thread still works, which is waited for."""
    e = engine()
    threading.Thread(target=lambda: [e.embed(X) for _ in range(20)]).start()


def exit_daemon() -> None:
    """... while daemon threads are inside calls."""
    e = engine()

    def work() -> None:
        while True:
            e.embed(X)
    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.1)


def exit_system() -> None:
    """... by os._exit with threads inside calls."""
    exit_daemon()
    os._exit(0)


def drop_during_call() -> None:
    """The last name of an engine goes while another thread is inside a call."""
    want = engine().embed(X)
    for _ in range(10):
        held, got = [engine()], list[NDArray[np.float32]]()
        inside = threading.Event()

        def work(held: list[efm3.Engine] = held, got: list[NDArray[np.float32]] = got,
                 inside: threading.Event = inside) -> None:
            call = held[0].embed
            inside.set()
            got.append(call(X))
        worker = threading.Thread(target=work)
        worker.start()
        inside.wait()
        held.clear()
        gc.collect()
        worker.join()
        assert np.array_equal(got[0], want)


def close_during_calls() -> None:
    """close() while eight threads call: right results, then 'closed', nothing else."""
    want = engine().embed(X)
    for _ in range(10):
        e, wrong = engine(), list[object]()

        def work(e: efm3.Engine = e, wrong: list[object] = wrong) -> None:
            try:
                while True:
                    if not np.array_equal(e.embed(X), want):
                        wrong.append("result")
            except ValueError as error:
                if "closed" not in str(error):
                    wrong.append(error)
        workers = [threading.Thread(target=work) for _ in range(8)]
        for w in workers:
            w.start()
        e.close()
        for w in workers:
            w.join()
        assert not wrong, wrong


def gc_orders() -> None:
    """Cycles, the collector off, a failed __init__ in a cycle, views that outlive the engine."""
    want = engine().embed(X)
    gc.disable()
    for order in range(6):
        e = engine()
        out = e.embed(X)
        view, layers = out[::2, 1:], e.activations(np.zeros((3, 112, 112), np.float32))
        copies = {k: v.copy() for k, v in layers.items()}
        first: dict[str, object] = {"e": e}
        first["again"] = [first, e, view] if order % 2 else [first, e]
        broken = efm3.Engine.__new__(efm3.Engine)
        try:
            broken.__init__(b"EFM3")  # type: ignore[misc]
        except efm3.Efm3Error as error:
            first["broken"], first["error"] = broken, error
        del e, broken, first, out
        if order % 3 == 0:
            gc.collect()
        assert np.array_equal(view, want[::2, 1:])
        assert all(np.array_equal(v, copies[k]) for k, v in layers.items())
    gc.enable()
    gc.collect()


class Pressing:
    """The engine's library, where Ctrl-C was pressed when the first call into C returns."""

    def __init__(self, lib: object) -> None:
        self.lib, self.images = lib, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.lib, name)

    def mfn_engine_forward_u8(self, *words: object) -> int:
        first = self.images == 0
        self.images += words[2]  # type: ignore[operator]
        status = int(self.lib.mfn_engine_forward_u8(*words))  # type: ignore[attr-defined]
        if first:  # as Python sees a signal that came while C ran
            signal.raise_signal(signal.SIGINT)  # in this thread: at once
        return status


def interrupt() -> None:
    """Ctrl-C in a long batch: KeyboardInterrupt before its end, and the engine stays usable."""
    # A shell starts what runs in the background with Ctrl-C ignored, and Python leaves it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    e = engine()
    want = e.embed(X)
    lib = e._lib = Pressing(e._lib)
    try:
        e.embed(np.zeros((2560, 112, 112, 3), np.uint8))
    except KeyboardInterrupt:
        assert lib.images < 2560, "the batch ran to its end"
    else:
        raise AssertionError("no KeyboardInterrupt")
    assert np.array_equal(e.embed(X), want)


def fork() -> None:
    """Parent, child and the child's child use the engine, its pool and new ones."""
    e = engine()
    want = e.embed(X)

    def young() -> bool:
        grandchild = in_child(lambda: np.array_equal(e.embed(X), want))
        same = np.array_equal(e.embed(X), want) and np.array_equal(engine().embed(X), want)
        join_child(grandchild)
        return same
    child = in_child(young)
    assert np.array_equal(e.embed(X), want)
    join_child(child)
    e.close()


def fork_during_call() -> None:
    """Forks while another thread is inside a batch; the child's threads meet the same pool."""
    e = engine()
    want, stop = e.embed(X), threading.Event()

    def work() -> None:
        while not stop.is_set():
            e.embed(X)

    def young() -> bool:
        got: list[bool] = []
        workers = [threading.Thread(target=lambda: got.append(
            np.array_equal(e.embed(X), want))) for _ in range(4)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        e.close()
        return got == [True] * 4
    worker = threading.Thread(target=work)
    worker.start()
    for _ in range(20):
        join_child(in_child(young))
    stop.set()
    worker.join()


def fork_same_pid() -> None:
    """A child in a new process namespace has its parent's pid, 1."""
    if os.getpid() != 1:
        words = ["unshare", "-rpf", "--kill-child", sys.executable, __file__, "fork_same_pid"]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        except OSError:
            sys.exit(77)
        # unshare(1) itself gives 1 where it may not.
        sys.exit(77 if done.stderr.startswith("unshare: unshare") else done.returncode)
    e = engine()
    want = e.embed(X)
    if ctypes.CDLL(None).unshare(0x20000000):  # CLONE_NEWPID
        sys.exit(77)
    pid = in_child(lambda: (signal.alarm(150), np.array_equal(e.embed(X), want))[1])
    for _ in range(1500):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            assert status == 0
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the child hangs")


def _spawned(want: bytes) -> bool:
    return engine().embed(X).tobytes() == want


def spawn() -> None:
    """multiprocessing's spawn: the child loads its own; handing an engine over is refused."""
    import multiprocessing

    e = engine()
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.apply(_spawned, (e.embed(X).tobytes(),))
        try:
            pool.apply(_spawned, (e,))
        except TypeError as error:
            assert "cannot be copied" in str(error)
        else:
            raise AssertionError("an engine was handed over")


def subinterpreter() -> None:
    """A second interpreter in the process: works, or is refused by an ImportError."""
    try:
        import _xxsubinterpreters as sub  # type: ignore[import-not-found]
    except ImportError:
        sys.exit(77)
    e = engine()
    want = e.embed(X)
    other = sub.create()
    code = (f"import warnings; "
            "warnings.simplefilter('ignore')\n"
            "try:\n import efm3, numpy as np\n"
            f" e = efm3.Engine({str(FILE)!r}, threads=2)\n"
            " e.embed(np.zeros((4, 112, 112, 3), np.uint8))\n"
            "except ImportError as e: print('refused:', e)\n")
    sub.run_string(other, code)
    sub.destroy(other)
    assert np.array_equal(e.embed(X), want)


SCENARIOS = {f.__name__: f for f in (
    exit_global, exit_cycle, exit_atexit, exit_thread, exit_daemon, exit_system, drop_during_call,
    close_during_calls, gc_orders, interrupt, fork, fork_during_call, fork_same_pid, spawn,
    subinterpreter)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]]()
