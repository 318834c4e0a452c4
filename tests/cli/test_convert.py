# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 convert`: forms, options, exit codes, and that a refusal leaves no file."""

import json
import os
import subprocess
import sys

import pytest

import efm3
from efm3 import mirror
from efm3.conformance import sample
from efm3.convert import FORMATS


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a.bin").write_bytes(sample.base())
    return tmp_path / "a.bin"


def test_there_and_back(cli, file, tmp_path):
    result = cli("convert", file, tmp_path / "a.npz")
    assert result.exit_code == 0 and result.stderr == ""
    assert "8/8/16 channels, stages (2,1,2) (1,2,2) (2,1,2), embedding 8" in result.stdout
    assert "read back: every tensor is the same; not verified" in result.stdout
    assert cli("convert", tmp_path / "a.npz", tmp_path / "b.bin").exit_code == 0
    assert (tmp_path / "b.bin").read_bytes() == file.read_bytes()


def test_json(cli, file, tmp_path):
    result = cli("convert", file, tmp_path / "a.h", "--format", "json")
    value = json.loads(result.stdout)
    assert set(value) == {"source", "target", "from_format", "to_format", "arch", "turned",
                          "size", "assumed", "check", "beside"}
    assert (value["from_format"], value["to_format"]) == ("bin", "c_array")
    assert value["size"] == os.path.getsize(tmp_path / "a.h")
    assert value["arch"]["stages"][0] == {"t": 2, "n": 1, "s": 2}
    assert value["check"]["max_error"] == 0 and value["assumed"] == []
    assert value["check"]["verified"] is value["turned"] is False
    result = cli("convert", file, tmp_path / "a.h", "--format", "json", "--no-verify")
    assert json.loads(result.stdout)["check"] is None


def test_name_meta_and_arch(cli, file, tmp_path):
    (tmp_path / "arch.json").write_bytes(mirror.canonical(sample.ARCH))
    out = tmp_path / "b.bin"
    result = cli("convert", file, out, "--name", "face", "--meta", "licence=MIT", "--meta",
                 "trained=false", "--meta", "seed=7", "--meta", "source=a=b",
                 "--arch", tmp_path / "arch.json")
    assert result.exit_code == 0, result.stderr
    model = efm3.load(out)
    assert model.arch.name == "face"
    assert model.mirror["meta"] == {"licence": "MIT", "trained": False, "seed": 7, "source": "a=b"}


def test_assumptions_go_to_stderr(cli, file, tmp_path):
    import numpy as np
    model = efm3.load(file)
    np.savez(tmp_path / "a.npz", **{k: v.astype(np.float64) + 1e-12 for k, v in
                                    model.tensors.items()})
    result = cli("convert", tmp_path / "a.npz", tmp_path / "b.bin", "--arch", file)
    assert result.exit_code == 0 and "assumed: stem" in result.stderr, result.stderr
    assert efm3.load(tmp_path / "b.bin").arch.name == "custom"
    assert "  assumed: " not in result.stdout and "if what is assumed holds" in result.stdout
    result = cli("convert", tmp_path / "a.npz", tmp_path / "c.bin", "--arch", file, "--strict")
    assert result.exit_code == 1 and "X014" in result.stderr
    assert not (tmp_path / "c.bin").exists()


def test_formats_by_name_and_by_bytes(cli, file, tmp_path):
    """A name is needed for OUT alone: IN's bytes say what it is."""
    out = tmp_path / "weights"
    assert cli("convert", file, out, "--to", "npz").exit_code == 0
    assert cli("convert", out, tmp_path / "b.bin", "--from", "npz").exit_code == 0
    assert cli("convert", out, tmp_path / "b.bin").exit_code == 0
    assert cli("convert", file, out, "--to", "tflite").exit_code == 2
    assert cli("convert", file, out).exit_code == 1


