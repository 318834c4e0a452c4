# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the page's worker asks of Python: the command's own verbs, run in this process.

Texts go in and come out as JSON. Files lie in one folder, as `efm3` finds them on a machine.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os

HELD = 200
"""Bytes of the longest name that is kept; a file system allows 255."""
_home = ""
_streams: list[io.TextIOWrapper] = []
"""Standard output and error, the same ones for every verb: click keeps each that it has seen."""


def begin(home: str) -> str:
    """Import what the verbs need; the version, the deepest level and how many rules it has."""
    global _home
    _home = home
    os.makedirs(home, exist_ok=True)
    os.chdir(home)
    from efm3 import version
    from efm3.cli import explain, inspect, validate
    from efm3.codes import LEVELS
    from efm3.rules import check_of, load_rules

    assert explain and inspect and validate
    level = LEVELS[-1]
    rules = load_rules(level)
    for code in rules:
        check_of(code)
    return json.dumps({"version": version.__version__, "level": level, "rules": len(rules)})


def warm(name: str) -> None:
    """Ask every verb about a file of the folder, then wipe what it leaves in unused memory."""
    for verb in (["validate", "--format", "json"], ["validate", "--format", "sarif"],
                 ["report", "-o", "-"]):
        run(json.dumps([verb[0], "--no-config", *verb[1:], "--", name]))
    for words in (["inspect", "--json", name], ["diff", "--json", name, name], ["explain", "T012"],
                  ["where", name, "300", "--json"]):
        run(json.dumps(words))
    kind(name)
    gc.collect()
    # Unused memory that holds nulls takes no room once it is packed.
    small = [bytes(size) for size in range(1, 480, 16) for _ in range(700)]
    large = [bytes(size) for size in (4_000, 16_000, 60_000) for _ in range(80)]
    del small, large


def clear(names: str) -> str:
    """Empty the folder; the names under which files of these names are to be written."""
    for entry in os.scandir(_home):  # it has no folders
        os.remove(entry.path)
    taken: list[str] = []
    for name in json.loads(names):
        taken.append(_name(name, taken))
    return json.dumps(taken)


def _name(name: str, taken: list[str]) -> str:
    """A name that a file can have, its own where that is possible."""
    held = name.replace("/", "_").replace("\0", "_").encode("utf-8", "replace")[:HELD]
    name = held.decode("utf-8", "ignore")
    # "-" is standard input to the command.
    own = name if name not in ("", ".", "..", "-") else f"file{name}"
    number = 1
    while own in taken:
        number += 1
        own = f"{number}-{name}"
    return own


def run(words: str) -> str:
    """`efm3 WORDS`: its exit code, standard output and standard error."""
    from efm3.cli import cli

    out, err = _emptied()
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli(json.loads(words), prog_name="efm3")
        except SystemExit as end:
            code = end.code
    return json.dumps([code or 0, _text(out), _text(err)])


def _emptied() -> list[io.TextIOWrapper]:
    """The two streams with nothing in them: some verbs write text to them, some bytes."""
    if not _streams or any(s.closed for s in _streams):
        _streams[:] = (io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", newline="\n",
                                        write_through=True) for _ in range(2))
    for stream in _streams:
        stream.seek(0)
        stream.truncate()
    return _streams


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8", "replace")


def kind(name: str) -> str:
    """What a file of the folder is: its kind, words for a person, what to do with it."""
    from efm3.sniff import of_path

    found = of_path(os.path.join(_home, name))
    if found is None:
        return "null"
    return json.dumps({"name": found.name, "title": found.title + found.detail,
                       "todo": found.todo(name)})
