# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Fuzzes what Python does with bytes of strangers: only the documented errors may escape.

`python -m tests.fuzz.fuzz_python` and one of

  run ROUNDS SEED [TARGET ...]    without coverage feedback; the same words give the same inputs. A
                                  line for each target: "TARGET EXECUTIONS SECONDS", seconds of CPU
  one TARGET FILE ...             replays inputs
  atheris TARGET [OPTION ...]     with atheris' coverage feedback; the options are libFuzzer's

One execution is one target given one input. An input at which something else escapes, or that
takes longer than SLOWEST, is kept as build/fuzz/finding-TARGET-DIGEST and ends the run with 1.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tests.fuzz.targets import Kind, Target

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

SLOWEST = 5.0
"""CPU seconds; no input is larger than some KiB."""
MOST, EACH, FRESH = 1 << 15, 8, 16


def main(argv: list[str]) -> int:
    """One of the three verbs; the exit code."""
    if len(argv) > 2 and argv[1] == "atheris":
        guided(argv[2], argv[3:])
    from tests.fuzz import targets

    if len(argv) > 3 and argv[1] == "run":
        known = targets.available()
        names = argv[4:] or list(known)
        return run(int(argv[2]), int(argv[3]), {n: known[n] for n in names})
    if len(argv) > 3 and argv[1] == "one":
        for path in argv[3:]:
            targets.available()[argv[2]].check(Path(path).read_bytes())
        return 0
    print(__doc__, file=sys.stderr)
    return 2


class Pool:
    """Inputs to start from: the first ones, and some that each verdict was given for.

    So that rare verdicts are met as often as common ones, and mistakes add up.
    """

    def __init__(self, seeds: list[bytes]) -> None:
        self._seeds = seeds
        self._met: dict[str, list[bytes]] = {}

    def pick(self, rng: random.Random) -> bytes:
        """An input to mutate."""
        if not self._met or rng.randrange(3) == 0:
            return rng.choice(self._seeds)
        return rng.choice(self._met[rng.choice(list(self._met))])

    def keep(self, rng: random.Random, verdict: str, data: bytes) -> None:
        """Perhaps keep an input, and what was said of it."""
        own = self._met.setdefault(verdict, [])
        if len(own) < EACH:
            own.append(data)
        elif rng.randrange(FRESH) == 0:
            own[rng.randrange(EACH)] = data


def run(rounds: int, seed: int, chosen: dict[str, Target]) -> int:
    """`rounds` rounds, each with one input for every target whose turn it is; the exit code."""
    rng = random.Random(seed)
    count = dict.fromkeys(chosen, 0)
    spent = dict.fromkeys(chosen, 0.0)
    # Targets of one kind share their inputs, as the mutator costs more than some of them.
    kinds: dict[Kind, list[str]] = {}
    for name, target in chosen.items():
        kinds.setdefault(target.kind, []).append(name)
    pools = {kind: Pool(kind.seeds()) for kind in kinds}
    for i in range(rounds):
        for kind, names in kinds.items():
            if i % kind.every:
                continue
            data = kind.mutate(rng, pools[kind].pick(rng))
            for name in names:
                start = time.thread_time()
                try:
                    verdict = chosen[name].check(data)
                except Exception:
                    return found(name, data, traceback.format_exc())
                took = time.thread_time() - start
                count[name] += 1
                spent[name] += took
                if took > SLOWEST:
                    return found(name, data, f"{took:.1f} s")
                if verdict and len(data) < MOST:
                    pools[kind].keep(rng, verdict, data)
    for name in chosen:
        print(name, count[name], round(spent[name], 2), flush=True)
    return 0


def found(name: str, data: bytes, why: str) -> int:
    """Keep a finding; 1."""
    path = ROOT / "build" / "fuzz" / f"finding-{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"{why}\n{name}: kept as {path}", file=sys.stderr)
    return 1


def guided(name: str, options: list[str]) -> NoReturn:
    """atheris on one target; does not return."""
    import atheris

    with atheris.instrument_imports(include=["efm3"]):
        from tests.fuzz import targets

        target = targets.available()[name]
        target.prepare()
    folder = ROOT / "build" / "fuzz" / f"python-{name}"
    first = folder.with_name(f"{folder.name}-seeds")
    for place in (folder, first):
        place.mkdir(parents=True, exist_ok=True)
    for data in target.kind.seeds():
        (first / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        return target.kind.mutate(random.Random(seed), bytes(data))[:max_size]

    atheris.Setup([sys.argv[0], f"-max_len={MOST}", *options, str(folder), str(first)],
                  lambda data: target.check(data) and None, custom_mutator=mutate)
    atheris.Fuzz()
    raise AssertionError("atheris ends the process")


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main(sys.argv))