def test_exit_codes(cli, file, tmp_path):
    out = tmp_path / "b.bin"
    assert cli("convert", tmp_path / "none.npz", out).exit_code == 3
    assert cli("convert", tmp_path / "none.onnx", out).exit_code in (1, 3)
    (tmp_path / "d.npz").mkdir()
    assert cli("convert", tmp_path / "d.npz", out).exit_code == 3
    (tmp_path / "x.npz").write_bytes(b"PK")
    result = cli("convert", tmp_path / "x.npz", out)
    assert result.exit_code == 1 and "X003" in result.stderr and len(result.stderr) < 300
    assert cli("convert", file).exit_code == 2
    assert cli("convert", file, out, "--meta", "x").exit_code == 2
    assert cli("convert", file, out, "--arch", "nano").exit_code == 1
    assert cli("convert", file, tmp_path / "no" / "b.bin").exit_code == 3
    assert not out.exists()


def test_a_refusal_keeps_what_was_there(cli, file, tmp_path):
    out = tmp_path / "b.npz"
    out.write_bytes(b"precious")
    assert cli("convert", file, out, "--tolerance", "-1").exit_code == 2
    (tmp_path / "bad.bin").write_bytes(sample.base()[:-1])
    assert cli("convert", tmp_path / "bad.bin", out).exit_code == 1
    assert out.read_bytes() == b"precious"


def test_help_lists_the_registry(cli):
    text = cli("convert", "--help").stdout
    for row in FORMATS.values():
        assert f"{row.name:12} {' '.join(row.suffixes):12}" in text


def test_no_framework_is_imported_without_need(file, tmp_path):
    code = ("import sys; from efm3.cli import cli\ntry: cli(sys.argv[1:])\n"
            "except SystemExit: pass\nprint(*sys.modules, file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code, "convert", file, tmp_path / "a.npz",
                           "--no-verify"], capture_output=True, text=True, check=True)
    loaded = {m.split(".")[0] for m in done.stderr.split()}
    assert not loaded & {"torch", "onnx", "onnxruntime", "safetensors", "rich", "jsonschema"}


def test_what_a_source_does_not_say(cli, file, tmp_path):
    import numpy as np
    model = efm3.load(file)
    from efm3.convert import _state_dict
    names = dict(_state_dict.original(model.arch, model.tensors))
    state = {k: v for k, v in names.items() if v is not None}
    np.savez(tmp_path / "s.npz", **state)
    out = tmp_path / "b.bin"
    base = ("convert", tmp_path / "s.npz", out, "--arch", file)
    said = cli(*base).stderr
    for word in ("--eps", "--input-range", "--rgb"):
        assert f"{word}" in said
    assert cli(*base, "--strict").exit_code == 1
    result = cli(*base, "--eps", "1e-3", "--bgr", "--input-range=-1..1", "--meta", "source=mine")
    assert result.exit_code == 0 and "--eps" not in result.stderr, result.stderr
    meta = efm3.load(out).mirror["meta"]
    assert meta["efm3.source_options"] == "--eps 0.001 --bgr --input-range -1..1"
    assert meta["efm3.source_format"] == "npz" and len(meta["efm3.source_sha256"]) == 64
    assert meta["source"] == "mine" and meta["efm3.tool"].startswith("efm3 ")
    assert str(tmp_path) not in json.dumps(meta)
    w, v = np.asarray(model.tensors["stem.conv.w"]), efm3.load(out).tensors["stem.conv.w"]
    np.testing.assert_allclose(v, w[:, ::-1] * np.float32(256 / 255), rtol=1e-6)


@pytest.mark.parametrize("words", [
    ("--act", "tanh"), ("--act", "leaky:x"), ("--input-range", "1"), ("--input-range", "1..1"),
    ("--input-range", "nan..1"), ("--input-range", "1/0"), ("--eps", "0")])
def test_options_are_checked(cli, file, tmp_path, words):
    assert cli("convert", file, tmp_path / "b.bin", *words).exit_code == 2


def test_a_range_by_its_mean_and_scale(cli):
    from efm3.cli._source import _range
    assert _range(None, None, "127.5/128") == (-127.5 / 128, 127.5 / 128)
    assert _range(None, None, "-1..1") == (-1.0, 1.0)
