# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A run's curves as a PNG. ROC, DET and histograms are in `efm3.evaluation.plots`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from efm3.evaluation import plots

PANELS: Sequence[tuple[str, Sequence[str]]] = (
    ("loss", ("loss",)), ("accuracy", ("train_acc", "val_acc")), ("learning rate", ("lr",)),
    ("images a second", ("images_per_s",)))
"""A panel's title and the columns of log.csv that it shows."""


def curves(table: Path, png: Path) -> None:
    """Draw log.csv, which has one row per epoch. Raises Efm3Error X002 without matplotlib,
    ValueError, OSError."""
    with open(table, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    made, grid = plots.figure(9, 6, (2, 2))
    for axes, (title, columns) in zip(grid.flat, PANELS, strict=True):
        for column in columns:
            points = [(float(r["epoch"]), float(r[column])) for r in rows if r.get(column)]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", label=column)
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        if len(columns) > 1 and axes.lines:
            axes.legend()
    plots.save(made, str(png))
