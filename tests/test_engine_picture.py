# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine and `meta.picture`: what it reads in the mirror, and who turns a picture."""

import numpy as np
import pytest

import efm3
from efm3 import engine as engines
from efm3 import mirror, reference
from efm3.conformance import sample, weights
from tests.test_engine import arch_of, faces, have, needs_engine

pytestmark = needs_engine

PLAIN = weights.file(sample.ARCH, 3)
TURNED = sample.with_mirror(mirror.as_turned)(PLAIN)


@pytest.mark.parametrize("isa", have())
def test_a_turned_file_takes_upright_pictures(isa):
    """Pixels, inputs and traces; of bytes and of a Model."""
    u8, x = faces(2), reference.prepare(faces(2))
    plain = efm3.Engine(PLAIN, isa=isa)
    for source in (TURNED, efm3.load(TURNED)):
        e = efm3.Engine(source, isa=isa)
        given = efm3.Engine(source, isa=isa, as_given=True)
        assert e.turned and given.turned and not plain.turned
        for pictures in (u8, x):
            turned = reference.turn(pictures)
            want = plain.embed(turned)
            assert np.array_equal(e.embed(pictures), want)
            assert np.array_equal(given.embed(turned), want)
            assert np.abs(given.embed(pictures) - want).max() > 1e-3
        trace, want = e.activations(x[0]), plain.activations(reference.turn(x[0]))
        assert all(np.array_equal(trace[k], want[k]) for k in want)
        assert np.array_equal(given.activations(x[0])["stem"], plain.activations(x[0])["stem"])


@pytest.mark.parametrize("kernel,stride", [(1, 4), (15, 1), (5, 3)])
def test_any_stem_turns(kernel, stride):
    arch = arch_of(stem_kernel=kernel, stem_stride=stride)
    model = efm3.load(weights.file(arch, 4))
    model.mirror = mirror.as_turned(model.mirror)
    for x in (faces(2), np.random.default_rng(9).normal(size=(1, 3, 112, 112)).astype("f4")):
        want = efm3.Engine(model, as_given=True).embed(reference.turn(x))
        assert np.array_equal(efm3.Engine(model).embed(x), want)


def test_an_unknown_picture_is_refused_and_an_input_is_not():
    data = sample.with_mirror(lambda m: m | {"meta": {"picture": "turned-90"}})(sample.base())
    e = efm3.Engine(data)
    for call in (lambda: e.embed(faces(1)), lambda: e.turned,
                 lambda: e.embed(reference.prepare(faces(1))),
                 lambda: e.activations(reference.prepare(faces(1))[0])):
        with pytest.raises(efm3.Efm3Error, match="E_PICTURE"):
            call()
    want = efm3.Engine(sample.base()).embed(faces(1))
    assert np.array_equal(efm3.Engine(data, as_given=True).embed(faces(1)), want)
    model = efm3.load(data, level="structure")
    assert np.array_equal(efm3.Engine(model, as_given=True).embed(faces(1)), want)
    with pytest.raises(efm3.Efm3Error, match="M043"):
        efm3.Engine(model)


def said_in_c(text):
    """What the engine reads in a mirror's text: "" for a picture that it does not know."""
    try:
        return "turned-180" if efm3.Engine(sample.text(text)(LEAST)).turned else "upright"
    except efm3.Efm3Error as e:
        assert e.code == "E_PICTURE"
        return ""


LEAST = sample.build(arch_of(stem_channels=1, block_channels=1, final_channels=1,
                             embedding_dim=1, stem_stride=4, stages=(efm3.Stage(1, 1, 4),)))
META = (
    '{"picture":"turned-180"}', '{"picture":"upright"}', '{"picture":"turned-18"}', "{}", "[]",
    '{"picture":["turned-180"]}', '{"picture":{"picture":"turned-180"}}', '{"picture":1.5e-3}',
    '{"a":{"picture":"turned-180"}}', '{"a":["picture",{"picture":"turned-180"}]}', '"picture"',
    '{"a":"\\",\"picture\":\"turned-180\""}', '{"picture":null,"a":-0}', '{"picture":"\\u0000"}',
    '{"pict\\u0075re":"turn\\u0065d\\u002d180"}', '{"pictures":"turned-180","pictur":true}',
    '{"":"\\u0000","p\\u0000icture":"turned-180"}', '{ "x" : [ ] , "picture"\t:\n"turned-180"\r}',
    '{"a":[true,false,null,{}],"b":{},"picture":"turned-180"}',
    '{"a":' + '{"a":' * 13 + "{}" + "}" * 13 + ',"picture":"turned-180"}',
    '{"a":' + '{"a":' * 14 + "{}" + "}" * 14 + ',"picture":"turned-180"}',
    '{"a":' + "[" * 14 + "]" * 14 + ',"picture":"turned-180"}',
    '{"a":' + "[" * 15 + "]" * 15 + ',"picture":"turned-180"}',
    '{"a":' + "[" * 99999 + ',"picture":"turned-180"}')


