# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A plugin for runs of the tests one after the other: what passed in one is left out of the next.

`-p tests.once --passed FILE` adds the tests that passed to FILE, `--but FILE` leaves out those that
are in it. .ci/run does so: a test that was skipped for want of a library runs when it is installed,
and one that needed none runs once.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    parser.addoption("--passed", type=Path, metavar="FILE", help="add the tests that passed")
    parser.addoption("--but", type=Path, metavar="FILE", help="leave out the tests in it")


class Passed:
    """Keeps the names of the tests that passed, and writes them at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test."""
        if report.when == "call" and report.passed:
            self.names.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """A line for each, which may hold any character."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(name)}\n" for name in self.names)


def pytest_configure(config: pytest.Config) -> None:
    """Reports come to one process, whichever ran the test."""
    path = config.getoption("passed")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Passed(path))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out what has passed. Raises OSError where there is no such file."""
    path = config.getoption("but")
    if path is None:
        return
    names = {json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()}
    gone = [item for item in items if item.nodeid in names]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item.nodeid not in names]
