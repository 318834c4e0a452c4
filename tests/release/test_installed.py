# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a wheel and an sdist hold is enough: README's commands in an empty folder, the tests in an
unpacked sdist. The engine is the checkout's, since to compile it takes longer than all this."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from efm3 import shipped
from tools import ROOT
from tools.release import sources

NEEDS = ("twine",)  # with which comes a setuptools that reads this pyproject.toml

ELSEWHERE = ("conformance run", "conformance export", "conformance diff")
"""Long ones, which tests/test_repo.py runs."""
SOME = ("test_shipped", "test_layers", "test_compare", "test_pack")
"""Tests that read files from all parts of the project, in seconds; of the others it is seen that
they can be imported, with their helpers. All together take minutes."""


ALONE = """# An editable installation of the checkout would lend what is missing here.
import sys
sys.meta_path[:] = [f for f in sys.meta_path
                    if not getattr(f, "__module__", "").startswith("__editable__")]
"""
"""Python's own start file, in the folder of what is tried."""


def run(words, folder, **more):
    """The output of a command that ends with 0."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COVERAGE"))}
    done = subprocess.run(words, cwd=folder, env=env | more, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of a wheel without an engine, and of an sdist."""
    folder = tmp_path_factory.mktemp("built")
    sources.copy(ROOT, folder / "project")
    run([sys.executable, "setup.py", "-q", "sdist", "-d", folder, "bdist_wheel", "-d", folder],
        folder / "project", EFM3_NO_ENGINE="1")
    return folder


def alone(folder):
    """The variables with which what lies in a folder is imported from there and nowhere else."""
    (folder / "sitecustomize.py").write_text(ALONE)
    return {"PYTHONPATH": str(folder)}


def with_engine(package):
    """Put the checkout's extension into a package."""
    for path in (ROOT / "efm3").glob("_engine*.so"):
        shutil.copy(path, package)


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The folder of an unpacked wheel."""
    folder = tmp_path_factory.mktemp("installed")
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as z:
        z.extractall(folder)
    with_engine(folder / "efm3")
    return folder


def blocks(language):
    text = "".join((ROOT / name).read_text(encoding="utf-8")
                   for name in ("README.md", "docs/tour.md", "docs/python.md"))
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_readme_in_an_empty_folder(installed, tmp_path):
    only = alone(installed)
    where = run([sys.executable, "-c", "import efm3; print(efm3.__file__)"], tmp_path, **only)
    assert Path(where.strip()).parent == installed / "efm3"
    assert not (installed / "efm3" / "weights" / "facex_xs.bin").exists()
    ran = 0
    for line in "".join(blocks("sh")).splitlines():
        if line.startswith("efm3 ") and not line[5:].startswith(ELSEWHERE):
            run(["/bin/sh", "-c", line.replace("efm3 ", f"'{sys.executable}' -m efm3 ", 1)],
                tmp_path, **only)
            ran += 1
    assert ran >= 20
    assert {p.name for p in (tmp_path / "weights").iterdir()} == {"facex_nano.bin"}
    for code in blocks("python"):
        run([sys.executable, "-c", code], tmp_path, **only)


def test_what_a_wheel_lacks_is_not_lent_by_the_checkout(tmp_path):
    (tmp_path / "efm3").mkdir()
    (tmp_path / "efm3" / "__init__.py").write_text("")
    found = run([sys.executable, "-c", "from importlib.util import find_spec as f; "
                 "print(f('efm3').origin, f('efm3._engine'), f('efm3.cli'), f('efm3.spec'))"],
                tmp_path / "efm3", **alone(tmp_path))
    assert found.split() == [str(tmp_path / "efm3" / "__init__.py"), "None", "None", "None"]


def test_without_the_engine_it_embeds(built, tmp_path):
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as z:
        assert not [n for n in z.namelist() if n.endswith((".so", ".pyd"))]
        z.extractall(tmp_path / "bare")
    words, only = [sys.executable, "-m", "efm3"], alone(tmp_path / "bare")
    run([*words, "examples", "."], tmp_path, **only)
    found = run([*words, "compare", *shipped.FILES[:3]], tmp_path, **only)
    assert "numpy computes" in found and re.search(r"similarity 0\.\d+: above", found)


def test_the_tests_in_an_unpacked_sdist(built, tmp_path):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (root,) = tmp_path.iterdir()
    with_engine(root / "efm3")
    said = run([sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "-o", "addopts=",
                "--import-mode=importlib", "-k", " or ".join(SOME), "tests"], root, **alone(root))
    found = re.search(r"(\d+) passed.*?(\d+) deselected", said)
    assert found and int(found[1]) > 50 and int(found[2]) > 3000, said[-500:]
