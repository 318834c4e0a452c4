# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The entry for file(1), by file(1): it knows every valid file, with the sizes that it has, and
takes nothing else for weights."""

import re
import shutil
import subprocess

import pytest

from efm3 import format as fmt
from efm3.conformance import sample
from efm3.conformance.cases import corpus
from efm3.forms import FORMS, magic
from efm3.scan import scan

FILE = shutil.which("file")
needs_file = pytest.mark.skipif(FILE is None, reason="no file(1) here; Debian's package is file")


@pytest.fixture
def said(tmp_path):
    """What file(1) says of some bytes, each in turn; it takes no warning of the entry."""
    (tmp_path / "efm3.magic").write_bytes(FORMS["magic"].text().encode())

    def ask(*datas, words=("-b",)):
        paths = []
        for i, data in enumerate(datas):
            paths.append(tmp_path / f"{i}.bin")
            paths[-1].write_bytes(data)
        done = subprocess.run([FILE, *words, "-m", tmp_path / "efm3.magic", "--", *paths],
                              capture_output=True, text=True, check=True)
        assert not done.stderr
        return done.stdout.splitlines()
    return ask


def expected(data):
    values = scan(data).values
    stem, block, final = (values[f"arch.{k}_channels"] for k in ("stem", "block", "final"))
    return (f"EFM3 face-recognition weights, version 3, {values['arch.n_stages']} stages, "
            f"{stem}/{block}/{final} channels, {values['arch.embedding_dim']} values of a face, "
            f"{values['json_len']} bytes of JSON")


@needs_file
def test_every_valid_file_of_the_kit(said):
    # The first bytes are all that it reads: the weights are left out of the copies.
    files = [c.data()[:4096] for c in corpus() if c.folder == "valid"]
    assert len(files) > 50
    assert said(*files) == [expected(data) for data in files]


@needs_file
def test_the_ends_of_a_name(said):
    assert said(sample.base(), words=("-b", "--extension")) == ["bin/efm3"]


@needs_file
def test_another_version_and_what_is_no_weights(said):
    def version(n):
        return b"EFM3" + n.to_bytes(4, "little") + bytes(100)

    found = said(version(4), version(magic.NEWEST), version(2), version(magic.NEWEST + 1),
                 b"EFM3 is a format of weights\n", b"EFM3", b"", b"EFM2" + sample.base()[4:],
                 b"\0" + sample.base())
    assert found[:2] == [f"EFM3 face-recognition weights, version {n}" for n in (4, magic.NEWEST)]
    assert not any("weights" in line for line in found[2:])


@needs_file
def test_a_file_that_ends_in_its_header(said):
    whole = expected(sample.base()).split(", ")
    for line in said(*(sample.base()[:n] for n in range(8, fmt.PREFIX_SIZE))):
        # It shows as many sizes as are there, and may end within the list of channels.
        assert expected(sample.base()).startswith(line) and line.startswith(whole[0])


def test_offsets_and_types_are_the_declarations():
    sizes = {"ubyte": 1, "uleshort": 2, "ulelong": 4}
    found = [(int(at), sizes[kind]) for at, kind in re.findall(
        r"^>>(\d+)\t(\w+)\tx\t", FORMS["magic"].text(), re.M)]
    assert found == [(fmt.FIELDS[p].offset, fmt.FIELDS[p].size) for p, _ in magic.SHOWN]
