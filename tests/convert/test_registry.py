# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The list of formats: each has its file, its test, its extra, its row in the docs."""

import re
from pathlib import Path

import pytest

import efm3
from efm3 import convert
from efm3.codes import CODES
from efm3.convert import FORMATS, module_of

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
OWN = [c.code for c in CODES.values() if c.group == "convert"]
DOCS = ROOT / "docs" / "converters.md"


def test_every_format_is_a_file_with_a_test_and_every_file_a_format():
    files = {p.stem for p in (ROOT / "efm3" / "convert").glob("*.py") if p.stem[0] != "_"}
    files -= {"formats", "checked", "matching"}  # the registry, and what converts
    assert files == set(FORMATS)
    for name in FORMATS:
        assert (HERE / f"test_{name}.py").is_file()


@pytest.mark.parametrize("name", FORMATS)
def test_a_module_has_what_its_row_says(name):
    module, row = module_of(FORMATS[name]), FORMATS[name]
    assert bool(row.reads) == hasattr(module, "read")
    assert bool(row.writes) == hasattr(module, "parts")


def test_suffixes_are_of_one_format():
    suffixes = [s for f in FORMATS.values() for s in f.suffixes]
    assert len(set(suffixes)) == len(suffixes)


def test_extras_exist():
    text = (ROOT / "pyproject.toml").read_text()
    for row in FORMATS.values():
        assert not row.extra or re.search(rf"^{row.extra} = \[", text, re.MULTILINE)


def test_docs_have_every_format_and_code():
    text = DOCS.read_text(encoding="utf-8")
    for row in FORMATS.values():
        assert f"| {row.title} |" in text and row.reads in text
    for code in OWN:
        assert f"| {code} | {CODES[code].what} |" in text


def test_unknown_formats(tmp_path):
    for name in ("a.xyz", "a", "a.bin.zip"):
        (tmp_path / name).write_bytes(bytes(range(7, 99)))
        with pytest.raises(efm3.Efm3Error, match=r"X001.*onnx \(\.onnx\)"):
            convert.read(tmp_path / name)
    with pytest.raises(efm3.Efm3Error, match="X001"):
        convert.read("a.bin", format="gguf")
    assert convert.format_of("A.ONNX", write=True).name == "onnx"


def test_what_is_known_to_be_no_network_is_named(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"<!DOCTYPE html><title>Not found</title>")
    with pytest.raises(efm3.Efm3Error, match=r"X003.*an HTML page"):
        convert.read(tmp_path / "a.onnx")


def test_the_bytes_decide_and_not_the_name(tmp_path):
    model = efm3.load(ROOT / "spec/vectors/odd_a.bin")
    for name in ("npz", "c_array", "bin"):
        convert.write(model, tmp_path / "x", format=name)
        for other in ("y", "y.onnx", "y.pth.tar"):
            (tmp_path / other).write_bytes((tmp_path / "x").read_bytes())
            assert name == "c_array" or convert.format_of(tmp_path / other).name == name


def test_damage_by_text_mode_is_named(tmp_path):
    model = efm3.load(ROOT / "weights/facex_nano.bin")
    convert.write(model, tmp_path / "a.param")
    data = (tmp_path / "a.bin").read_bytes()
    (tmp_path / "a.bin").write_bytes(data.replace(b"\n", b"\r\n"))
    with pytest.raises(efm3.Efm3Error, match=r"X003.*text mode"):
        convert.read(tmp_path / "a.param")
