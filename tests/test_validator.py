# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports, levels, causes with figures, and the search for files."""

import pytest

import efm3
from efm3.conformance import sample
from efm3.network import file_size
from efm3.validator import expand


def test_vectors_are_valid(vector):
    report = efm3.validate(vector)
    assert report.ok and not report.at_least("warning")
    assert report.size == vector.stat().st_size and report.source == str(vector)


def test_it_goes_on_after_the_first_finding():
    data = sample.field("arch.pad", b"\1\0\0")(sample.base())
    data = sample.with_mirror(lambda m: m | {"embedding_dim": 9, "width_mult": 0})(data)
    data = sample.weights("stem.bn.b", float("nan"))(data)
    assert {f.code for f in efm3.validate(data).at_least("error")} == {
        "H002", "M022", "M026", "V002"}


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_truncation_says_how_much_is_missing_and_where(cut):
    data = sample.base()[:-cut]
    report = efm3.validate(data)
    (finding,) = report.at_least("error")
    assert finding.code in ("T012", "T013")
    if finding.code == "T012":
        assert f"{cut} bytes are missing" in finding.message
        assert finding.path in dict(efm3.tensor_layout(sample.ARCH))
        inside = sample.spans(data).tensors[-1]
        assert (finding.offset, finding.length) == (inside.data_offset, inside.present)


def test_two_reports_of_one_file_are_equal():
    assert efm3.validate(sample.base()) == efm3.validate(sample.base())


def test_ok_and_counts():
    report = efm3.validate(sample.base())
    assert report.ok and report.count("info") == 1 and report.count("error") == 0
    assert not efm3.validate(b"").ok


def test_expand(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("z.bin", "b/a.efm3", "b/c.txt"):
        (tmp_path / name).write_bytes(b"")
    found = list(expand(["-", str(tmp_path), str(tmp_path / "b" / "c.txt")]))
    assert found == ["-", str(tmp_path / "z.bin"), str(tmp_path / "b" / "a.efm3"),
                     str(tmp_path / "b" / "c.txt")]


def test_file_size_agrees_with_the_vectors(vector):
    model = efm3.load(vector)
    text = int.from_bytes(vector.read_bytes()[88:92], "little")
    assert file_size(model.arch, text) == vector.stat().st_size


@pytest.mark.parametrize("data,codes", [
    (b"# a page of text that is long enough for a prefix\n" * 40, ["C030"]),
    (sample.field("version", 4)(sample.base())[:500], ["C003"]),
    (sample.put(0, b"XXXX")(sample.base()), ["C002"]),
    (sample.sealed()[:-100], ["T012"]),
    (sample.sealed() + b"x", ["T014"]),
])
def test_what_follows_from_a_finding_is_not_repeated(data, codes):
    assert [f.code for f in efm3.validate(data).at_least("error")] == codes
