# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Hostile names through every form and verb: each output is read with its format's own parser."""

import csv
import io
import json
import os
import random
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efm3.conformance import sample
from efm3.texts import FORMS, cut, dumps, from_cell, printable, safe
from efm3.validator import expand

PARTS = ("\x1b[31m", "\x1b]0;x\x07", "\x9b1m", "\u202e", "\u2066", "\u2028", "\x85", "\n", "\r",
         "\n::error::x", "\n::stop-commands::x", "%0A", "%", ",", ":", "::", '"', "'", "<", ">",
         "&", "]]>", "<script>", "</title>", "\udcff", "\udc80", "\ufffe", "\U0001f600", "ä",
         "=1+1", "-", "@", "\t", " ", "\\", "\\udcff", "\\\\", "a", "b.bin", "{0}", "$(x)", "`x`",
         "\x7f", "\x01", "\u200b", "[/red]", "[bold]")


def hostile(count, longest=12, seed=20):
    """So many different names of parts that mean something to some output."""
    draw, found = random.Random(seed), {}
    while len(found) < count:
        name = "".join(draw.choice(PARTS) for _ in range(draw.randint(1, longest)))
        # What a name of a file may be.
        name = name.replace("/", "|")
        if 0 < len(os.fsencode(name)) < 200 and name not in (".", "..") and not name.isspace():
            found[name] = None
    return list(found)


NAMES = hostile(1000)
ROOT = Path(__file__).resolve().parent.parent


def is_plain(text):
    """True where a terminal and a log show it as what it is, line by line."""
    return all(c == "\n" or c.isprintable() for c in text)


def strings(value):
    """Every text in a parsed JSON value."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield k
            yield from strings(v)
    elif isinstance(value, list):
        for v in value:
            yield from strings(v)
    elif isinstance(value, str):
        yield value


def json_of(text):
    value = json.loads(text)
    for word in strings(value):
        word.encode()  # no lone surrogate
    return value


def test_the_forms():
    for name in NAMES:
        assert is_plain(safe(name)) and "\n" not in safe(name) and printable(name) == safe(name)
        assert "%" not in re.sub("%25|%0[AD]|%3A|%2C", "", safe(name, "github"))
        assert not set(":,\n") & set(safe(name, "property"))
        assert ElementTree.fromstring(f"<a b='{safe(name, 'xml')}' c=\"{safe(name, 'xml')}\">"
                                      f"{safe(name, 'xml')}</a>").text == safe(name)
        assert unquote_to_bytes(safe(name, "uri")) == os.fsencode(name)
        assert json_of(dumps([name])) == [name.encode("utf-8", "backslashreplace").decode()]
        table = io.StringIO()
        csv.writer(table).writerow([safe(name, "csv"), "x"])
        (cell, _), = csv.reader(io.StringIO(table.getvalue(), newline=""))
        assert cell.lstrip()[:1] not in tuple("=+@-") and cell[:1] not in tuple("\t\r\n")
        assert from_cell(cell) == name and cell in (name, f"'{name}")
    # tests/conformance/test_tables.py reads Markdown with a parser.
    assert set(FORMS) == {"terminal", "github", "property", "xml", "uri", "csv", "markdown"}


@pytest.mark.parametrize("text", ["=1", "'=1", "''=1", " '=1", "'", "''", "", "\t", "'\t",
                                  "a=1", "-", "' -1", "\n=", "\uff1d1", "'a"])
def test_a_cell_gives_back_its_text(text):
    cell = safe(text, "csv")
    assert from_cell(cell) == text
    assert (cell != text) == (text not in ("'", "''", "", "a=1", "'a"))


def test_one_function_for_each_kind_of_output():
    """What escapes for HTML, XML and Markdown, or gives JSON to others, is called in one place."""
    words = re.compile(r"html import|import html|saxutils|html\.escape")
    found = [path for path in ROOT.glob("efm3/**/*.py") if words.search(path.read_text("utf-8"))]
    assert found == [ROOT / "efm3" / "texts.py"]


def test_what_is_cut_says_so():
    assert cut("a" * 9, 9) == "a" * 9 and cut("a" * 10, 9) == "a" * 8 + "…"
    assert cut("\x1b" * 3, 9) == "\\x1b\\x1b…"


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('\\u"d8dcfaAF\ud83d\ude00\udcff01') | st.characters(), max_size=20))
def test_json_keeps_what_it_can(text):
    """A pair of surrogates is a character; a lone one stands as the text of its escape."""
    value = json_of(dumps({text: [text]}))
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert value == {text: [text]}


def test_uris_have_no_machine_and_no_scheme():
    for name in ("//host/x", "///x", "c:x", "http://x", "/a b"):
        parts = urlsplit(safe(name, "uri"))
        assert (parts.scheme, parts.netloc) == ("", "")
        assert unquote_to_bytes(safe(name, "uri")) == name.encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file of each name, none of them sound; their paths, from which the folder is taken."""
    own = tmp_path_factory.mktemp("names")
    before = os.getcwd()
    os.chdir(own)
    for i, name in enumerate(NAMES):
        data = sample.field("arch.stem_stride", 0)(sample.base()) if i % 20 == 0 else b"EFM3"
        with open(name, "wb") as f:
            f.write(data)
    yield own
    os.chdir(before)


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "sarif", "github"])
def test_file_names_through_validate(cli, folder, form):
    result = cli("validate", "--format", form, "--level", "structure", "--", *NAMES)
    assert result.exit_code == 1 and is_plain(result.stdout) and not result.stderr
    if form == "text":
        assert len(re.findall("^.*: INVALID", result.stdout, re.M)) == len(NAMES)
    elif form == "json":
        said = [r["source"] for r in json_of(result.stdout)["reports"]]
        assert said == [n.encode("utf-8", "backslashreplace").decode() for n in NAMES]
    elif form == "jsonl":
        assert len([json_of(line) for line in result.stdout.splitlines()]) == len(NAMES)
    elif form == "sarif":
        found = json_of(result.stdout)["runs"][0]["results"]
        uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in found}
        assert {unquote_to_bytes(u) for u in uris} == set(map(os.fsencode, NAMES))
    else:
        for line in result.stdout.splitlines():
            assert re.fullmatch("::(error|warning|notice) file=[^:,]*,title=[^:,]*::.*", line), line


