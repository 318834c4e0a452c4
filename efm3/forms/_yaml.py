# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Dicts, lists, strings and ints as YAML that versions 1.1 and 1.2 read the same way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

# Words that YAML 1.1 does not read as strings.
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
WIDTH = 92
NEWLINE = "\n"


def dump(value: dict[str, Any]) -> str:
    """The mapping as block YAML, long texts folded."""
    return "\n".join(_mapping(value, "")) + "\n"


def _mapping(value: dict[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{indent}{_scalar(key)}:"
            yield from _mapping(item, indent + "  ")
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            yield f"{indent}{_scalar(key)}:"
            for entry in item:
                first, *rest = _mapping(entry, indent + "    ")
                yield f"{indent}  - {first.lstrip()}"
                yield from rest
        elif isinstance(item, list):
            yield f"{indent}{_scalar(key)}: [{', '.join(map(_scalar, item))}]"
        elif isinstance(item, str) and len(indent) + len(key) + len(item) > WIDTH:
            yield f"{indent}{key}: {'|' if NEWLINE in item else '>-'}"
            for paragraph in item.split(NEWLINE):
                yield from (f"{indent}  {line}" for line in wrap(paragraph, WIDTH - len(indent)))
        else:
            yield f"{indent}{_scalar(key)}: {_scalar(item)}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str):
        return json.dumps(value)
    plain = (re.match(r"[A-Za-z_(]|\d+ [-+*/]", value) and value.lower() not in _WORDS
             and not re.search(r":\s|\s#|:$", value))
    return value if plain else json.dumps(value)
