# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Load, save and embed while the interpreter's k-th allocation fails, or all that follow.

    python -m tests.faults.nomemory [--step N]

Every k (or every N-th) in a child of its own: it must end with the right result, MemoryError or
IO001, with the old file or the new and nothing beside it. construct words a MemoryError as its own
error, and numpy's `all` may give SystemError: counted apart. Where memory stays away while a save
cleans up, its temporary file may stay: counted too. Not for ever: CPython 3.11 spins where
it raises and cannot make one integer; ten thousand failures are more than any way out needs.
Prints figures as JSON; exit 1 where
`bad` is not empty, 77 where this interpreter has no such hook.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from construct import ConstructError

import efm3
from efm3 import engine
from tests.faults.bench import Bench

try:
    import _testcapi  # type: ignore[import-not-found]  # a module of CPython's own tests
    set_nomemory = _testcapi.set_nomemory
except (ImportError, AttributeError):
    sys.exit(77)

X = np.zeros((2, 112, 112, 3), np.uint8)
MANY = 10000
WORDS = ("ok", "MemoryError", "IO001", "construct's or numpy's error", "another error",
         "wrong result")


def attempt(act: Callable[[], bool], first: int, last: int) -> str:
    """How `act` ended in a child whose allocations first..last-1 fail."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(200)
        # No allocation between the failure and the verdict: it is an exit code.
        code = 4
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        set_nomemory(first, last)
        try:
            code = 0 if act() else 5
        except MemoryError:
            code = 1
        except efm3.Efm3Error as e:
            _testcapi.remove_mem_hooks()
            code = 2 if e.code == "IO001" else 4
        except (ConstructError, SystemError):
            code = 3
        except BaseException:
            code = 4
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    code = os.WEXITSTATUS(status)
    return WORDS[code] if code < len(WORDS) else f"exit {code}"


def allocations(act: Callable[[], bool]) -> int:
    """How many `act` makes: the least k from which all may fail and it still ends well."""
    low, high = 0, 1 << 20
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if attempt(act, middle, middle + MANY) == "ok" else (middle, high)
    return high


def main() -> int:
    """Run; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", type=int, default=1)
    step = parser.parse_args().step
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), None)
        path = str(bench.path)  # CPython's os.fspath turns MemoryError into TypeError

        def load() -> bool:
            model = efm3.load(path)
            return len(model.tensors) == len(bench.models[0].tensors)

        def save() -> bool:
            bench.models[1].save(path)
            return True

        actions: dict[str, Callable[[], bool]] = {"load": load, "save": save}
        if engine.available():
            live = efm3.Engine(bench.old, threads=2)
            want = live.embed(X)
            actions["engine load"] = lambda: efm3.Engine(path).embedding_dim == len(want[0])
            actions["embed"] = lambda: bool((live.embed(X) == want).all())
        figures: dict[str, object] = {}
        bad = []
        for what, act in actions.items():
            ends, many = Counter[str](), allocations(act)
            for k in range(0, many, step):
                for last in (k + 1, k + MANY):
                    bench.reset()
                    end = attempt(act, k, last)
                    ends[end] += 1
                    where = f"{what}, allocation {k}, to {last - 1}: {end}"
                    if end not in WORDS[:4]:
                        bad.append(where)
                    state, strays = bench.state(), bench.strays()
                    if strays and last > k + 1 and len(strays) == 1 and what == "save":
                        ends["temporary file left"] += 1
                        strays = []
                    want_state = "new" if what == "save" and end == "ok" else "old"
                    # After the rename only the folder is left to sync and to close.
                    renamed = what == "save" and end == "MemoryError" and state == "new"
                    if strays or not (state == want_state or renamed):
                        bad.append(f"{where}; {state}, beside it {strays}")
            figures[what] = {"allocations": many, **dict(sorted(ends.items()))}
    print(json.dumps({**figures, "bad": bad}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
