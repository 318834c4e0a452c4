# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The badge: well-formed XML whatever the names are, coloured by the claims."""

from xml.etree import ElementTree

import pytest

from efm3.conformance import badges, runner
from efm3.texts import cut
from tests.statements import HOSTILE, claim, stated

SVG = "{http://www.w3.org/2000/svg}"


def colour(*claims):
    root = ElementTree.fromstring(badges.badge(stated(*claims)))
    return root.findall(f"{SVG}rect")[1].get("fill")


def test_the_colour_is_the_claims():
    one = next(c.id for c in runner.cases_of("writer") if c.level == "MUST")
    good = claim("editor")
    assert colour(good) == badges.GREEN
    assert colour(good, claim("writer", known=[one])) == badges.AMBER
    assert colour(good, claim("writer", selected=("smoke",))) == badges.AMBER
    assert colour(good, claim("writer", fail=[one])) == badges.RED


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_no_name_breaks_it(kind):
    text = badges.badge(stated(claim("editor"), name=HOSTILE[kind], version=HOSTILE[kind]))
    text.encode("utf-8")
    root = ElementTree.fromstring(text)
    assert {e.tag.removeprefix(SVG) for e in root.iter()} == {"svg", "title", "rect", "g", "text"}
    title = root.findtext(f"{SVG}title")
    assert title.isprintable() and len(title) < 200
    assert title.startswith(cut(f"{HOSTILE[kind]} {HOSTILE[kind]}", badges.MAX_WORDS))
    assert root.get("aria-label") == "EFM3: Editor"


def test_the_text_fits_its_box():
    reader = claim("reader", "coherence")
    root = ElementTree.fromstring(badges.badge(stated(*[reader] * 5)))
    (_, box), (_, text) = root.findall(f"{SVG}rect"), root.findall(f".//{SVG}text")
    assert len(text.text) == badges.MAX_WORDS and text.text.endswith("…")
    assert int(text.get("textLength")) == int(box.get("width")) - 10
    assert float(text.get("x")) == int(box.get("x")) + int(box.get("width")) / 2
    assert badges.width("iiii") == 26 and badges.width("漢字") == 22
