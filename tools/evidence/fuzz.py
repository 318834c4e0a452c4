# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part A in C: runs of the fuzz targets, added to the counters of docs/evidence.json.

The driver has no coverage feedback (`drive`); libFuzzer and AFL++ have, start from the files of
the last runs, and are left out where clang or afl-fuzz is missing; such a round is not recorded as
one, its runs are counted. A slice that ends in a finding counts as one, keeps its input under
build/fuzz and fails the part.

Three targets, as most of what a whole load takes is the packing of weights that were accepted: the
load and its forward passes (`load`), the reader that accepts or refuses (`read`), and the text that
it reads (`mirror`). Only libFuzzer's own count of executions is counted.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from tools import ROOT
from tools.cc import SOURCES, SRC, cc
from tools.evidence import _book, _sources

HERE = ROOT / "tests" / "fuzz"
WORK = ROOT / "build" / "fuzz"
GROWN = WORK / "grown"
"""Where libFuzzer keeps what reaches new code; AFL++ adds to it."""
SAN = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# clang needs five minutes for the vector kernels under sanitizers, gcc one: so the driver, built
# by gcc, runs every instruction set under them, and libFuzzer the scalar kernels alone.
DRIVER = {"none": ["-O2"], "address,undefined": ["-O1", *SAN]}
GUIDED = {"none": ["-O2", "-fsanitize=fuzzer"],
          "address,undefined": ["-O2", "-DMFN_NO_SIMD", "-fsanitize=fuzzer", *SAN],
          "memory": ["-O2", "-DMFN_NO_SIMD", "-g", "-fsanitize=fuzzer,memory"]}
SHORT_NAME = {"none": "plain", "address,undefined": "asan", "memory": "msan"}
QUICK = "quarantine_size_mb=1:malloc_context_size=0:max_free_fill_size=0"
LARGEST = 4096
NARROW = HERE / "narrow"
READER = [SRC / name for name in ("loader.c", "network.c", "mirror.c", "status.c")]


class Target(NamedTuple):
    """A target of libFuzzer: what it is built from, its first inputs, and where it keeps more."""

    sources: Sequence[Path]
    grown: Path = GROWN
    texts: bool = False


TARGETS = {
    "load": Target([HERE / "mutate.c", HERE / "fuzz_load.c", *SOURCES]),
    "read": Target([HERE / "mutate.c", NARROW / "fuzz_read.c", *READER]),
    "mirror": Target([NARROW / "fuzz_mirror.c", *READER], WORK / "grown-mirror", True)}
"""Those of one kind of input share what they grew."""
DICTIONARY = HERE / "continuous" / "efm3.dict"
ROUND = (("address,undefined", "read", 300_000), ("address,undefined", "mirror", 50_000),
         ("address,undefined", "load", 0), ("memory", "read", 20_000),
         ("memory", "mirror", 10_000), ("none", "load", 0))
"""What libFuzzer runs in a short round: sanitizer, target, executions; 0 for ten seconds. A long
round is sixty times as much: more than 20 million under ASan and UBSan."""
SLOW = 10
"""Seconds after which an input is a finding."""
LONG, SLICES, LONGEST = 60, 12, 60
"""How many short rounds a long one is, the steps in which each program makes them, and the seconds
after which a step ends that should make the executions of a short round."""


class Finding(Exception):
    """A fuzz target gave up; the message says where what it said is kept."""


def say(what: str, executions: int, seconds: float, more: str = "") -> None:
    """A line of progress on stderr."""
    rate = executions / max(seconds, 0.1)
    print(f"fuzz: {what}: {executions:,} executions, {rate:,.0f}/s{more}", file=sys.stderr,
          flush=True)


