# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a section is made of: one reading of a file, its first bytes, histograms."""

import pytest

from efm3 import validate
from efm3.conformance import sample
from efm3.conformance.examples import example
from efm3.report import facts
from efm3.scan import scan


@pytest.mark.parametrize("code", ["C001", "H004", "M022", "T012", "V001"])
@pytest.mark.parametrize("level", ["structure", "values"])
def test_judged_as_validate_does(code, level, tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(example(code)[1])
    found = facts.checked(str(path), level)
    assert found.report == validate(path, level) and found.seen["source"] == str(path)
    scanned = facts.checked(scan(path.read_bytes()), level, name=str(path))
    assert scanned.report == found.report and scanned.seen["tensors"] == found.seen["tensors"]


def test_selected_and_unreadable(tmp_path):
    data = example("M022")[1]
    assert not facts.checked(data, ignore=("M", "P")).report.findings
    assert {f.code for f in facts.checked(data, select=("M",)).report.findings} == {"M022"}
    gone = facts.checked(tmp_path / "none")
    assert gone.report.unreadable and gone.seen is None and gone.scan is None
    with pytest.raises(ValueError):
        facts.checked(data, "deep")


def test_head_and_lines():
    data = sample.base()
    fields = facts.head(scan(data))
    shown = b"".join(bytes.fromhex(f.hex) for f in fields)
    at = 92 + scan(data).json_len
    assert shown == data[:92] + data[at:at + 8]
    assert [f.path for f in fields][-2:] == ["n_tensors", "tensors[0].size"]
    assert fields[0].group == "magic"
    assert {f.group for f in fields} >= {"", "arch", "stages", "table"}
    lines = list(facts.lines(fields))
    assert all(len(line.text) <= facts.STEP for line in lines)
    assert b"".join(bytes.fromhex(p.hex) for line in lines for p in line.pieces) == shown
    assert [p.field.number for line in lines for p in line.pieces if p.first] == list(
        range(len(fields)))
    assert [line.offset for line in lines][-1] == at and lines[0].text == "EFM3...."


@pytest.mark.parametrize("size", [0, 1, 4, 7, 13, 91, 92, 95, 100])
def test_a_head_that_ends_early(size):
    data = sample.base()[:size]
    fields = facts.head(scan(data))
    assert b"".join(bytes.fromhex(f.hex) for f in fields) == data[:92]
    lines = list(facts.lines(fields))
    assert sum(len(line.text) for line in lines) == min(size, 92)


def test_a_foreign_file_is_bytes():
    lines = list(facts.plain_lines(scan(b"version https://git-lfs" * 9)))
    assert len(lines) == facts.FOREIGN // facts.STEP
    assert lines[1] == (8, "68 74 74 70 73 3a 2f 2f", "https://")


def mirror(text):
    return sample.build(text=text)


@pytest.mark.parametrize("text", [
    b'{"name":"' + "ä€😀".encode() * 40 + b'"}', b'{"name":"\xff\xfe' + b"x" * 100 + b'"}', b"",
    b'{"name":"' + "€".encode() * 3000 + b'"}', b'"' + b"\xff" * 9000, b" " * 4095 + b"\xe2\x82"])
def test_the_mirrors_text(text):
    found = list(facts.mirror_lines(scan(mirror(text))))
    raw = b"".join(line.encode("utf-8", "surrogateescape") for _, line in found)
    assert raw == text[:len(raw)] and min(len(text), facts.MIRROR) - len(raw) <= 3
    at = 92
    for offset, line in found:
        part = line.encode("utf-8", "surrogateescape")
        assert offset == at and 0 < len(part) <= facts.TEXT_STEP
        at += len(part)


def test_a_line_of_the_mirror_ends_well():
    found = [line for _, line in facts.mirror_lines(scan(sample.base()))]
    assert len(found) > 3 and all(line[-1] in ",{[" for line in found[:-1])
    keys = mirror(b"{" + b'"k":' * 200)
    assert not [line for _, line in facts.mirror_lines(scan(keys)) if line.startswith(":")]


def test_histograms():
    assert facts.histogram([1, 0, 2]) == "M0 16V8h4V16h4V0h4V16z"
    assert facts.histogram([0, 0]) == "M0 16V16h4V16h4V16z"
    assert facts.histogram([1, 10 ** 9]) == "M0 16V15h4V0h4V16z"  # one value is seen
