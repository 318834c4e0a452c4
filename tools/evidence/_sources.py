# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What each figure depends on, and the digests that tell whether that is still the same.

`GROUPS` names the sources once, `DEPENDS` says which groups a figure or counter was measured on. A
figure keeps the digest of each of its groups; it is stale by the groups whose digest is another
now. A changed comment makes a figure stale too; documents and generated pages are in no group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

from tools import ROOT, layers

LENGTH = 12
"""Hexadecimal digits of a digest: enough for chance, not for an attack."""

GENERATED = ("efm3/codes/_examples.py",)

COVERED = tuple(f"efm3/{m}.py" for m in (
    "scan", "arch", "mirror", "model", "source", "validator", "network", "rules/*"))
"""The modules whose branches are counted."""

COVERING = tuple(f"tests/{t}" for t in (
    "test_scan.py", "test_arch.py", "test_mirror.py", "test_model.py", "test_source.py",
    "test_network.py", "test_validator.py", "test_coherence.py", "rules",
    "test_conformance.py::test_findings_are_the_expected_ones",
    "test_conformance.py::test_the_writer_and_the_editor_conform"))
"""The tests that take them."""


def _checked() -> tuple[str, ...]:
    """The modules whose checks are taken out, and the tests that shall see it."""
    from tools.mutants import _rooms, python

    tests = [*(test for _, own in python.CHECKED.values() for test in own),
             *(test for room in _rooms.CHECKED.values() for test in room.tests)]
    return (*python.CHECKED, *_rooms.CHECKED, *_files(tests))


def _converters() -> tuple[str, ...]:
    """The modules of efm3/convert/, which import one another by name at most, and the pickles."""
    own = (name for name in layers.files() if name.split(".")[:2] == ["efm3", "convert"])
    return ("efm3.pickles", *own)


def _files(tests: Iterable[str]) -> list[str]:
    names = {test.split("::")[0] for test in tests}
    return [name if name.endswith(".py") else f"{name}/*.py" for name in sorted(names)]


GROUPS: dict[str, tuple[str, ...] | Callable[[], tuple[str, ...]]] = {
    "engine": ("engine/include/*.h", "engine/src/*.[ch]", "engine/src/*.def"),
    "reader in C": ("engine/include/*.h", "engine/src/*.h", "engine/src/status.def",
                    *(f"engine/src/{m}.c" for m in ("loader", "network", "mirror", "status"))),
    # Those of WebAssembly are in no program that a figure was measured on.
    "kernels": ("engine/src/kernels/[!w]*.[ch]",),
    "checks in C": ("engine/tests/*.[ch]",),
    "binding": ("efm3.engine", "efm3/_engine_build.py"),
    "readers": ("efm3.scan", "efm3.model", "efm3.validator"),
    "inspection": ("efm3.inspection",),
    "opening": ("efm3/source.py", "efm3/reading.py", "engine/src/file.c", "engine/src/platform*"),
    "saving": ("efm3/source.py", "efm3/model.py"),
    "converters": _converters,
    "every reader": ("efm3/*.py", *(f"efm3/{room}/**/*.py" for room in (
        "bulk", "conformance", "convert", "evaluation", "index", "photos", "pictures", "rules",
        "sniff", "train/data"))),
    "writer's bytes": ("efm3.model", "efm3.conformance.sample", "tools/foreign/same_bytes.py"),
    "cases": ("spec/cases/valid/**/*", "spec/cases/invalid/**/*", "spec/cases/either/**/*",
              *(f"efm3/conformance/{m}.py" for m in ("cases", "recipe", "weights", "home",
                                                     "sample"))),
    "engine's cases": ("spec/cases/engine/**/*", "spec/vectors/*",
                       "efm3/conformance/engines.py", "efm3/reference.py", "efm3/precision.py"),
    "damage": ("tools/evidence/_[dhm]*.py", "tests/hostile/*.c", "tests/fuzz/mutate.[ch]",
               "efm3/conformance/sample.py", "efm3/conformance/disagree.py"),
    "fuzz targets in C": ("tests/fuzz/**/*.[ch]",),
    "fuzz targets in Python": ("tests/fuzz/*.py", "tests/fuzz/mutate.[ch]"),
    "fault drivers": ("tests/faults/shim.c", *(f"tests/faults/{m}.py" for m in (
        "bench", "kills", "syscalls"))),
    "memory's driver": ("tests/faults/nomemory.py", "tests/faults/bench.py"),
    "odd files": ("tests/faults/special.py",),
    "scenarios": ("tests/processes/scenarios.py",),
    "soak's program": ("tests/processes/soak.py",),
    "machines": ("tools/foreign/machines.py", "tools/foreign/install_cross.sh"),
    "mutants": ("tools/mutants/*.py", "tools/evidence/exceptions.toml"),
    "checked modules": _checked,
    "covered modules": (*COVERED, *_files(COVERING)),
}
"""Name to globs below the root; what has no slash is a module with all that it imports."""

DEPENDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("fuzz_c", "fuzz"), ("engine", "kernels", "fuzz targets in C")),
    "fuzz_c.libfuzzer.read": ("reader in C", "fuzz targets in C"),
    "fuzz_c.libfuzzer.mirror": ("reader in C", "fuzz targets in C"),
    "fuzz_python": ("every reader", "fuzz targets in Python"),
    **{f"fuzz_python.{target}": ("readers", "fuzz targets in Python")
       for target in ("load", "validate", "scan", "mirror")},
    **{f"fuzz_python.{target}": ("readers", "converters", "fuzz targets in Python")
       for target in ("npz", "safetensors", "onnx", "c_array", "torch_zip", "tflite", "ncnn",
                      "mxnet", "caffe", "torch", "torchscript")},
    "exhaustive": ("engine", "readers", "damage"),
    "differential": ("engine", "readers", "damage", "cases"),
    "limits": ("readers", "inspection", "damage", "cases"),
    "faults": ("saving", "fault drivers"),
    "faults.calls that fail": ("saving", "opening", "fault drivers"),
    "faults.no memory": ("engine", "kernels", "checks in C"),
    "faults.no memory, in Python": ("engine", "kernels", "readers", "binding", "memory's driver"),
    "faults.special files": ("opening", "saving", "odd files"),
    "memory": ("engine", "kernels", "checks in C", "cases"),
    "threads": ("engine", "kernels", "checks in C"),
    "threads.ends of a process": ("engine", "kernels", "binding", "scenarios"),
    "soak": ("engine", "kernels", "checks in C"),
    "soak.soak in Python": ("engine", "kernels", "binding", "readers", "soak's program"),
    "foreign": ("engine", "kernels", "checks in C", "cases", "engine's cases", "machines"),
    "foreign.big-endian writer": ("writer's bytes", "machines"),
    "checks.mutants_c": ("engine", "checks in C", "cases", "mutants"),
    "checks.mutants_python": ("checked modules", "cases", "mutants"),
    "branches.branches_c": ("engine", "checks in C", "cases", "mutants"),
    "branches.branches_python": ("covered modules", "cases"),
}
"""PART or PART.FIGURE, or the first word of a counter or all of it, to groups. A figure's own entry
goes before its part's. The module of the part with all that it imports, but what keeps the book
(KEEPERS), is one more group of each, by the name `tool`."""

KEEPERS = tuple(f"tools.evidence.{name}" for name in ("_book", "_sources", "__main__"))
"""What only writes figures down, and knows every group by itself."""

COUNTERS = {"fuzz_c": "fuzz"}
"""The first word of a counter to the part that counts it, where they differ."""

COUNTING = ("fuzz", "fuzz_python")
"""The parts that count runs; one round of all their targets is their only figure."""

FIGURES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(COUNTING, ("a round",)),
    "exhaustive": (
        "cut at every byte", "every bit of the first 4 KiB and of every size",
        "every value of the first 100 bytes", "every u32 at 40 values",
        "every pair of u32s at 40 x 40 values, at 12 x 12 in Python"),
    "differential": ("mutated files",),
    "limits": ("memory of a refusal in Python", "time of a refusal in Python"),
    "faults": ("no memory", "no memory, in Python", "special files", "calls that fail",
               "killed at each call", "two writers", "kill -9 storm",
               "kill -9 storm, files in memory"),
    "memory": ("the loader under MemorySanitizer", "the engine under MemorySanitizer"),
    "threads": ("threads under ThreadSanitizer", "threads, bit for bit", "fork",
                "ends of a process"),
    "soak": ("soak in C", "soak in Python"),
    "foreign": ("big-endian writer", "aarch64", "armhf", "riscv64", "s390x", "i686 (x87)",
                "i686 (SSE2)", "aarch64 (dot product)", "x86-64 processors"),
    "checks": ("mutants_c", "mutants_python"),
    "branches": ("branches_c", "branches_python"),
}
"""Part to its figures: what the page and a release want, measured or not."""

