# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""spec/efm3.ksy, compiled by Kaitai Struct, gives the verdict of level `structure` by itself."""

import ast
import json
import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import efm3
from efm3 import Stage
from efm3 import format as fmt
from efm3.conformance import runner, sample
from efm3.conformance.document import document
from efm3.conformance.lines import Lines
from tests import damaged
from tests.oracle import accepts
from tools.foreign import kaitai_reader

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(kaitai_reader.__file__)
KINDS = damaged.all_kinds()


@pytest.fixture(scope="module")
def reader():
    """tools.foreign.kaitai_reader with its parser compiled."""
    module = kaitai_reader
    try:
        module.parser()
    except module.Unavailable as e:
        pytest.skip(str(e))
    return module


def takes(reader, data):
    """The verdict; what no refusal is comes through as the error that it is."""
    try:
        reader.parse(data)
    except reader.Refused as e:
        assert str(e)
        return False
    return True


def check(reader, data):
    """The verdict, which must be the oracle's and ours."""
    got = takes(reader, data)
    assert got == accepts(data) == efm3.validate(data, "structure").ok
    return got


@pytest.mark.parametrize("kind", list(KINDS))
def test_verdict(reader, kind):
    verdicts = [check(reader, data) for data in KINDS[kind]()]
    assert len(set(verdicts)) == 2, "files of one verdict alone show little"


@pytest.mark.parametrize("name", list(efm3.ARCHS))
def test_published_sizes(reader, name):
    data = sample.build(efm3.ARCHS[name])
    assert check(reader, data)
    assert not check(reader, data[:-1])
    assert not check(reader, data + b"\0")


def test_vectors(reader, vector):
    data = vector.read_bytes()
    assert check(reader, data)
    assert reader.document(reader.parse(data)) == document(data)


def test_sizes_are_not_compared_in_32_bits(reader):
    assert not check(reader, damaged.wraps())


def refused_at(reader, data):
    """Which field's limit the parser finds broken (`arch.gdc_kernel`), or ""."""
    from kaitaistruct import ValidationFailedError

    try:
        reader.parser()(reader.stream(data))._read()
    except ValidationFailedError as e:
        *where, _, index = e.src_path.strip("/").split("/")
        node = reader.parser()
        for name in where[1::2]:
            node = getattr(node, name.title().replace("_", ""))
        return ".".join([*where[1::2], node.SEQ_FIELDS[int(index)]])
    except EOFError:
        pass
    return ""


def fields():
    """(field of the prefix, its name in the description)."""
    for path, f in fmt.FIELDS.items():
        name = re.sub(r"^arch\.stages\[\d]", "stage", path)
        if "[" not in path or "[0]" in path or "[2]" in path:  # first and last used record
            yield pytest.param(f, name, id=path)


@pytest.mark.parametrize("field,name", list(fields()))
def test_every_limit_stands_at_its_field(reader, field, name):
    con, top = field.con, 256**field.size - 1
    if field.size not in (1, 2, 4) or field.path == "magic":
        for i in range(field.offset, field.offset + field.size):
            assert refused_at(reader, sample.put(i, b"!")(sample.base())) == name
        return
    values = {0, con.lo - 1, con.lo, con.lo + 1, con.hi - 1, con.hi, con.hi + 1, top}
    for value in sorted(v for v in values if 0 <= v <= top):
        data = sample.field(field.path, value)(sample.base())
        assert (refused_at(reader, data) == name) is not con.allows(value), value


@pytest.mark.parametrize("change,name", [
    ({"block_channels": 257, "stages": (Stage(1, 1, 1), Stage(1, 2, 1), Stage(255, 1, 1))}, ""),
    ({"block_channels": 258, "stages": (Stage(1, 1, 1), Stage(1, 2, 1), Stage(255, 1, 1))},
     "stage.check_expanded"),
    ({"block_channels": 258, "stages": (Stage(1, 1, 1), Stage(255, 1, 1))}, ""),
    ({"block_channels": 258, "stages": (Stage(1, 1, 1), Stage(255, 2, 1))},
     "stage.check_expanded"),
    ({"stem_channels": 258, "stages": (Stage(1, 1, 1), Stage(255, 1, 1))},
     "stage.check_expanded"),
    ({"stages": (Stage(1, 255, 2), Stage(1, 1, 2))}, ""),
    ({"stages": (Stage(1, 255, 2), Stage(1, 2, 2))}, "arch.check_blocks"),
    ({"gdc_kernel": 8}, "arch.check_last_side"),
])
def test_every_relation_of_fields_has_its_check(reader, change, name):
    header = fmt.ARCH_HEADER.build(damaged.lawless(**change).header())
    found = refused_at(reader, sample.put(damaged.HEADER, header)(sample.base()))
    assert found == name or (not name and found in ("n_tensors", "weights.size"))


