# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Daft started, and its workers told what they need."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from efm3.bulk.run import cores
from efm3.extras import need
from efm3.findings import Efm3Error, refuse

if TYPE_CHECKING:
    from efm3.bulk._actor import Actor

BATCH = 64
"""Pictures that a worker gets at once."""
QUIET = {"DAFT_ANALYTICS_ENABLED": "0", "DAFT_PROGRESS_BAR": "0", "RAY_USAGE_STATS_ENABLED": "0"}
"""Unless they are set: Daft and Ray report no use to their makers, and draw nothing."""


def started(ray: str | None) -> tuple[bool, int]:
    """Daft, ready: whether it runs on a cluster, and how many cores it has there.

    Raises Efm3Error B016 and X002.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    need("pyarrow", "daft")
    daft = need("daft", "daft")
    try:
        if ray is not None:
            library = need("ray", "daft")
            if not library.is_initialized():
                # Else the workers' own lines appear among ours.
                library.init(address=ray, log_to_driver=False, logging_level="ERROR")
            daft.set_runner_ray(noop_if_initialized=True)
        cluster = need("daft.runners", "daft").get_or_create_runner().name == "ray"
        usable = int(need("ray", "daft").cluster_resources().get("CPU", 1)) if cluster else cores()
    except Efm3Error:
        raise
    except Exception as e:
        refuse("B016", f"Daft cannot be started: {reason(e)}", ray or "")
    return cluster, max(1, usable)


def method(actor: type[Actor], arguments: tuple[Any, ...], workers: int, threads: int,
           cluster: bool) -> Any:
    """The method that expressions call, in `workers` processes at most."""
    import daft

    # Marks the method, which stays what it is.
    daft.method.batch(return_dtype=daft.DataType.binary(), batch_size=BATCH)(actor.answers)
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


def reason(e: Exception) -> str:
    """The exception in a line: its own text may be pages."""
    lines = [line.strip() for line in str(e).splitlines() if line.strip()]
    return f"{type(e).__name__}: {lines[0] if lines else ''}"[:300]
