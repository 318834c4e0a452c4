# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""C024: what transfers as text do to a file is proved, and other damage is not called that."""

import random
import re
import struct
import tracemalloc

import pytest

import efm3
from efm3.conformance import sample
from efm3.rules import cause
from efm3.scan import scan
from tools import ROOT

NANO = (ROOT / "weights/facex_nano.bin").read_bytes()

CHANGES = {
    "every line end (LF) became CR LF": [(b"\n", b"\r\n")],
    "no CR LF is left in it": [(b"\r\n", b"\n")],
    "no CR is left in it": [(b"\r", b"")],
    "no LF is left in it": [(b"\n", b"")],
    "no CR and no LF is left in it": [(b"\r", b""), (b"\n", b"")],
}


def changed(data, pairs):
    for old, new in pairs:
        data = data.replace(old, new)
    return data


def found(data):
    """The codes of a file's errors."""
    return [f.code for f in efm3.validate(data, "structure").at_least("error")]


@pytest.mark.parametrize("size", ["nano", "standard", "tiny", "xs"])
@pytest.mark.parametrize("words", CHANGES)
def test_line_ends(size, words):
    data = (ROOT / f"weights/facex_{size}.bin").read_bytes()
    hurt = changed(data, CHANGES[words])
    assert hurt != data and cause(scan(hurt)) == f"the file was transferred as text: {words}"
    assert found(hurt) == ["C024"] and found(data) == []


def test_line_ends_of_every_kind_made_one():
    hurt = NANO.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert "no CR is left in it" in cause(scan(hurt))


@pytest.mark.parametrize("encode", [
    lambda d: d.decode("latin-1").encode(),
    lambda d: d.decode("cp1252", "replace").replace("\ufffd", "?").encode()],
    ids=["latin-1", "cp1252"])
def test_rewritten_as_utf8(encode):
    hurt = encode(NANO)
    assert "rewritten as UTF-8" in cause(scan(hurt)) and found(hurt) == ["C024"]
    assert "rewritten as UTF-8" not in cause(scan(hurt + b"x"))
    assert "rewritten as UTF-8" not in cause(scan(hurt + b"\xff"))


@pytest.mark.parametrize("size", [1, 1000])
def test_of_a_beginning_it_is_not_said_what_only_a_whole_file_shows(size):
    widened = NANO.decode("latin-1").encode()
    assert "rewritten as UTF-8" not in cause(scan(widened, len(widened) + size))
    ended = NANO.replace(b"\n", b"\r\n")
    part = ended[:len(NANO)]
    # So many bytes that the line ends of the part would be all that is too much.
    assert "CR LF" not in cause(scan(part, len(NANO) + part.count(b"\r\n")))


def test_replaced_by_a_decoder():
    hurt = NANO.decode("utf-8", "replace").encode()
    assert "lost" in cause(scan(hurt)) and found(hurt) == ["C024"]


def test_a_widened_head_is_read_as_what_it_was():
    """200 in the mirror's length is two bytes in UTF-8: the header must be undone first."""
    assert sample.base()[88] > 127
    widened = sample.base().decode("latin-1").encode()
    assert "UTF-8" in cause(scan(widened))
    short = sample.text(b'{"name":"\xc3\xa9\x0a"}')(sample.base())
    assert "CR LF" in cause(scan(short.replace(b"\n", b"\r\n")))


def plain():
    """The file with neither CR nor LF in its values."""
    data = bytearray(NANO)
    for t in scan(NANO).tensors:
        part = data[t.data_offset:t.data_offset + t.size]
        data[t.data_offset:t.data_offset + t.size] = part.replace(b"\r", b"\x0c").replace(
            b"\n", b"\x0b")
    return bytes(data)