VERBS = (["inspect"], ["inspect", "--json"], ["where", "!", "3"], ["where", "!", "3", "--json"],
         ["diff", "!", "!", "--json"], ["diff"], ["layout"], ["seal"], ["verify"], ["bench"],
         ["extract", "!", "stem.conv.w", "-o", "!"], ["convert", "!", "x.npz"],
         ["new", "weights.bin", "-o", "none/!"], ["inspect", "none/!"], ["validate", "none/!"],
         ["explain"], ["spec"], ["layout", "!", "!"], ["!"], ["validate", "--!"],
         ["inspect", "--hex", "!", "weights.bin"], ["inspect", "--tensors", "!", "weights.bin"],
         ["where", "weights.bin", "!"], ["extract", "weights.bin", "!", "-o", "x"],
         ["conformance", "list", "!"], ["validate", "--select", "!", "weights.bin"])


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_names_through_every_verb(cli, folder, words):
    """As files and as arguments: nothing steers a terminal, and a refusal is no traceback."""
    (folder / "weights.bin").write_bytes(sample.base())
    for name in NAMES[::100]:
        given = [w.replace("!", name) for w in words]
        if "!" not in "".join(words):
            given += ["--", name] + [name] * (words == ["diff"])
        result = cli(*given)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert is_plain(result.stdout.replace("\t", "")) and is_plain(result.stderr), result.output
        assert not re.search("^::", result.output, re.M)
        if "--json" in words and result.exit_code < 2:
            json_of(result.stdout)


def test_names_in_mirrors_and_tensors(cli, tmp_path):
    """The network's name, keys, meta; and the names of tensors of a converter's source."""
    names = [n.encode("utf-8", "replace").decode() for n in NAMES[::60]]
    for name in names:
        data = sample.with_mirror(lambda m, n=name: m | {"name": n, n: n, "meta": {
            n: n, "description": n, "source": n, "sha256": n, "picture": n}})(sample.base())
        (tmp_path / "m.bin").write_bytes(data)
        path = tmp_path / "m.bin"
        for words in (["validate"], ["inspect"], ["inspect", "--hex", "json"], ["embed"],
                      ["validate", "--format", "github"], ["verify"], ["diff", path]):
            result = cli(*words, path)
            assert is_plain(result.stdout) and is_plain(result.stderr), words
            assert not re.search("^::(?!(error|warning|notice) file=)", result.output, re.M)
        for words in (["inspect", "--json"], ["validate", "--format", "json"],
                      ["validate", "--format", "sarif"], ["diff", "--json", path]):
            json_of(cli(*words, path).stdout)
        if "\0" not in name:
            np.savez(tmp_path / "t.npz", **{name: np.zeros(3, np.float32)})
            result = cli("convert", tmp_path / "t.npz", tmp_path / "x.bin")
            assert result.exit_code == 1 and is_plain(result.stderr)


def test_names_of_capitals_are_weights_too(tmp_path):
    for name in ("A.BIN", "b.Efm3", "c.bin", "d.txt"):
        (tmp_path / name).write_bytes(b"")
    found = [os.path.basename(p) for p in expand([str(tmp_path)])]
    assert found == ["A.BIN", "b.Efm3", "c.bin"]
