# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.bench drawn`: the figures by other ways to the same, and what is missing."""

import json

import numpy as np
import pytest

from tools.bench import drawn

RNG = np.random.default_rng(1)


def test_frechet_of_axes_and_of_turned_axes():
    a, b = np.array([1.0, 4.0, 0.25]), np.array([4.0, 1.0, 0.25])
    want = 4.0 + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    gap = np.array([2.0, 0.0, 0.0])
    for q in (np.eye(3), turn):
        got = drawn.frechet(q @ gap, q @ np.diag(a) @ q.T, np.zeros(3), q @ np.diag(b) @ q.T)
        assert got == pytest.approx(want)
    c = np.cov(RNG.normal(size=(3, 50)))
    assert drawn.frechet(gap, c, gap, c) == pytest.approx(0, abs=1e-9)


def test_likeness_is_the_mean_over_all_pairs():
    people = np.array([0, 0, 0, 1, 2, 2])
    e = RNG.normal(size=(6, 8))
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    pairs = [(i, j) for i in range(6) for j in range(i)]
    want = [np.mean([e[i] @ e[j] for i, j in pairs if (people[i] == people[j]) == same])
            for same in (True, False)]
    assert drawn.likeness(e, people) == pytest.approx(tuple(want))


def test_without_the_network_the_reason_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(drawn.SETTING, raising=False)
    drawn.main([])
    assert capsys.readouterr().out.startswith("skipped: no network to measure with: --yardstick")
    (tmp_path / drawn.NETWORK).write_bytes(b"")
    drawn.main(["--yardstick", str(tmp_path), "--json"])
    assert json.loads(capsys.readouterr().out)["skipped"] == (
        f"{tmp_path} has no {drawn.WEIGHTS}, no {drawn.PHOTOGRAPHS}")


def test_the_report_has_every_figure():
    rows = [{"layer": "stem", "moved": 0.25, "wider": 0.5}, {"layer": "gdconv", "moved": 0.75,
                                                             "wider": 1.0}]
    text = drawn.report({"pictures": 20, "frechet": 0.5, "layers": rows})
    assert "frechet" in text and "0.500" in text and "20" in text
    assert text.splitlines()[-1].split() == ["all", "0.500", "0.750"]