@pytest.mark.parametrize("lost", [1, 2, 5, 36, 100, 1000, 2763, 30_000, 400_000])
def test_a_file_without_line_ends_that_was_cut_is_cut(lost):
    data = plain()
    assert found(data) == [] and found(data[:-lost]) in (["T012"], ["T013"])


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_few_bytes_lost_anywhere_are_no_line_ends(count):
    data = plain()
    rng = random.Random(count)
    for _ in range(5):
        at = rng.randrange(4000, len(data) - 4000)
        assert found(data[:at] + data[at + count:])[0] != "C024"


def thinned(data, gaps):
    """The file without some of the first bytes of tensors: number to how many."""
    for number, count in sorted(gaps.items(), reverse=True):
        at = scan(data).tensors[number].data_offset
        data = data[:at] + data[at + count:]
    return data


def test_bytes_lost_at_two_places_are_line_ends_in_a_likely_number_alone():
    small, data = sample.base(), plain()
    assert small.count(b"\r") == small.count(b"\n") == 0
    large = sorted(range(len(scan(data).tensors)), key=lambda i: -scan(data).tensors[i].size)[:6]
    for number in (1, 5, 18):
        assert found(thinned(data, dict.fromkeys(large, number))) == ["C024"]
    assert "C024" not in found(thinned(data, {large[0]: 30}))
    assert "C024" not in found(thinned(data, dict.fromkeys(large, 6000)))
    assert found(thinned(small, {0: 4, 6: 4})) == ["C024"]
    for gaps in ({0: 1, 6: 1}, {0: 8}, {0: 400, 6: 100}):
        assert "C024" not in found(thinned(small, gaps))


def test_ascii_alone_was_not_rewritten():
    """Of the right length, and wrong all the same: its size fields are exchanged."""
    names = [t.name for t in scan(sample.base()).tensors]
    data = sample.payload("", lambda d: bytes(len(d)))(sample.text(b"{}")(sample.base()))
    at = scan(data).tensors[names.index("stem.bn.w")].offset
    swapped = data[:at] + data[at:at + 4][::-1] + data[at + 4:]
    assert swapped.isascii() and found(swapped)[0] != "C024"


def test_line_ends_that_explain_only_a_part_are_not_told():
    crlf = NANO.replace(b"\n", b"\r\n")
    assert found(crlf[:-1])[0] != "C024" and found(crlf + b"x")[0] != "C024"
    assert found(crlf.replace(b"\r\n", b"\n", 1))[0] != "C024"
    for words in list(CHANGES)[1:]:
        hurt = changed(NANO, CHANGES[words])
        assert found(hurt[:-40_000])[0] != "C024", words
        at = scan(NANO).tensors[40].offset
        size = struct.pack("<I", scan(NANO).tensors[40].size)
        here = hurt.index(size, at - 3000)
        broken = hurt[:here] + b"\xff" * 4 + hurt[here + 4:]
        assert found(broken)[0] != "C024", words


def test_a_header_that_states_nothing_is_not_undone():
    crlf = bytearray(NANO.replace(b"\n", b"\r\n"))
    crlf[10] = 4  # stem_kernel
    assert found(bytes(crlf))[0] == "H004"
    assert cause(scan(b"EFM3\3\0\0\0")) == "" == cause(scan(b"EFM3\3\0\0\0" + b"\r\n" * 60))


def test_the_file_is_not_copied():
    """A CR in front of each LF, or none at all, in 8 MB: no more memory than pieces of it."""
    xs = (ROOT / "weights/facex_xs.bin").read_bytes()
    for hurt in (xs.replace(b"\n", b"\r\n"), xs.replace(b"\r", b""),
                 xs.decode("latin-1").encode(), xs[:-3]):
        scanned = scan(hurt)
        tracemalloc.start()
        cause(scanned)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20


def test_the_engine_tells_too():
    hurt = NANO.replace(b"\n", b"\r\n")
    with pytest.raises(efm3.Efm3Error, match=re.escape("; the file was transferred as text: ")):
        efm3.Engine(hurt)
    with pytest.raises(efm3.Efm3Error, match=r"^E_TRUNCATED <bytes> at byte [0-9]+: [^;]*$"):
        efm3.Engine(NANO[:-9])
