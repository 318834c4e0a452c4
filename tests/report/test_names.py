# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""No name of a file or in it becomes an element of the page, an attribute or a part of one.

The page is read as browsers read it. Slow, so `make test-long` runs it; `make test` sends a few
names through the verb (tests/test_foreign_names.py).
"""

import re
from xml.etree.ElementTree import Element

import html5lib
import pytest

from efm3.conformance.examples import example
from efm3.texts import cut, printable
from tests.hostile_names import COUNT, encodable, hostile, weights
from tests.hostile_names import page as judged
from tests.report.pages import PLAIN, page
from tools import ROOT

NEEDS = ("jinja2", "html5lib")


def parsed(text):
    """The tree of a page; an element's tag is its name."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(text)
    assert not parser.errors, parser.errors[:3]
    return tree


def vocabulary(*trees: Element):
    """Each element with its parent and the names of its attributes, and each attribute's value,
    numbers as one."""
    shapes, values = set(), set()
    todo = [("", tree) for tree in trees]
    while todo:
        above, e = todo.pop()
        shapes.add((above, str(e.tag), *sorted(e.attrib)))
        values |= {f"{k}={re.sub('[-0-9. ]+', '0', v)}" for k, v in e.attrib.items()
                   if k not in ("d", "aria-label") or not re.fullmatch("[-MVhHqz0-9. ]*", v)}
        todo += [(str(e.tag), inner) for inner in e]
    return shapes, values


@pytest.fixture(scope="module")
def plain():
    """What pages of plain names are made of: alone, together, with findings of every form."""
    every = [example(code)[1] for code in ("M028", "T002", "V001", "P005", "C005", "H004")]
    nano = (ROOT / "weights/facex_nano.bin").read_bytes()
    return vocabulary(*(parsed(page(*files)) for files in (
        PLAIN, PLAIN[:1], [(f"{n}.bin", data) for n, data in enumerate(every)],
        [("nano.bin", nano)])))


@pytest.mark.parametrize("name", hostile(max(COUNT, 12)))
def test_no_name_becomes_an_element_or_an_attribute(name, plain):
    """The page of a file that is named so, within and without, is made as one of plain names."""
    text = page((name, weights(name)), (name + ".x", example("M022")[1]),
                (name, name.encode("utf-8", "surrogateescape")))
    judged(text)
    tree = parsed(text)
    shapes, values = vocabulary(tree)
    assert shapes <= plain[0], shapes - plain[0]
    assert values <= plain[1], values - plain[1]
    seen = "".join(tree.itertext())
    for told in (name, encodable(name)):
        assert cut(printable(told), 200) in seen


def test_an_escape_that_is_forgotten_is_seen(plain):
    """The judges themselves: a name that became an element, an attribute, a link."""
    text = page(("x", weights("x")))
    for old, new in (("<bdi>x</bdi>", "<bdi><b>x</b></bdi>"), ("<bdi>x</bdi>", "<bdi id=x>x</bdi>"),
                     ('class="file"', 'class="file" onclick="1"')):
        shapes, _ = vocabulary(parsed(text.replace(old, new)))
        assert not shapes <= plain[0]
    _, values = vocabulary(parsed(text.replace('class="file"', 'class="mine"')))
    assert not values <= plain[1]
    with pytest.raises(AssertionError):
        judged(re.sub(r"<bdi>x</bdi>", '<a href="#nowhere">x</a>', text))
