# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Plots: what is drawn, and files that are whole."""


import sys
from pathlib import Path

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.evaluation import plots, score
from efm3.evaluation.run import Measured

NEEDS = ("matplotlib",)


def measured(shift, name="set.bin"):
    same = np.arange(400) % 2 == 0
    s = np.random.default_rng(3).normal(np.where(same, shift, 0.0), 0.1)
    fold = np.arange(400) // 40
    pictures = np.arange(800).reshape(-1, 2)
    return Measured(score(name, s, same, fold), s, same, fold, pictures)


def test_files(tmp_path):
    good = measured(0.9)
    paths = plots.write(str(tmp_path / "new" / "folder"), {"a": measured(0.2), "b": good})
    assert [p.rsplit("/", 1)[1] for p in paths] == ["roc.png", "det.png", "histogram.png"]
    for path in paths:
        data = Path(path).read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) > 5000
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == [
        "det.png", "histogram.png", "roc.png"]


def test_the_curves_are_the_rates():
    m = measured(0.2)
    _, far, tar = plots.roc(m.similarity, m.same)
    _, axes = plots.roc_curve({"a": m})
    x, y = axes.lines[0].get_data()
    assert np.allclose(y, tar) and np.allclose(x[far > 0], far[far > 0]) and x.min() > 0
    _, axes = plots.det_curve({"a": m, "b": measured(0.3)})
    assert len(axes.lines) == 2
    x, y = axes.lines[0].get_data()
    assert np.isfinite(x).all() and np.isfinite(y).all()
    # 50 % is the middle of the scale, whatever the count.
    assert abs(plots._probit(np.array([0.5]), 100)[0]) < 1e-12
    assert (np.diff(x) >= 0).all() and (np.diff(y) <= 0).all()


def test_the_histogram_counts_every_pair():
    m = measured(0.2)
    _, axes = plots.histogram(m)
    assert sum(p.get_height() for p in axes.patches) == 400
    assert [line.get_xdata()[0] for line in axes.lines] == [m.scores.best.threshold, 0.3]


def test_names_are_no_markup(tmp_path):
    plots.write(str(tmp_path), {"$\\frac{": measured(0.5, "a$\\x\n\x1b.bin")})


def test_without_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(Efm3Error, match=r"X002.*extra `plots`"):
        plots.write(str(tmp_path / "x"), {"a": measured(0.5)})
    assert not (tmp_path / "x").exists()
