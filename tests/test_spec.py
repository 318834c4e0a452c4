# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The normative text: each requirement has a code, each code its item, and what it shows is so."""

import json
import re
from pathlib import Path

import pytest

from efm3 import ARCHS, Arch, Stage, layers, tensor_layout
from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.arch import last_side
from efm3.arithmetic import TOLERANCE
from efm3.conformance import rounding
from efm3.conformance import sample as s
from efm3.conformance.cases import corpus
from efm3.conformance.requirements import REQUIREMENTS
from efm3.network import file_size
from efm3.rules import load_rules, portability, values
from tools.gen import blocks, spec

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "spec" / "EFM3.md"
TEXT = SPEC.read_text(encoding="utf-8")
RULES = load_rules()

WORDS = {"error": "MUST", "warning": "SHOULD", "info": "RECOMMENDED"}
STRENGTH = {c: WORDS[r.severity] for c, r in RULES.items()} | {
    c: r.level for c, r in REQUIREMENTS.items()}
"""Code to the word that its item must have."""

_ITEM = re.compile(r'(?:- |\| )?<a id="([a-z]\d{3})"></a>\*\*([A-Z]\d{3})\*\* ')
_STRICT = re.compile(r"\b(MUST|SHALL|REQUIRED)\b")


def prose(text):
    """The text without comments and fenced blocks."""
    return re.sub(r"<!--.*?-->", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S),
                  flags=re.S)


def items(text):
    """Paragraphs, list items and table rows."""
    for part in re.split(r"\n\s*\n", prose(text)):
        yield from (" ".join(x.split()) for x in re.split(r"\n(?=- |\||#)", part.strip()) if x)


def problems(text):
    """What is wrong with the text's codes."""
    found = {}
    for item in items(text):
        m = _ITEM.match(item)
        item = re.sub(r"`[^`]*`", "``", item)  # a word that is quoted demands nothing
        if m is None:
            if _STRICT.search(item):
                yield f"no code: {item}"
            continue
        code = m[2]
        if m[1] != code.lower():
            yield f"{code}: its anchor is {m[1]}"
        if code in found:
            yield f"{code}: twice"
        found[code] = item
        if code not in STRENGTH:
            yield f"{code}: unknown"
        elif STRENGTH[code] == "MUST":
            if not _STRICT.search(item):
                yield f"{code}: no MUST"
        elif _STRICT.search(item) or STRENGTH[code] not in item:
            yield f"{code}: not {STRENGTH[code]}"
    yield from (f"{c}: missing" for c in STRENGTH if c not in found)
    if text.count("<a id=") != len(found):
        yield "an anchor outside an item's beginning"


def test_every_requirement_has_a_code_and_every_code_its_item():
    assert list(problems(TEXT)) == []


