# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Daft started, and its workers told what they need."""

from __future__ import annotations

import atexit
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from efm3.extras import need
from efm3.findings import Efm3Error, refuse
from efm3.machine import cores

if TYPE_CHECKING:
    from efm3.bulk._actor import Actor

QUIET = {"DAFT_ANALYTICS_ENABLED": "0", "DAFT_PROGRESS_BAR": "0", "RAY_USAGE_STATS_ENABLED": "0"}
"""Unless they are set: Daft and Ray report no use to their makers, and draw nothing."""

AHEAD = 16
"""Answers that wait while the run writes a part."""
PATIENCE = 10
"""Seconds for a cluster to be reached, and for a query that is not wanted any more to end."""
SETTLED = 1
"""Most seconds for which the end of Python waits for what Daft's threads have left to do."""
LOGS = ("daft", "daft_io", "daft_local_execution", "daft_distributed")


def started(ray: str | None) -> tuple[bool, int]:
    """Daft, ready: whether it runs on a cluster, and how many cores it has there.

    Raises Efm3Error B016 and X002.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    need("pyarrow", "daft")
    daft = need("daft", "daft")
    for name in LOGS:  # what fails is told by its row, or by a refusal
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        if ray is not None:
            library = need("ray", "daft")
            if not library.is_initialized():
                _reached(ray)
                # Else the workers' own lines appear among ours.
                library.init(address=ray, log_to_driver=False, logging_level="ERROR")
            daft.set_runner_ray(noop_if_initialized=True)
        elif "DAFT_RUNNER" not in os.environ and "ray" not in sys.modules:
            with suppress(Exception):  # the program has chosen already
                daft.set_runner_native()  # else Daft imports Ray, to ask it
        cluster = need("daft.runners", "daft").get_or_create_runner().name == "ray"
        usable = int(need("ray", "daft").cluster_resources().get("CPU", 1)) if cluster else cores()
    except Efm3Error:
        raise
    except Exception as e:
        refuse("B016", f"Daft cannot be started: {reason(e)}", ray or "")
    atexit.unregister(_settle)
    atexit.register(_settle)
    return cluster, max(1, usable)


def _settle() -> None:
    """Wait until Daft has taken leave of its workers. Its threads do that after the last answer,
    and have the process aborted if Python has ended meanwhile."""
    until = time.monotonic() + SETTLED
    while time.monotonic() < until and _children() != 0:
        time.sleep(0.02)
    time.sleep(SETTLED / 10)


def _children() -> int:
    """How many child processes there are, -1 where the system does not say."""
    tasks = Path("/proc/self/task")
    try:
        return sum(len(path.read_text("ascii").split()) for path in tasks.glob("*/children")) \
            if tasks.is_dir() else -1
    except OSError:
        return -1


def _reached(address: str) -> None:
    """Raise OSError at once where Ray would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()


def method(actor: type[Actor], arguments: tuple[Any, ...], workers: int, threads: int,
           batch: int, cluster: bool) -> Any:
    """The method that expressions call, in `workers` processes at most."""
    import daft

    # Marks the method, which stays what it is.
    daft.method.batch(return_dtype=daft.DataType.binary(), batch_size=batch)(actor.answers)
    # On a cluster each is a process by itself.
    made = daft.cls(actor, max_concurrency=workers, cpus=threads if cluster else None,
                    use_process=None if cluster else True)
    return made(*arguments).answers


@contextmanager
def surroundings(cluster: bool) -> Iterator[None]:
    """Daft's processes on this machine find the modules that this one has, and look for none in
    the current folder, which may hold pictures, and a module of any name."""
    if cluster:
        yield
        return
    new = {"PYTHONSAFEPATH": "1",
           "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
           "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    old = {name: os.environ.get(name) for name in new}
    os.environ.update(new)
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def answers(query: Any, end: Callable[[], object]) -> Iterator[bytes]:
    """The values of a query's one column, nulls left out; `end` has its workers fail when no more
    are wanted. Raises what Daft raises.

    Daft has a thread of its own, which takes every value: a query that is left alone, by Ctrl-C
    or otherwise, waits for ever, and has this process aborted when Python ends.
    """
    found: queue.Queue[Any] = queue.Queue(AHEAD)
    ended = threading.Event()

    def put(value: object) -> None:
        while not ended.is_set():
            with suppress(queue.Full):
                return found.put(value, timeout=0.1)

    def work() -> None:
        try:
            for batch in query.to_arrow_iter():
                for value in batch.column(0).drop_null():
                    put(value.as_py())
            put(None)
        except Exception as e:
            put(e)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    whole = False
    try:
        while isinstance(value := found.get(), bytes):
            yield value
        whole = True
        if value is not None:
            raise value
    finally:
        ended.set()
        if not whole:
            end()
            thread.join(PATIENCE)


def reason(e: Exception) -> str:
    """The exception in a line: its own text may be pages."""
    lines = [line.strip() for line in str(e).splitlines() if line.strip()]
    # What Daft puts behind a dead process is its output, which mostly is none.
    text = lines[0].partition(", stdout: [")[0] if lines else ""
    return f"{type(e).__name__}: {text}"[:300]
