# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The scaffolds: readers beside the oracle, exporters beside dumps, engines beside the reference;
and what the verb writes. `make scaffolds` runs the languages that take longer to build or start."""

import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.conformance import examples, sample
from efm3.conformance import scaffold as scaffolds
from efm3.conformance.document import difference, document
from efm3.conformance.lines import Lines
from efm3.conformance.subject import Simple
from efm3.rules import load_rules
from tests import loading
from tests.conftest import DATA
from tests.oracle import accepts

LANGS = ["python", "c", "rust", "js"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The command of a scaffold, written and built as its README says; called from anywhere."""
    home = tmp_path_factory.mktemp("scaffolds")

    @cache
    def command(kind, lang):
        gone = scaffolds.missing(lang)
        if gone and lang != "python":
            pytest.skip(f"{gone[0]} is not on this machine: the {lang} scaffolds cannot be run")
        folder = home / f"{kind}-{lang}"
        scaffolds.write(kind, lang, folder)
        build = scaffolds.build(kind, lang)
        if build:
            done = subprocess.run(shlex.split(build), cwd=folder, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
        words = shlex.split(scaffolds.LANGUAGES[lang].start.format(kind=kind))
        if len(words) > 1:
            words[0] = sys.executable if lang == "python" else words[0]
        words[-1] = str(folder / words[-1])
        return shlex.join(words)
    return command


@cache
def module(kind):
    return loading.module(scaffolds.source(kind, "python"))


PATIENCE = 600
"""Seconds that a program may take: the machine may be at work on other things."""
FILES = [sample.base(), sample.sealed(), *(examples.example(c)[1] for c in load_rules())]


@cache
def patched(count):
    """Sample files with one to three bytes changed, mostly in the header, or cut."""
    rng, out = random.Random(20), []
    for _ in range(count):
        data = bytearray(sample.base())
        for _ in range(rng.randint(1, 3)):
            choice = rng.random()
            if choice < 0.6:
                data[rng.randrange(min(92, len(data)))] = rng.choice((0, 1, 2, 7, 8, 255))
            elif choice < 0.9:
                data[rng.randrange(len(data))] = rng.randrange(256)
            else:
                del data[max(92, rng.randrange(len(data))):]
        out.append(bytes(data))
    return out


def verdict(kind, data, *args):
    refused = module(kind).Refused
    try:
        (module(kind).read if kind == "reader" else module(kind).load)(data, *args)
    except refused as e:
        assert re.match(r"[CHTM]\d{3}: ", str(e))
        return False
    return True


def test_the_python_reader_and_engine_refuse_what_the_oracle_refuses():
    took = 0
    for data in FILES + patched(1000):
        want = accepts(data)
        took += want
        assert (verdict("reader", data, "structure"), verdict("engine", data)) == (want, want)
    assert 150 < took < 1000


def test_the_python_reader_is_strict_at_level_coherence():
    rng, text = random.Random(21), bytes(sample.spans(sample.base()).mirror)
    mirrors = []
    for _ in range(300):
        new = bytearray(text)
        new[rng.randrange(len(new))] = rng.choice(b'"\\{}[]:,0189eE.-+ tN\0\xed\xc3')
        mirrors.append(sample.text(bytes(new))(sample.base()))
    for data in FILES + mirrors:
        assert verdict("reader", data, "coherence") == efm3.validate(data, "coherence").ok


def test_the_python_reader_names_the_rule():
    known = {"C004", "H001", "H014", "H015", "H016", "H018", "T001", "T002", "T012", "T014", "M005",
             "M022", "M042"}
    for code in known:
        with pytest.raises(module("reader").Refused, match=code):
            module("reader").read(examples.example(code if code != "C004" else "C001")[1],
                                  "coherence")


def hold(subject, files, level="structure"):
    try:
        for data in files:
            answer = subject.read(data, level)
            want = accepts(data) if level == "structure" else efm3.validate(data, level).ok
            assert answer.kind == ("ok" if want else "refused"), answer
            if want:
                assert difference(document(data, level), answer.value) == ""
    finally:
        subject.close()


@pytest.mark.parametrize("lang", LANGS)
def test_readers_by_process(built, lang):
    slow = lang in ("python", "js")
    few = [FILES[0], b"", *patched(40)[:: 10 if slow else 1]]
    hold(Simple(built("reader", lang), timeout=PATIENCE), few if slow else FILES + few)


@pytest.mark.parametrize("lang", ["python", "js"])
def test_readers_by_lines(built, lang):
    hold(Lines(built("reader", lang) + " --lines", timeout=PATIENCE), FILES + patched(40))
    hold(Lines(built("reader", lang) + " --lines", timeout=PATIENCE), FILES, "coherence")


@pytest.mark.parametrize("lang", LANGS)
def test_readers_take_standard_input(built, lang):
    hold(Simple(built("reader", lang), stdin=True, timeout=PATIENCE), [FILES[0], FILES[0][:-1]])


@pytest.mark.parametrize("kind,lang", [("reader", "c"), ("reader", "rust"), ("reader", "js"),
                                       ("engine", "python"), ("engine", "js")])
def test_what_is_no_refusal_does_not_end_with_1(built, kind, lang, tmp_path):
    missing = str(tmp_path / "missing")
    done = subprocess.run([*shlex.split(built(kind, lang)), missing, missing, missing],
                          capture_output=True)
    assert done.returncode > 1 and done.stderr


@pytest.mark.parametrize("lang", ["c", "rust"])
def test_a_reader_that_knows_no_mirror_says_so(built, lang, tmp_path):
    (tmp_path / "x.bin").write_bytes(sample.base())
    done = subprocess.run([*shlex.split(built("reader", lang)), tmp_path / "x.bin"],
                          env=os.environ | {"EFM3_LEVEL": "coherence"}, capture_output=True)
    assert done.returncode == 70 and b"structure" in done.stderr


@pytest.mark.parametrize("kind", ["reader", "engine"])
def test_c_scaffolds_stay_inside_the_file(kind, tmp_path):
    """Under AddressSanitizer and UBSan every cut and patched file ends with 0 or 1."""
    binary, source = tmp_path / kind, scaffolds.source(kind, "c")
    if not shutil.which("cc") or subprocess.run(
            ["cc", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
             "-o", binary, source, "-lm"], capture_output=True).returncode:
        pytest.skip("no C compiler with the sanitizers here")
    env = os.environ | {"ASAN_OPTIONS": "exitcode=99:detect_leaks=0:allocator_may_return_null=1",
                        "UBSAN_OPTIONS": "exitcode=99"}
    (tmp_path / "x.f32").write_bytes(bytes(4 * 3 * 112 * 112))
    cut = [sample.base()[:n] for n in (0, 3, 91, 92, 95, 200, 330, 340, 900, -1)]
    for data in [sample.base(), *cut, *patched(60)]:
        (tmp_path / "x.bin").write_bytes(data)
        args = [binary, tmp_path / "x.bin", tmp_path / "x.f32", tmp_path / "y.f32"]
        done = subprocess.run(args, env=env, capture_output=True)
        assert done.returncode == (0 if accepts(data) else 1), done.stderr[-2000:]


# Exporters.

ARCH = {k: getattr(sample.ARCH, k) for k in sample.ARCH.__dataclass_fields__} | {
    "stages": [vars(s) for s in sample.ARCH.stages]}
TENSORS = {k: np.array(v) for k, v in efm3.load(sample.base()).tensors.items()}
TEXT = json.dumps(ARCH)


def arch_of(value):
    known = {k: value[k] for k in ARCH}
    return efm3.Arch(**known | {"stages": tuple(efm3.Stage(**s) for s in value["stages"])})


def export(command, folder, text=TEXT, tensors=TENSORS, damage=None):
    """(exit code, the file or None) of an exporter's command; the tensors stay for the next call,
    unless they were damaged."""
    (folder / "arch.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    stored, out = folder / "t", folder / "out.bin"
    if not stored.exists():
        stored.mkdir()
        for name, value in tensors.items():
            np.save(stored / f"{name}.npy", value)
    out.unlink(missing_ok=True)
    if damage:
        damage(stored)
    done = subprocess.run([*shlex.split(command), folder / "arch.json", stored, out],
                          capture_output=True)
    assert (done.returncode == 0) == (not done.stderr)
    if damage:
        shutil.rmtree(stored)
    return done.returncode, out.read_bytes() if out.exists() else None


GOOD = {
    "as it is": TEXT,
    "indented, keys reversed": json.dumps(dict(reversed(ARCH.items())), indent=2),
    "raw UTF-8": json.dumps(ARCH | {"name": "é😀 \x7f"}, ensure_ascii=False),
    "odd escapes": TEXT.replace('"sample"', r'"A\/\b\f\n\r\t\"\\é\ud83d\uDE00\u001F"'),
    "a name like a key": json.dumps(ARCH | {"name": '"stem_channels": 9, "t": 4}'}),
    "an unknown key": json.dumps(ARCH | {"note": {"a": [1]}}),
    "an unknown key that holds one": json.dumps({"note": [{"stem_channels": 9}]} | ARCH),
} | {f"width {w}": TEXT.replace("0.125", w) for w in (
    "1", "1.0", "1e-7", "0.0001", "1.25E+1", "1e15", "1e16", "1000000000000000000000",
    "0.30000000000000004", "1.7976931348623157e308", "5e-324", "5.684341886080802e-14",
    "9007199254740993", "1e23")}


def changed(**keys):
    return json.dumps(ARCH | keys)


BAD = {
    "cut": TEXT[:60], "not UTF-8": TEXT.encode().replace(b"sample", b"s\xff"),
    "an array": "[]", "stages of numbers": changed(stages=[1]), "empty": "",
    "a control character": TEXT.replace("sample", "a\nb"),
    "NUL": changed(name="a\0b"), "high alone": changed(name="\ud800"),
    "low alone": changed(name="\udc00"), "no name": changed(name=None),
    "8.0 channels": changed(stem_channels=8.0), "text": changed(stem_channels="8"),
    "true": changed(stem_channels=True), "negative": changed(stem_channels=-8),
    "zero": changed(final_channels=0), "65536": changed(embedding_dim=65536),
    "even kernel": changed(stem_kernel=4), "stride 5": changed(stem_stride=5),
    "gdc_kernel": changed(gdc_kernel=6), "no stages": changed(stages=[]),
    "nine stages": changed(stages=[{"t": 1, "n": 1, "s": 1}] * 9),
    "stages is null": changed(stages=None),
    "t 256": changed(stages=[{"t": 256, "n": 1, "s": 2}]),
    "a fourth key": changed(stages=[{"t": 2, "n": 1, "s": 2, "k": 3}, *ARCH["stages"][1:]]),
    "a key elsewhere": json.dumps(
        {k: v for k, v in ARCH.items() if k != "gdc_kernel"} | {"note": {"gdc_kernel": 7}}),
    "no s": changed(stages=[{"t": 2, "n": 1}, *ARCH["stages"][1:]]),
    "too many blocks": changed(stages=[{"t": 1, "n": 255, "s": 2}, {"t": 1, "n": 2, "s": 2},
                                       {"t": 1, "n": 1, "s": 2}]),
    "too wide": changed(stem_channels=65535),
    "no width": json.dumps({k: v for k, v in ARCH.items() if k != "width_mult"}),
    "width 0": changed(width_mult=0), "width NaN": changed(width_mult=float("nan")),
    "width 1e999": TEXT.replace("0.125", "1e999"), "width text": changed(width_mult="1"),
}


SKIPPED_FOR_JS = ("stride 5", "nine stages", "zero", "65536", "t 256", "even kernel", "negative",
                  "no stages", "too wide", "high alone", "empty", "width 0")
"""Node is slow to start: these are refused by a line that another one tries, or by JSON.parse."""


def saved(name, value):
    return lambda folder: np.save(folder / f"{name}.npy", value)


FIRST = TENSORS["stem.conv.w"]
DAMAGE = {
    "missing": lambda folder: (folder / "stem.bn.var.npy").unlink(),
    "another shape": saved("stem.conv.w", FIRST.reshape(8, 27)),
    "float64": saved("stem.conv.w", FIRST.astype("<f8")),
    "big-endian": saved("stem.conv.w", FIRST.astype(">f4")),
    "NaN": saved("stem.bn.b", np.full(8, np.nan, "<f4")),
    "infinity": saved("stem.bn.b", np.full(8, -np.inf, "<f4")),
    "one too many": saved("stem.conv.b", np.zeros(8, "<f4")),
    "Fortran order": saved("stem.conv.w", np.asfortranarray(FIRST)),
    "no array": lambda folder: (folder / "stem.bn.b.npy").write_bytes(b"x"),
    "cut": lambda folder: (folder / "stem.bn.b.npy").write_bytes(
        (folder / "stem.bn.b.npy").read_bytes()[:-3]),
}


@pytest.mark.parametrize("lang", LANGS)
def test_exporters_write_the_canonical_bytes(built, lang, tmp_path):
    command = built("exporter", lang)
    # Python and Node are slow to start: most of Python's is tried in this process, below.
    for what, text in list(GOOD.items())[::{"python": 5, "js": 2}.get(lang, 1)]:
        want = efm3.dumps(arch_of(json.loads(text)), TENSORS)
        assert export(command, tmp_path, text) == (0, want), what


@pytest.mark.parametrize("lang", LANGS)
def test_exporters_refuse_and_leave_nothing(built, lang, tmp_path):
    command = built("exporter", lang)
    for what, text in list(BAD.items())[:4 if lang == "python" else None]:
        if lang == "js" and what in SKIPPED_FOR_JS:
            continue
        assert export(command, tmp_path, text) == (1, None), what
    for what, damage in list(DAMAGE.items())[-4 if lang == "python" else 0:]:
        assert export(command, tmp_path, damage=damage) == (1, None), what


@pytest.mark.parametrize("what", GOOD)
def test_the_python_exporter_writes(what):
    value = json.loads(GOOD[what])
    assert module("exporter").write(value, TENSORS) == efm3.dumps(arch_of(value), TENSORS)


@pytest.mark.parametrize("what", [w for w, t in BAD.items() if w not in (
    "cut", "empty", "an array", "not UTF-8", "a control character", "stages of numbers",
    "stages is null")])
def test_the_python_exporter_refuses(what):
    with pytest.raises(module("exporter").Refused):
        module("exporter").write(json.loads(BAD[what]), TENSORS)


@pytest.mark.parametrize("lang", LANGS)
def test_exporters_rewrite_the_originals_file(built, lang, tmp_path):
    model = efm3.load(DATA / "odd_b.bin")
    value = {k: getattr(model.arch, k) for k in ARCH} | {
        "stages": [vars(s) for s in model.arch.stages]}
    got = export(built("exporter", lang), tmp_path, json.dumps(value), model.tensors)
    assert got == (0, (DATA / "odd_b.bin").read_bytes())


# Engines.

@pytest.mark.parametrize("lang", LANGS)
def test_engines_agree_with_the_reference(built, lang):
    data = (DATA / "odd_b.bin").read_bytes()
    x = np.random.default_rng(3).normal(0, 0.5, (3, 112, 112)).astype("<f4")
    model = efm3.load(data)
    acts = {}
    want = reference.forward(model, x[None], watch=lambda layer, a: acts.update({layer.name: a}))
    engine = Simple(built("engine", lang) + scaffolds.KINDS["engine"].paths, timeout=PATIENCE)
    try:
        answer = engine.embed(data, x)
        assert answer.kind == "ok", answer
        embedding, given = answer.value
        assert np.abs(embedding - want[0]).max() <= 1e-5
        assert list(given) == sorted(acts)
        for name, a in acts.items():
            assert np.abs(given[name] - a.reshape(-1)).max() <= 1e-5 * max(1, np.abs(a).max()), name
        assert engine.embed(data[:-1], x).kind == "refused"
        x[1, 50, 50] = np.nan
        assert np.isnan(engine.embed(data, x).value[0]).all()
    finally:
        engine.close()


def test_the_python_engine_by_lines(built):
    engine = Lines(built("engine", "python") + " --lines", timeout=PATIENCE)
    x = np.full((3, 112, 112), 0.25, "<f4")
    try:
        embedding, given = engine.embed(sample.base(), x).value
        want = reference.forward(efm3.load(sample.base()), x[None])[0]
        assert np.abs(embedding - want).max() <= 1e-5 and "gdconv" in given
        assert engine.embed(sample.base() + b"\n", x).kind == "refused"
    finally:
        engine.close()


# What is written.

@pytest.mark.parametrize("kind,lang", scaffolds.pairs())
def test_a_scaffold_is_its_source_a_readme_and_its_build(kind, lang):
    files = scaffolds.scaffold(kind, lang)
    suffix, build = scaffolds.LANGUAGES[lang].suffix, scaffolds.build(kind, lang)
    beside = ["reader.py"] if kind == "editor" else []
    assert list(files) == [f"{kind}.{suffix}", *beside, "README.md",
                           *(["Makefile"] if build else [])]
    assert "SPDX-License-Identifier: Apache-2.0" in files[f"{kind}.{suffix}"]
    assert f"{scaffolds.run_command(kind, lang)}\n" in files["README.md"]
    assert build in files.get("Makefile", "") and "{" not in files.get("Makefile", "")
    assert ("coherence" in files["README.md"]) == (
        kind == "reader" and "M042" in files[f"reader.{suffix}"])
    assert max(map(len, files["README.md"].splitlines())) <= 130


def test_write_overwrites_nothing_unless_forced(tmp_path):
    assert scaffolds.write("writer", "c", tmp_path / "a" / "b") == [
        tmp_path / "a" / "b" / name for name in ("exporter.c", "README.md", "Makefile")]
    mine = tmp_path / "a" / "b" / "README.md"
    mine.write_text("mine")
    (tmp_path / "a" / "b" / "exporter.c").unlink()
    with pytest.raises(FileExistsError):
        scaffolds.write("writer", "c", tmp_path / "a" / "b")
    assert mine.read_text() == "mine" and not (tmp_path / "a" / "b" / "exporter.c").exists()
    scaffolds.write("writer", "c", tmp_path / "a" / "b", force=True)
    assert mine.read_text() != "mine"


def test_each_language_has_reader_exporter_and_engine():
    pairs = scaffolds.pairs()
    assert {(kind, lang) for kind in ("reader", "exporter", "engine")
            for lang in scaffolds.LANGUAGES} | {("editor", "python")} == set(pairs)
    known = {f"{kind}.{scaffolds.LANGUAGES[lang].suffix}" for kind, lang in pairs}
    assert known == {path.name for path in scaffolds.HOME.iterdir() if path.is_file()}
    for kind, lang in pairs:  # a kind that answers lines says so in its source
        says = "--lines" in scaffolds.source(kind, lang).read_text(encoding="utf-8")
        assert says == (kind in scaffolds.LANGUAGES[lang].lines)


def test_unknown_kinds_and_languages_are_key_errors():
    for kind, lang in (("editor", "c"), ("reader", "cobol"), ("decoder", "c")):
        with pytest.raises(KeyError):
            scaffolds.scaffold(kind, lang)


def test_what_is_missing_is_said_by_name(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert scaffolds.missing("java") == ["javac", "jar", "java"]
