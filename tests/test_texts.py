# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A text in each form, read with the form's own parser; tests/test_foreign_names.py has verbs."""

import csv
import io
import json
import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efm3.texts import FORMS, cut, dumps, from_cell, json_error, printable, safe
from efm3.validator import expand
from tests.hostile_names import hostile, is_plain, json_of

NAMES = hostile(1000)
ROOT = Path(__file__).resolve().parent.parent


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


@pytest.mark.parametrize("text,told", [
    ("::error::x", "\\x3a:error::x"), ("  ::x", "  \\x3a:x"), (":", "\\x3a"), ("a::b", "a::b"),
    ("a##[error]b", "a\\x23#[error]b"), ("##vso[x]", "\\x23#vso[x]"), ("## x", "## x"), ("", "")])
def test_a_name_is_no_command_to_a_service_that_reads_the_log(text, told):
    assert printable(text) == told == printable(told)


def test_names_of_capitals_are_weights_too(tmp_path):
    for name in ("A.BIN", "b.Efm3", "c.bin", "d.txt"):
        (tmp_path / name).write_bytes(b"")
    found = [os.path.basename(p) for p in expand([str(tmp_path)])]
    assert found == ["A.BIN", "b.Efm3", "c.bin"]


def test_markdown_has_the_names_of_the_characters_that_have_one():
    assert safe("a&b<c>'\"", "markdown") == "a&amp;b&lt;c&gt;&#x27;&quot;"


@pytest.mark.parametrize("doc, kind, words, place", [
    ("[1,]", "array", "Expecting value", 3), ("[1, \n\t]", "array", "Expecting value", 6),
    ('{"a":1,}', "object", "Expecting property name enclosed in double quotes", 7)])
def test_a_comma_before_a_bracket_is_told_as_by_older_pythons(doc, kind, words, place):
    told = json.JSONDecodeError(f"Illegal trailing comma before end of {kind}", doc, doc.index(","))
    assert json_error(told) == (words, place)
    with pytest.raises(json.JSONDecodeError) as e:
        json.loads(doc)
    assert json_error(e.value) == (words, place)
