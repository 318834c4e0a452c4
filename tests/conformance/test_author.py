# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Cases that are written by the kit read back as what they were."""

import sys

import pytest

from efm3.conformance import author, cases

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize("value", [
    1, -5, 1.5, 1e-9, True, "plain", 'say "hi" \\ there', "tab\tnul\0del\x7f", "größe 😀", [1, [2]],
    {"a": 1, "b c": [True]}, [], {}, "\u2028", float("inf"), float("-inf")])
def test_toml_reads_back(value):
    assert tomllib.loads(f"x = {author.toml(value)}")["x"] == value


def test_what_toml_has_not_is_refused():
    with pytest.raises(TypeError, match="NoneType"):
        author.toml({"a": None})


def test_a_case_of_the_corpus_is_written_as_it_is():
    by_id = {c.id: c for c in cases.corpus()}
    for name in ("bad-h004-stem-kernel-4", "bad-m005-same-value", "valid-stages-3",
                 "bad-t014-zero", "bad-v002-conv-w"):
        old = by_id[name]
        new = cases.parse(author.text(old.recipe, old.about), name, old.folder)
        assert (new.data(), new.status, new.about) == (old.data(), old.status, old.about)
        assert set(new.findings) >= set(old.findings)
