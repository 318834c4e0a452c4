# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Modules that are run with small mistakes (tools/mutants/tested.py), and the tests of each."""

from __future__ import annotations

from typing import NamedTuple


class Room(NamedTuple):
    """Tests of `make test` that see a module; functions and limits `without` mutants, or with
    them `only`."""

    tests: tuple[str, ...]
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Whether a function or limit is mutated."""
        return name in (self.only or (name,)) and name not in self.without


CHECKED: dict[str, Room] = {
    # Evaluation.
    "efm3.evaluation.scores": Room(("tests/evaluation/test_scores.py",)),
    "efm3.evaluation.run": Room(("tests/evaluation/test_run.py",)),
    "efm3.evaluation._machine": Room(("tests/evaluation/test_pickles.py",
                                      "tests/evaluation/test_sets.py")),
    "efm3.evaluation.pickles": Room(("tests/evaluation/test_pickles.py",
                                     "tests/evaluation/test_sets.py")),
    "efm3.evaluation.paired": Room(("tests/evaluation/test_paired.py",)),
    "efm3.evaluation._text": Room(("tests/evaluation/test_text.py",)),
    # Training.
    "efm3.train.schedule": Room(("tests/train/test_schedule.py",)),
    "efm3.train.config": Room(("tests/train/test_config.py",)),
    "efm3.train.sampler": Room(("tests/train/test_sampler.py",), ("Batches.__iter__",)),
    "efm3.arithmetic": Room(("tests/test_arithmetic.py",)),
    # Pictures.
    "efm3.pictures": Room(("tests/test_pictures.py",)),
    "efm3.pictures.load": Room(("tests/pictures/test_load.py",)),
    **{f"efm3.pictures.{m}": Room((f"tests/pictures/test{m}.py",))
       for m in ("_headers", "_forms", "_colour")},
    # Conversion: readers.
    "efm3.pickles": Room(("tests/test_pickles.py", "tests/evaluation/test_pickles.py")),
    "efm3.convert._protobuf": Room(("tests/convert/test_protobuf.py",
                                    "tests/convert/test_prototxt.py")),
    "efm3.convert._prototxt": Room(("tests/convert/test_prototxt.py",)),
    "efm3.convert._zip": Room(("tests/convert/test_zip.py",)),
    # Conversion: graphs.
    "efm3.convert.graph.rewrite": Room(("tests/convert/graph/test_rewrite.py",
                                        "tests/convert/graph/test_fusing.py")),
    **{f"efm3.convert.graph.{m}": Room((f"tests/convert/graph/test_{m}.py",))
       for m in ("fusing", "pairs", "tail")},
    # Files of weights: what their bytes say.
    # A number that only makes another one, when its module is loaded, has no mutant.
    **{f"efm3.rules.{m}": Room(("tests/rules/test_plain.py", "tests/rules/test_conditions.py"),
                               ("_SMALLEST_NORMAL",)) for m in ("_stats", "_plain", "_quick")},
    "efm3.rules.values": Room(("tests/rules/test_conditions.py",), only=("_swapped",)),
    "efm3.floats": Room(("tests/test_floats.py",)),
    "efm3.texts": Room(("tests/test_texts.py", "tests/test_reporting.py")),
}