@pytest.mark.parametrize("meta", META, ids=range(len(META)))
def test_the_engine_reads_the_key_as_the_suite_does(meta):
    for form in ('{"meta":%s}', '{"name":"\\"meta\\":{","meta":%s,"stages":[{"t":1}]}  ',
                 ' {"x":{"meta":{"picture":"turned-180"}},"meta" :%s}', '{"m\\u0065ta":%s,"a":0}'):
        text = (form % meta).encode()
        try:
            want = mirror.picture(mirror.parse(text))
        except mirror.MirrorProblem:
            want = "upright"
        assert said_in_c(text) == want, text


SAID = '"meta":{"picture":"turned-180"}'


@pytest.mark.parametrize("text", [
    "", " ", "{", "{}x", "[]", "0", "{$", '{"meta":{"picture":', '{"meta":{"picture":"turned-180',
    "{$}\n", "{$}\0", "{'meta':{},$}", '{$,"meta":{}}', "\ufeff{$}", "{$,}", '{"a":01,$}',
    '{"meta":{"picture":"turned-180","picture":"turned-180"}}', '{"a":.5,$}', '{"a":1.,$}',
    '{"a":"\\x0041",$}', '{"a":"\\u41g1",$}', '{a":1,$}', '{"x\t:1,$}', '{"a":[,$}',
    '{"a":1e,$}', '{"a":-,$}', '{"a":NaN,$}', '{"a":"\\x",$}', '{"a":"\\u00g0",$}',
    '{"a":"\\u0000",$}', '{"a":"\t",$}', "{a:1,$}", '{"a" 1,$}', '{"a":[1 2],$}', '{"a":[1,],$}'])
def test_a_text_that_is_no_mirror_says_nothing(text):
    data = text.replace("$", SAID).encode()
    with pytest.raises(mirror.MirrorProblem):
        mirror.parse(data)
    assert said_in_c(data) == "upright"
    assert said_in_c(f"{{{SAID}}}".encode()) == "turned-180"


def test_twisted_mirrors_are_read_alike():
    """Where the suite takes the text, the engine reads the same in it."""
    rng, took, seen = np.random.default_rng(12), 0, set()
    parts = [b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"0", b"-", b"e", b" ", b"u", b"\xc3",
             b"meta", b"picture", b"turned-180", b'"picture":"turned-180"', b'{"meta":']
    seeds = [(f'{{"a":{{"b":[1,"c"]}},"meta":{m}}}').encode() for m in META if len(m) < 200]
    for _ in range(6000):
        text = seeds[rng.integers(len(seeds))]
        for _ in range(rng.integers(1, 3)):
            at = int(rng.integers(len(text) + 1))
            text = text[:at] + parts[rng.integers(len(parts))] + text[at + int(rng.integers(3)):]
        try:
            want = mirror.picture(mirror.parse(text))
        except mirror.MirrorProblem:
            continue
        took += 1
        seen.add(want)
        assert said_in_c(text) == want, text
    assert took > 500 and seen == {"", "upright", "turned-180"}


def test_c_callers_turn_pictures():
    ext = engines._extension()
    for pictures, kind, turn in ((faces(3), "uint8_t[]", ext.lib.mfn_turn_180_u8), (
            reference.prepare(faces(3)), "float[]", ext.lib.mfn_turn_180)):
        out, own = np.zeros_like(pictures), pictures.copy()
        into = ext.ffi.from_buffer(kind, out, require_writable=True)
        here = ext.ffi.from_buffer(kind, own, require_writable=True)
        assert turn(here, 3, into) == turn(here, 2, here) == 0
        assert np.array_equal(out, reference.turn(pictures))
        assert np.array_equal(own, np.concatenate([out[:2], pictures[2:]]))
