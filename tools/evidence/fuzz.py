# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part A: runs of the fuzz targets, added to the counters of docs/evidence.json.

The driver has no coverage feedback (`random`); libFuzzer (`libfuzzer`) and AFL++ (`afl`) have, and
are left out where clang or afl-fuzz is missing. A slice that ends in a finding counts as one, keeps
its input under build/fuzz, and ends the part. Every slice has a seed of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import _book
from _engine import SOURCES

ROOT = _book.ROOT
HERE = ROOT / "tests" / "fuzz"
WORK = ROOT / "build" / "fuzz"
ASAN = ["-O2", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
SANITIZERS = {"none": ["-O2"], "address,undefined": ASAN}
QUICK = "quarantine_size_mb=1:malloc_context_size=0:max_free_fill_size=0"
LARGEST = 4096


def build(name: str, compiler: str, *flags: str) -> Path:
    """The target as a program; with FUZZ_DRIVER it holds its own main. Raises RuntimeError."""
    WORK.mkdir(parents=True, exist_ok=True)
    own = [HERE / "mutate.c", HERE / "fuzz_load.c"]
    if "-DFUZZ_DRIVER" in flags:
        own.append(HERE / "drive.c")
    command = [compiler, "-std=c11", *flags, f"-I{ROOT}/engine/include", f"-I{ROOT}/engine/src",
               f"-I{HERE}", *own, *SOURCES, "-lm", "-lpthread", "-o", WORK / name]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return WORK / name


def seeds() -> list[Path]:
    """The small files of the conformance set."""
    from efm3.conformance.cases import corpus

    folder = WORK / "seeds"
    folder.mkdir(parents=True, exist_ok=True)
    for case in corpus():
        if case.kind == "reader" and 0 < len(data := case.data()) < LARGEST:
            (folder / f"{case.id}.bin").write_bytes(data)
    return sorted(folder.iterdir())


def _run(command: list[Any], **extra: str) -> tuple[int, str, float]:
    start = time.monotonic()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          cwd=WORK, env=os.environ | {"ASAN_OPTIONS": QUICK} | extra)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - start


def drive(sanitizer: str, times: int, slice_: int = 1_000_000) -> bool:
    """The driver without feedback, in slices; False at a finding."""
    compiler = "clang" if shutil.which("clang") else "cc"
    name = f"drive-{'plain' if sanitizer == 'none' else 'asan'}"
    program = build(name, compiler, "-DFUZZ_DRIVER", *SANITIZERS[sanitizer])
    files = seeds()
    done = 0
    while done < times:
        seed, n = _book.total("fuzz_c.random") // 1000 + 1, min(slice_, times - done)
        code, out, took = _run([program, "random", n, seed, *files])
        if code:
            (WORK / f"finding-{name}-{seed}.txt").write_text(out)
        _book.count("fuzz_c.random", sanitizer, 0 if code else n, took,
                    "drive random (no coverage feedback)", int(code != 0))
        if code:
            return False
        done += n
    return True


def libfuzzer(sanitizer: str, seconds: int) -> bool:
    """libFuzzer on the grown corpus for some seconds; False at a finding."""
    kind = "plain" if sanitizer == "none" else "asan"
    flags = ["-fsanitize=fuzzer"] if kind == "plain" else [
        "-g", "-fno-sanitize-recover=all", "-fsanitize=fuzzer,address,undefined"]
    program = build(f"libfuzzer-{kind}", "clang", "-O2", *flags)
    (WORK / "grown").mkdir(exist_ok=True)
    seeds()
    code, out, took = _run([program, f"-max_total_time={seconds}", f"-max_len={LARGEST}",
                            "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
                            "-verbosity=0", WORK / "grown", WORK / "seeds"])
    found = re.search(r"number_of_executed_units:\s*(\d+)", out)
    if code:
        (WORK / f"finding-libfuzzer-{kind}.txt").write_text(out)
    _book.count("fuzz_c.libfuzzer", sanitizer, int(found[1]) if found else 0, took,
                f"libFuzzer, -max_len={LARGEST}", int(code != 0))
    return code == 0


def afl(seconds: int) -> bool:
    """AFL++ on the same target for some seconds; False at a crash or hang."""
    program = build("afl-load", "afl-clang-fast", "-O2", "-fsanitize=fuzzer")
    out = WORK / "afl"
    shutil.rmtree(out, ignore_errors=True)
    seeds()
    code, text, took = _run(["afl-fuzz", "-V", seconds, "-t", "1000", "-i", WORK / "seeds", "-o",
                             out, "--", program], AFL_SKIP_CPUFREQ="1", AFL_NO_UI="1",
                            AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES="1", AFL_NO_AFFINITY="1")
    stats = dict(re.findall(r"^(\w+)\s*: (.*)$", (out / "default/fuzzer_stats").read_text(),
                            re.MULTILINE)) if (out / "default/fuzzer_stats").is_file() else {}
    if not stats:
        raise RuntimeError(f"afl-fuzz ended with {code}: {text[-2000:]}")
    bad = int(stats["saved_crashes"]) + int(stats["saved_hangs"])
    _book.count("fuzz_c.afl", "none", int(stats["execs_done"]), took, "afl-fuzz -t 1000", bad)
    return bad == 0


def python(seconds: int) -> bool:
    """The driver over Python's scan, validate and load; False at a finding."""
    code, out, took = _run([ROOT / ".venv/bin/python", HERE / "fuzz_python.py", seconds,
                            _book.total("fuzz_python") + 1])
    found = re.search(r"python: (\d+) inputs", out)
    if code:
        (WORK / "finding-python.txt").write_text(out)
    _book.count("fuzz_python.random", "none", int(found[1]) if found else 0, took,
                "fuzz_python.py (no coverage feedback)", int(code != 0))
    return code == 0


def summary() -> dict[str, dict[str, Any]]:
    """The totals so far, over all commits."""
    rows = [(name, row) for name, all_ in _book.read()["counters"].items()
            if name.startswith("fuzz_") for row in all_]
    numbers: dict[str, Any] = {
        "C executions": _book.total("fuzz_c"),
        "of these under ASan and UBSan": _book.total("fuzz_c", "address,undefined"),
        "of these with coverage feedback": _book.total("fuzz_c.libfuzzer") + _book.total(
            "fuzz_c.afl"),
        "Python executions": _book.total("fuzz_python"),
        "findings": sum(row["findings"] for _, row in rows)}
    return {"executions in all": _book.figure("python tools/evidence fuzz", numbers)}


def run(long: bool) -> dict[str, dict[str, Any]]:
    """A round of each target that can be built here."""
    unit = 60 if long else 1
    sound = drive("address,undefined", 100_000 * unit) and drive("none", 1_000_000 * unit)
    if sound and shutil.which("clang"):
        sound = libfuzzer("address,undefined", 10 * unit) and libfuzzer("none", 10 * unit)
    if sound and shutil.which("afl-clang-fast"):
        sound = afl(10 * unit)
    if sound:
        python(10 * unit)
    return summary()
