# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 inspect`: what a person sees, at any width, of any bytes."""

import json
import os
import subprocess
import sys

import jsonschema
import pytest
from rich.cells import cell_len

from efm3.cli._render import screenshot
from efm3.conformance import sample as s
from efm3.conformance.examples import EXAMPLES, example
from efm3.inspection import schema


@pytest.fixture
def file(tmp_path):
    def write(data=None):
        path = tmp_path / "f.bin"
        path.write_bytes(s.base() if data is None else data)
        return path
    return write


@pytest.fixture
def show(cli, file, monkeypatch):
    """show(data, *options, width=80): the text of `efm3 inspect`."""
    def run(data, *options, width=80):
        monkeypatch.setenv("COLUMNS", str(width))
        result = cli("inspect", file(data), *options)
        assert result.exit_code == 0, result.output
        return result.stdout
    return run


def test_first_screen_is_card_coherence_sizes_topology(cli, vector):
    out = cli("inspect", vector).stdout
    places = [out.index(w) for w in (f" {vector.name} ", "verdict", "✔ valid", "coherence",
                                     "INT8 equivalent", "stage  block  layer", "embed_proj")]
    assert places == sorted(places)


def test_meta_is_on_the_card(show):
    out = show(s.with_mirror(lambda m: m | {"meta": {
        "source": "https://example.org", "licence": "MIT", "trained": False,
        "description": "a small one", "training_data": "none", "seed": 7}})(s.base()))
    rows = [line.strip("│ ").split(maxsplit=1) for line in out.splitlines() if "│" in line]
    for row in (["about", "a small one"], ["source", "https://example.org"], ["licence", "MIT"],
                ["training", "none"], ["seed", "7"]):
        assert row in rows
    assert "these weights never saw a face" in out


def test_a_seal_that_does_not_hold_is_said_so(show):
    assert "does NOT match" not in show(s.sealed())
    assert "does NOT match" in show(s.weights("stem.conv.w", 9.0)(s.sealed()))


def test_disagreement_is_marked(show):
    out = show(example("M022")[1])
    marked = [line for line in out.splitlines() if "✘ differs" in line]
    assert [line.split()[:4] for line in marked] == [["block_channels", "8", "9", "8"]]
    assert "✘ INVALID" in out and "error M022" in out


def test_missing_bytes_are_counted(show):
    out = show(s.base()[:-100])
    assert "100 missing" in out and "error T012" in out


@pytest.mark.parametrize("width", [40, 80, 160])
@pytest.mark.parametrize("options", [(), ("--tensors",), ("--hex",)])
def test_lines_fit_the_terminal(show, vector, width, options):
    lines = show(vector.read_bytes(), *options, width=width).splitlines()
    if width >= 80:
        assert max(map(len, lines)) <= width
    assert not any(line.endswith(" ") for line in lines)


def test_card_has_straight_sides(show):
    wide = s.with_mirror(lambda m: m | {"meta": {"source": "漢字 " * 60}})(s.base())
    for data, width, side in ((s.base(), 80, 80), (wide, 80, 80), (wide, 160, 100), (wide, 5, 40)):
        lines = show(data, width=width).splitlines()
        box = [line for line in lines if line.startswith(("╭", "│", "╰"))]
        assert {cell_len(line) for line in box} == {side}


def test_tensors_with_a_glob(show):
    out = show(s.base(), "--tensors", "stem.*")
    assert out.count("conv.w") == 1 and "█" in out and "dw_stem" not in out


def test_tensors_before_the_file(cli, file):
    assert "stage3.block0.project" in cli("inspect", "--tensors", file()).stdout
    assert "arch.gdc_kernel = 7" in cli("inspect", "--hex", file()).stdout


def test_nan_stands_where_the_histogram_was(show):
    out = show(s.weights("stem.conv.w", float("nan"))(s.base()), "--tensors", "stem.conv.w")
    assert "1 NaN" in out


def test_hex_of_a_field(show):
    out = show(s.base(), "--hex", "arch.stages[2]")
    assert out.splitlines()[0].split() == ["00000028", "02", ".", "arch.stages[2].t", "=", "2"]
    assert len(out.splitlines()) == 5


def test_hex_of_values_names_them(show):
    out = show(s.weights("stem.bn.w", 1.5, -2.0, 0.25)(s.base()), "--hex", "stem.bn.w")
    assert "stem.bn.w[0] 1.5 -2" in out and "[2] 0.25" in out


def test_hex_from_the_middle_of_a_value(show):
    data = s.weights("stem.bn.w", 1.5, -2.0)(s.base())
    at = next(t for t in s.spans(data).tensors if t.name == "stem.bn.w").data_offset
    assert "stem.bn.w[1] -2" in show(data, "--hex", f"{at + 2}+6")


