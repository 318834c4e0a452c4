# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Foreign text, from file names and files, made safe for each kind of output."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

# A pair, a lone surrogate, or any other escape: JSON's text is read escape by escape.
_ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\(?=u[dD][89a-fA-F])|\\.")
# What a table program computes, or may: what it drops or takes for a mark of text stands before it.
_FORMULA = re.compile(r"['\s]*[=+@\uff1d\uff0b\uff20\uff0d-]|'*[\t\r\n]")
_MARKS = re.compile(r"[\\`*_{}\[\]()#+\-.!|~]")


# A line that begins with two colons is a command to GitHub, and what `##` and a bracket begin to
# other services that read a build's log.
_COMMAND = re.compile(r"^(\s*):|#(#\w*\[)")


def printable(text: str) -> str:
    """`text` with control characters and lone surrogates escaped, for a terminal and a log.

    What steers a terminal, turns the direction of writing, ends a line or is a command to a service
    that reads the log is escaped too, wherever in a line the text will stand.
    """
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return _COMMAND.sub(lambda m: f"{m[1]}\\x3a" if m[2] is None else f"\\x23{m[2]}", text)


def cut(text: str, longest: int) -> str:
    """`printable`, and at most so many characters, of which the last says that there are more."""
    text = printable(text)
    return text if len(text) <= longest else text[:longest - 1] + "…"


def _github(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _github(text).replace(":", "%3A").replace(",", "%2C")


def _xml(text: str) -> str:
    from html import escape

    return escape(printable(text))


def _uri(text: str) -> str:
    from urllib.parse import quote

    try:
        raw = text.encode("utf-8", "surrogateescape")  # as the system gave the name
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "backslashreplace")
    # Two slashes would begin with the name of a machine.
    return re.sub("^//+", lambda m: "/" + "%2F" * (len(m[0]) - 1), quote(raw))


def _cell(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(text: str) -> str:
    """The text that was made safe for this cell of CSV: an apostrophe more stands before what a
    table program would compute, and before what looks like that with apostrophes."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text, 1) else text


def _markdown(text: str) -> str:
    from html import escape

    # Entities, not backslashes, for what HTML and autolinks are made of: not every reader of
    # Markdown takes a backslash there.
    text = _MARKS.sub(r"\\\g<0>", printable(text))
    for c in '&<>"\':@':
        text = text.replace(c, escape(c) if c in '&<>"\'' else f"&#{ord(c)};")
    return text


FORMS: dict[str, Callable[[str], str]] = {
    "terminal": printable, "github": _github, "property": _property, "xml": _xml, "uri": _uri,
    "csv": _cell, "markdown": _markdown}
"""Kind of output to what makes a text safe for it: a terminal, the message and a property of a
GitHub annotation, HTML or SVG, the path of a URI, a cell of CSV before it is quoted, Markdown.

A cell keeps every character, so that it can be read back (`from_cell`)."""


def safe(text: str, form: str = "terminal") -> str:
    """`text` for an output of this kind, one of FORMS; `dumps` is for JSON and SARIF."""
    return FORMS[form](text)


def dumps(value: Any, **options: Any) -> str:
    """json.dumps in ASCII; a lone surrogate, which JSON's readers refuse or lose, is written as
    the six characters of its escape."""
    out = json.dumps(value, **options)
    return _ESCAPE.sub(lambda m: "\\\\" if m[0] == "\\" else m[0], out) if "\\ud" in out else out


_TRAILING = {f"Illegal trailing comma before end of {kind}": words for kind, words in (
    ("array", "Expecting value"), ("object", "Expecting property name enclosed in double quotes"))}


def json_error(e: json.JSONDecodeError) -> tuple[str, int]:
    """The words and the place of an error, the same from every Python: 3.13 and later name a comma
    before a closing bracket, earlier ones the bracket."""
    if e.msg not in _TRAILING:
        return e.msg, e.pos
    behind = e.doc[e.pos + 1:]
    return _TRAILING[e.msg], len(e.doc) - len(behind.lstrip(" \t\r\n"))
