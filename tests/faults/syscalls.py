# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Save and load while file calls fail, stop short, or the process is killed.

    python tests/faults/syscalls.py VERB [--count N] [--seed S] [--step N] [--plant BUG]

`sweep`: every file call k of a save and of the loads, spoilt in every way, once and for ever.
    With `--step N`, of the many writes of a save only every N-th.
`kills`: SIGKILL before each call of a save and inside each write.
`storm`: N kills at random moments of endless saving.
`writers`: two processes that save N times each to one path, a third that loads.
Prints figures as JSON; exit 1 where `bad` is not empty. `--plant` swaps in a wrong writer.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
FAIL, SHORT, END, KILL, KILL_HALF = range(5)
EVER = 1 << 40
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


def shim() -> ctypes.CDLL:
    """The preloaded library's own functions."""
    lib = ctypes.CDLL(None)
    lib.fault_arm.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
    lib.fault_name.restype = ctypes.c_char_p
    for name in ("fault_count", "fault_hits"):
        getattr(lib, name).restype = ctypes.c_long
    return lib


def restart() -> int:
    """Build the shim and run this very command under it; its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "shim.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", str(HERE / "shim.c"), "-o", str(out),
                        "-ldl"], check=True)
        return subprocess.run([sys.executable, *sys.argv], check=False,
                              env=os.environ | {"LD_PRELOAD": str(out)}).returncode


class Bench:
    """A folder with one file, and the two contents that it may have."""

    def __init__(self, folder: Path, plant: str | None) -> None:
        import efm3
        from efm3 import sample

        self.path = folder / "w.bin"
        self.folder = folder
        self.old = sample.base()
        self.models = [efm3.load(self.old), efm3.load(sample.with_mirror(
            lambda m: m | {"meta": {"note": "n" * 999}})(self.old))]
        self.contents: list[bytes] = []
        self.tensors = efm3.dumps(self.models[0].arch, self.models[0].tensors)
        for m in self.models:
            m.save(self.path)
            assert efm3.validate(self.path).ok
            self.contents.append(self.path.read_bytes())
        assert self.contents[0] == self.old != self.contents[1]
        self.save: Callable[[int], None] = {
            None: self._save, "in-place": self._in_place, "no-unlink": self._no_unlink,
        }[plant]

    def _save(self, which: int) -> None:
        self.models[which].save(self.path)

    def _in_place(self, which: int) -> None:
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(fd, self.contents[which])
        finally:
            os.close(fd)

    def _no_unlink(self, which: int) -> None:
        temp = f"{self.path}.tmp"
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            rest = memoryview(self.contents[which])
            while rest:
                rest = rest[os.write(fd, rest):]
        finally:
            os.close(fd)
        os.replace(temp, self.path)

    def reset(self) -> None:
        """The old file alone."""
        for name in os.listdir(self.folder):
            os.unlink(self.folder / name)
        self.path.write_bytes(self.old)

    def strays(self) -> list[str]:
        """Names in the folder beside the target's."""
        return [n for n in os.listdir(self.folder) if n != self.path.name]

    def state(self) -> str:
        """`old` or `new`, byte for byte (both were validated), or what is wrong."""
        try:
            data = self.path.read_bytes()
        except OSError as e:
            return f"gone: {e}"
        if data not in self.contents:
            return f"torn: {len(data)} bytes"
        return ("old", "new")[self.contents.index(data)]


@lru_cache(maxsize=1)
def _clib() -> tuple[object, object]:
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


def attempt(act: Callable[[], None], mode: int, number: int, first: int,
            last: int) -> dict[str, object] | None:
    """`act` in a child whose calls first..last are spoilt: what came of it, None if killed."""
    from efm3 import Efm3Error

    lib = shim()
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "ok"
        signal.alarm(20)
        lib.fault_arm(mode, number, first, last)
        try:
            act()
        except Efm3Error as e:
            said = f"refused {e.code}"
        except OSError as e:
            said = f"raised {e.strerror}"
        except BaseException as e:  # what else is the failure we look for
            said = f"BROKE {type(e).__name__}: {e}"
        lib.fault_disarm()
        os.write(there, json.dumps({
            "said": said, "calls": lib.fault_count(), "hits": lib.fault_hits(),
            "name": lib.fault_name().decode(), "unlink": lib.fault_unlink_hit(),
            "folder": lib.fault_folder_sync_hit()}).encode())
        os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as f:
        text = f.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) == signal.SIGKILL:
            return None
        return {"said": f"BROKE signal {os.WTERMSIG(status)}", "hits": 1, "calls": 0, "name": "?",
                "unlink": 0, "folder": 0}
    return dict(json.loads(text))


def judge_save(bench: Bench, got: dict[str, object]) -> str:
    """What is wrong after a save whose process lived on, or ""."""
    said, state, strays = str(got["said"]), bench.state(), bench.strays()
    if said.startswith(("BROKE", "refused")):
        return said
    if strays and not (len(strays) == 1 and got["unlink"]):
        return f"{said}; left {strays}"
    if state != ("new" if said == "ok" or got["folder"] else "old"):
        return f"{said}; the file is {state}"
    return ""


def judge_load(bench: Bench, got: dict[str, object]) -> str:
    """What is wrong after a load, or ""."""
    said = str(got["said"])
    return said if not said.startswith(("ok", "refused")) or bench.state() != "old" else ""


def points(calls: int, step: int) -> list[int]:
    """The first and last calls, which are all of the kinds there are, and each step-th between."""
    return [k for k in range(1, calls + 1) if k <= 20 or k > calls - 12 or k % step == 0]


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
    bad, total, calls, survived = [], 0, {}, 0
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
                survived += got["said"] == "ok"
                wrong = judge(bench, got)
                if wrong:
                    bad.append(f"{what}, {plan}, call {k} ({got['name']}): {wrong}")
    out |= {"calls": calls, "plans": len(PLANS), "faults": total, "survived": survived, "bad": bad}
    return out


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


def storm(bench: Bench, args: argparse.Namespace) -> dict[str, object]:
    """Kills at random moments of a process that saves without end."""
    draw = random.Random(args.seed)
    bad, states, strays = [], {"old": 0, "new": 0}, 0
    bench.reset()
    for i in range(args.count):
        pid = os.fork()
        if pid == 0:
            which = i % 2
            while True:
                bench.save(which)
                which = 1 - which
        time.sleep(draw.random() * 0.006)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        state = bench.state()
        states[state] = states.get(state, 0) + 1
        left = bench.strays()
        strays += len(left)
        if state not in ("old", "new") or len(left) > 1:
            bad.append(f"kill {i}: {state}, beside it {left}")
        for name in left:
            os.unlink(bench.folder / name)
    return {"kills": args.count, "states": states, "temporary files left": strays, "bad": bad}


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


VERBS = {"sweep": sweep, "kills": kills, "storm": storm, "writers": writers}


def main() -> int:
    """Run a verb; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--plant", choices=("in-place", "no-unlink"))
    args = parser.parse_args()
    if "shim.so" not in os.environ.get("LD_PRELOAD", ""):
        return restart()
    folder = Path(tempfile.mkdtemp())
    try:
        figures = VERBS[args.verb](Bench(folder, args.plant), args)
    finally:
        shutil.rmtree(folder)
    print(json.dumps(figures))
    return 1 if figures["bad"] else 0


if __name__ == "__main__":
    sys.exit(main())