def test_hex_of_nothing_is_a_usage_error(cli, file):
    for part in ("nope", "99999999", "4:4"):
        result = cli("inspect", file(), "--hex", part)
        assert result.exit_code == 2 and "--hex" in result.stderr
    assert cli("inspect").exit_code == 2


def test_json_holds_everything_in_its_documented_form(cli, file):
    seen = json.loads(cli("inspect", file(), "--json").stdout)
    jsonschema.validate(seen, schema())
    assert len(seen["tensors"]) == 96 and seen["tensors"][0]["histogram"]
    assert sum(r["length"] for r in seen["bytes"]) == seen["sizes"]["file"]
    part = json.loads(cli("inspect", file(), "--json", "--hex", "magic").stdout)
    assert [r["hex"] for r in part["bytes"]] == ["45464d33"]


def test_standard_input(cli):
    result = cli("inspect", "-", input=s.base())
    assert result.exit_code == 0 and "✔ valid" in result.stdout


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_any_bytes_are_shown(show, code):
    data = example(code)[1]
    for options in ((), ("--tensors",), ("--hex",), ("--json",)):
        out = show(data, *options)
        assert "\x1b" not in out and "\0" not in out


def test_a_files_text_cannot_steer_the_terminal(show):
    evil = "\x1b[2J\x07\u202e[red]x[/red]\r\n:smile:"
    data = s.with_mirror(lambda m: m | {"name": evil, "stem_channels": evil, evil: evil,
                                        "meta": {"source": evil, "licence": [evil]}})(s.base())
    out = show(data)
    assert not any(c in out for c in "\x1b\x07\u202e\r")
    assert "\\x1b[2J\\x07\\u202e[red]x[/red]" in out


def run(*args, **env):
    """`efm3 ARGS` as a process of its own."""
    clean = {k: v for k, v in os.environ.items()
             if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return subprocess.run([sys.executable, "-m", "efm3", *map(str, args)], env=clean | env,
                          capture_output=True, check=False)


def test_colour_is_for_terminals_and_never_with_no_color(file):
    assert b"\x1b" not in run("inspect", file()).stdout
    assert b"\x1b[" in run("inspect", file(), FORCE_COLOR="1").stdout
    assert b"\x1b[1;31m" not in run("inspect", file(example("M022")[1]), FORCE_COLOR="1",
                                    NO_COLOR="1").stdout


def test_ascii_output_has_no_question_of_encoding(file):
    result = run("inspect", file(), PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert result.returncode == 0 and not result.stderr
    assert b"+-" in result.stdout and b"8x3x3x3" in result.stdout


def test_a_pipe_loses_nothing(file):
    long = "x" * 250
    data = s.with_mirror(lambda m: m | {"meta": {"source": long}})(s.base())
    out = run("inspect", file(data)).stdout.decode()
    assert sum(line.count("x" * 40) for line in out.splitlines()) >= 2
    assert "…" not in run("inspect", file(), COLUMNS="20").stdout.decode()


def test_unreadable_is_three(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        result = run("inspect", path)
        assert result.returncode == 3 and result.stderr.count(b"\n") == 1


def test_the_first_screen_needs_neither_numpy_nor_jsonschema(file):
    code = ("import sys; sys.argv = ['efm3', 'inspect', sys.argv[1]]\n"
            "from efm3.__main__ import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "print(sorted({'numpy', 'jsonschema', 'rich.table'} & set(sys.modules)))")
    out = subprocess.run([sys.executable, "-c", code, file()], capture_output=True, check=True)
    assert out.stdout.splitlines()[-1] == b"[]"


def test_screenshot_is_one_whole_svg(tmp_path, vector):
    target = tmp_path / "x.svg"
    screenshot(str(vector), str(target))
    text = target.read_text()
    assert text.startswith("<svg") and "coherence" in text and vector.name in text
    assert 'url("' not in text and "font-family" in text, "no font is fetched"
    screenshot(str(vector), str(target))
    assert target.read_text() == text


@pytest.mark.parametrize("said,words", [
    ("turned-180", "TURNED by 180°"), ("askew", "UNKNOWN: see meta.picture")])
def test_a_picture_that_is_not_upright_comes_first(show, said, words):
    out = show(s.with_mirror(lambda m: m | {"meta": {"picture": said}})(s.base()))
    assert words in out.splitlines()[1] and out.index("picture") < out.index("size")
    assert "P009" in out or "M043" in out
    assert words not in show(s.base())
