# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part E: the suite on other machines under qemu-user, and on processors that lack AVX2.

The corpus is whole in both; the long run takes every engine case, picture and kernel size, the
short one small engine cases, a picture of each vector, and a fraction of the kernels' sizes.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from efm3.conformance import cases, engines, sample
from efm3.model import load
from efm3.network import macs
from efm3.precision import PRECISIONS
from tools import ROOT
from tools.evidence import _book
from tools.foreign import machines
from tools.mutants import c

VECTORS = ("nano", "odd_a", "odd_b")
SMALL = 1_000_000
"""Most multiply-adds of an engine case in the short run."""

_WORST = re.compile(r"^(\w+) +([\w-]+) +(\d+) values, worst ([\d.]+)", re.MULTILINE)


class Seen(machines.Foreign):
    """Keeps what the last embedding was."""

    last: Any = None

    def embed(self, model: bytes, x: Any) -> Any:
        """See Subject."""
        answer = super().embed(model, x)
        self.last = answer.value[0] if answer.kind == "ok" else None
        return answer


@lru_cache(maxsize=1)
def _files() -> tuple[tempfile.TemporaryDirectory[str], dict[str, str]]:
    """A folder with every reader case, the checker's pack and small files; status by name."""
    home = tempfile.TemporaryDirectory()
    folder, want = Path(home.name), {}
    for case in cases.corpus():
        if case.kind == "reader":
            (folder / f"{case.id}.case").write_bytes(case.data())
            want[f"{case.id}.case"] = case.status
        elif case.id == "run-minimal":
            (folder / "least.bin").write_bytes(case.data())
    (folder / "small.bin").write_bytes(sample.base())
    c.write_pack(folder / "cases.pack")
    return home, want


@lru_cache(maxsize=2)
def _engine_cases(long: bool) -> tuple[cases.Case, ...]:
    return tuple(c for c in cases.corpus() if c.kind == "engine" and (
        long or macs(load(c.data(), level="structure").arch) <= SMALL))


def _embeddings(machine: machines.Machine, work: Path, isa: str, long: bool) -> dict[str, Any]:
    """Every engine case by its judge, and the originals' vectors. Raises RuntimeError."""
    subject = Seen(machine, work / "mfn", work, isa)
    for case in _engine_cases(long):
        outcome = engines.judge(case, subject)
        if outcome.verdict != "pass":
            raise RuntimeError(f"{machine.name} {isa}: {case.id}: {outcome.detail}")
    judged, worst = subject.embeddings, 0.0
    for name in VECTORS:
        path = ROOT / "spec/vectors" / f"{name}.bin"
        want = np.load(path.with_suffix(".npz"))
        for x, right in list(zip(want["x"], want["embedding"], strict=True))[:None if long else 1]:
            subject.embed(path.read_bytes(), x)
            error = float(np.abs(subject.last - right).max())
            if not error <= 1e-5:
                raise RuntimeError(f"{machine.name} {isa}: {name} is off by {error}")
            worst = max(worst, error)
    return {"engine_cases": len(_engine_cases(long)), "embeddings": judged,
            "vectors": subject.embeddings - judged, "vectors_max_error": float(f"{worst:.2g}")}


def _below(machine: machines.Machine, work: Path, isa: str) -> dict[str, Any]:
    """Small engine cases below float32, each judged by its own bound. Raises RuntimeError."""
    for precision in PRECISIONS[1:]:
        subject = machines.Foreign(machine, work / "mfn", work, isa, precision)
        for case in _engine_cases(False):
            outcome = engines.judge(case, subject, precision)
            if outcome.verdict != "pass":
                raise RuntimeError(f"{machine.name} {isa} {precision}: {case.id}: "
                                   f"{outcome.detail}")
    return {"engine_cases_below_f32": len(_engine_cases(False)) * len(PRECISIONS[1:])}


def _isa(machine: machines.Machine, work: Path) -> dict[str, Any]:
    model = ROOT / "spec/vectors/odd_b.bin"
    chosen = machines.chosen(machine, work / "mfn", model)
    refused = [i for i in machine.refused if machines.refuses(machine, work / "mfn", model, i)]
    if chosen != machine.isas[0] or len(refused) != len(machine.refused):
        raise RuntimeError(f"{machine.name}: {chosen} is chosen; of {machine.refused} it refuses "
                           f"{refused}")
    return {"chosen": chosen, "refused_when_forced": refused}


