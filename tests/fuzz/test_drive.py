# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The fuzz target, driven without coverage feedback: the corpus replayed, and mutated inputs."""

import random
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import efm3
from efm3.conformance.runner import cases_of
from tests.fuzz import mutators
from tests.oracle import accepts

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests/fuzz/corpus.zip"


@pytest.fixture(scope="module")
def drive(objects, tmp_path_factory):
    """The driver, built; call it with its words."""
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("fuzz") / "drive"
    subprocess.run([cc, "-std=c11", "-O1", "-DFUZZ_DRIVER", f"-I{ROOT}/engine/include",
                    f"-I{ROOT}/engine/src", *(ROOT / "tests/fuzz").glob("*.c"), *objects,
                    "-o", program, "-lm", "-lpthread"], check=True)
    return lambda *words: subprocess.run([program, *map(str, words)], capture_output=True,
                                         text=True, check=True).stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Every reader case of up to 1 MiB as a file, by ID."""
    home = tmp_path_factory.mktemp("cases")
    out = {}
    for case in cases_of("reader"):
        data = case.data()
        if len(data) <= 1 << 20:
            out[case] = home / f"{case.id}.bin"
            out[case].write_bytes(data)
    return out


def test_the_corpus_is_replayed_with_the_expected_status(drive, files):
    lines = drive("replay", *files.values()).splitlines()
    assert lines == [f"{case.id}.bin {case.status}" for case in files]


def test_mutated_inputs_break_no_promise_and_repeat(drive, files):
    seeds = [f for f in files.values() if f.stat().st_size < 4096]
    assert drive("random", 200000, 3, *seeds) == "random: 200000 inputs\n"


def structure(data):
    """The verdict of Python's validator and loader, which must be one."""
    sound = efm3.validate(data, "structure").ok
    efm3.validate(data)
    try:
        efm3.load(data, "structure")
    except efm3.Efm3Error:
        assert not sound
    else:
        assert sound
    return sound


def test_what_the_fuzzers_found_has_one_verdict(drive, tmp_path):
    with zipfile.ZipFile(CORPUS) as z:
        found = {name: z.read(name) for name in z.namelist()}
        z.extractall(tmp_path)
    assert 100 <= len(found) <= 300
    lines = drive("replay", *(tmp_path / name for name in found)).splitlines()
    status = dict(line.split() for line in lines)
    verdicts = {name: structure(data) for name, data in found.items()}
    assert verdicts == {name: accepts(data) for name, data in found.items()}
    assert verdicts == {name: status[name] == "OK" for name in found}
    # The corpus reaches both sides, and many ways of refusing.
    assert set(verdicts.values()) == {True, False} and len(set(status.values())) > 8


def test_python_targets_find_nothing_and_repeat(capsys):
    pytest.importorskip("onnx")
    from tests.fuzz import fuzz_python as program
    from tests.fuzz import targets

    out = []
    for _ in range(2):
        assert program.run(160, 7, targets.available()) == 0
        out.append(dict(line.split()[:2] for line in capsys.readouterr().out.splitlines()))
    assert out[0] == out[1] and set(out[0]) == set(targets.available())
    assert out[0]["load"] == "160" and out[0]["onnx"] == "20"


def test_a_finding_of_a_python_target_is_kept(capsys, monkeypatch, tmp_path):
    from tests.fuzz import fuzz_python as program
    from tests.fuzz import targets

    def broken(data):
        raise KeyError(len(data))

    monkeypatch.setattr(program, "ROOT", tmp_path)
    chosen = {"scan": targets.available()["scan"]._replace(check=broken)}
    assert program.run(5, 1, chosen) == 1
    assert "KeyError" in capsys.readouterr().err
    assert len(list((tmp_path / "build/fuzz").glob("finding-scan-*"))) == 1


@pytest.mark.parametrize("head", [
    b'{"__metadata__":"no object","a":{}}', b'{"__metadata__":{"x":1},"a":{"shape":7}}',
    b'{"__metadata__":{},"a":{}}', b'{"__metadata__":{"x":"y"},"a":[]}', b"[]"])
def test_the_mutator_of_safetensors_takes_any_header(head):
    mutate = mutators.headed
    data = len(head).to_bytes(8, "little") + head
    assert len({mutate(random.Random(i), data) for i in range(60)}) > 5
