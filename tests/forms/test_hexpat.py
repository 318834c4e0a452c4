# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The ImHex pattern, by a reader of the part of the language that it uses (tests/hexpat.py).

ImHex itself does not run here: what these tests know of its language is what that reader knows.
"""

import re

import pytest

from efm3 import Stage
from efm3 import format as fmt
from efm3.conformance import sample
from efm3.conformance.cases import corpus
from efm3.conformance.examples import example
from efm3.forms import FORMS
from tests import damaged, hexpat
from tests.oracle import accepts

TEXT = FORMS["hexpat"].text()
PATTERN = hexpat.parse(TEXT)
KINDS = damaged.all_kinds(scale=8)


def layout(pattern, name="Prefix", path="", at=0):
    """(path, offset, size) of every field of a struct of fixed size; then its end."""
    for kind, *parts in pattern[0][name][1]:
        if kind != "field":
            continue
        type_, _, field, count, _ = parts
        here, n = f"{path}{field}", int(count or 1)
        if type_ in hexpat.SIZES:
            yield here, at, n * hexpat.SIZES[type_]
            at += n * hexpat.SIZES[type_]
        else:
            for i in range(n):
                inner = f"{here}[{i}]." if count else f"{here}."
                *rows, (_, at, _) = layout(pattern, type_, inner, at)
                yield from rows
    yield "", at, 0


def drift(text):
    """What of names, order, offsets, sizes and the prefix's end is not the declaration's."""
    *rows, (_, end, _) = layout(hexpat.parse(text))
    declared = [(f.path, f.offset, f.size) for f in fmt.FIELDS.values()]
    return set(rows) ^ set(declared) or rows != declared or end != fmt.PREFIX_SIZE


def test_names_order_offsets_and_sizes_are_the_declarations():
    assert not drift(TEXT)


@pytest.mark.parametrize("old,new", [
    ("u16 block_channels", "u32 block_channels"), ("u16 block_channels", "u16 channels"),
    ("u8 t [[", "u8 n2; u8 t [["), ("Stage stages[8]", "Stage stages[7]"),
    ("    u32 version", "    u32 extra;\n    u32 version")])
def test_drift_shows(old, new):
    assert drift(TEXT.replace(old, new).replace("u8 n2; ", "u8 n2;\n"))


def test_comments_are_the_declarations():
    found = re.findall(r'^    \w+ (\w+)(?:\[\d+\])? \[\[.*comment\("(.*)"\)\]\];', TEXT, re.M)
    cons = [*fmt.STAGE.subcons, *fmt.ARCH_HEADER.subcons, *fmt.PREFIX.subcons]
    declared = [(c.name, c.docs) for c in cons if isinstance(c, fmt.Limited)]
    assert found[:len(declared)] == declared


def verdict(data):
    try:
        hexpat.Run(PATTERN, data)
    except hexpat.Refused:
        return False
    return True


@pytest.mark.parametrize("kind", list(KINDS))
def test_verdict(kind):
    verdicts = []
    for data in KINDS[kind]():
        verdicts.append(verdict(data))
        assert verdicts[-1] == accepts(data)
    assert len(set(verdicts)) == 2, "files of one verdict alone show little"


def test_vectors(vector):
    assert verdict(vector.read_bytes())


def test_it_reads_every_valid_file_of_the_kit():
    files = [c for c in corpus() if c.folder == "valid"]
    assert len(files) > 50
    assert [c.id for c in files if not verdict(c.data())] == []


def test_the_code_of_an_assertion_is_the_rule_that_speaks():
    seen = set()
    for code in ("C002", "C003", "H001", "H002", "H003", "H004", "H005", "H006", "H007", "H008",
                 "H009", "H010", "H011", "H012", "H013", "H014", "H015", "H016", "H017", "H018"):
        with pytest.raises(hexpat.Refused, match=f"^{code}: "):
            hexpat.Run(PATTERN, example(code)[1])
        seen.add(code)
    codes = set(re.findall(r'"([A-Z]\d{3}): ', TEXT))
    assert codes - seen == {"C005", "T001", "T002", "T014"}


@pytest.mark.parametrize("change,code", [
    ({"n_stages": 9}, "H003"), ({"gdc_kernel": 113}, "H010"),
    ({"block_channels": 16384, "stages": (Stage(1, 1, 1), Stage(1, 1, 1), Stage(4, 1, 1))}, "H015"),
    ({"block_channels": 16384, "stages": (Stage(1, 1, 1), Stage(4, 2, 1))}, "H015"),
    ({"block_channels": 16384, "stages": (Stage(1, 1, 1), Stage(4, 1, 1))}, "T001"),
    ({"stem_channels": 21845, "stages": (Stage(3, 4, 1),)}, "T002"),
])
def test_a_header_alone_breaks_its_rule(change, code):
    header = damaged.lawless(**{k: v for k, v in change.items() if k != "n_stages"}).header()
    built = fmt.ARCH_HEADER.build(header | change | {"stages": header["stages"]})
    with pytest.raises(hexpat.Refused, match=f"^{code}: "):
        hexpat.Run(PATTERN, sample.put(damaged.HEADER, built)(sample.base()))


def test_what_the_reader_does_not_know_is_an_error():
    with pytest.raises(ValueError, match="line 2: goto 1;"):
        hexpat.parse("u32 a;\ngoto 1;")
