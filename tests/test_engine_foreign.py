# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The suite on other machines, under qemu-user, and the engine under valgrind.

tools/foreign/install_cross.sh installs what these tests want. The whole of it, with figures, is
measured by `python -m tools.evidence foreign`.
"""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from efm3.conformance import cases, engines, sample
from efm3.engine import Engine
from tools.foreign import machines

ROOT = Path(__file__).resolve().parent.parent
CASES = {c.id: c for c in cases.corpus()}
MOST = 64 << 10
"""Bytes of a case that is replayed here: most of them; the others are much of the same."""



def need(machine):
    if machines.missing(machine):
        pytest.skip(f"{machines.missing(machine)} not installed (tools/foreign/install_cross.sh)")


def holds_the_vector(machine, folder, isa):
    """One of the originals through an instruction set; scalar is the same to the bit everywhere,
    also where a compiler evaluates float in a wider type."""
    vector = ROOT / "spec/vectors/odd_b.bin"
    want = np.load(vector.with_suffix(".npz"))
    x = want["x"][0].astype(np.float32)
    have = machines.Foreign(machine, folder / "mfn", folder, isa).embed(vector.read_bytes(), x)
    assert np.abs(have.value[0] - want["embedding"][0]).max() <= 1e-5
    if isa == "scalar":
        assert have.value[0].tobytes() == Engine(vector, isa=isa).embed(x).tobytes()
        for precision in ("high", "fast"):
            there = machines.Foreign(machine, folder / "mfn", folder, isa, precision)
            here = Engine(vector, isa=isa, precision=precision).embed(x)
            got = there.embed(vector.read_bytes(), x).value[0]
            assert got.tobytes() == here.tobytes(), precision


def takes_the_right_one(machine, folder):
    """The best instruction set is chosen, what the processor lacks is refused, and all agree."""
    model = ROOT / "spec/vectors/odd_b.bin"
    assert machines.chosen(machine, folder / "mfn", model) == machine.isas[0]
    assert all(machines.refuses(machine, folder / "mfn", model, i) for i in machine.refused)
    assert not any(machines.refuses(machine, folder / "mfn", model, i) for i in machine.isas)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Files of the reader cases, and the status of each by name."""
    home, want = tmp_path_factory.mktemp("cases"), {}
    for case in CASES.values():
        data = case.data() if case.kind == "reader" else b""
        if case.kind == "reader" and len(data) <= MOST:
            (home / f"{case.id}.bin").write_bytes(data)
            want[f"{case.id}.bin"] = case.status
    assert len(want) > 500
    return home, want


# Two things are slow under an emulator: kernels are tried where they are another machine's own, and
# memory that runs out on one machine. i686 with SSE2 is the same code as x86-64 below.
@pytest.mark.parametrize("machine", machines.MACHINES[:-1], ids=lambda m: m.name)
def test_an_architecture(machine, corpus, tmp_path):
    """Verdicts, embeddings, kernels, memory that runs out, misuse, and the loader's bounds."""
    own = machine.isas[0] != "scalar"
    need(machine)
    home, want = corpus
    machines.build(machine, tmp_path, optimize="-O1")
    machines.build_loader(machine, tmp_path)
    assert machines.verdicts(machine, tmp_path / "drive", sorted(home.glob("*.bin"))) == want
    takes_the_right_one(machine, tmp_path)
    for isa in machine.isas:
        holds_the_vector(machine, tmp_path, isa)
    if own or machine.order == ">":
        kernels = machines.run(machine, tmp_path / "kernels", "--few")
        assert re.search("^scalar +dw3 ", kernels, re.MULTILINE)
    (tmp_path / "small.bin").write_bytes(sample.base())
    for verb in ("cursor", "file"):
        machines.run(machine, tmp_path / "loader", verb, tmp_path / "small.bin")
    (tmp_path / "least.bin").write_bytes(CASES["run-minimal"].data())
    # Not fork: qemu-user itself fails in a child of a process with threads.
    for verb in ("misuse", "nomem") if own else ("misuse",):
        assert verb in machines.run(machine, tmp_path / "engine", verb, tmp_path / "least.bin")


def test_processors_with_and_without_their_features(tmp_path):
    """No SIGILL: the right instruction set, and what is not there is refused."""
    for machine in machines.PROCESSORS:
        need(machine)
        work = machines.build_once(machine, tmp_path, optimize="-O1")
        takes_the_right_one(machine, work)
        holds_the_vector(machine, work, machine.isas[0])
        fast = machines.Foreign(machine, work / "mfn", work, machine.isas[0], "fast")
        outcome = engines.judge(CASES["run-minimal"], fast, "fast")
        assert outcome.verdict == "pass", outcome.detail
    assert re.search(r"^neondot +i8 ", machines.run(
        machine, work / "kernels", "--few", "neondot", "i8"), re.MULTILINE)
    assert re.search(r"^avx2 +not supported here", machines.run(
        machines.PROCESSORS[1], machines.build_once(machines.PROCESSORS[1], tmp_path) / "kernels",
        "--few"), re.MULTILINE)


def test_a_big_endian_python_writes_the_same_bytes():
    if not machines.big_endian_python():
        pytest.skip("no Python of s390x under build/, or no qemu-s390x "
                    "(tools/foreign/install_cross.sh)")
    there, here = machines.same_bytes("--few")
    assert (there["byteorder"], here["byteorder"]) == ("big", sys.byteorder)
    assert there["cases"] == here["cases"] and there["sample"] == here["sample"]
    assert len(here["cases"]) > 50


@pytest.mark.parametrize("isa", ["avx2", "scalar"])
def test_valgrind_sees_nothing_in_any_precision(tmp_path, isa):
    if shutil.which("valgrind") is None or shutil.which("cc") is None:
        pytest.skip("valgrind or cc not installed (tools/foreign/install_cross.sh)")
    here = machines.Machine("here", "cc", ("-g",), ())
    machines.build(here, tmp_path, ["mfn"], optimize="-O1")
    (tmp_path / "small.bin").write_bytes(sample.base())
    np.zeros((3, 112, 112), np.float32).tofile(tmp_path / "x.raw")
    if machines.refuses(here, tmp_path / "mfn", tmp_path / "small.bin", isa):
        pytest.skip(f"this processor has no {isa}")
    valgrind = here._replace(emulator=(
        "valgrind", "-q", "--error-exitcode=9", "--leak-check=full",
        "--errors-for-leak-kinds=all"))
    for precision in ("f32", "high", "fast"):
        machines.run(valgrind, tmp_path / "mfn", "--isa", isa, "--precision", precision, "embed",
                     tmp_path / "small.bin", tmp_path / "x.raw")
