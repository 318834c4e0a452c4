# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Long texts in pieces: the verdict is that of the whole text, in bounded memory."""

import ast
import gc
import json
import re
import tracemalloc
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import efm3
from efm3 import format as fmt
from efm3 import grammar, mirror, texts
from efm3.coherence import lenient
from efm3.conformance import sample
from efm3.scan import scan

try:
    from re import _constants as sre
    from re import _parser as sre_parse
except ImportError:  # Python 3.10
    import sre_constants as sre
    import sre_parse

ROOT = Path(__file__).resolve().parent.parent
HEAD = mirror.canonical(sample.ARCH)[:-1].decode() + ","
SIZE = 1 << 16
ROOM = SIZE - len(HEAD) - 64


def many(item, around="[]", key="x"):
    """A mirror of nearly 64 KiB: its own keys, then one value that holds `item` over and over."""
    inner = (item * (ROOM // len(item.encode())))[:-1]
    return f'{HEAD}"{key}":{around[0]}{inner}{around[1]}}}'.encode()


def keys():
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    words = ("".join(w) for w in product(letters, repeat=3))
    return ",".join(f'"{w}":0' for w, _ in zip(words, range(ROOM // 8), strict=False))


HOSTILE = {
    "objects": many("{},"), "lists": many("[],"), "numbers": many("0,"), "reals": many("1e100,"),
    "texts": many('"",'), "members": many('{"":0},'), "deep": many("[[[[[[[[]]]]]]]],"),
    "pairs": many('"\\ud83d\\ude00",'), "one text": many("a", '""'), "escapes": many("\\\\", '""'),
    "emojis": many("\U0001f600", '""'), "spaces": many(" "), "name": many("a", '""', "author"),
    "keys": f"{HEAD}{keys()}}}".encode(), "keys of meta": f'{HEAD}"meta":{{{keys()}}}}}'.encode(),
    "a key that stands twice": f'{HEAD}{keys()},"abc":1}}'.encode(),
    "quotes": f'{HEAD}"x":'.encode() + b'"' * ROOM,
    "members within members": (HEAD + '"x":' + '{"a":' * (ROOM // 5)).encode(),
    "lists within lists": (HEAD + '"x":' + "[" * (ROOM // 2) + "]" * (ROOM // 2)).encode(),
    "closed before": (HEAD + '"x":' + "]" * (ROOM // 2) + "[" * (ROOM // 4) + "]" * (ROOM // 4)
                      ).encode(),
    "no end": many("[],")[:-9], "backslashes": f'{HEAD}"x":'.encode() + b"\\" * ROOM}
"""Of 1 MiB each, `outline` took, and json.loads beside it, in ms of processor time: the least of 3
interleaved rounds, on two cores of AVX2 under a load of 25, where every time is a longer one:
deep 190 (282), keys of meta 172 (65), keys 169 (55), members 155 (53), reals 99 (66), numbers 103
(31), texts 75 (10), lists 64 (150), objects 65 (30), pairs 64 (5), emojis 15 (1), spaces 21 (1),
one text 13 (1). 50 ms were asked for, which the densest do not meet there."""


def peak_of(call):
    tracemalloc.start()
    try:
        call()
    except (grammar.MirrorProblem, efm3.Efm3Error) as e:
        assert str(e)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_more_memory_than_four_times_the_text(text, monkeypatch):
    """In pieces of a 32nd of the text, as the longest mirror is read."""
    monkeypatch.setattr(grammar, "PIECE", 1 << 11)
    assert SIZE - 999 < len(text) <= SIZE
    assert peak_of(lambda: grammar.outline(text)) <= 4 * len(text) + 16384


@pytest.mark.parametrize("name", ["lists within lists", "closed before", "members within members"])
def test_brackets_are_paired_in_few_turns(name, monkeypatch):
    """Each turn reads all of them: as many turns as there are levels would never end."""
    class Text(bytes):
        turns = 0

        def translate(self, *args):
            return Text(bytes.translate(self, *args))

        def replace(self, *args):
            Text.turns += 1
            return Text(bytes.replace(self, *args))
    monkeypatch.setattr(grammar, "_outside", lambda plain, real=grammar._outside: Text(real(plain)))
    with pytest.raises(grammar.MirrorProblem):
        grammar.outline(HOSTILE[name])
    assert 0 < Text.turns <= 4 * fmt.MAX_JSON_DEPTH + 8


@pytest.mark.parametrize("use", [
    efm3.validate, lambda d: efm3.load(d, "structure"), lambda d: lenient(scan(d).mirror)])
def test_the_bound_holds_for_every_reader(use, monkeypatch):
    """In pieces of a 32nd as well: with a mirror of half a MiB, of what takes most memory."""
    monkeypatch.setattr(grammar, "PIECE", 1 << 14)
    extra = ('{"x":[' + "{}," * 170000)[:-1] + "]}"
    text = f'{HEAD}"meta":{extra}}}'.encode()
    assert len(text) > 500000
    data = sample.text(lambda _: text)(sample.base())
    use(sample.base())
    assert peak_of(lambda: use(data)) <= 4 * len(text)


def test_what_rules_look_at_is_kept(monkeypatch):
    monkeypatch.setattr(grammar, "PIECE", 64)
    stages = [{"t": 1, "n": 1, "s": 2}] * 30
    value = {"many": [[{"a": [1, 2.5, "x"]}] * 30] * 3, "name": "x" * 300, "stages": stages,
             "meta": {"x": [1, [2], {}] * 30, "sha256": "f" * 64, "y": [[]] * 30,
                      "picture": "turned-180", "note": "ä" * 200}, "width_mult": 0.5}
    found = mirror.outline(json.dumps(value, separators=(",", ":")).encode())
    kept = found.value
    assert found.compact and set(kept) == set(value) and kept["width_mult"] == 0.5
    assert kept["name"] == "x" * 300
    assert kept["meta"]["sha256"] == "f" * 64 and kept["meta"]["picture"] == "turned-180"
    assert kept["stages"][:8] == stages[:8] and 8 < len(kept["stages"]) <= 30
    assert len(str(kept)) < len(str(value))
    assert not mirror.outline(json.dumps(value).encode()).compact
    assert mirror.parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize("size", range(8, 200, 3))
def test_no_cut_hides_what_rules_look_at(size, monkeypatch):
    """Wherever a small mirror is cut, its findings are the same."""
    sound = sample.with_mirror(lambda m: {"x": [[0], {}], **m, "y": {"a": [1, 2]}, "meta": {
        "note": ["b", {}], "picture": "upright", "sha256": "0" * 64}})(sample.base())
    broken = sample.with_mirror(lambda m: m | {"stages": [{"t": 2, "n": 1, "s": 3, "x": 0}] * 9,
                                               "meta": {"a": 0, "picture": "up"}})(sample.base())
    want = [efm3.validate(d).to_json() for d in (sound, broken, sample.base())]
    monkeypatch.setattr(grammar, "PIECE", size)
    assert [efm3.validate(d).to_json() for d in (sound, broken, sample.base())] == want


@pytest.mark.parametrize("text", [b'{"a":{,"k":1}}', b'{"a":[,1]}', b'{"a":[ ,1]}', b'{,"a":1}'])
@pytest.mark.parametrize("size", range(4, 12))
def test_no_cut_hides_a_comma_behind_a_bracket(text, size, monkeypatch):
    """What is closed at the cut and opened again would take the comma for one between members."""
    monkeypatch.setattr(grammar, "PIECE", size)
    with pytest.raises(grammar.MirrorProblem) as e:
        grammar.outline(text + b" " * 40)
    assert e.value.kind == "syntax"


def test_known_keys_behind_many_others_are_kept_in_order(monkeypatch):
    monkeypatch.setattr(grammar, "PIECE", 100)
    own = mirror.values(sample.ARCH)
    value = {f"k{i}": i for i in range(300)} | {"stages": own["stages"], "meta": {"a": {}}} | own
    kept = grammar.outline(json.dumps(value).encode()).value
    assert len(kept) == 64 + len(own) + 1
    assert list(kept) == [k for k in value if k in kept] and kept.items() >= own.items()


def verdict(text):
    """What outline says: the object's keys, or the kind of the problem, its message, its place."""
    try:
        found = grammar.outline(text)
    except grammar.MirrorProblem as e:
        return e.kind, str(e), e.offset
    return found.compact, list(found.value)[:grammar.KEPT]


DAMAGE = ("", ",", "]", "}", "[", "{", '"', "\\", '"a":1', "01", "NaN", "1e999", "9" * 30, "\0",
          '"\\u0000"', '"\\ud800"', "\t", ":", "true", '"\\u', "[" * 20, "\ud800", " ")


COMMA = "a comma follows an opening bracket"


@settings(max_examples=120, deadline=None)
@example(None, (",", ":"), False, 1, ",")
@given(st.recursive(
    st.none() | st.integers(-9, 10**19) | st.floats(allow_nan=False) | st.text(max_size=9)
    | st.sampled_from(["a" * 50, "\U0001f600", '"\\', "a,b", "\\\\,"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner,
                                                                max_size=6), max_leaves=40),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", ":\t")]), st.booleans(),
    st.integers(0, 999), st.sampled_from(DAMAGE))
def test_the_verdict_is_that_of_one_piece(value, separators, plain, at, damage):
    """And what one piece says is what json says, where that says something."""
    text = json.dumps({"first": value, "x": [value]}, separators=separators, ensure_ascii=plain)
    at %= len(text) + 1
    data = (text[:at] + damage + text[at:]).encode("utf-8", "surrogatepass")
    whole = verdict(data)
    before = grammar.PIECE
    try:
        for grammar.PIECE in (8, 40):
            there = verdict(data)
            if whole[0] in (True, False):
                assert there == whole
            else:
                assert there[0] not in (True, False)
                # A comma behind a bracket has our words at a cut, else those of json.
                same = there == whole or (there[1] == COMMA and there[::2] == whole[::2])
                assert same or {there[0], whole[0]} & {"duplicate", "nul", "surrogate"}
    finally:
        grammar.PIECE = before
    if whole[0] in (True, False):
        assert list(json.loads(data))[:grammar.KEPT] == whole[1]


@pytest.mark.parametrize("text,kind", [
    ('{"a":1e999,"b":{"c":1,"c":2}}', "number"), ('{"b":{"c":1,"c":2},"a":1e999}', "duplicate"),
    ('{"b":{"c":1,"c":2},"a":NaN}', "duplicate"), ('{"a":NaN,"b":{"c":1,"c":2}}', "constant"),
    ('{"b":{"c":1,"c":2},"a":}', "duplicate"), ('{"a":[-1e999],"b":}', "number"),
    ('{"a":[1e307,{"x":-1e400}]}', "number"), ('{"a":1e999,"b":' + "9" * 21 + "}", "number")])
def test_what_comes_first_is_told(text, kind):
    """Whichever of the ways to parse a piece has found that there is something to refuse."""
    assert verdict(text.encode())[0] == kind


@pytest.mark.parametrize("end", [".", "e", "E", "e+", ".x", '."b"', ".e5", "e-", "E+x", ""])
@pytest.mark.parametrize("digits", [21, 4301, 40000])
@pytest.mark.parametrize("lead", ["", " ", "0,"])
def test_digits_before_half_a_number(digits, end, lead):
    """Python's own limit of digits is not met by what is no number either: it is said what is."""
    for text in (f'{{"k":[{lead}{"1" * digits}{end}]}}', f'{{"k":-{"1" * digits}{end}}}',
                 f'{{"k":{"1" * digits}{end}', f'{{"x":[{"[1]," * 9000}{"1" * digits}{end}]}}'):
        try:
            grammar.outline(text.encode())
        except grammar.MirrorProblem as e:
            assert e.kind in ("syntax", "json", "number"), e.kind


def test_python_is_not_called_for_each_object_of_a_compact_text(monkeypatch):
    """That was half of the time of a text of many objects."""
    calls = []
    real = grammar._pairs
    monkeypatch.setattr(grammar, "_pairs", lambda pairs: calls.append(1) or real(pairs))
    grammar._decoder.cache_clear()
    objects = ",".join(['{"a":[1e+100,-0.5]}'] * 99)
    assert verdict(f'{{"x":[{objects}]}}'.encode())[0] is True and not calls
    assert verdict(f'{{"x": [{objects}]}}'.encode())[0] is False and len(calls) == 100
    grammar._decoder.cache_clear()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("text", [b'{"a":1}', b'{"a":1,"a":1}', b"{", b'{"a":1e999}'])
def test_the_collector_is_left_as_it_was(text, before):
    was = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        verdict(text)
        assert gc.isenabled() == before
    finally:
        (gc.enable if was else gc.disable)()


@pytest.mark.parametrize("before,after", [
    ('{"a":1,', ',"a":2}'), ('{"b":{"a":1,', ',"a":2}}'), ('[{"a":1,', ',"\\u0061":2}]')])
def test_a_key_that_stands_twice_far_apart(before, after, monkeypatch):
    text = (before + ",".join(f'"k{i}":[{i}]' for i in range(200)) + after).encode()
    for size in (50, 1 << 15):
        monkeypatch.setattr(grammar, "PIECE", size)
        assert verdict(text) == ("duplicate", "key 'a' occurs twice in one object", 0)


def test_keys_of_the_same_hash_are_not_the_same(monkeypatch):
    monkeypatch.setattr(grammar, "PIECE", 50)
    monkeypatch.setattr(grammar, "hash", len, raising=False)
    text = ("{" + ",".join(f'"k{i:03}":0' for i in range(200)) + "}").encode()
    assert verdict(text)[0] is True
    assert verdict(text[:-1] + b',"k007":1}')[:2] == (
        "duplicate", "key 'k007' occurs twice in one object")


def test_few_of_many_unknown_keys_are_reported():
    data = sample.with_mirror(lambda m: m | {f"k{i}": 0 for i in range(9999)})(sample.base())
    codes = [f.code for f in efm3.validate(data).findings]
    assert codes.count("M029") == 20 and "M030" not in codes


GROUPS = {
    r"version https://(?:git-lfs|hawser)\S*\s+(?:ext-\S+ \S+\s+)*oid sha256:([0-9a-f]{1,64})\s+"
    r"size ([0-9]{1,19})\b": "of a file's first 4 KiB",
    rb"P[1-6]\s(?:\s*#[^\n]*\n)*\s*[0-9]{1,6}\s+[0-9]{1,6}\s": "of a file's first 4 KiB",
    r"(?:#[^\n]*\n\s*)*(?:name|input|input_shape|input_dim|layers?|state|force_backward)\s*[:{]":
        "of a file's first 4 KiB",
    rb'"(?:[^"\\\n]|\\.)*"|#[^\n]*|\w+|[^\s\w]|\n': "of a line of code, of bounded size",
}
"""The patterns that repeat a group, and why none of them takes much memory or time."""


def repeats_a_group(pattern):
    """True where a group, or more than one item, is repeated: each round takes memory, and what
    is repeated in it, time."""
    for op, arg in pattern:
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            single = len(arg[2]) == 1 and arg[2][0][0] not in (sre.SUBPATTERN, sre.BRANCH)
            if arg[1] is sre.MAXREPEAT and not single:
                return True
            inner = [arg[2]]
        elif op is sre.SUBPATTERN:
            inner = [arg[3]]
        elif op is sre.BRANCH:
            inner = arg[1]
        else:
            inner = [arg[1]] if op in (sre.ASSERT, sre.ASSERT_NOT) else []
        if any(map(repeats_a_group, inner)):
            return True
    return False


def patterns():
    """Every pattern that the package's text gives to `re`."""
    for path in sorted((ROOT / "efm3").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.")
                    and node.args and not ast.unparse(node.func).endswith("escape")):
                try:
                    yield ast.literal_eval(node.args[0])
                except ValueError:
                    continue  # put together of parts; these are no groups that are repeated


@pytest.mark.parametrize("text", ["[1,]", "[1 , ]", '{"a":1,}', '{"a":1,\n\t}'])
def test_a_comma_before_a_closing_bracket_is_told_alike_by_every_python(text):
    """3.13 and later give it words of their own, and the place of the comma."""
    kind = "array" if text.endswith("]") else "object"
    newer = json.JSONDecodeError(f"Illegal trailing comma before end of {kind}", text,
                                 text.rindex(","))
    with pytest.raises(json.JSONDecodeError) as here:
        json.loads(text)
    assert texts.json_error(newer) == texts.json_error(here.value)
    message, pos = texts.json_error(here.value)
    assert "Expecting" in message and text[pos] == text[-1]


def test_no_pattern_repeats_a_group():
    found = set(patterns())
    assert len(found) > 60
    assert {p for p in found if repeats_a_group(sre_parse.parse(p, re.S))} == set(GROUPS)
    assert repeats_a_group(sre_parse.parse(r"x(?:a*b)*"))
