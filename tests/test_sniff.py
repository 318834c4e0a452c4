# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What kind of file some bytes are: every kind under any name, and no kind where there is none."""

import io
import os
import random
import struct
import subprocess
import sys

import pytest

import efm3
from efm3 import sniff
from efm3.codes import CODES
from efm3.convert import FORMATS
from efm3.rules._causes import CAUSES
from efm3.sniff import HEAD, KINDS, MAGICS, TAIL, of_data, of_path
from efm3.source import Unreadable
from tests import kinds
from tests.kinds import FLOATS, PARAM, SAMPLES, UNKNOWN, archive
from tools import ROOT

BESIDE = {"mnn", "openvino_bin", "tfjs_shard"}


def name(data, path=""):
    found = of_data(data, path)
    return found.name if found else None


def test_the_table_is_whole():
    assert list(KINDS) == [k.name for k in KINDS.values()] and set(KINDS) == set(SAMPLES) | BESIDE
    for kind in KINDS.values():
        assert kind.title.startswith(("a ", "an ")) and kind.known, kind.name
        assert kind.rule in ("", "C001", *CAUSES) and not (kind.rule and kind.rule not in CODES)
        assert not (kind.detail or kind.beside or kind.source), kind.name
        assert bool(kind.format) != bool(kind.advice), kind.name
        assert '"' not in kind.title and "\\" not in kind.title and kind.title.isascii()
    assert {k.rule for k in KINDS.values()} == {"", "C001", *CAUSES}
    read = {k.format for k in KINDS.values()} - {""}
    assert read == {f.name for f in FORMATS.values() if f.reads}
    for known, at, magic in MAGICS:
        assert known in KINDS and magic and at + len(magic) <= HEAD


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_bytes_decide_and_no_name_changes_that(tmp_path, kind):
    for data in SAMPLES[kind]:
        assert name(data) == kind, data[:40]
        for path in ("net.bin", "net.onnx", "net.pt", "net", "net.mnn", "group1-shard1of1.bin", ""):
            file = tmp_path / (path or "no suffix")
            file.write_bytes(data)
            found = of_path(file)
            assert found == of_data(data, str(file)) and found.name == kind


@pytest.mark.parametrize("data", UNKNOWN, ids=lambda d: d[:12].hex())
def test_what_is_nearly_a_kind_is_none(data):
    assert name(data) is None


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_file_cut_anywhere_is_that_kind_or_less(kind):
    """Never an exception, and never another kind that is called certain."""
    less = {None, "zip", "text", "json", "xml", "zeros", "ncnn_bin", "empty", "ncnn_param", "torch",
            "torchscript", "pickle", "efm3", "gguf"}
    for data in SAMPLES[kind]:
        for n in range(min(len(data), 200)):
            assert name(data[:n]) in less | {kind}, data[:n]


def test_random_bytes_are_no_kind():
    rng = random.Random(7)
    for size in (8, 64, 300):
        pool = rng.randbytes(8_000 + size)
        for at in range(8_000):
            data = pool[at:at + size]
            found = name(data)
            assert found is None or size == 8, data


def test_a_magic_before_random_bytes_raises_nothing():
    rng = random.Random(8)
    for _, at, magic in MAGICS:
        for _ in range(40):
            data = rng.randbytes(at) + magic + rng.randbytes(rng.randrange(400))
            assert sniff.kind(data, len(data), tail=rng.randbytes(90)) is not None
    for start in (b"\x08\x05", b"\x0a", b"{", b"<", b"name: ", b"\xff\xfe", b"\xa2\x06", b"PK\5\6"):
        for _ in range(300):
            data = start + rng.randbytes(rng.randrange(90))
            of_data(data)
            of_data(start + bytes(rng.choices(b"\x0a\x12\x08\x01\x80 a\"<{}[]", k=60)))


def test_what_a_file_says_of_itself_is_told():
    said = of_data(kinds.POINTER).says()
    assert "Git LFS pointer" in said and "4,115,186 bytes" in said and "git lfs pull" in said
    assert "SHA-256 4d7a214614ab2935" in said
    assert '("Sign in")' in of_data(SAMPLES["html"][0]).says()
    assert 'begins "404: Not Found"' in of_data(b"404: Not Found\n").says()
    assert 'begins "{"error": "Not Found"}"' in of_data(SAMPLES["json"][0]).says()
    assert "holds read.me, net.onnx;" in of_data(SAMPLES["zip"][0]).says()
    assert of_data(b"<html><title>\x1b]0;x\x07</title>") == KINDS["html"]
    assert "\x1b" not in of_data(b"<html><title>\x1b[31mx</title>").says()
    wide = of_data(b"\xff\xfe" + PARAM.decode().encode("utf-16-le"))
    assert (wide.name, wide.format) == ("ncnn_param", "") and "UTF-8" in wide.says()
    assert "in UTF-16" in of_data("\ufeff<html>".encode("utf-16-le")).says()
    assert of_data(PARAM) == KINDS["ncnn_param"] and of_data(b"<html>") == KINDS["html"]
    assert of_data(b"word " * 20).detail == f' that begins "{("word " * 10)[:48]}\u2026"'
    assert of_data(b"word " * 9).detail == f' that begins "{("word " * 9).strip()}"'
    assert of_data(archive("a/", "b")).detail == " that holds b"
    assert of_data(archive("a/")).detail == ""


