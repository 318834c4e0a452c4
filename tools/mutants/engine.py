# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""All of the engine but its loader and its pass with one thing changed.

What notices is engine/tests/check_engine.c or check_pool.c, or the embedding of an original: the
same calls that tests/test_engine_c.py makes, without a sanitizer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tools import ROOT
from tools.cc import SRC, WRAP
from tools.mutants import _operators, c
from tools.mutants._operators import Mutant

CHECKED = ("api.c", "engine.h", "arena.c", "inspect.c", "turn.c", "dispatch.c", "pack.c",
           "mirror.c", "plan.c", "pack_int.c", "pool.c", "stem.c")
FLAGS = ["-O1", "-w"]
SECONDS = 60
"""What takes a hundred times as long as the slowest call has no end."""

VECTOR = ROOT / "spec" / "vectors" / "odd_b.bin"
NANO = ROOT / "weights" / "facex_nano.bin"
PROGRAMS = {"check_pool": ROOT / "engine/tests/check_pool.c",
            "check_engine": ROOT / "engine/tests/check_engine.c",
            "mfn": ROOT / "engine/cli/mfn_cli.c"}
ALONE = {"check_pool": ("pool.c",)}
"""Programs that are linked with these sources of the engine alone, in place of all."""
WRAPPED = {"check_engine": (WRAP,), "check_pool": ("-Wl,--wrap=calloc,--wrap=free",)}
"""The options with which programs take the place of the C library's functions."""
MOST = {"f32": 1e-5, "high": (2 * (1 - 0.9999)) ** 0.5, "fast": (2 * (1 - 0.999)) ** 0.5}
"""Largest distance from the original's embedding: below f32 that of the cosines which the header
states, since |a - b|^2 = 2 - 2 a.b where |a| = |b| = 1."""


class Call(NamedTuple):
    """A program's verb, and what it prints: an embedding, or a text."""

    program: str
    words: list[str]
    want: Any = None


def mutants() -> list[Mutant]:
    """Every change of the sources."""
    return _operators.mutants(CHECKED)


def inputs(work: Path) -> list[Call]:
    """The programs' calls, the quickest first; the files that they read are made."""
    import numpy as np

    from efm3 import load, reference, untrained
    from efm3.conformance import sample
    from efm3.conformance.cases import corpus
    from efm3.format import PICTURE_KEY, TURNED, UPRIGHT

    case = next(c for c in corpus() if c.id == "run-minimal")
    (work / "least.bin").write_bytes(case.data())
    # An embedding with more bytes than a picture.
    (work / "wide.bin").write_bytes(sample.build(replace(sample.ARCH, embedding_dim=40000)))
    said = {UPRIGHT: "0", TURNED: "1", "askew": "-22"}
    for name in said:
        mirror = {"meta": {PICTURE_KEY: name}}
        patch = sample.with_mirror(lambda m, own=mirror: {**m, **own})  # type: ignore[misc]
        (work / f"{name}.bin").write_bytes(patch(sample.base()))
    vector = np.load(VECTOR.with_suffix(".npz"))
    picture = reference.prepare(untrained.images(3, 1))
    vector["x"][:1].astype(np.float32).tofile(work / "vector.raw")
    picture.tofile(work / "picture.raw")
    want = reference.forward(load(NANO), picture)[0]

    def check(verb: str, name: str = "least", want: Any = None) -> Call:
        return Call("check_engine", [verb, str(work / f"{name}.bin")], want)

    def embed(precision: str, weights: Path, picture: str, want: Any) -> Call:
        return Call("mfn", ["--isa", "scalar", "--precision", precision, "embed", str(weights),
                            str(work / picture)], want)

    return [Call("check_pool", []),
            *(check(v) for v in ("mirror", "packing", "plan", "misuse", "counts", "dispatch",
                                 "stem", "hostile", "nomem")),
            check("counts", "wide"),
            *(check("picture", k, f"picture: {v}\n") for k, v in said.items()),
            embed("f32", VECTOR, "vector.raw", vector["embedding"][0]),
            *(embed(p, NANO, "picture.raw", want) for p in MOST), check("fork")]


def killer(folder: Path, calls: list[Call]) -> str:
    """What the programs of a folder say first, "" where nothing is wrong."""
    import numpy as np

    env = {k: v for k, v in os.environ.items() if k != "MFN_ISA"}
    for program, words, want in calls:
        called = " ".join([program, *words[:1]])
        try:
            done = subprocess.run([folder / program, *words], capture_output=True, text=True,
                                  check=False, timeout=SECONDS, env=env)
        except subprocess.TimeoutExpired:
            return f"{called}: no end"
        if done.returncode:
            lines = [t for t in done.stderr.splitlines() if any(map(str.isalpha, t))]
            said = lines[0] if lines else f"exit {done.returncode}"
            return f"{called}: {said}"[:150]
        if isinstance(want, str):
            if done.stdout != want:
                return f"{called}: {done.stdout!r} for {want!r}"
        elif want is not None:
            have = np.array(done.stdout.split(), float)
            if have.shape != want.shape or not np.linalg.norm(have - want) <= MOST[words[3]]:
                return f"mfn embed: {Path(words[-2]).name}: another embedding"
    return ""


def kill(chosen: list[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with what notices it. Raises RuntimeError where the engine itself fails."""
    if not chosen:
        return
    with tempfile.TemporaryDirectory() as folder:
        work, source = Path(folder), Path(folder) / "src"
        shutil.copytree(SRC, source)
        calls = inputs(work)
        units = sorted(source.glob("*.c"))
        kernels = sorted((source / "kernels").glob("*.c"))
        objects = {u: work / f"{u.parent.name}-{u.stem}.o" for u in (*units, *kernels)}
        mains = {main: work / f"{name}.o" for name, main in PROGRAMS.items()}
        found = _killer(work, [*objects, *mains], objects | mains, calls)
        if found:
            raise RuntimeError(f"the engine as it stands: {found}")
        for m in chosen:
            path = source / m.file
            # All but the kernels include engine.h.
            changed = units if path.suffix == ".h" else [path]
            path.write_text(m.source, encoding="utf-8")
            new = objects | mains | {u: work / f"changed-{objects[u].name}" for u in changed}
            try:
                yield m, _killer(work, changed, new, calls)
            except RuntimeError as e:
                raise RuntimeError(f"{m.name} {e}") from None
            shutil.copy(SRC / m.file, path)


def _killer(work: Path, changed: list[Path], objects: dict[Path, Path], calls: list[Call]) -> str:
    """Compiles the changed sources, and links and runs the programs that they are in, until one has
    something to say. Raises RuntimeError with the compiler's words."""
    compiled = set[Path]()
    for name, main in PROGRAMS.items():
        only = ALONE.get(name)
        own = {u: o for u, o in objects.items()
               if u == main or (u not in PROGRAMS.values() and (not only or u.name in only))}
        if not own.keys() & set(changed):
            continue
        new = [u for u in changed if u in own and u not in compiled]
        compiled.update(new)
        wrong = c.link(FLAGS, new, own, work / name, "-lm", "-lpthread", *WRAPPED.get(name, ()))
        if wrong:
            raise RuntimeError(f"does not compile: {wrong[:400]}")
        found = killer(work, [call for call in calls if call.program == name])
        if found:
            return found
    return ""
