# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the kit reads of strangers, for fuzz_python.py: statements, results of a run, edits, the
answers of programs under test and lists of known failures. And what `efm3.sniff` says of a file."""

from __future__ import annotations

import json
import random
from functools import lru_cache
from typing import Any

from efm3 import Efm3Error, mirror, sniff
from efm3.conformance import answers, editing, sample, statement
from efm3.conformance.cases import corpus
from efm3.conformance.results import Outcome, Run, as_json, known_failures
from efm3.conformance.runner import set_digest
from tests.fuzz.mutators import WORDS, raw, text
from tests.statements import claim, stated

VALUES: tuple[Any, ...] = (0, 1, -1, 7.0, 1.5, 2**31, 2**64, 1e300, True, None, "", "x", "reader",
                           "\u202e", "\ud800", [], {}, [0] * 3, {"a": {}}, "f" * 64,
                           "bits:7fc00000")


def nested(rng: random.Random, data: bytes) -> bytes:
    """A JSON text with one value somewhere in it changed, lost, or under another key."""
    if rng.randrange(6) == 0:
        return raw(rng, data)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return raw(rng, data)
    places = _places(value)
    if not places:
        return raw(rng, data)
    around, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del around[key]
    elif kind == 1 and isinstance(around, dict):
        around[rng.choice((*around, "x", "claims", "\u202e"))] = around.pop(key)
    elif kind == 2:
        other, name = rng.choice(places)
        around[key] = other[name]
    else:
        around[key] = rng.choice(VALUES)
    try:
        return json.dumps(value, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return raw(rng, data)  # a value that was put into itself


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a JSON value with each of its keys."""
    out: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        one = todo.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(
            one, list) else ()
        for key in keys:
            out.append((one, key))
            todo.append(one[key])
    return out


def statements() -> list[bytes]:
    """Statements, whole and in part."""
    case = next(c.id for c in corpus() if c.kind == "writer")
    made = [stated(claim("reader")), stated(claim("engine", precision="fast"), claim("editor")),
            stated(claim("writer", known=[case]), claim("reader", "coherence"), language="C")]
    return [json.dumps(s).encode() for s in made]


def check_statement(data: bytes) -> str:
    """Claims, or what is wrong with them."""
    try:
        value = statement.read(data)
    except Efm3Error as e:
        assert e.code == "K012", e
        return e.code
    codes = sorted({f.code for f in statement.problems(value)})
    if "K005" not in codes:
        for claim in statement.claims(value):
            assert isinstance(claim.words, str) and claim.column
    return " ".join(codes) or "sound"


def runs() -> list[bytes]:
    """Results of runs, as `--format json` gives them."""
    def run(kind: str, **more: Any) -> Run:
        cases = [c.id for c in corpus() if c.kind == kind][:4]
        return Run(kind, "structure" if kind == "reader" else "", "x", set_digest(),
                   implementation={"name": "x", "version": "1"},
                   outcomes=[Outcome(c, v) for c, v in zip(
                       cases, ("pass", "fail", "known", "broken"), strict=True)], **more)

    made = [[run("reader")], [run("engine", precision="f32"), run("writer", selected=("a",))]]
    return [as_json(m).encode() for m in made]


def check_results(data: bytes) -> str:
    """A statement that holds, or Efm3Error."""
    try:
        value = mirror.parse(data)
    except mirror.MirrorProblem as e:
        return e.kind
    try:
        made = statement.make(value)
    except Efm3Error as e:
        assert e.code in ("K002", "K003", "K004", "K011"), e
        return e.code
    assert not [f for f in statement.problems(made) if f.code in ("K005", "K006")]
    return "statement"


@lru_cache(maxsize=1)
def _file() -> bytes:
    return sample.build(sample.ARCH)


def edits() -> list[bytes]:
    """Edits of meta and of values."""
    return [b'{"meta":{"a":"b"},"values":[{"tensor":"stem.conv.weight","at":0,"value":1.5}]}',
            b'{"meta":{"sha256":"0"}}', b"{}",
            b'{"values":[{"tensor":"embed.bn.bias","at":3,"value":"bits:7fc00000"}]}']


def check_edit(data: bytes) -> str:
    """A file that is valid, or Efm3Error."""
    try:
        new = editing.edited(_file(), data.decode("utf-8", "surrogateescape"))
    except Efm3Error as e:
        assert e.code in ("D005", "D006"), e
        return e.code
    assert new.startswith(b"EFM3")
    return "edited"


def said() -> list[bytes]:
    """What a program may answer, and lists of cases."""
    names = [c.id for c in corpus()][:3]
    return [b'{"ok":true,"findings":[]}', b"\xef\xbb\xbf{}", b"log\n{}\n", b"",
            "\n".join([*names, "# none"]).encode()]


def say(rng: random.Random, data: bytes) -> bytes:
    """The answer changed, or a word of it."""
    if rng.randrange(2):
        return text(rng, data)
    return raw(rng, data) if rng.randrange(2) else data + rng.choice(WORDS)


@lru_cache(maxsize=1)
def _ids() -> frozenset[str]:
    return frozenset(c.id for c in corpus())


def check_answer(data: bytes) -> str:
    """An object or a sentence; a set of cases or K001."""
    value = answers.object_of(data, "standard output", "one JSON object is due")
    if isinstance(value, str):
        assert value and value.isprintable(), value
    try:
        known = known_failures(data.decode("utf-8", "backslashreplace"), _ids())
    except Efm3Error as e:
        assert e.code == "K001", e
        return type(value).__name__
    assert known <= _ids()
    return f"{type(value).__name__} {len(known)}"


def check_sniff(data: bytes) -> str:
    """A kind that is listed, whatever name the file has; and the same one each time."""
    found = sniff.of_data(data)
    assert found == sniff.of_data(bytearray(data))
    assert found is None or found.name in sniff.KINDS, found
    for name in ("x.bin", "x.param", "a-symbol.json", "x.pt"):
        named = sniff.of_data(data[:64], name, len(data))
        assert named is None or named.says(name).isprintable()
    return found.name if found else "unknown"