@pytest.mark.parametrize("path,word", [
    ("net.onnx", "net.onnx"), ("a/net.onnx", "a/net.onnx"), ("a b.onnx", "'a b.onnx'"),
    ("", "FILE"), ("n\x1bet", "FILE"), ("x" * 300, "FILE")])
def test_the_command_is_one_to_copy(path, word):
    said = of_data(SAMPLES["onnx"][0]).says(path)
    assert said == f"an ONNX model; convert it with `efm3 convert {word} OUT.bin`"


def test_efm3_itself_needs_nothing_done():
    assert KINDS["efm3"].says("x.bin") == "an EFM3 file"


@pytest.mark.parametrize("bin_,param", [
    ("net.bin", "net.param"), ("net.ncnn.bin", "net.ncnn.param"), ("net", "net.param"),
    ("net.bin", "net.param.bin"), ("net.bin", "net.bin.param")])
@pytest.mark.parametrize("layers", [PARAM, SAMPLES["ncnn_binary"][0]])
def test_ncnn_weights_are_known_by_their_layers(tmp_path, bin_, param, layers):
    weights = bytes(4) + struct.pack("<64f", *[1e9] * 64)
    (tmp_path / bin_).write_bytes(weights)
    assert of_path(tmp_path / bin_) is None
    (tmp_path / param).write_bytes(layers)
    found = of_path(tmp_path / bin_)
    assert (found.name, found.format, found.beside) == ("ncnn_bin", "ncnn", param)
    assert found.says(str(tmp_path / bin_)) == (
        f"an ncnn weight file (its layers are in {param}); convert it with "
        f"`efm3 convert {tmp_path / param} OUT.bin`")
    (tmp_path / param).write_bytes(b"something else")
    assert of_path(tmp_path / bin_) is None


def test_ncnn_weights_alone_ask_for_their_layers():
    guess, sure = (of_data(SAMPLES["ncnn_bin"][i]) for i in (0, 1))
    assert "by the look" in guess.says() and "by the look" not in sure.says()
    assert all("fetch that too" in k.says() and k.format == "ncnn" for k in (guess, sure))


def test_other_weights_are_known_by_the_file_beside_them(tmp_path):
    for file, near, data, kind in (
            ("a.bin", "a.xml", SAMPLES["openvino_xml"][0], "openvino_bin"),
            ("group1-shard1of2.bin", "model.json", SAMPLES["tfjs_model"][0], "tfjs_shard"),
            ("group1-shard2of2", "model.json", SAMPLES["tfjs_model"][0], "tfjs_shard"),
            ("face_model-shard1", "face_model-weights_manifest.json", SAMPLES["tfjs_model"][2],
             "tfjs_shard")):
        folder = tmp_path / file
        folder.mkdir()
        (folder / file).write_bytes(FLOATS)
        assert of_path(folder / file) is None
        (folder / near).write_bytes(b"<net>" if near.endswith("xml") else b"{}")
        assert of_path(folder / file) is None
        (folder / near).write_bytes(data)
        found = of_path(folder / file)
        assert (found.name, found.beside, found.format) == (kind, near, "")
    assert name(FLOATS, str(folder / "face_model-shard1")) == "tfjs_shard"
    (tmp_path / "other.bin").write_bytes(FLOATS)
    (tmp_path / "model.json").write_bytes(SAMPLES["tfjs_model"][0])
    assert of_path(tmp_path / "other.bin") is None


def test_a_name_is_believed_where_the_bytes_are_likely():
    root = struct.pack("<I", 24) + FLOATS
    assert name(root, "net.MNN") == "mnn" and name(root, "net.bin") is None
    for start in (0, 2, 25, 10_000):
        assert name(struct.pack("<I", start) + struct.pack("<64f", *[1e9] * 64), "net.mnn") is None


def test_the_bytes_come_before_what_lies_beside_them(tmp_path):
    (tmp_path / "net.param").write_bytes(PARAM)
    (tmp_path / "net.bin").write_bytes(kinds.POINTER)
    assert of_path(tmp_path / "net.bin").name == "lfs"


def test_a_file_is_not_beside_itself(tmp_path):
    (tmp_path / "net.param").write_bytes(PARAM)
    assert of_path(tmp_path / "net.param").name == "ncnn_param"


