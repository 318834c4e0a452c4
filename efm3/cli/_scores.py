# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores of an evaluation, and similarities, as lines of styled text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from textwrap import wrap

from efm3.cli._names import apart
from efm3.cli._render import LABEL, Cell, Lines, bars, grid, text
from efm3.evaluation.paired import CONFIDENCE, Difference
from efm3.evaluation.scores import At, Scores
from efm3.findings import printable

WARN = "yellow"
HEADING, LONGEST = 5, 16
"""Letters of a heading, and most of them where more are needed to tell pictures apart."""


def table(s: Scores) -> Lines:
    """What `efm3 eval` prints."""
    yield text((printable(s.name), "bold"), f": {s.pairs:,} pairs, {s.genuine:,} of one person, "
               f"{s.impostors:,} of two" + (", with mirrored pictures" if s.flip else ""))
    if s.left_out:
        yield text((f"{s.left_out:,} pairs skipped: a picture cannot be decoded", WARN))
    mean = sum(s.fold_threshold) / len(s.fold_threshold)
    rows: list[list[Cell]] = [
        ["accuracy", (_percent(s.accuracy), "bold green"),
         (f"± {100 * s.std:.2f}, {len(s.fold_accuracy)} folds, threshold {mean:.3f} on average",
          LABEL)]]
    for tar in s.tar_at_far:
        need = round(1 / tar.far)
        note: Cell = (f"threshold {tar.threshold:.3f}", LABEL)
        if not tar.enough:
            note = (f"too few impostor pairs: {s.impostors:,} of {need:,}", WARN)
        rows.append([f"TAR at FAR {tar.far:g}", _percent(tar.tar), note])
    rows.append(["equal error rate", _percent(s.eer), (f"AUC {s.auc:.5f}", LABEL)])
    rows.append(_at("best threshold", s.best, "; chosen on these"))
    rows.append(_at("rule of thumb", s.rule_of_thumb, ""))
    yield from grid(rows, "<><")
    yield text()
    yield from histograms(s)


def compared(base: Scores, others: Sequence[tuple[str, Scores, Sequence[Difference]]]) -> Lines:
    """Scores of f32, and of other precisions by name with what they differ by, in points."""
    rows: list[list[Cell]] = []
    for at, first in enumerate(others[0][2]):
        label = "accuracy" if first.far is None else f"TAR at FAR {first.far:g}"
        rows.append([label, "f32", (_percent(_rate(base, first.far)), "bold")])
        for name, scores, differ in others:
            d = differ[at]
            ends = ", of too few people for an interval"
            if d.low is not None and d.high is not None:
                ends = f", {100 * CONFIDENCE:g} % {_points(d.low)} to {_points(d.high)}"
            rows.append(["", name, _percent(_rate(scores, first.far)),
                         (f"{_points(d.difference)} points{ends}", LABEL)])
    yield from grid(rows, "<<><")


def _rate(s: Scores, far: float | None) -> float:
    """Accuracy, or TAR at this FAR."""
    return s.accuracy if far is None else next(t.tar for t in s.tar_at_far if t.far == far)


def _points(rate: float) -> str:
    """Hundredths with their sign, without that of a zero."""
    return f"{round(100 * rate, 2) + 0.0:+.2f}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"


def _at(label: str, at: At, note: str) -> list[Cell]:
    return [f"{label} {at.threshold:.3f}", _percent(at.accuracy),
            (f"FAR {_percent(at.false_accepts)}, FRR {_percent(at.false_rejects)}{note}", LABEL)]


def histograms(s: Scores) -> Lines:
    """One line of bars for each kind of pair, over similarities of -1 to 1."""
    width = len(s.genuine_histogram)
    marks = [" "] * width
    for at in (s.rule_of_thumb, s.best):
        marks[min(width - 1, max(0, int((at.threshold + 1) / 2 * width)))] = "│"
    for label, counts, style in (("one person", s.genuine_histogram, "green"),
                                 ("two people", s.impostor_histogram, "red")):
        yield text((f"{label:12}", LABEL), (bars(counts, 1), style))
    yield text(" " * 12, ("".join(marks), LABEL))
    half = width // 2
    yield text((f"{'similarity':12}{'-1':<{half}}{'0':<{half - 1}}1", LABEL))


def matrix(names: Sequence[str], values: Sequence[Sequence[float]], threshold: float,
           stated: str = "the rule of thumb for one person", width: int = 80) -> Lines:
    """Similarities of all pairs of pictures; those above the threshold have a star, and are green.

    A dozen pictures fit a terminal of 80 columns; where more do not, the columns come in parts.
    """
    rows, heads = _names(names, width)
    fit = max(1, (width - _wide(rows) - 1) // (max(_wide(heads), HEADING) + 1))
    for start in range(0, len(names), fit):
        if start:
            yield text()
        part = slice(start, start + fit)
        table: list[list[Cell]] = [["", *((f"{head:>{HEADING}} ", LABEL) for head in heads[part])]]
        for i, (name, row) in enumerate(zip(rows, values, strict=True)):
            table.append([(f"{name} ", LABEL)])
            for j, value in enumerate(row[part], start):
                above = value > threshold
                style = "dim" if i == j else "bold green" if above else "red"
                table[-1].append((f"{value:5.2f}{'*' if above and i != j else ' '}", style))
        yield from grid(table, "<" + ">" * fit, 0)
    for line in wrap(f"* above {threshold:.4g}, {stated}", max(20, width)):
        yield text((line, LABEL))


def _wide(words: Sequence[str]) -> int:
    """Columns of a terminal that the widest takes."""
    return max(text(word).cell_len for word in words)


def _names(names: Sequence[str], width: int) -> tuple[list[str], list[str]]:
    """What stands before each row and above each column: the least ends of the names that tell the
    pictures apart, where they fit, else numbers, which stand before the rows too."""
    several = len(set(names))
    shown = [PurePath(name).stem for name in names]
    if len(set(shown)) < several:  # one name in two folders, or with two suffixes
        shown = list(names)
    shown = [printable(name) for name in shown]
    room = max(10, width // 2)
    rows = apart(shown, room)
    for letters in range(HEADING, LONGEST + 1):
        heads = [printable(name[-letters:]) for name in shown]  # another part begins it
        fits = letters == HEADING or _wide(rows) + 1 + len(names) * (_wide(heads) + 1) <= width
        if len(set(heads)) == several and fits:
            return rows, heads
    # A picture that is given twice has one number.
    number = {name: str(n) for n, name in enumerate(dict.fromkeys(names), 1)}
    heads = [number[name] for name in names]
    return [f"{head} {name}" for head, name in zip(heads, rows, strict=True)], heads
