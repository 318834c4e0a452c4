# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 new`: files of published and of other archs."""

import hashlib
import json

import pytest

import efm3
from efm3 import mirror
from efm3.conformance import sample


def test_published(cli, tmp_path):
    out = tmp_path / "n.bin"
    said = json.loads(cli("new", "nano", "-o", out, "--seed", 9, "--json").stdout)
    data = out.read_bytes()
    assert said == {"file": str(out), "size": len(data), "seed": 9,
                    "sha256": hashlib.sha256(data).hexdigest()}
    assert efm3.load(out).mirror["meta"]["seed"] == 9
    assert efm3.validate(out).findings == []


def test_from_a_mirror_and_from_a_file(cli, tmp_path):
    text, out, again = tmp_path / "a.json", tmp_path / "a.bin", tmp_path / "b.bin"
    text.write_bytes(mirror.canonical(sample.ARCH))
    assert cli("new", text, "-o", out).exit_code == 0
    assert efm3.load(out).arch == sample.ARCH
    assert cli("new", out, "-o", again, "--name", "other").exit_code == 0
    assert efm3.load(again).arch.name == "other"
    assert efm3.load(again).arch.stages == sample.ARCH.stages


def test_refusals(cli, tmp_path):
    text = tmp_path / "a.json"
    for value in (b"{}", b"[]", b'{"name":1}', b"\xff"):
        text.write_bytes(value)
        assert cli("new", text, "-o", tmp_path / "x").exit_code == 1
    text.write_bytes(mirror.canonical(sample.ARCH).replace(b'"gdc_kernel":7', b'"gdc_kernel":6'))
    result = cli("new", text, "-o", tmp_path / "x")
    assert result.exit_code == 1 and "H016" in result.stderr
    assert cli("new", "huge", "-o", tmp_path / "x").exit_code == 3
    assert cli("new", "nano").exit_code == 2
    assert not (tmp_path / "x").exists()


def test_changed_shape(cli, tmp_path):
    out = tmp_path / "odd.bin"
    result = cli("new", "nano", "-o", out, "--set", "stem_kernel=5", "--set", "stem_stride=1",
                 "--set", "stem_channels=7", "--set", "embedding_dim=13",
                 "--stage", "1,2,4", "--stage", "3,1,2")
    assert result.exit_code == 0, result.stderr
    arch = efm3.load(out).arch
    assert (arch.stem_kernel, arch.stem_stride, arch.stem_channels) == (5, 1, 7)
    assert (arch.block_channels, arch.embedding_dim) == (48, 13)
    assert arch.stages == (efm3.Stage(1, 2, 4), efm3.Stage(3, 1, 2))
    # 112 at stride 1, then 4 and 2: the last map has side 14.
    assert arch.gdc_kernel == 14
    assert efm3.validate(out).ok


def test_a_changed_shape_is_not_called_by_a_published_name(cli, tmp_path):
    out = tmp_path / "a.bin"
    assert cli("new", "nano", "-o", out, "--set", "final_channels=16").exit_code == 0
    assert efm3.load(out).arch.name == "custom"
    assert efm3.validate(out).findings == []
    assert cli("new", "nano", "-o", out, "--stage", "1,1,16", "--name", "x").exit_code == 1


@pytest.mark.parametrize("words,code", [
    (("--set", "gdc_kernel=6"), "H016"), (("--set", "stem_kernel=4"), "H004"),
    (("--set", "stem_stride=0"), "H005"), (("--stage", "1,1,0"), "H013"),
    (("--stage", "0,1,2"), "H011"), (("--set", "final_channels=65536"), "H008"),
    (("--stage", "1,1,1") * 9, "H003"),
])
def test_shapes_the_format_forbids(cli, tmp_path, words, code):
    result = cli("new", "nano", "-o", tmp_path / "x", *words)
    assert result.exit_code == 1 and code in result.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("words", [
    ("--set", "name=5"), ("--set", "stem_kernel"), ("--set", "t=2"), ("--set", "stem_kernel=x"),
    ("--set", "stem_kernel=-3"), ("--stage", "1,2"), ("--stage", "1,2,3,4"), ("--stage", "a,1,1"),
])
def test_options_that_cannot_be_read(cli, tmp_path, words):
    assert cli("new", "nano", "-o", tmp_path / "x", *words).exit_code == 2


def test_alignment_is_the_users_choice(cli, tmp_path):
    plain, padded = tmp_path / "p.bin", tmp_path / "q.bin"
    assert cli("new", "nano", "-o", plain, "--no-align").exit_code == 0
    assert cli("new", "nano", "-o", padded).exit_code == 0
    text = [int.from_bytes(p.read_bytes()[88:92], "little") for p in (plain, padded)]
    assert text[0] < text[1] and (92 + text[1] + 8) % 4 == 0
    assert plain.read_bytes()[92 + text[0]:] == padded.read_bytes()[92 + text[1]:]
