# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a page stands in the site, and where its links lead there."""

import pytest

from efm3.codes import CODES
from tools.site import links


@pytest.fixture
def root(tmp_path):
    """A project: pages, a source file, a folder."""
    for name in ("README.md", "CONTRIBUTING.md", "docs/a.md", "docs/b/c.md", "docs/codes.md",
                 "spec/rules.md", "spec/EFM3.md", "weights/README.md", "src/x.h", "docs/p.svg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("# x\n")
    return tmp_path


@pytest.mark.parametrize("source,wanted", [
    ("README.md", "index.md"), ("CONTRIBUTING.md", "contributing.md"),
    ("docs/index.md", "index.md"),
    ("docs/a.md", "a.md"), ("docs/b/c.md", "b/c.md"), ("spec/EFM3.md", "spec/EFM3.md"),
    ("weights/README.md", "weights.md"), ("engine/wasm/README.md", "engine/wasm.md"),
    ("spec/rules.md", "codes/index.md"), ("docs/codes.md", "codes/index.md")])
def test_a_page_has_a_place(source, wanted):
    assert links.place(source) == wanted


@pytest.mark.parametrize("source,before,after", [
    ("docs/a.md", "[x](b/c.md#y)", "[x](b/c.md#y)"),
    ("docs/a.md", "[x](../spec/EFM3.md#t012)", "[x](spec/EFM3.md#t012)"),
    ("docs/b/c.md", "[x](../a.md)", "[x](../a.md)"),
    ("spec/EFM3.md", "[x](rules.md#t012)", "[x](../codes/T012/index.md)"),
    ("spec/EFM3.md", "[x](rules.md)", "[x](../codes/index.md)"),
    ("docs/a.md", "[x](codes.md#e_magic)", "[x](codes/E_MAGIC/index.md)"),
    ("README.md", "[x](CONTRIBUTING.md)", "[x](contributing.md)"),
    ("README.md", "[x](docs/)", "x"),
    ("README.md", "[x](src/x.h#L1)", "[x](files/src/x.h#L1)"),
    ("docs/a.md", "![x](p.svg)", "![x](files/docs/p.svg)"),
    ("docs/a.md", "[![x](p.svg)](../README.md)", "[![x](files/docs/p.svg)](index.md)"),
    ("docs/a.md", "[x](#y) [x](https://a.b/c)", "[x](#y) [x](https://a.b/c)"),
    ("docs/a.md", "`[x](none.md)` [`f`](b/c.md)", "`[x](none.md)` [`f`](b/c.md)"),
    ("docs/a.md", "| `a \\| b` | c \\| d |", "| `a | b` | c \\| d |"),
    ("docs/a.md", "```\n[x](none.md)\n```\n", "```\n[x](none.md)\n```\n"),
    ("docs/a.md", "<!-- SPDX -->\n<!-- gen:x -->\ntext\n<!-- /gen -->\n", "text\n\n"),
])
def test_links_lead_there(root, source, before, after):
    assert links.page(root, source, before)[0] == after


def test_files_that_are_named_are_told(root):
    assert links.page(root, "docs/a.md", "[x](../src/x.h) ![x](p.svg) [y](b/c.md)")[1] == {
        "src/x.h", "docs/p.svg"}


def test_a_link_that_leads_nowhere_is_refused(root):
    with pytest.raises(FileNotFoundError, match=r"docs/a\.md: none\.md"):
        links.page(root, "docs/a.md", "[x](none.md)")


def test_a_code_has_a_page_for_ever():
    """SARIF and others may name it."""
    assert links.code_page("T012") == "codes/T012/index.md"
    assert all(code.replace("_", "").isalnum() for code in CODES)
