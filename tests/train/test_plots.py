# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A run's curves."""


import sys

import pytest

from efm3 import Efm3Error
from efm3.evaluation import plots
from efm3.train.plots import curves

NEEDS = ("matplotlib",)

TABLE = """epoch,step,loss,train_acc,lr,images_per_s,val_acc
1,10,9.5,0.1,0.001,500,
2,20,7.25,0.3,0.0005,510,0.8
"""


def test_curves(tmp_path, monkeypatch):
    shown = []
    real = plots.save
    monkeypatch.setattr(plots, "save", lambda made, path: (shown.append(made), real(made, path)))
    (tmp_path / "log.csv").write_text(TABLE)
    curves(tmp_path / "log.csv", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    lines = {line.get_label(): [list(v) for v in line.get_data()]
             for axes in shown[0].axes for line in axes.lines}
    assert lines["loss"] == [[1, 2], [9.5, 7.25]] and lines["val_acc"] == [[2], [0.8]]
    assert lines["train_acc"] == [[1, 2], [0.1, 0.3]]


def test_an_empty_table(tmp_path):
    (tmp_path / "log.csv").write_text(TABLE.splitlines()[0] + "\n")
    curves(tmp_path / "log.csv", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").exists()


def test_without_matplotlib(tmp_path, monkeypatch):
    (tmp_path / "log.csv").write_text(TABLE)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(Efm3Error, match=r"X002.*matplotlib.*pip install"):
        curves(tmp_path / "log.csv", tmp_path / "curves.png")