def build(name: str, compiler: str, *flags: str, sources: Sequence[Path] = ()) -> Path:
    """The target as a program, or other `sources`; with FUZZ_DRIVER it holds its own main.

    Built only where a source is newer. Raises RuntimeError.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    own = list(sources or TARGETS["load"].sources)
    if "-DFUZZ_DRIVER" in flags:
        own.append(HERE / "drive.c")
    # The flags are written beside it: a program of other flags is another.
    mark, words = WORK / f"{name}.flags", f"{compiler} {' '.join(flags)}"
    newest = max(p.stat().st_mtime for folder in (HERE, ROOT / "engine")
                 for p in folder.rglob("*.[chd]*"))
    if ((WORK / name).exists() and (WORK / name).stat().st_mtime > newest and mark.exists()
            and mark.read_text() == words):
        return WORK / name
    folders = [f"-I{folder}" for folder in (SRC, HERE, NARROW)]
    wrong = cc(*flags, *folders, *own, "-lm", "-lpthread", "-o", WORK / name,
               compiler=compiler)
    if wrong:
        raise RuntimeError(wrong)
    mark.write_text(words)
    return WORK / name


def seeds() -> list[Path]:
    """The small files of the conformance set; their mirrors beside them, as texts."""
    from efm3.conformance.cases import corpus
    from efm3.scan import scan

    folder, texts = WORK / "seeds", WORK / "seeds-mirror"
    for place in (folder, texts):
        place.mkdir(parents=True, exist_ok=True)
    for case in corpus():
        if case.kind == "reader" and 0 < len(data := case.data()) < LARGEST:
            (folder / f"{case.id}.bin").write_bytes(data)
            if (mirror := scan(data).mirror) is not None:
                (texts / f"{case.id}.json").write_bytes(mirror)
    return sorted(folder.iterdir())


def _run(command: list[Any], **extra: str) -> tuple[int, str, float]:
    start = time.monotonic()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          cwd=WORK, env=os.environ | {"ASAN_OPTIONS": QUICK} | extra)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - start


def _keep(name: str, out: str) -> Finding:
    path = WORK / f"finding-{name}.txt"
    path.write_text(out, encoding="utf-8")
    return Finding(str(path.relative_to(ROOT)))


def drive(sanitizer: str, times: int) -> None:
    """The driver without feedback. Raises Finding."""
    name = f"drive-{SHORT_NAME[sanitizer]}"
    program = build(name, "cc", "-DFUZZ_DRIVER", *DRIVER[sanitizer])
    seed = _book.total("fuzz_c.random") // 1000 + 1
    code, out, took = _run([program, "random", times, seed, *seeds()])
    _book.count("fuzz_c.random", sanitizer, 0 if code else times, took,
                _sources.RANDOM, int(code != 0))
    if code:
        raise _keep(f"{name}-{seed}", out)
    say(f"driver, {sanitizer}", times, took)


@lru_cache(maxsize=1)
def has_libfuzzer() -> bool:
    """True where clang is here with its run-time library, which is a package of its own."""
    if not shutil.which("clang"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "x.c"
        source.write_text("#include <stddef.h>\n#include <stdint.h>\n"
                          "int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);\n"
                          "int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) "
                          "{ return p && n ? 0 : 0; }\n")
        return not cc("-fsanitize=fuzzer,address", source, "-o", Path(folder) / "x",
                      compiler="clang")


def libfuzzer_program(sanitizer: str, target: str = "load") -> Path:
    """A target under libFuzzer."""
    return build(f"libfuzzer-{target}-{SHORT_NAME[sanitizer]}", "clang", *GUIDED[sanitizer],
                 sources=TARGETS[target].sources)


def libfuzzer(sanitizer: str, seconds: int, target: str = "load", runs: int = -1,
              again: int = 2) -> None:
    """libFuzzer on the grown corpus for some seconds, at most `runs` executions. Raises Finding,
    RuntimeError where it does not say how many it made.

    libFuzzer's timeout is of the clock on the wall, so an input during which the machine was
    stopped looks slow. One that is not slow alone is no finding; the rest is run, `again` times.
    """
    name = f"libfuzzer-{target}-{SHORT_NAME[sanitizer]}"
    program = libfuzzer_program(sanitizer, target)
    chosen = TARGETS[target]
    chosen.grown.mkdir(exist_ok=True)
    seeds()
    code, out, took = _run([program, f"-max_total_time={seconds}", f"-max_len={LARGEST}",
                            f"-runs={runs}", f"-timeout={SLOW}", "-rss_limit_mb=2048",
                            "-print_final_stats=1", f"-dict={DICTIONARY}",
                            f"-artifact_prefix={WORK}/finding-{name}-", chosen.grown,
                            WORK / ("seeds-mirror" if chosen.texts else "seeds")])
    units = re.search(r"number_of_executed_units:\s*(\d+)", out)
    executions = int(units[1]) if units else 0
    if not code and not executions:
        raise RuntimeError(f"{name} does not say how many executions it made: {out[-2000:]}")
    late = re.search(r"Test unit written to (\S+-timeout-\w+)", out) if again else None
    stopped = late is not None and not _run([program, f"-timeout={SLOW}", late[1]])[0]
    _book.count(f"fuzz_c.libfuzzer.{target}", sanitizer, executions, took,
                _sources.LIBFUZZER, int(code != 0 and not stopped))
    if late and stopped:
        Path(late[1]).unlink()
        say(f"libFuzzer, {target}, {sanitizer}, stopped by a timeout that is none alone",
            executions, took)
        if seconds > took and (left := runs - executions if runs > 0 else -1):
            libfuzzer(sanitizer, round(seconds - took), target, left, again - 1)
        return
    if code:
        raise _keep(name, out)
    covered = re.findall(r"INITED cov: (\d+)|DONE +cov: (\d+)", out)
    edges = " to ".join(a or b for a, b in covered)
    say(f"libFuzzer, {target}, {sanitizer}", executions, took, f", edges {edges}")


def afl(seconds: int) -> None:
    """AFL++ on the same target for some seconds; what it finds goes to libFuzzer's corpus.

    Raises Finding for a crash or a hang, RuntimeError where afl-fuzz does not start.
    """
    program = build("afl-load", "afl-clang-fast", "-O2", "-fsanitize=fuzzer")
    mutator = build("afl_mutate.so", "cc", "-O2", "-shared", "-fPIC", sources=[
        HERE / "afl_mutate.c", HERE / "mutate.c", ROOT / "engine/src/network.c"])
    out = WORK / "afl"
    shutil.rmtree(out, ignore_errors=True)
    seeds()
    code, text, took = _run(["afl-fuzz", "-V", seconds, "-t", "1000", "-i", WORK / "seeds", "-o",
                             out, "--", program], AFL_SKIP_CPUFREQ="1", AFL_NO_UI="1",
                            AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES="1", AFL_NO_AFFINITY="1",
                            AFL_CUSTOM_MUTATOR_LIBRARY=str(mutator),
                            ASAN_OPTIONS="abort_on_error=1:symbolize=0")
    stats = dict(re.findall(r"^(\w+)\s*: (.*)$", (out / "default/fuzzer_stats").read_text(),
                            re.MULTILINE)) if (out / "default/fuzzer_stats").is_file() else {}
    if not stats:
        raise RuntimeError(f"afl-fuzz ended with {code}: {text[-2000:]}")
    executions = int(stats["execs_done"])
    bad = int(stats["saved_crashes"]) + int(stats["saved_hangs"])
    _book.count("fuzz_c.afl", "none", executions, took, _sources.AFL, bad)
    if bad:
        kept = WORK / f"finding-afl-{int(time.time())}"
        shutil.copytree(out, kept)
        raise Finding(str(kept.relative_to(ROOT)))
    GROWN.mkdir(exist_ok=True)
    for path in (out / "default/queue").glob("id:*"):
        shutil.copyfile(path, GROWN / hashlib.sha256(path.read_bytes()).hexdigest()[:40])
    say("AFL++", executions, took, f", edges {stats['edges_found']} of {stats['total_edges']}, "
        f"{stats['corpus_found']} files found")


def run(long: bool) -> Iterator[_book.Step]:
    """The steps of a round of each target. They raise Finding; the end raises NotHere where one
    cannot be built here."""
    slices = SLICES if long else 1
    unit = LONG // slices if long else 1

    def each(words: str, step: Callable[[], None]) -> Iterator[_book.Step]:
        for k in range(slices):
            yield f"{words}, {k + 1} of {slices}", step
    for sanitizer, times in (("address,undefined", 50_000), ("none", 200_000)):
        yield from each(f"driver, {sanitizer}", partial(drive, sanitizer, times * unit))
    libfuzzer_here, afl_here = has_libfuzzer(), shutil.which("afl-clang-fast")
    if libfuzzer_here:
        for sanitizer, target, runs in ROUND:
            seconds = (LONGEST if runs else 10) * unit
            yield from each(f"libFuzzer, {target}, {sanitizer}", partial(
                libfuzzer, sanitizer, seconds, target, runs * unit or -1))
    if afl_here:
        yield from each("AFL++", partial(afl, 10 * unit))
    absent = [tool for tool, found in (("clang with libFuzzer", libfuzzer_here),
                                       ("afl-clang-fast", afl_here)) if not found]
    if absent:
        raise _book.NotHere(f"not installed: {', '.join(absent)} (tools/evidence/install_fuzz.sh)")
