# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How many cores there are, as systems tell it."""

import os
import sys
from subprocess import check_output

import pytest

from efm3 import machine


@pytest.mark.parametrize("usable,count,cores", [
    ({0}, 8, 1), ({2, 5}, 8, 2), (set(range(200)), 200, machine.MOST), (None, 8, 8),
    (None, None, 1), (None, 500, machine.MOST),
])
def test_cores(monkeypatch, usable, count, cores):
    """Of those that the process may use, where the system tells them; a machine has one."""
    if usable is None:
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    else:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: usable, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert machine.cores() == cores


@pytest.mark.parametrize("given,ours", [
    ({}, "['OPENBLAS_NUM_THREADS']"), ({"OPENBLAS_NUM_THREADS": "1"}, "[]"),
    ({"OMP_NUM_THREADS": "2"}, "[]")])
def test_what_the_command_set_is_no_setting_of_its_user(given, ours):
    """`efm3 doctor` shows the others."""
    code = ("from efm3 import machine; machine.one_blas_thread(); print([*machine.OURS]);"
            "from efm3.doctor._surroundings import threads; print(threads()['settings'])")
    env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")} | given
    said = check_output([sys.executable, "-c", code], env=env, encoding="utf-8")
    assert said.splitlines() == [ours, str(given)]