@pytest.mark.parametrize("old, new, what", [
    ("**C003** `version` MUST be 3", "**C003** `version` is 3", "C003: no MUST"),
    ("Nothing is compressed.", "Nothing MUST be compressed.", "no code: "),
    ("Sums may be", "Sums SHALL be", "no code: "),
    ('<a id="t014"></a>**T014** ', "", "T014: missing"),
    ('<a id="t014"></a>**T014** ', '<a id="t014"></a>**T099** ', "T099: unknown"),
    ('<a id="t014"></a>', '<a id="t013"></a>', "T014: its anchor is t013"),
    ("**M027** `name` SHOULD", "**M027** `name` MUST", "M027: not SHOULD"),
    ("**P001** It is RECOMMENDED", "**P001** It is good", "P001: not RECOMMENDED"),
    ("**W005** A Writer SHOULD", "**W005** A Writer MUST", "W005: not SHOULD"),
    ("**R004** A Reader MUST", "**R004** A Reader may", "R004: no MUST"),
    ("a gzip file. | MUST be refused", "a gzip file. | no", "C012: no MUST"),
    ("\n## 5 ", "\n- <a id=\"c001\"></a>**C001** It MUST be.\n\n## 5 ", "C001: twice"),
    ("Nothing is compressed.", 'Nothing is <a id="x"></a>compressed.', "an anchor outside"),
])
def test_planted_mistakes_are_seen(old, new, what):
    assert TEXT.count(old) == 1
    assert any(p.startswith(what) for p in problems(TEXT.replace(old, new)))


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(path):
    text = prose(path.read_text(encoding="utf-8"))
    return set(re.findall(r'<a id="([^"]+)"', text)) | {
        slug(h) for h in re.findall(r"^#+ (.+)$", text, re.M)}


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"),
                *ROOT.glob("spec/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_resolve(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_clauses_point_at_items():
    there = anchors(SPEC)
    for rule in RULES.values():
        path, _, anchor = rule.clause.partition("#")
        assert ROOT / path == SPEC and anchor in there


def test_codes_in_prose_are_known():
    for text in (TEXT, *(p.read_text(encoding="utf-8") for p in PAGES[2:])):
        for code in re.findall(r"\b[CHMTVPRWDE]\d{3}\b", text):
            assert code in STRENGTH, code


def text_of(code):
    return next(i for i in items(TEXT) if f"**{code}**" in i)


@pytest.mark.parametrize("code, numbers", [
    ("C002", [fmt.MAGIC.hex(" ").upper()]), ("C003", [fmt.VERSION]), ("C005", [fmt.MAX_JSON_LEN]),
    ("H001", [fmt.HDR_VERSION]), ("H003", [1, fmt.STAGE_SLOTS]), ("H014", [fmt.MAX_BLOCKS]),
    ("H015", [fmt.MAX_EXPANDED]), ("M004", [fmt.MAX_JSON_DEPTH]), ("M041", [64]),
    ("V006", [f"{values.LARGE_VAR:.0e}".replace("+0", "")]),
    ("V010", [f"{values.LARGE_WEIGHT:.0e}".replace("+0", "")]), ("V011", [values.USUAL_SLOPE]),
    ("V013", [f"{values.LARGE_SCALE:.0e}".replace("+0", ""), "1e-5"]),
    ("P001", [fmt.TENSOR_ALIGN]), ("P002", [portability.ORIGINAL_BLOCKS]), ("P006", [512]),
    ("E003", [fmt.INPUT_CHANNELS, fmt.INPUT_SIDE]), ("E007", ["1e-5"]), ("E009", ["1e-12"])])
def test_numbers_are_those_of_the_declaration(code, numbers):
    for n in numbers:
        assert re.search(rf"(?<![\w.]){n:g}(?!\w)" if isinstance(n, float) else
                         rf"(?<![\w.]){n}(?!\w)", text_of(code)), n


def test_epsilons_and_the_bound_are_those_of_the_declaration():
    assert (fmt.BN_EPS, fmt.L2_EPS, TOLERANCE) == (1e-5, 1e-12, 1e-5)
    assert "| f32 | f32 | no component differs by more than 1e-5 |" in TEXT
    told = dict(re.findall(r"^\| (\w+) \| .* at most the case's `gaps\.(\w+)` \|$", TEXT, re.M))
    assert told == {p: p for p in rounding.STEPS}
    for (levels, weight), words in zip(
            (rounding.LARGEST["fast"], rounding.LARGEST["high"]),
            ((r"max\|w\| / (\d+) \(`fast`\)", r"\(largest . least\) / (\d+)"),
             (r"max\|w\| / (\d+) \(`high`\)", r"max\|x\| / (\d+)")), strict=True):
        assert [re.findall(w, TEXT) for w in words] == [[str(weight)], [str(levels)]]
    assert f"computed {rounding.DRAWS} times" in TEXT
    assert f"{rounding.REACH ** 2:g} d² / 2" in TEXT and rounding.REACH == 4


ODD = [s.ARCH, Arch("one", 1.0, 1, 1, 1, 1, 7, (Stage(1, 1, 4),), 1, 4),
       Arch("wide", 0.5, 3, 5, 7, 9, 2, (Stage(3, 2, 1), Stage(255, 2, 3), Stage(1, 3, 2),
                                         Stage(2, 1, 4)), 15, 3),
       Arch("eight", 0.5, 6, 4, 7, 9, 56, (Stage(2, 1, 1),) * 8, 5, 2)]


def program():
    """The text's Python blocks, run in one namespace."""
    space = {}
    for code in re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S):
        exec(compile(code, "EFM3.md", "exec"), space)
    return space


@pytest.mark.parametrize("arch", [*ARCHS.values(), *ODD], ids=lambda a: a.name)
def test_the_programs_of_the_text_agree_with_the_suite(arch):
    space = program()
    assert space["tensor_layout"](arch) == list(tensor_layout(arch))
    assert space["last_side"](arch) == last_side(arch) == arch.gdc_kernel
    assert space["file_size"](arch, 123) == file_size(arch, 123)


def test_the_layer_table_of_the_network_is_the_walk():
    rows = {r[0]: r[1:] for r in (
        [c.strip() for c in line.strip("|").split("|")]
        for line in re.search(r"^### Layers\n\n(.*?)\n\n", TEXT, re.M | re.S)[1].splitlines()[2:])}
    seen = set()
    for x in layers(s.ARCH):
        name = x.name.rsplit(".", 1)[-1]
        kind, _, kernel, stride, padding, groups, act = rows[name]
        seen.add(name)
        assert kind == {"conv": "convolution", "gdconv": "depthwise"}.get(x.kind, x.kind)
        known = {"stem_kernel": 3, "stem_stride": 2, "gdc_kernel": 7, "kernel / 2": x.kernel // 2,
                 "channels": x.in_channels, "s in block 0, else 1": x.stride}
        assert [known.get(c) or int(c) for c in (kernel, stride, padding, groups)] == [
            x.kernel, x.stride, x.padding, x.groups]
        assert act == ("yes" if x.act else "no")
    assert seen == set(rows)


def test_the_dump_is_the_whole_file():
    dump = re.search(r"^## 18.*?^```text\n(.*?)^```", TEXT, re.M | re.S)[1]
    data = b""
    for line in dump.splitlines():
        assert int(line[:4], 16) == len(data)
        data += bytes.fromhex(line[6:53].strip()) if "end of file" not in line else b""
    assert data == next(c for c in corpus() if c.id == "valid-minimal").data()


