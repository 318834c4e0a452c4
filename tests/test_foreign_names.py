# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Hostile names through every verb and format: each output is read with its format's own parser.

ROWS lists the verbs and their formats; one of the command that is in no row fails.
"""

import json
import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import click
import pytest
from click.testing import CliRunner

from efm3.bulk.row import Row as TableRow
from efm3.cli import cli as command
from tests.hostile_names import COUNT, PARSERS, hostile, scene
from tests.indexed import directions, table
from tests.systems import WINDOWS

NAMES = hostile(COUNT)
BAD = "no\x1b]0;pwn\x07\x1b[31m\x9b31m"
RAW = ("\x1b", "\x07", "\x9b")
SLOW = (("conformance", "export"),)
"""What takes any name for its output, and writes much: tried with less below."""
ANY = (0, 1, 2, 3)
ONE = 1 << 30
"""A step that takes one name: what the row reads has them all."""
CASES = "valid-*" if COUNT > 9 else "valid-c*"
LINES = ["--protocol", "lines", "--jobs", "1"]


class Row(NamedTuple):
    """Words of a command: <N.end> is the name with an end, <out.end> a file to be written, and a
    word that ends in * stands for all names, at once; `step` takes each so-many-th name alone.

    `kind` is that of standard output, one of PARSERS; `codes` are the exit codes that show it, and
    `needs` the libraries without which it is refused.
    """

    words: str
    kind: str = "text"
    codes: tuple[int, ...] = (0,)
    step: int = 1
    needs: tuple[str, ...] = ()


ROWS = [
    Row("inspect -- <N.bin>"), Row("inspect --json -- <N.bin>", "json"),
    Row("inspect -- <N.odd.bin>", "text"), Row("inspect --hex json -- <N.bin>"),
    Row("inspect --tensors <N> -- <N.bin>", codes=ANY), Row("inspect -- <N.gone>", codes=(3,)),
    Row("inspect --hex x<N> -- <N.bin>", codes=(2,)),
    *(Row(f"validate --format {form} -- <N.bin>* <N.odd.bin>* <N.gone>*", form, (3,))
      for form in ("text", "json", "jsonl", "sarif", "github", "junit")),
    Row("validate --output-file <out.sarif> --output-file <out.xml> -- <N.odd.bin> <N.gone>",
        codes=(3,), step=5),
    Row("report -o <out.html> -- <N.bin> <N.odd.bin> <N.gone>", codes=(3,)),
    Row("report -o - -- <N.odd.bin>* <N.bin>*", "html", ANY),
    Row("report --json -o <out.html> -- <N.bin> <N.gone>", "json", (3,), step=5),
    Row("report --exclude <N>.bin -o <out.html> -- .", codes=ANY, step=40),
    Row("report -o <out/x.html> -- <N.bin>", codes=(3,), step=5),
    Row("validate --config <N.txt> -- <N.bin>", codes=ANY),
    Row("validate --exclude <N>.bin -- .", codes=ANY, step=40),
    Row("config --json", "json"), Row("config --json -- <N>", codes=(2,)), Row("config"),
    Row("validate --select x<N> -- <N.bin>", codes=(2,)), Row("validate --<N>", codes=(2,)),
    Row("explain -- <N>", codes=(2,)), Row("explain --format json C001", "json"),
    Row("explain --format json -- <N>", codes=(2,)), Row("explain --format md -- <N>", codes=(2,)),
    Row("where -- <N.bin> 100"), Row("where --json -- <N.bin> 100", "json"),
    Row("where -- <N.bin> x<N>", codes=(2,)),
    Row("spec -- <N>", codes=(2,)), Row("spec --json", "json"),
    Row("layout -- <N.bin>"), Row("layout --json -- <N.bin>", "json"),
    Row("layout -- <N>", codes=(1, 3)), Row('layout -- {"name":"<N>"}', codes=ANY),
    Row("diff -- <N.bin> w.bin", codes=(1,)), Row("diff --json -- <N.bin> w.bin", "json", (1,)),
    Row("diff -- <N.odd.bin> <N.gone>", codes=(2,)), Row("diff -- <N.txt> w.bin", codes=ANY),
    Row("extract -o <out.npy> -- <N.bin> stem.conv.w"),
    Row("extract --json -o <out.npy> -- <N.bin> stem.conv.w", "json"),
    Row("extract -o <out.npy> -- <N.bin> <N>", codes=(2,)),
    Row("embed -- <N.bin> <N.npy> <N.gone.npy>", "json"),
    Row("embed -o - -- w.bin <N.npy>* <N.gone.npy>*", "jsonl"),
    Row("embed -o all.csv --force -- w.bin <N.npy>* <N.gone.npy>*"),
    Row("embed --json -o <out.json> -- w.bin <N.npy> <N.gone.npy>", "json", step=5),
    Row("embed --json -q --force -o <out.npz> -- <N.bin> <N.npy> <N.gone.npy>", "json", step=5),
    Row("embed -o <out.csv> -- w.bin <N.npy> <N.gone.npy>", step=5),
    Row("embed -o <out.jsonl> -- w.bin <N.npy> <N.gone.npy>", step=5),
    Row("embed -- w.bin <N.txt> <N.npz>", "json", (1,)),
    Row("embed -o <out.x> -- w.bin <N.npy>", codes=(2,)),
    Row("embed --files-from <N.txt> -- w.bin", codes=ANY),
    Row("compare -- <N.bin> <N.npy> <N.npy>"),
    Row("compare --json -- w.bin <N.npy> <N.npy>", "json"),
    Row("compare -- w.bin <N.npy> picture.npy <N.npy>"), Row("compare -- w.bin <N.npy> <N.txt>",
                                                             codes=(1,)),
    Row("compare -o <out.x> -- w.bin <N.npy> <N.npy>", codes=(2,)),
    Row("faces -- <N.npy>", codes=ANY), Row("faces --json -- <N.npy>", codes=ANY),
    Row("eval -- <N.bin> <N.txt>", codes=ANY), Row("eval --json -- <N.bin> <N.txt>", codes=ANY),
    *(Row(f"search {more}--model w.bin -- <N0.t.{end}> <N.npy>* <N.gone.npy>*", kind, (0, 1))
      for end, more, kind in (("npz", "", "text"), ("csv", "--json ", "json"),
                              ("jsonl", "-o all.csv ", "text"))),
    Row("search -o <out.csv> --row <N.npy> -- <N0.t.npz>", codes=ANY),
    Row("search --row <N> -- <N0.t.npz>", codes=(1,)),
    Row("dedupe -- <N0.t.npz>", step=ONE), Row("dedupe --json -- <N0.t.csv>", "json", step=ONE),
    Row("dedupe -o <out.csv> -- <N0.t.jsonl>", step=ONE),
    Row("dedupe -o <out.jsonl> -- <N0.t.jsonl>", step=ONE),
    Row("cluster -o <out.csv> --sheet <out.html> -- <N0.t.npz>", step=ONE, needs=("scipy",)),
    Row("cluster --json -- <N0.t.npz>", "json", step=ONE, needs=("scipy",)),
    Row("cluster --sheet <out.x> -- <N0.t.npz>", codes=(2,)),
    Row("train --data <N.txt> --out <out.run>", codes=ANY),
    Row("train --json --data <N.txt> --out <out.run>", codes=ANY),
    *(Row(f"draw {verb} --device <N> {more}", codes=ANY, step=5) for verb in (
        "cache", "images", "pairs", "sheet") for more in ("-- <N.txt>", "--json -- <N.txt>")),
    Row("draw speed --device <N>", codes=ANY), Row("draw speed --json --device <N>", codes=ANY),
    Row("verify -- <N.bin>", step=40), Row("verify --json -- <N.bin>", "json", step=40),
    Row("verify --against <N.npz> -- <N.bin>", codes=(1, 2, 3)),
    Row("bench --runs 1 -- <N.bin>", step=40), Row("bench --runs 1 --json -- <N.bin>", "json",
                                                   step=40),
    *(Row(f"convert -- <N.{end}> <out.bin>", codes=(1, 2, 3)) for end in (
        "npz", "safetensors", "pt", "onnx", "param", "prototxt", "json", "tflite", "txt")),
    Row("convert --from mxnet -- <N.json> <out.bin>", codes=(1, 3)),
    Row("convert --from caffe -- <N.prototxt> <out.bin>", codes=(1, 3)),
    Row("convert -- <N.bin> <out.h>", step=5), Row("convert -- <N.bin> <out.npz>", step=5),
    Row("convert --format json -- <N.bin> <out.safetensors>", "json", step=5),
    Row("convert --name <N> --meta source=<N> -- <N0.bin> <out.bin>", codes=ANY, step=5),
    Row("convert --meta <N> -- <N.bin> <out.npz>", codes=ANY, step=5),
    Row("new --name <N> -o <out.bin> -- <N.bin>", codes=ANY, step=3),
    Row("new --json -o <out.bin> -- <N.bin>", "json", step=5),
    Row("new -o <out/x.bin> -- <N.bin>", codes=(3,), step=5),
    Row("examples -- <out.d>", step=5), Row("examples --json -- <out.d>", "json", step=5),
    Row("examples -- <N.bin>", codes=(3,), step=5),
    Row("new --set <N> -o <out.bin> -- <N.bin>", codes=(2,)),
    Row("seal -o <out.bin> -- <N.bin>"), Row("seal --json -o <out.bin> -- <N.bin>", "json"),
    Row("seal -- <N.odd.bin>", codes=ANY, step=5),
    Row("doctor --quick"), Row("doctor --quick --json", "json"),
    Row("help inspect"), Row("help -- <N>", codes=(2,)),
    Row("conformance list -- <N>", codes=(1,), step=5),
    Row("conformance list --json -- valid-*", "json", step=ONE),
    Row("conformance list --json -- <N>", codes=(1,), step=5),
    *(Row(f"conformance run {more} LINES --reader PROGRAM --select {CASES}", kind, (1, 3),
          step=ONE) for more, kind in (("--format text", "text"), ("--format json", "json"),
                                       ("--format junit", "junit"), ("--verbose", "text"))),
    Row("conformance run --reader <N> --select smoke", codes=ANY, step=40),
    Row("conformance run --reader @python --select <N>", codes=(1,)),
    Row("conformance run --reader @python --known-failures <N.txt>", codes=(1, 2, 3)),
    Row("conformance export --select bad-c001-empty -- <out>", step=5),
    Row("conformance export --json --select bad-c001-empty -- <out.j>", "json", step=5),
    Row("conformance export --select <N> -- <out.k>", codes=(1,), step=5),
    Row("conformance scaffold reader --lang python -o <out.d>", step=5),
    Row("conformance scaffold reader --lang python --json -o <out.e>", "json", step=5),
    Row("conformance scaffold <N> --lang <N> -o <out.f>", codes=(2,)),
    Row("conformance statement results.json --name <N> --version <N> --badge <out.svg>", "json",
        (0, 1)),
    Row("conformance statement -- <N.txt>", codes=(1,)),
    Row("conformance verify-statement -- <N0.s.json>", codes=(0, 1), step=ONE),
    Row("conformance verify-statement --json -- <N0.s.json>", "json", (0, 1), step=ONE),
    Row("conformance verify-statement -- <N.txt>", codes=(1,)),
    *(Row(f"conformance table --format {form} -- <N.s.json>*", form)
      for form in ("md", "html", "json")),
    Row("conformance table -o <out.html> -- <N.s.json>"),
    Row("conformance table -- <N.txt>", codes=(1,)),
    Row("conformance diff --a @python --b PROGRAM --files 9 --protocol lines", codes=(1, 3),
        step=ONE),
    Row("conformance diff --json --a @python --b PROGRAM --files 9 --protocol lines", "json",
        (1, 3), step=ONE),
    Row("conformance diff --a <N> --b <N> --files 9", codes=ANY, step=40),
    Row("completion fish"), Row("completion zsh --json", "json"),
    Row("completion -- <N>", codes=(2,)),
    Row("<N>", codes=(2,)),
]


def verbs(group, words=()):
    """The words of each verb, and the verb."""
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        if isinstance(found, click.Group):
            yield from verbs(found, (*words, name))
        else:
            yield (*words, name), found


VERBS = dict(verbs(command))


def verb_of(row):
    """The verb of a row, () where it has none."""
    words = tuple(row.words.split())
    return next((verb for verb in VERBS if words[:len(verb)] == verb), ())


def test_every_verb_and_format_is_in_a_row():
    told = {}
    for row in ROWS:
        told.setdefault(verb_of(row), []).append(row.words.split())
    assert set(told) == {*VERBS, ()}
    for verb, found in VERBS.items():
        for option in found.params:
            if "--json" in option.opts:
                assert any("--json" in words for words in told[verb]), verb
            if "--format" in option.opts:
                formats = {w[w.index("--format") + 1] for w in told[verb] if "--format" in w}
                plain = {option.default} - {None}
                assert set(option.type.choices) <= formats | plain, verb


def said(*words):
    """As on a terminal: where there is none click drops colours, and nothing else would show."""
    done = CliRunner().invoke(command, words, color=True)
    assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The scene, in which every row is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("names"))
        yield _made()


def _made():
    scene(NAMES)
    program = f"{sys.executable} program.py"
    done = said("conformance", "run", *LINES, "--reader", program, "--format", "json", "--select",
                "bad-c*")
    Path("results.json").write_text(done.stdout)
    for name in NAMES:
        done = said("conformance", "statement", "results.json", "--name", f"x{name}",
                    "-o", f"{name}.s.json")
        if done.exit_code:  # a name that no statement may have
            said("conformance", "statement", "results.json", "-o", f"{name}.s.json")
    return program


def commands(row, program):
    """The words of each call, and the files that it may write."""
    def filled(word, name):
        word = word.replace("PROGRAM", program).replace("<N0", "<0")
        word = re.sub(r"<0([.\w]*)>", lambda m: NAMES[0] + m[1], word)
        return re.sub(r"<(N|out)([./\w]*)>",
                      lambda m: ("out/" if m[1] == "out" else "") + name + m[2], word)

    for name in NAMES[::row.step] if "<N" in row.words or "<out" in row.words else NAMES[:1]:
        words = []
        for word in row.words.split():
            if word == "LINES":
                words += LINES
            elif word.endswith(">*"):
                words += [filled(word[:-1], n) for n in NAMES]
            else:
                words.append(filled(word, name))
        yield words
        if "*" in row.words and "<out" not in row.words:
            return


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.words)
def test_names_through_every_verb(row, folder):
    missing = [n for n in row.needs if find_spec(n) is None]
    shown = 0
    for words in commands(row, folder):
        shutil.rmtree("out")
        os.mkdir("out")
        done = said(*words)
        PARSERS["text"](done.stderr)
        if done.exit_code not in row.codes:
            assert missing, (words, done.exit_code, done.output)
            continue
        if done.stdout or done.exit_code == row.codes[0]:  # else it is refused
            PARSERS[row.kind](done.stdout)
        written = [*Path("out").iterdir(), *Path(".").glob("all.csv")]
        shown += bool(done.output or written)
        for path in written:
            if parse := PARSERS.get(path.suffix[1:]):
                parse(path.read_bytes().decode())
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: only the refusal was read")
    assert shown


def test_a_report_names_its_files(folder):
    """Whatever is escaped, a name can be told from the others, and a URI is the file's bytes."""
    files = [f"{name}.odd.bin" for name in NAMES]
    words = ("validate", "--level", "structure", "--format")
    found = json.loads(said(*words, "json", "--", *files).stdout)
    assert [r["source"] for r in found["reports"]] == [
        name.encode("utf-8", "backslashreplace").decode() for name in files]
    run, = json.loads(said(*words, "sarif", "--", *files).stdout)["runs"]
    uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            for r in run["results"]}
    assert {unquote_to_bytes(uri) for uri in uris} == set(map(os.fsencode, files))
    text = said(*words, "text", "--", *files).stdout
    assert len(re.findall("^.*: INVALID", text, re.M)) == len(files)


