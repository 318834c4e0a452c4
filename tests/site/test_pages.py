# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages that the site is built of: all of them, each whole."""

import sys
from importlib import import_module

import pytest

import efm3
from efm3.codes import CODES
from tools import ROOT
from tools.gen import commands
from tools.site import __main__ as site
from tools.site import api, codes, plan, verbs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    site.write(folder)
    return folder


def test_every_page_is_in_the_navigation_once(written):
    settings = tomllib.loads((written / "zensical.toml").read_text(encoding="utf-8"))

    def paths(entry):
        if isinstance(entry, str):
            return [entry]
        inner = entry if isinstance(entry, list) else entry.values()
        return [path for part in inner for path in paths(part)]
    shown = paths(settings["project"]["nav"])
    docs = written / "docs"
    assert sorted(shown) == sorted(p.relative_to(docs).as_posix() for p in docs.rglob("*.md")
                                   if "files" not in p.relative_to(docs).parts)
    assert len(shown) == len({*shown}) > 300


def test_a_page_that_is_left_out_is_seen():
    shown = dict.fromkeys(plan.listed(plan.navigation()), "")
    plan.all_of(shown)
    for made in (shown | {"new.md": ""}, dict(list(shown.items())[1:])):
        with pytest.raises(ValueError, match="not in the navigation, or no page"):
            plan.all_of(made)


def test_the_start_leads_to_every_page_of_the_manual():
    text = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for _, names in plan.HAND:
        for name in names:
            assert f"]({name}.md)" in text, name


def test_a_code_has_its_page():
    made = codes.pages()
    assert {*made} == {f"codes/{code}/index.md" for code in CODES} | {"codes/index.md"}
    for code, row in CODES.items():
        text = made[f"codes/{code}/index.md"]
        assert f"\n# {code}\n" in text and row.sentence in text and row.why in text, code
        assert f"efm3 explain {code}" in text
        assert f"[{code}]({code}/index.md)" in made["codes/index.md"]
    t012 = made["codes/T012/index.md"]
    assert "(../../spec/EFM3.md#t012)" in t012 and "`bad-t012-half`" in t012
    assert "T012 stage3.block0.expand.conv.w at byte 6888" in t012
    assert "`bad-c004-before-embedding-dim`" in made["codes/R004/index.md"]


def test_a_verb_has_its_page():
    made = verbs.pages()
    assert len(made) == len(commands.verbs())
    for verb in commands.verbs():
        text = made[verbs.path(verb)]
        for option in commands.options(verb.command):
            assert all(f"`{name}`" in text for name in commands.names(option)), verb
        for line in commands.helped(verb.command).examples:
            assert line in text
    assert "`--level` `structure|coherence|values` |" in made["commands/validate.md"]
    assert "| 3 | unreadable |" in made["commands/validate.md"]


@pytest.mark.parametrize("text,wanted", [
    ("a `x|*y*` b", "a `x|*y*` b"), ("a *b* [c](d) <e> _f_", r"a \*b\* \[c\](d) \<e\> \_f\_"),
    ("a\n  b", "a b"), ("a|b ~c", r"a\|b \~c")])
def test_words_of_a_help_are_no_markdown(text, wanted):
    assert verbs.plain(text) == wanted


def test_the_reference_names_every_public_member():
    made = api.pages()
    for name in efm3.__all__:
        if not name.startswith("_"):
            assert f"[`efm3.{name}`](" in made["api/index.md"]
            home = api.homes().get(name)
            if home is not None:
                assert name in api.members(home)
    for room in api.rooms():
        assert f"::: {room}\n" in made[api.path(room)]
    # Three ways in which a name is given on: an import, a dictionary of homes, a list.
    assert {"Wanted", "convert"} <= {*api.members("efm3.convert")}
    assert {"efm3.drawn.scene.render", "efm3.drawn.faces.Faces"} <= {*api.described("efm3.drawn")}
    assert "[`render`](#efm3.drawn.scene.render)" in made["api/efm3.drawn.md"]
    assert api.members("efm3.photos")[:2] == ["Aligner", "Detector"]
    assert "efm3.convert.onnx" in api.modules("efm3.convert")


@pytest.mark.parametrize("room", [r for r in api.rooms() if r not in ("efm3.train", "efm3.drawn")])
def test_the_members_are_the_modules_own(room):
    """As Python has them; those two rooms bring PyTorch."""
    for module in api.modules(room):
        found = import_module(module)
        assert [n for n in api.members(module) if not hasattr(found, n)] == []


def test_what_the_builder_is_told():
    text = (ROOT / "tools/site/zensical.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)["project"]
    assert told["theme"]["font"] is False and told["use_directory_urls"] is False
    assert text.count("# NAV\n") == 1
