# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the verbs that take tables of embeddings share: options, where the threshold comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from efm3.cli import Finite, source
from efm3.cli._kinds import FILE
from efm3.findings import printable
from efm3.machine import cores

if TYPE_CHECKING:
    from efm3.engine import Threshold
    from efm3.index.library import Library


def more(f: Any) -> Any:
    """The option --index: further tables."""
    return click.option("--index", "further", multiple=True, metavar="INDEX", type=FILE,
                        help="another table of the same model; may be repeated")(f)


def threads(f: Any) -> Any:
    """The option --threads."""
    return click.option("--threads", type=click.IntRange(1, 64), default=cores,
                        help="threads (default: all cores)")(f)


def above(words: str) -> Callable[[Any], Any]:
    """The option --threshold."""
    return click.option("--threshold", type=Finite(-1, 1), metavar="T", help=words)


def output(words: str) -> Callable[[Any], Any]:
    """The option -o."""
    return click.option("-o", "--output", metavar="X", type=FILE,
                        help=f"{words}: X.csv, X.jsonl or X.parquet")


def check_output(path: str | None) -> None:
    """Raises UsageError where the name says no form."""
    from efm3.index.records import FORMS, form_of

    if path is not None and form_of(path) is None:
        raise click.UsageError(f"{printable(path)}: the name must end in {', '.join(FORMS)}")


def threshold_of(library: Library, given: float | None, model: str | None) -> Threshold:
    """What the user says, else the model's meta, else the tables, else the rule of thumb.

    Raises Efm3Error B020 where `model` is another than the tables'; Unreadable.
    """
    from efm3.engine import RULE_OF_THUMB, Threshold

    if given is not None:
        return Threshold(given, "given", "as given")
    if model is not None:
        from efm3.bulk.run import Run

        with Run(source(model)) as run:
            library.same(run.job.model, run.job.dim, model)
            return run.threshold()
    return library.stated_threshold() or Threshold(
        RULE_OF_THUMB, "rule_of_thumb", "the rule of thumb for one person; give the weight file "
        "with --model, or --threshold")