RANDOM, LIBFUZZER, AFL, MUTATED, PYTHON, ATHERIS = (
    "drive random (no coverage feedback)", "libFuzzer, -max_len=4096", "afl-fuzz -t 1000",
    "python -m tools.evidence --long differential", "fuzz_python.py run (no coverage feedback)",
    "fuzz_python.py atheris (coverage feedback)")
"""The commands of counters."""

FUZZED = (
    "scan", "validate", "load", "mirror", "c_array", "npz", "ncnn", "tflite", "mxnet", "caffe",
    "torch", "safetensors", "onnx", "statement", "results", "edit", "answer", "sniff",
    "settings", "gitignore", "table_parquet", "table_npz", "table_npy", "table_csv",
    "table_jsonl", "detector", "near", "archive", "list", "picture", "pairs_bin", "pairs_txt",
    "torch_load", "records", "shards", "cache")
"""The targets in Python, where every library is there."""

RUNS: tuple[tuple[str, str, str], ...] = (
    ("fuzz_c.random", "none", RANDOM), ("fuzz_c.random", "address,undefined", RANDOM),
    *((f"fuzz_c.libfuzzer.{target}", sanitizer, LIBFUZZER) for target, sanitizer in (
        ("read", "address,undefined"), ("mirror", "address,undefined"),
        ("load", "address,undefined"), ("read", "memory"), ("mirror", "memory"),
        ("load", "none"))),
    ("fuzz_c.afl", "none", AFL),
    ("differential.mutated", "none", MUTATED),
    *((f"fuzz_python.{target}", "none", command) for command in (PYTHON, ATHERIS)
      for target in FUZZED))
"""(counter, sanitizer, command): the rows that are wanted. Others are what was counted once."""

QUICK = frozenset({
    "differential", "soak.soak in Python", "threads.ends of a process",
    *(f"exhaustive.{one}" for one in (
        "cut at every byte", "every bit of the first 4 KiB and of every size",
        "every value of the first 100 bytes", "every u32 at 40 values")),
    "limits.time of a refusal in Python", "faults.special files", "faults.calls that fail",
    "faults.killed at each call", "faults.two writers"})
"""PART or PART.FIGURE of what takes about a minute at most in the short form and builds no
instrumented engine: what .ci/run renews."""


class NotDeclared(KeyError):
    """A figure or counter whose sources DEPENDS does not name."""


def part_of(key: str) -> str:
    """The part, a module of tools/evidence, that measures a figure or a counter."""
    first = key.split(".")[0]
    return COUNTERS.get(first, first)


def tool(key: str) -> str:
    """The module that measures a figure or a counter."""
    return f"tools.evidence.{part_of(key)}"


def of(key: str) -> tuple[str, ...]:
    """The groups that a figure or a counter depends on, but `tool`. Raises NotDeclared."""
    groups = DEPENDS.get(key) or DEPENDS.get(key.split(".")[0])
    if groups is None:
        raise NotDeclared(key)
    return groups


class Tree:
    """The sources in a checkout at one moment: each group is read once, when it is asked for."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.known: dict[str, str] = {}

    def __call__(self, key: str) -> dict[str, str]:
        """Group to digest for `key`, PART.FIGURE or a counter. Raises NotDeclared."""
        return {group: self._digest(group) for group in of(key)} | {"tool": self._digest(tool(key))}

    def _digest(self, group: str) -> str:
        if group not in self.known:
            out = sha256()
            for name in files(group):
                path = self.root / name
                if path.is_file():
                    out.update(f"{name}\0{sha256(path.read_bytes()).hexdigest()}\n".encode())
            self.known[group] = out.hexdigest()[:LENGTH]
        return self.known[group]


@cache
def files(group: str) -> tuple[str, ...]:
    """The files of a group, or of the module that `group` names with all that it imports, sorted,
    below the root.

    Untracked files that match are among them: what was measured with a new file stays fresh when
    that is committed.
    """
    patterns = GROUPS.get(group, (group,))
    found = set()
    for pattern in patterns() if callable(patterns) else patterns:
        found |= set(ROOT.glob(pattern) if "/" in pattern else _needed(pattern))
    names = {str(p.relative_to(ROOT)) for p in found if p.is_file() and p.suffix != ".pyc"}
    return tuple(sorted(names.difference(GENERATED)))


def _needed(module: str) -> list[Path]:
    return layers.needed(module, without=KEEPERS) if module in layers.files() else []


def changed(then: dict[str, str], now: dict[str, str]) -> list[str]:
    """The groups that are not what they were, of either; none where the figure is fresh."""
    return [group for group in dict.fromkeys([*now, *then]) if now.get(group) != then.get(group)]
