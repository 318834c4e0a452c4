# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a tested program printed: the one JSON object, or what is wrong with it, quoted."""

from __future__ import annotations

import codecs
import json
from typing import Any

from efm3.findings import printable

MAX_OUTPUT = 64 << 20
"""Most bytes of an answer; a longer one is broken."""

MAX_QUOTED = 120
"""Most characters that a message quotes of what a program printed."""

LOGS = "logs belong on standard error"


def quoted(raw: bytes) -> str:
    """A part of what a program printed: escaped, in quotes, and cut where it is long."""
    text = printable(raw[:4 * MAX_QUOTED].decode("utf-8", "backslashreplace").strip())
    return f'"{text}"' if len(text) <= MAX_QUOTED else f'"{text[:MAX_QUOTED]}..."'


def object_of(raw: bytes, what: str, due: str) -> dict[str, Any] | str:
    """The JSON object that `raw` is, or what is wrong with it: `what` names it, `due` says what
    is asked for. White space around it, CRLF among it, is no fault.
    """
    if len(raw) > MAX_OUTPUT:
        return f"{what} is over {MAX_OUTPUT} bytes"
    if not raw.strip():
        return f"{what} is empty; {due}"
    if raw.startswith(codecs.BOM_UTF8):
        return f"{what} begins with a byte order mark; UTF-8 without one is asked for"
    lines = raw.split(b"\n")
    try:
        value = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as e:
        at = raw.count(b"\n", 0, e.start)
        return f"{what} is not UTF-8: {_line(lines, at)}"
    except json.JSONDecodeError as e:
        return f"{what} is not JSON: {_line(lines, e.lineno - 1)}; {due}, and {LOGS}"
    except (ValueError, RecursionError):
        return f"{what} is not JSON that can be read: nested too deeply, or a number of " \
               f"thousands of digits: {quoted(raw)}"
    if not isinstance(value, dict):
        return f"{what} is not a JSON object but {quoted(raw)}; {due}, and {LOGS}"
    return value


def _line(lines: list[bytes], at: int) -> str:
    """The line of this index, or the last one before it that is not blank."""
    while at and not lines[at].strip():
        at -= 1
    only = sum(bool(line.strip()) for line in lines) == 1
    return quoted(lines[at]) if only else f"line {at + 1} is {quoted(lines[at])}"