def test_every_record_after_the_used_ones_is_zero(reader):
    first = fmt.FIELDS["arch.stages[3].t"].offset
    for at in range(first, damaged.HEADER + fmt.ARCH_SIZE):
        assert refused_at(reader, sample.put(at, b"\1")(sample.base())) == "arch.unused"


def test_every_tensor_has_its_size(reader):
    for t in sample.spans(sample.base()).tensors:
        kind = "weights.size" if len(t.shape) == 4 else "vector.size"
        steps = {1, 2, 3, 4, 4 * t.shape[0], 4 * math.prod(t.shape[:2])}
        for size in {t.size + sign * step for step in steps for sign in (-1, 1)} | {0, 2**32 - 1}:
            data = sample.size_of(t.name, lambda _, new=size: new)(sample.base())
            assert refused_at(reader, data) == kind, (t.name, size)


def test_documents(reader):
    for data in damaged.shapes(4, 20):
        if accepts(data):
            assert reader.document(reader.parse(data)) == document(data)


def run(*args, level="structure", **kw):
    words = [sys.executable, "-m", kaitai_reader.__name__, *args]
    return subprocess.run(words, cwd=ROOT, capture_output=True, timeout=600, check=False,
                          env=os.environ | {"EFM3_LEVEL": level}, **kw)


def test_simple_protocol(reader, tmp_path):
    good, bad = tmp_path / "good.bin", tmp_path / "bad.bin"
    good.write_bytes(sample.base())
    bad.write_bytes(sample.base()[:-1])
    for done in (run(good), run(input=good.read_bytes())):
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads(done.stdout) == document(sample.base())
    for done in (run(bad), run(input=bad.read_bytes())):
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr and b"Traceback" not in done.stderr
    assert run(tmp_path / "none.bin").returncode == 70
    assert run(good, level="coherence").returncode == 70


def test_lines_protocol(reader, tmp_path):
    good, bad = tmp_path / "good.bin", tmp_path / "bad.bin"
    good.write_bytes(sample.base())
    bad.write_bytes(b"EFM2")
    asks = [{"cmd": "start", "version": 1},
            {"cmd": "read", "seq": 1, "file": str(good), "level": "structure"},
            {"cmd": "read", "seq": 2, "file": str(bad), "level": "structure"},
            {"cmd": "read", "seq": 3, "file": str(good), "level": "coherence"},
            {"cmd": "read", "seq": 4, "file": str(tmp_path / "none"), "level": "structure"},
            {"cmd": "stop"}, {"cmd": "read", "seq": 5, "file": str(good), "level": "structure"}]
    done = run("--lines", input="\n".join(map(json.dumps, asks)).encode())
    hello, yes, no, other, none = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0
    assert hello["implementation"]["classes"] == ["reader"]
    assert yes == {"seq": 1, "ok": True, "document": document(sample.base())}
    assert no["ok"] is False and no["reason"]
    assert "structure" in other["error"] and "none" in none["error"]


def test_the_reader_is_not_ours():
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not [n for n in names if n.split(".")[0] == "efm3"]


@pytest.mark.parametrize("attribute,value,words", [
    ("COMPILER", Path("/nowhere/package.json"), "run tools/foreign/install_kaitai.sh"),
    ("PATH", "", "node is not there"),
])
def test_what_is_missing_is_said(monkeypatch, tmp_path, attribute, value, words):
    module = kaitai_reader
    monkeypatch.setattr(module, "BUILD", tmp_path)  # nothing is compiled yet
    if attribute == "PATH":
        monkeypatch.setenv("PATH", value)
    else:
        monkeypatch.setattr(module.shutil, "which", lambda _: "/usr/bin/node")
        monkeypatch.setattr(module, attribute, value)
    with pytest.raises(module.Unavailable, match=words):
        module.compiled()


def test_a_missing_runtime_is_said(monkeypatch):
    module = kaitai_reader
    monkeypatch.setattr(module, "parser", module.parser.__wrapped__)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(module.Unavailable, match="pip install kaitaistruct"):
        module.parser()


def test_it_conforms_as_a_reader(reader):
    """Every case of the corpus, through the kit, by the lines protocol."""
    subject = Lines(shlex.join([sys.executable, "-m", kaitai_reader.__name__, "--lines"]))
    try:
        run = runner.run_all("reader", str(PROGRAM), of=subject)
    finally:
        subject.close()
    assert [(o.case, o.detail) for o in run.outcomes if o.verdict != "pass"] == []
    assert len(run.outcomes) == len(runner.cases_of("reader"))
