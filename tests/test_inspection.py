# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The inspector's structure: what it says of good files, and that any bytes give one."""

import json
import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import efm3
from efm3.conformance import sample as s
from efm3.conformance.examples import EXAMPLES, example
from efm3.inspection import inspect, schema, size_name
from efm3.scan import scan

DATA = Path(__file__).parent.parent / "spec" / "vectors"
VALIDATOR = jsonschema.Draft202012Validator(schema())


def whole(data):
    seen = inspect(scan(data), tensors="*", fields=True)
    VALIDATOR.validate(json.loads(json.dumps(seen, allow_nan=False)))
    return seen


def coherence(data):
    return {r["path"]: r for r in whole(data)["coherence"]}


@pytest.fixture(scope="module")
def nano():
    return (DATA / "nano.bin").read_bytes()


def test_nano_is_known_by_its_numbers(nano):
    seen = whole(nano)
    assert seen["card"]["size"] == "nano"
    assert seen["card"]["output"] == 256
    assert seen["card"]["verdict"]["ok"]
    assert seen["sizes"] == {
        "file": 826875, "expected": 826875, "mirror": 239, "parameters": 198624,
        "statistics": 206352 - 198624, "fp32": 4 * 206352, "int8": 198624, "macs": 34696376}
    assert len(seen["tensors"]) == 283
    assert sum(r["macs"] for r in seen["topology"]) == 34696376
    assert sum(r["parameters"] for r in seen["topology"]) == 198624


def test_a_name_does_not_make_a_size():
    lie = s.with_mirror(lambda m: m | {"name": "xs"})(s.base())
    card = whole(lie)["card"]
    assert (card["size"], card["name"]) == ("custom", "xs")
    assert size_name(None) == ""
    assert [size_name(a) for a in efm3.ARCHS.values()] == list(efm3.ARCHS)


def test_fields_cover_every_byte_once(nano):
    at = 0
    for row in whole(nano)["bytes"]:
        assert row["offset"] == row["start"] == at
        at += row["length"]
    assert at == len(nano)


def test_statistics_are_those_of_the_tensor(nano):
    model = efm3.load(nano)
    for row in whole(nano)["tensors"][:40]:
        t = model.tensors[row["name"]].astype(np.float64)
        assert (row["min"], row["max"]) == (t.min(), t.max())
        assert math.isclose(row["mean"], t.mean()) and math.isclose(row["std"], t.std())
        assert sum(row["histogram"]) == t.size and len(row["histogram"]) == 16
        assert row["histogram"] == np.histogram(t, 16)[0].tolist()


def test_statistics_leave_nan_and_infinity_out():
    data = s.weights("stem.conv.w", math.nan, math.inf, -math.inf, 3e38, -3e38)(s.base())
    row = whole(data)["tensors"][0]
    assert (row["nan"], row["inf"]) == (1, 2)
    assert row["max"] == pytest.approx(3e38)
    assert sum(row["histogram"]) == 8 * 27 - 3


def test_equal_values_are_one_bar():
    for value in (0.0, 1e30, -1e-40):
        row = whole(s.fill("stem.conv.w", value)(s.base()))["tensors"][0]
        assert row["histogram"] == [216] + [0] * 15
        assert row["std"] == pytest.approx(0, abs=abs(value) * 1e-9)


def test_a_part_gives_its_bytes_cut_to_the_range():
    rows = inspect(scan(s.base()), part="6:13")["bytes"]
    assert [(r["path"], r["offset"], r["start"], r["hex"]) for r in rows] == [
        ("version", 6, 4, "0000"), ("arch.hdr_version", 8, 8, "01"), ("arch.n_stages", 9, 9, "03"),
        ("arch.stem_kernel", 10, 10, "03"), ("arch.stem_stride", 11, 11, "02"),
        ("arch.stem_channels", 12, 12, "08")]


def test_a_glob_picks_tensors():
    names = [r["name"] for r in inspect(scan(s.base()), tensors="*.dw.act.w")["tensors"]]
    assert len(names) == 4 and all(n.endswith(".dw.act.w") for n in names)


def test_header_broken_mirror_speaks():
    seen = whole(s.field("arch.gdc_kernel", 0)(s.base()))
    assert seen["card"]["arch_from"] == "mirror"
    assert seen["topology"] and not seen["card"]["verdict"]["ok"]


def test_a_mirror_that_breaks_the_grammar_is_still_shown():
    twice = s.text(lambda t: t.replace(b'{"name"', b'{"name":"x","name"', 1))(s.base())
    seen = whole(twice)
    assert seen["card"]["name"] == "sample"
    assert not seen["card"]["verdict"]["ok"]
    infinite = s.text(lambda t: t.replace(b'"stem_channels":8', b'"stem_channels":1e999'))(s.base())
    assert coherence(infinite)["arch.stem_channels"]["mirror"] == "1e999"


def test_deep_mirror_is_left_alone():
    deep = s.text(b'{"stem_channels":' + b"[" * 900 + b"]" * 900 + b"}")(s.base())
    assert coherence(deep)["arch.stem_channels"]["mirror"] is None


def test_verdict_names_the_first_error():
    text = whole(s.base()[:-5])["card"]["verdict"]["text"]
    assert text.startswith("INVALID: the file ends 5 bytes before the end of embed_proj.bn.var")


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_any_bytes_give_an_inspection(code):
    whole(example(code)[1])


def test_the_card_says_first_how_the_picture_is_taken(nano):
    def card(meta):
        return whole(s.with_mirror(lambda m: m | {"meta": meta})(s.base()))["card"]
    assert next(iter(card({}))) == "picture"
    assert whole(nano)["card"]["picture"] == whole(b"")["card"]["picture"] == "upright"
    assert card({"picture": "turned-180"})["picture"] == "turned-180"
    assert card({"picture": "turned-180"})["verdict"]["counts"]["warning"] == 1
    assert card({"picture": 7})["picture"] == "" and not card({"picture": 7})["verdict"]["ok"]


def test_a_network_of_many_operations_takes_2_kib_for_each():
    """A header of a hundred bytes names hundreds, with nothing of theirs behind it."""
    arch = replace(s.ARCH, stages=(replace(s.ARCH.stages[0], n=250), *s.ARCH.stages[1:]))
    data = s.build(arch, [])
    inspect(scan(s.base()))
    tracemalloc.start()
    try:
        seen = inspect(scan(data))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    count = len(seen["topology"])
    assert count > 700 and not seen["card"]["verdict"]["ok"]
    assert 400 * count < peak <= 7 * len(data) + (1 << 20) + 2048 * count
