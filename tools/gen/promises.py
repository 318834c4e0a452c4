# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What SECURITY.md promises, the tests that prove each promise, and the letters of its figures.

A promise that names a missing test is refused (Unproved).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tools import ROOT
from tools.gen.blocks import table


class Unproved(Exception):
    """A promise without the test that it names."""


class Promise(NamedTuple):
    """What holds, the tests that fail where it does not, and the letters of its figures."""

    text: str
    tests: tuple[str, ...]
    figures: str = ""


PROMISES = (
    Promise("For any bytes the loaders return a model or one error with code and place; they do "
            "not crash, hang, or read out of bounds.",
            ("tests/test_bad_input.py::test_every_prefix",
             "tests/test_bad_input.py::test_every_single_bit_flip_of_the_first_4_kib",
             "tests/test_exhaustive.py::test_all_damage_to_the_tiny_file",
             "tests/test_exhaustive.py::test_a_byte_read_behind_the_end_faults",
             "tests/test_engine.py", "engine/tests/check_loader.c", "make sanitize"), "ABF"),
    Promise("No number in the file causes an allocation by itself: the header alone determines "
            "the file's length, which is compared first.",
            ("tests/test_bad_input.py::test_lying_lengths_allocate_nothing",
             "tests/test_bad_input.py::test_a_header_of_256_blocks_allocates_little",
             "tests/test_exhaustive.py::test_a_refusal_over_the_limit_is_seen",
             "tests/faults/test_faults.py::test_a_sparse_file_is_refused_at_once",
             "tests/test_reading.py::test_a_long_file_is_read_as_far_as_its_header_allows",
             "tests/test_reading.py::test_a_stream_is_read_as_far_as_its_header_allows"), "B"),
    Promise("One model has one encoding: every byte belongs to a field, no key is duplicated, no "
            "reserved byte is set, no mirror contradicts its header.",
            ("tests/test_conformance.py::test_every_rule_of_severity_error_has_a_rejecting_case",
             "tests/test_scan.py::test_spans_tile_any_file"), "BF"),
    Promise("Python's scan and load, the validator and the C loader accept the same files at level "
            "structure.",
            ("tests/test_bad_input.py::test_random_patches",
             "tests/test_exhaustive.py::test_mutated_files",
             "tests/test_conformance.py::test_the_engine_gives_the_expected_status"), "B"),
    Promise("Loading runs no code of the file: no pickle, no eval, no import by name, no attribute "
            "set from a key; it opens the given path and nothing else.",
            ("tests/test_model.py::test_loading_opens_the_path_and_does_nothing_else",)),
    Promise("A save is atomic and durable: the path holds the old file or the new one after an "
            "exception, a full disk or a kill; file and folder are synced; a failed sync is an "
            "error.",
            ("tests/test_source.py::test_order_of_syncs",
             "tests/faults/test_faults.py::test_every_failing_call_leaves_the_old_file_or_the_new",
             "tests/faults/test_faults.py::test_a_kill_at_each_call_leaves_the_old_file_or_the_new",
             "tests/faults/test_faults.py::test_two_writers_to_one_path"), "C"),
    Promise("FIFOs, devices and folders are refused at once, and never replaced by a save; a file "
            "that changes while it is read is an error; a loaded model stays complete when its "
            "file is truncated.",
            ("tests/test_source.py::test_unreadable_paths",
             "tests/faults/test_faults.py::test_special_files_and_full_disks",
             "tests/faults/test_faults.py::test_a_file_that_shrinks_and_grows_while_it_is_read",
             "tests/faults/test_faults.py::test_a_file_cut_while_its_model_lives"), "C"),
    Promise("The C API checks every pointer, size and state it can, and reports a failure of any "
            "allocation, without a leak.",
            ("engine/tests/check_engine.c", "engine/tests/check_loader.c"), "C"),
    Promise("One engine serves many threads at once, bitwise equal to serial use on the same "
            "instruction set; parent and child both keep working after a fork.",
            ("tests/test_engine.py", "engine/tests/check_engine.c",
             "tests/processes/test_processes.py::test_it_ends_well"), "D"),
    Promise("Engines may be dropped, closed, forked, interrupted or left alive at exit in any "
            "order: nothing crashes, hangs or leaks memory or files.",
            ("tests/processes/test_processes.py::test_it_ends_well",
             "tests/processes/test_processes.py::test_many_loads_in_c",
             "tests/processes/test_processes.py::test_many_loads_in_python"), "D"),
    Promise("Big-endian, 32-bit and strictly aligned machines give the same verdicts and write the "
            "same bytes; a processor without AVX2 takes another path.",
            ("tests/test_engine_foreign.py",), "E"),
    Promise("Every check has a case or a test that fails where the check is removed, and every "
            "branch of loader, scan, rules and writer is taken by one; unreachable ones are "
            "listed with the reason.",
            ("tools/mutants/checks.py", "tools/evidence/exceptions.toml"), "F"),
)


def _exists(ref: str) -> bool:
    if ref.startswith("make "):
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        return re.search(rf"^{ref[5:]}:", makefile, re.MULTILINE) is not None
    path, _, name = ref.partition("::")
    file = ROOT / path
    return file.is_file() and (not name or f"def {name}(" in file.read_text(encoding="utf-8"))


def rows() -> Iterator[str]:
    """The promises as a table. Raises Unproved."""
    lost = [ref for p in PROMISES for ref in p.tests if not _exists(ref)]
    if lost:
        raise Unproved(", ".join(lost))
    yield from table(("", "promise", "proved by", "figures"), [
        (i, p.text, "<br>".join(f"`{t}`" for t in p.tests), ", ".join(p.figures) or "-")
        for i, p in enumerate(PROMISES, 1)])