def test_what_is_no_file_is_unreadable(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    os.mkfifo(tmp_path / "net.param")
    (tmp_path / "net.bin").write_bytes(FLOATS)
    assert of_path(tmp_path / "net.bin") is None
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "none", "a\0b"):
        with pytest.raises(Unreadable):
            of_path(path)


def test_a_file_that_cannot_be_read_is_unreadable(monkeypatch, tmp_path):
    class Broken(io.BytesIO):
        def fileno(self):
            raise OSError(5, "Input/output error")
    monkeypatch.setattr(sniff, "open_regular", lambda path: Broken())
    with pytest.raises(Unreadable, match=r"net\.bin: Input/output error"):
        of_path(tmp_path / "net.bin")


def test_an_archives_names_are_read_from_its_end_and_few():
    many = archive(*(f"{i:05}" for i in range(5000)), "net/data.pkl")
    assert len(many) > HEAD + TAIL and name(many) == "torch"
    assert name(many[:-30]) == "zip" and name(b"PK\5\6" + many) == "torch"
    end = many.rfind(b"PK\5\6")
    for at in (end + 16, end + 12):
        assert name(many[:at] + b"\xff" * 4 + many[at + 4:]) == "torch"
    assert name(many, "x.npz") == "torch"
    assert name(archive("a.npy", "b.txt")) == "zip"
    assert sniff.kind(many[:HEAD], len(many), tail=b"").name == "zip"


@pytest.mark.parametrize("text", [
    "<!-- a -->" * 500, "<!--" * 1000, "<" * 4000, "<net " * 800, "<html><title" * 400,
    "# x\n" * 1000 + "name", "P6 # a\n" + "# b\n" * 1000, "{" * 4000, "[" * 4000, "{" + " " * 4000,
    "version https://git-lfs" + " ext-a b" * 900, "<a" + " b" * 2000, "layer" * 900,
], ids=lambda t: t[:12])
def test_no_pattern_takes_long(text):
    """Each would take for ever where a pattern could match in exponentially many ways."""
    of_data(text.encode())
    of_data(text.encode() * 20)


def test_only_the_head_and_the_tail_are_looked_at(tmp_path):
    with open(tmp_path / "huge.bin", "wb") as f:
        f.write(b"\x01" * 100)
        f.truncate(1 << 40)
    assert of_path(tmp_path / "huge.bin") is None


def test_a_sound_file_needs_no_sniffing():
    code = ("import sys, efm3; r = efm3.validate('spec/vectors/nano.bin', 'coherence'); "
            "assert r.ok and 'efm3.sniff' not in sys.modules; "
            "efm3.validate(b'x' * 99, 'coherence'); "
            "assert 'efm3.sniff' in sys.modules and 'numpy' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("kind", [k for k in SAMPLES if KINDS[k].rule in CAUSES])
def test_the_validator_names_each_kind(kind):
    for data in SAMPLES[kind]:
        found = efm3.validate(data).at_least("error")
        assert [f.code for f in found] == [KINDS[kind].rule]
        assert found[0].message.startswith(f"this is {KINDS[kind].title}")
        with pytest.raises(efm3.Efm3Error, match=KINDS[kind].rule):
            efm3.load(data)


def ncnn(tmp_path):
    (tmp_path / "net.bin").write_bytes(bytes(4) + FLOATS)
    (tmp_path / "net.param").write_bytes(PARAM)
    return tmp_path / "net.bin", f"`efm3 convert {tmp_path / 'net.param'} OUT.bin`"


def test_every_way_to_a_file_names_it_and_the_command(tmp_path, cli):
    path, command = ncnn(tmp_path)
    assert command in efm3.validate(path).findings[0].message
    with pytest.raises(efm3.Efm3Error) as caught:
        efm3.load(path)
    assert command in str(caught.value)
    done = cli("inspect", "--json", path)
    assert done.exit_code == 0 and command in done.output
    for words in (("inspect", path), ("validate", path), ("seal", path)):
        out = " ".join(cli(*words).output.replace("│", "").split())
        assert "ncnn weight file" in out and "net.param OUT.bin`" in out.replace(" net", "net")


def test_the_engine_says_what_a_file_is(tmp_path, cli):
    path, command = ncnn(tmp_path)
    for source in (path, str(path)):
        with pytest.raises(efm3.Efm3Error, match="E_MAGIC") as caught:
            efm3.Engine(source)
        assert command in str(caught.value)
    with pytest.raises(efm3.Efm3Error, match=r"E_MAGIC.*Git LFS pointer.*4,115,186 bytes"):
        efm3.Engine(kinds.POINTER)
    with open(path, "wb") as f:
        f.write(kinds.POINTER)
    picture = ROOT / "examples/a_1.png"
    for words in (("embed", path, picture), ("compare", path, picture, picture), ("bench", path)):
        done = cli(*words)
        assert done.exit_code == 1 and "E_MAGIC" in done.output and "4,115,186" in done.output
