# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Save and load while file calls fail, stop short, or the process is killed.

    python -m tests.faults.syscalls VERB [--count N] [--seed S] [--step N] [--plant BUG]
        [--folder F]

`sweep`: every file call k of a save and of the loads, spoilt in every way, once and for ever.
    With `--step N`, of the many writes of a save only every N-th.
`kills`: SIGKILL before each call of a save and inside each write.
`storm`: N kills at random moments of endless saving, and where they fell.
`writers`: two processes that save N times each to one path, a third that loads.
Prints figures as JSON; exit 1 where `bad` is not empty. `--plant` swaps in a wrong writer.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.faults.bench import END, EVER, FAIL, SHORT, Bench, attempt, points
from tests.faults.kills import kills, storm, writers

HERE = Path(__file__).resolve().parent
NUMBERS = (errno.ENOSPC, errno.EIO, errno.EINTR, errno.EDQUOT)
Plan = tuple[int, int, int]  # mode, errno, calls spoilt from the k-th on

PLANS: dict[str, Plan] = {
    **{f"{errno.errorcode[n]} once": (FAIL, n, 1) for n in NUMBERS},
    **{f"{errno.errorcode[n]} for ever": (FAIL, n, EVER) for n in NUMBERS if n != errno.EINTR},
    # A call that is always interrupted never ends, by definition; fifty times is a storm.
    "EINTR 50 times": (FAIL, errno.EINTR, 50),
    "short once": (SHORT, 0, 1), "short for ever": (SHORT, 0, EVER),
    "end of file once": (END, 0, 1), "end of file for ever": (END, 0, EVER),
}


def restart() -> int:
    """Build the shim and run this very command under it; its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "shim.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", str(HERE / "shim.c"), "-o", str(out),
                        "-ldl"], check=True)
        words = [sys.executable, "-m", "tests.faults.syscalls", *sys.argv[1:]]
        return subprocess.run(words, check=False,
                              env=os.environ | {"LD_PRELOAD": str(out)}).returncode


@lru_cache(maxsize=1)
def _clib() -> tuple[Any, Any]:
    from importlib import import_module

    module = import_module("efm3._engine")
    return module.ffi, module.lib


def python_load(bench: Bench) -> None:
    """Load with efm3; raises Efm3Error or is right."""
    import efm3

    model = efm3.load(bench.path)
    assert efm3.dumps(model.arch, model.tensors) == bench.tensors, "loaded, but not what is there"


def engine_load(bench: Bench) -> None:
    """Load with the C loader; raises Efm3Error for the statuses of reading."""
    from efm3.findings import Efm3Error, Finding

    ffi, lib = _clib()
    handle, error = ffi.new("MfnEngine *"), ffi.new("MfnError *")
    status = lib.mfn_engine_init_file(os.fsencode(bench.path), ffi.NULL, handle, error)
    if not status:
        assert lib.mfn_engine_free(handle) == 0
        return
    name = ffi.string(lib.mfn_status_name(status)).decode()
    if name not in ("E_OPEN", "E_READ", "E_TRUNCATED"):
        raise AssertionError(f"status {name}: {ffi.string(error.text).decode()}")
    raise Efm3Error(Finding(name, "error", "refused"))


def judge_save(bench: Bench, got: dict[str, object]) -> str:
    """What is wrong after a save whose process lived on, or ""."""
    said, state, strays = str(got["said"]), bench.state(), bench.strays()
    if said.startswith(("BROKE", "refused")):
        return said
    if strays and not (len(strays) == 1 and got["unlink"]):
        return f"{said}; left {strays}"
    if state != ("new" if said == "ok" or got["folder"] else "old"):
        return f"{said}; the file is {state}"
    return bench.unkept()


def judge_load(bench: Bench, got: dict[str, object]) -> str:
    """What is wrong after a load, or ""."""
    said = str(got["said"])
    return said if not said.startswith(("ok", "refused")) or bench.state() != "old" else ""


def sweep(bench: Bench, args: argparse.Namespace) -> dict[str, object]:
    """Every call, every plan, for the writer and both readers."""
    actions: dict[str, tuple[Callable[[], None], Callable[..., str]]] = {
        "save": (lambda: bench.save(1), judge_save),
        "load": (lambda: python_load(bench), judge_load)}
    from efm3 import engine

    if args.plant:
        del actions["load"]
    elif engine.available():
        actions["engine load"] = (lambda: engine_load(bench), judge_load)
    out: dict[str, object] = {}
    bad, total, calls, survived, names = [], 0, {}, 0, set[str]()
    for what, (act, judge) in actions.items():
        bench.reset()
        plain = attempt(act, FAIL, 0, EVER, EVER)
        assert plain is not None and plain["said"] == "ok", plain
        calls[what] = plain["calls"]
        for plan, (mode, number, many) in PLANS.items():
            for k in points(int(str(plain["calls"])), args.step):
                bench.reset()
                got = attempt(act, mode, number, k, k + many - 1)
                total += 1
                assert got is not None and got["hits"], (what, plan, k, got)
                names.add(str(got["name"]))
                survived += got["said"] == "ok"
                wrong = judge(bench, got)
                if wrong:
                    bad.append(f"{what}, {plan}, call {k} ({got['name']}): {wrong}")
    out |= {"calls": calls, "plans": len(PLANS), "faults": total, "survived": survived,
            "spoilt": sorted(names), "bad": bad}
    return out


VERBS = {"sweep": sweep, "kills": kills, "storm": storm, "writers": writers}


def main() -> int:
    """Run a verb; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--folder", help="where the files are (the default is the temporary one)")
    parser.add_argument("--plant", choices=("in-place", "no-unlink", "setuid"))
    args = parser.parse_args()
    if "shim.so" not in os.environ.get("LD_PRELOAD", ""):
        return restart()
    folder = Path(tempfile.mkdtemp(dir=args.folder))
    try:
        figures = VERBS[args.verb](Bench(folder, args.plant), args)
    finally:
        shutil.rmtree(folder)
    print(json.dumps(figures))
    return 1 if figures["bad"] else 0


if __name__ == "__main__":
    sys.exit(main())
