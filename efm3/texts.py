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


def printable(text: str) -> str:
    """`text` with control characters and lone surrogates escaped, for a terminal.

    What steers a terminal, turns the direction of writing or ends a line is escaped too.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


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
    # A table program computes what begins so; the apostrophe makes it text.
    words = printable(text)
    return f"'{words}" if words.lstrip()[:1] in ("=", "+", "-", "@") else words


FORMS: dict[str, Callable[[str], str]] = {
    "terminal": printable, "github": _github, "property": _property, "xml": _xml, "uri": _uri,
    "csv": _cell}
"""Kind of output to what makes a text safe for it: a terminal, the message and a property of a
GitHub annotation, HTML, SVG or JUnit, the path of a URI, a cell of CSV before it is quoted."""


def safe(text: str, form: str = "terminal") -> str:
    """`text` for an output of this kind, one of FORMS; `dumps` is for JSON and SARIF."""
    return FORMS[form](text)


def dumps(value: Any, **options: Any) -> str:
    """json.dumps in ASCII; a lone surrogate, which JSON's readers refuse or lose, is written as
    the six characters of its escape."""
    out = json.dumps(value, **options)
    return _ESCAPE.sub(lambda m: "\\\\" if m[0] == "\\" else m[0], out) if "\\ud" in out else out