@pytest.mark.parametrize("width, text", [
    (0.36, "0.36"), (1.0, "1.0"), (0.0001, "0.0001"), (1.5e-07, "1.5e-07"), (1e16, "1e+16"),
    (123456789.0, "123456789.0"), (1e-5, "1e-05"), (1e300, "1e+300"),
    (2.5e15, "2500000000000000.0")])
def test_reals_are_spelled_as_the_text_says(width, text):
    """Against the rule of the section on the canonical form, not against the writer alone."""
    n = next(n for n in range(17) if float(f"{width:.{n}e}") == width)
    digits, e = re.fullmatch(r"([\d.]+)e([+-]\d+)", f"{width:.{n}e}").groups()
    digits, e = digits.replace(".", ""), int(e)
    if -4 <= e < 16:
        digits = digits.ljust(e + 2, "0") if e >= 0 else "0" * -e + digits
        at = max(e, 0) + 1
        by_rule = f"{digits[:at]}.{digits[at:]}"
    else:
        by_rule = digits[0] + ("." + digits[1:] if digits[1:] else "")
        by_rule += f"e{'-' if e < 0 else '+'}{abs(e):02}"
    arch = Arch("x", width, 8, 8, 16, 8, 7, s.ARCH.stages)
    assert by_rule == text
    assert f'"width_mult":{text},' in mirrors.canonical(arch).decode()


@pytest.mark.parametrize("value, text", [
    (7, "7"), (-7, "-7"), (0, "0"), (-0, "0"), (7.0, "7.0"), (-7.0, "-7.0"), (0.0, "0.0"),
    (-0.0, "-0.0"), (5e-324, "5e-324"), (-5e-324, "-5e-324"), (10**20 - 1, "9" * 20),
    (-1.5e-07, "-1.5e-07"), (2.0**53, "9007199254740992.0"), (1e22, "1e+22")])
def test_numbers_of_meta_are_spelled_as_the_text_says(value, text):
    mirror = mirrors.canonical(s.ARCH, {"z": value, "meta": {"b": value, "a": 1}})
    assert mirror.decode().endswith(f',"z":{text},"meta":{{"b":{text},"a":1}}}}')


def test_numbers_too_small_for_a_binary64_are_read_as_the_text_says():
    item = text_of("M026")
    told = [float(x) for x in re.findall(r"`([\d.]+e-\d+)`", item)]
    assert len(told) == 4 and told == [5e-324, 5e-324, 0.0, 0.0]


def test_strings_are_spelled_as_the_text_says():
    name = "a\"b\\c/d\b\t\n\f\r\x01\x7f\u00e9\u2028\U0001f600~ "
    want = ('"a\\"b\\\\c/d\\b\\t\\n\\f\\r\\u0001\\u007f\\u00e9\\u2028\\ud83d\\ude00~ "')
    arch = Arch(name, 0.5, 8, 8, 16, 8, 7, s.ARCH.stages)
    assert mirrors.canonical(arch).decode().startswith('{"name":' + want + ',"width_mult":')


def test_the_schema_and_the_text_name_the_same_keys():
    schema = json.loads((ROOT / "spec/mirror.schema.json").read_text())
    section = re.search(r"^### Keys\n(.*?)^### ", TEXT, re.M | re.S)[1]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.M)
    assert [k for k, _ in rows] == schema["required"]
    assert all(schema["properties"][k]["type"] == kind for k, kind in rows)


def test_blocks_are_fresh():
    assert "spec/EFM3.md" in spec.PAGES
    for name, make in spec.PAGES.items():
        assert (ROOT / name).read_text(encoding="utf-8") == make(), name


def test_blocks_are_filled_and_lone_markers_refused():
    page = blocks.fill("a\n<!-- gen:meta -->\nold\n<!-- /gen -->\nb\n", spec.block)
    assert page.count("`licence`") == 1
    assert "old" not in blocks.fill("<!-- gen:meta -->\nold\n<!-- /gen -->\n", spec.block)
    with pytest.raises(KeyError):
        blocks.fill("<!-- gen:nothing -->\n<!-- /gen -->\n", spec.block)
    for text in ("<!-- gen:meta -->\n", "<!-- /gen -->\n",
                 "<!-- gen:meta -->\n<!-- gen:keys -->\n<!-- /gen -->\n"):
        with pytest.raises(ValueError):
            blocks.fill(text, spec.block)
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in spec.PAGES)
    assert {name for name in re.findall(r"<!-- gen:(\w+) -->", pages)} == set(spec.BLOCKS)


def test_a_file_becomes_a_fenced_block():
    text = blocks.fill("<!-- gen:file setup.py -->\n<!-- /gen -->\n", spec.block)
    assert text.startswith("<!-- gen:file setup.py -->\n```python\n") and "SPDX" not in text
    assert text.endswith("```\n<!-- /gen -->\n")
