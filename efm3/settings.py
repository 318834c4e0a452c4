# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings of `efm3 validate`, from efm3.toml or [tool.efm3] of pyproject.toml."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from efm3.codes import CODES, LEVELS, RULE_GROUPS
from efm3.findings import SEVERITIES, refuse, shown
from efm3.source import opened
from efm3.texts import cut

FILES = ("efm3.toml", "pyproject.toml")
"""Names of files with settings, in the order in which a folder is searched."""
LIMIT = 1 << 16
"""Most bytes of a file with settings."""
SOUGHT = 1 << 22
"""Most bytes of a pyproject.toml in which our name is sought: others keep much in it."""
DOTS = 500
"""Most dots of a line in one: the parser's time grows with the square of those of a key, which
stands in one line. A file of LIMIT bytes takes a second at most, and a minute without this."""
FAIL_ON = (*reversed(SEVERITIES), "never")
"""What may make the exit code 1: the mildest severity that does."""


class Key(NamedTuple):
    """A setting: its value where nothing sets it, what it may be in words, and the check."""

    default: Any
    expected: str
    allows: Callable[[Any], bool]


def _words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) and word.strip() for word in value)


def rule_code(word: str) -> str:
    """A code of a rule on files, or the beginning of some, in capitals; "" where it is neither."""
    word = word.strip().upper()
    known = any(row.group in RULE_GROUPS and code.startswith(word) for code, row in CODES.items())
    return word if known else ""


def _codes(value: Any) -> bool:
    return _words(value) and all(map(rule_code, value))


_CODES = "a list of codes of rules, or of their beginnings (`efm3 explain --all`)"
KEYS = {
    "select": Key((), _CODES, _codes),
    "ignore": Key((), _CODES, _codes),
    "exclude": Key((), "a list of patterns, as in .gitignore", _words),
    "level": Key("values", f"one of {', '.join(LEVELS)}", lambda v: v in LEVELS),
    "fail-on": Key("error", f"one of {', '.join(FAIL_ON)}", lambda v: v in FAIL_ON),
    "gitignore": Key(True, "true or false", lambda v: isinstance(v, bool)),
}
"""Every setting, by its name in a file."""


@dataclass(frozen=True)
class Settings:
    """What a file sets: `file` is its path, "" for none, and `given` what it says."""

    file: str = ""
    given: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        """The value of one of KEYS: a tuple of words, a word, or a bool."""
        value = self.given.get(key, KEYS[key].default)
        if key in ("select", "ignore"):
            return tuple(dict.fromkeys(map(rule_code, value)))  # each is tried on every rule
        return tuple(value) if isinstance(value, list) else value

    @property
    def base(self) -> str:
        """The folder to which patterns are relative: the file's, else the working folder."""
        return os.path.dirname(os.path.abspath(self.file)) if self.file else os.curdir

    def to_json(self) -> dict[str, Any]:
        """The file, and each setting with its value and whether the file or a default gives it."""
        return {"file": self.file or None, "settings": {
            key: {"value": list(self[key]) if isinstance(self[key], tuple) else self[key],
                  "from": "file" if key in self.given else "default"} for key in KEYS}}


def find(folder: str = ".") -> Settings:
    """The settings that hold in a folder: the first file with some, in it or above, as far as the
    folder with `.git` or the root. Raises as `read`."""
    try:
        folder = os.path.abspath(folder)
    except OSError:  # the working folder was removed
        return Settings()
    while True:
        for name in FILES:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and (found := read(path)) is not None:
                return found
        above = os.path.dirname(folder)
        if above == folder or os.path.lexists(os.path.join(folder, ".git")):
            return Settings()
        folder = above


def read(path: str) -> Settings | None:
    """The settings of a file; None for a pyproject.toml that has no table tool.efm3.

    Raises Efm3Error IO002 for a key that is not known and a value that is not allowed, for a
    file that is too long or no TOML; Unreadable.
    """
    shared = os.path.basename(path) == FILES[1]
    with opened(path) as file:
        size, data = file.size, bytes(file.start(SOUGHT if shared else LIMIT))
    # Most projects have no settings for us: their files are not parsed, and no parser is loaded.
    if shared and size <= SOUGHT and b"efm3" not in data:
        return None
    if size > LIMIT:
        _refuse(path, "", f"{size} bytes", f"at most {LIMIT}")
    if max(line.count(b".") for line in data.split(b"\n")) > DOTS:
        _refuse(path, "", "a line of more dots", f"at most {DOTS}")
    table = _parsed(path, data)
    if shared:
        tools = table.get("tool")
        if not isinstance(tools, dict) or "efm3" not in tools:
            return None
        table = tools["efm3"]
        if not isinstance(table, dict):
            _refuse(path, "tool.efm3", shown(table), "a table")
    for key, value in table.items():
        if key not in KEYS:
            _refuse(path, key, f"the key {shown(key)}", _near(key))
        if not KEYS[key].allows(value):
            _refuse(path, key, shown(value), KEYS[key].expected)
    return Settings(path, table)


def _parsed(path: str, data: bytes) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    why = "nested too deeply"
    try:
        # Without the mark that editors on Windows put first: tomllib takes none, other readers do.
        return tomllib.loads(data.decode("utf-8-sig"))
    except ValueError as e:  # of a text that is no UTF-8 or no TOML, and of a number without end
        why = str(e)
    except RecursionError:
        pass
    _refuse(path, "", why, "a text in TOML")


def _near(key: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key[:40].replace("_", "-"), KEYS, 1)
    return f"{near[0]} (did you mean it?)" if near else f"one of {', '.join(KEYS)}"


def _refuse(path: str, key: str, found: str, expected: str) -> NoReturn:
    place = f"{path}: {cut(key, 60)}" if key else path
    refuse("IO002", path=place, found=found, expected=expected)
