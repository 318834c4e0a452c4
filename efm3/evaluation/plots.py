# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ROC and DET curves and similarity histograms as PNG files, by matplotlib, an extra."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np

from efm3.arrays import Doubles
from efm3.evaluation.run import Measured
from efm3.evaluation.scores import roc
from efm3.extras import need
from efm3.source import write_atomic

RATES = (1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8)
"""Ticks of the DET curve."""


def figure(width: float = 6, height: float = 4.5, panels: tuple[int, int] = (1, 1),
           ) -> tuple[Any, Any]:
    """A figure and its axes, rows and columns of them, without a window. Raises X002."""
    made = need("matplotlib.figure", "plots").Figure(figsize=(width, height), layout="constrained")
    return made, made.subplots(*panels)


def save(made: Any, path: str) -> None:
    """Write a figure as PNG, atomically."""
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    write_atomic(path, [buffer.getvalue()])


def write(folder: str, results: Mapping[str, Measured]) -> list[str]:
    """roc.png and det.png with one curve per result, and histogram.png of the first one,
    into `folder`, which is made; the paths. Raises Efm3Error X002, OSError."""
    made = {"roc.png": roc_curve(results), "det.png": det_curve(results),
            "histogram.png": histogram(next(iter(results.values())))}
    os.makedirs(folder, exist_ok=True)
    paths = [os.path.join(folder, name) for name in made]
    for path, (drawn, _) in zip(paths, made.values(), strict=True):
        save(drawn, path)
    return paths


def roc_curve(results: Mapping[str, Measured]) -> tuple[Any, Any]:
    """True over false accepts, the latter by powers of ten."""
    made, axes = figure()
    least = min(1 / m.scores.impostors for m in results.values()) / 2
    for name, m in results.items():
        _, far, tar = roc(m.similarity, m.same)
        axes.step(np.maximum(far, least), tar, where="post", label=_plain(name))
    axes.set(xscale="log", xlim=(least, 1), ylim=(0, 1.01), xlabel="false accept rate",
             ylabel="true accept rate", title=_plain(_title(results)))
    return _finish(made, axes, "lower right")


def det_curve(results: Mapping[str, Measured]) -> tuple[Any, Any]:
    """False rejects over false accepts, both on the scale of the normal distribution."""
    made, axes = figure(5, 5)
    for name, m in results.items():
        _, far, tar = roc(m.similarity, m.same)
        axes.plot(_probit(far, m.scores.impostors), _probit(1 - tar, m.scores.genuine),
                  label=_plain(name))
    ticks = _probit(np.array(RATES), 10**6)
    labels = [f"{100 * r:g} %" for r in RATES]
    axes.set(xlabel="false accept rate", ylabel="false reject rate", xticks=ticks, yticks=ticks,
             xticklabels=labels, yticklabels=labels, title=_plain(_title(results)),
             xlim=(ticks[0], ticks[-1]), ylim=(ticks[0], ticks[-1]))
    return _finish(made, axes)


def histogram(measured: Measured) -> tuple[Any, Any]:
    """Similarities of pairs of one person and of two, with the thresholds."""
    made, axes = figure()
    s, same = measured.similarity, measured.same
    edges = np.linspace(min(-0.5, float(s.min())), 1, 76)
    for part, label, colour in ((~same, "two people", "tab:red"),
                                (same, "one person", "tab:green")):
        axes.hist(s[part], edges, alpha=0.6, label=label, color=colour)
    for at, label, dash in ((measured.scores.best, "best", "-"),
                            (measured.scores.rule_of_thumb, "rule of thumb", "--")):
        axes.axvline(at.threshold, color="black", linestyle=dash, linewidth=1,
                     label=f"{label} {at.threshold:.3f}")
    axes.set(xlabel="cosine similarity", ylabel="pairs", title=_plain(measured.scores.name))
    return _finish(made, axes)


def _finish(made: Any, axes: Any, legend: str = "upper right") -> tuple[Any, Any]:
    axes.grid(alpha=0.3)
    axes.legend(loc=legend)
    return made, axes


def _title(results: Mapping[str, Measured]) -> str:
    return os.path.basename(next(iter(results.values())).scores.name)


def _plain(text: str) -> str:
    """Without the characters that matplotlib would read as mathematics or cannot draw."""
    return "".join(c if c.isprintable() and c.isascii() and c != "$" else "?" for c in text)[:80]


def _probit(rates: Doubles, count: int) -> Doubles:
    """Quantiles of the normal distribution; 0 and 1 become half a pair."""
    half = 0.5 / count
    normal = NormalDist()
    return np.array([normal.inv_cdf(r) for r in np.clip(rates, half, 1 - half)])