@pytest.mark.parametrize("words,verb", [pytest.param(w, v, id=" ".join(w))
                                        for w, v in (*VERBS.items(), ((), command))])
def test_what_cannot_be_read(words, verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tries = [[f"--{BAD}"], ["x", f"--{BAD}=1"], [BAD] * 9]
    tries += [[f"{BAD}.npz"] * n for n in (1, 2, 3) if words not in SLOW]
    tries += [[p.opts[-1], BAD + end, *["x"] * n] for p in verb.params for n in (1, 2)
              for end in ("", ".csv") if isinstance(p, click.Option) and not p.is_flag
              and words not in SLOW]
    for more in tries:
        done = said(*words, *more)
        assert not any(raw in done.output for raw in RAW), (more, done.output)


def test_a_table_of_a_stranger(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, two = directions(2)
    rows = [TableRow(BAD, 0, one), TableRow(f"{BAD}2", 0, two),
            TableRow(f"{BAD}3", error="F013", reason=BAD)]
    name = table("a.jsonl" if WINDOWS else f"{BAD}.jsonl", rows)  # which has no such names
    # A code is a code where it is written; read it may be anything.
    Path(name).write_text(Path(name).read_text().replace("F013", "F\\u001b[31m\\u0007"))
    for words in (["search", name, name], ["search", name, "--row", f"{BAD}3"], ["dedupe", name],
                  ["search", name, "--row", BAD], ["dedupe", name, "--threshold", "-1"]):
        done = said(*words)
        assert done.output and not any(raw in done.output for raw in RAW), done.output