def _kernels(machine: machines.Machine, work: Path, *words: str) -> dict[str, Any]:
    """Values and the worst part of the bound by instruction set. Raises RuntimeError."""
    out: dict[str, Any] = {}
    for isa, _, values, worst in _WORST.findall(
            machines.run(machine, work / "kernels", *words)):
        row = out.setdefault(isa, {"kernel_values": 0, "worst_part_of_the_bound": 0.0})
        row["kernel_values"] += int(values)
        row["worst_part_of_the_bound"] = max(row["worst_part_of_the_bound"], float(worst))
    if sorted(out) != sorted(machine.isas):
        raise RuntimeError(f"{machine.name}: kernels of {sorted(out)}")
    return out


def _architecture(machine: machines.Machine, long: bool) -> dict[str, Any]:
    home, want = _files()
    files = Path(home.name)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        machines.build(machine, work)
        machines.build_loader(machine, work)
        have = machines.verdicts(machine, work / "drive", sorted(files.glob("*.case")))
        wrong = [f"{n}: {have.get(n)}, not {s}" for n, s in want.items() if have.get(n) != s]
        if wrong:
            raise RuntimeError(f"{machine.name}: {wrong[:5]}")
        out: dict[str, Any] = {"corpus_files": len(want), "verdicts_equal": len(have)}
        pack = machines.run(machine, work / "loader", "pack", files / "cases.pack")
        out["files_before_a_faulting_page"] = int(pack.split()[1])
        for verb in ("cursor", "file"):
            machines.run(machine, work / "loader", verb, files / "small.bin")
        for verb in ("misuse", "nomem"):
            machines.run(machine, work / "engine", verb, files / "least.bin")
        out |= _isa(machine, work)
        kernels = _kernels(machine, work, *([] if long else ["--few"]))
        for isa in machine.isas:
            out[isa] = _embeddings(machine, work, isa, long) | kernels[isa]
            out[isa] |= _below(machine, work, isa)
    return out


def _processors(long: bool, names: tuple[str, ...]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for machine in machines.PROCESSORS:
            if machine.name not in names:
                continue
            work, isa = machines.build_once(machine, Path(folder)), machine.isas[0]
            row = out[machine.name] = _isa(machine, work)
            row |= _embeddings(machine, work, isa, long)
            row |= _kernels(machine, work, "--few")[isa] | _below(machine, work, isa)
    return out


def _processor(machine: machines.Machine, long: bool) -> dict[str, Any]:
    row: dict[str, Any] = _processors(long, (machine.name,))[machine.name]
    return row


def _same_bytes() -> dict[str, Any]:
    if not machines.big_endian_python():
        raise _book.NotHere("no big-endian Python: tools/foreign/install_cross.sh")
    there, here = machines.same_bytes()
    unequal = [k for k, v in here["cases"].items() if there["cases"].get(k) != v]
    if unequal or there["byteorder"] != "big" or here["byteorder"] != "little":
        raise RuntimeError(f"s390x python: {unequal[:5]}")
    written = [v for v in here["cases"].values() if len(v.split()[-1]) == 32]
    return {"python": f"{there['machine']}, numpy {there['numpy']}", "cases": len(here["cases"]),
            "findings_and_bytes_equal": len(here["cases"]) - len(unequal),
            "files_written_there_and_here_identical": len(written)}


def run(long: bool) -> Iterator[tuple[str, _book.Measure]]:
    """A figure for each architecture, the other processors, and the bytes written.

    A measure raises RuntimeError where something differs, NotHere where it is not installed.
    """
    command = f"python -m tools.evidence{' --long' if long else ''} foreign"

    def figure(measure: Callable[[], dict[str, Any]], *needed: machines.Machine,
               whole: bool | None = None) -> _book.Measure:
        def measured() -> dict[str, Any]:
            lost = sorted(set(filter(None, map(machines.missing, needed))))
            if lost:
                raise _book.NotHere(f"not installed: {', '.join(lost)}")
            return _book.figure(command, measure(), long=whole)
        return measured
    yield "big-endian writer", figure(_same_bytes, whole=True)
    for machine in machines.MACHINES:
        yield machine.name, figure(partial(_architecture, machine, long), machine)
    own = [m for m in machines.PROCESSORS if m.compiler == "x86_64-linux-gnu-gcc"]
    for machine in machines.PROCESSORS:
        if machine not in own:
            yield machine.name, figure(
                partial(_processor, machine, long), machine)
    yield "x86-64 processors", figure(
        partial(_processors, long, tuple(m.name for m in own)), *own)
