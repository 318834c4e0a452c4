# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a fuzzing service builds, built here, and each target run on its first inputs. Long."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.fuzz import targets
from tests.fuzz.continuous.seeds import PREFIX, ROOT
from tools.evidence import fuzz

HERE = ROOT / "tests" / "fuzz" / "continuous"
NATIVE = ("efm3_read", "efm3_mirror", "efm3_load")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder that build.sh fills."""
    if not fuzz.has_libfuzzer():
        pytest.skip("no clang with libFuzzer (tools/evidence/install_fuzz.sh)")
    home = tmp_path_factory.mktemp("out of it")
    flags = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
    subprocess.run(["sh", HERE / "build.sh"], check=True, cwd=home, env=os.environ | {
        "CC": "clang", "CFLAGS": f"{flags} -fsanitize=fuzzer-no-link", "CXX": "clang",
        "CXXFLAGS": flags, "LIB_FUZZING_ENGINE": "-fsanitize=fuzzer", "OUT": str(home),
        "PYTHON": sys.executable})
    return home


def ran(out, name, *options):
    """What a target says of its seeds, and of the runs that the options ask for."""
    corpus = out / f"{name}_corpus"
    with zipfile.ZipFile(out / f"{name}_seed_corpus.zip") as z:
        z.extractall(corpus)
    done = subprocess.run([out / name, *options, "-print_final_stats=1", f"-artifact_prefix={out}/",
                           corpus], capture_output=True, text=True, check=False, cwd=out)
    assert done.returncode == 0, done.stderr[-3000:]
    return len(list(corpus.iterdir())), done.stderr


@pytest.mark.parametrize("name", NATIVE)
def test_a_target_in_c_runs_on_its_seeds(out, name):
    shutil.copy(out / f"{name}.dict", out / "words")
    count, said = ran(out, name, "-runs=2000", f"-dict={out}/words", "-max_len=4096")
    assert count > 4 and f"Dictionary: {len(words())} entries" in said
    assert "stat::number_of_executed_units: 2000" in said
    assert (out / f"{name}.options").read_text() == "[libfuzzer]\nmax_len = 4096\n"


def words():
    """The dictionary's words, as they are written."""
    return [row for row in (HERE / "efm3.dict").read_text().splitlines() if row[:1] not in "#"]


def test_each_target_in_python_is_a_program_with_seeds(out):
    if importlib.util.find_spec("atheris") is None:
        assert {p.name for p in out.iterdir() if p.name.startswith(PREFIX)} == set()
        pytest.skip("atheris is not installed (tools/evidence/install_fuzz.sh)")
    known = targets.available()
    for name in known:
        assert os.access(out / (PREFIX + name), os.X_OK)
        assert zipfile.ZipFile(out / f"{PREFIX}{name}_seed_corpus.zip").namelist()
    _, said = ran(out, f"{PREFIX}mirror", "-runs=300")
    assert "stat::number_of_executed_units: 300" in said


def test_the_files_of_a_service_are_there_and_name_no_owner():
    assert {p.name for p in HERE.iterdir() if p.is_file()} == {
        "build.sh", "Dockerfile", "project.yaml", "efm3.dict", "seeds.py"}
    text = (HERE / "project.yaml").read_text()
    assert 'primary_contact: ""' in text and 'main_repo: ""' in text
    assert os.access(HERE / "build.sh", os.X_OK) and Path(HERE / "seeds.py").is_file()
