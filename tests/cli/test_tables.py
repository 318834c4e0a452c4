# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables on narrow terminals: nothing is dropped, and no line is wider than the terminal."""

import pytest
from rich.cells import cell_len

from efm3.conformance import sample

WIDTHS = (40, 60, 80, 200)
LONG = "a long text whose words are told apart by their end alone, "


@pytest.fixture
def show(cli, tmp_path, monkeypatch):
    """show(args, width): what a terminal of this width gets; 0 is a pipe."""
    (tmp_path / "f.bin").write_bytes(sample.base())
    for name in "12":
        (tmp_path / f"{name}.bin").write_bytes(sample.with_mirror(lambda m, name=name: m | {
            "meta": {"source": LONG * 3 + name, LONG * 2 + name: "漢字" * 40 + name}})(
            sample.weights("stem.conv.w", float(name))(sample.base())))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(args, width):
        monkeypatch.setenv("COLUMNS", str(width or 80))
        monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: bool(width),
                            raising=False)
        done = cli(*args)
        assert done.exit_code in (0, 1), done.output
        return done.stdout
    return run


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("args", [
    ["inspect", "f.bin"], ["inspect", "1.bin"], ["inspect", "f.bin", "--tensors", "stage1*"],
    ["inspect", "f.bin", "--hex", "arch"], ["inspect", "1.bin", "--hex", ":600"],
    ["inspect", "f.bin", "--hex", "stem.bn.w"], ["layout", "f.bin"], ["diff", "1.bin", "2.bin"],
    ["where", "f.bin", "stem.conv.w"], ["where", "f.bin", "arch.stages[0].reserved"],
    ["explain", "--all"], ["conformance", "list", "bad-m0*"]],
    ids=" ".join)
def test_lines_fit(show, args, width):
    lines = show(args, width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert not any("…" in line for line in lines if "diff" not in args)


@pytest.mark.parametrize("width", WIDTHS[:3])
@pytest.mark.parametrize("args", [
    ["inspect", "f.bin", "--tensors"], ["layout", "f.bin"], ["diff", "1.bin", "2.bin"],
    ["where", "f.bin", "stem.conv.w"], ["explain", "--all"],
    ["conformance", "list", "bad-m0*"]], ids=" ".join)
def test_a_narrow_terminal_shows_the_characters_of_a_pipe(show, args, width):
    assert "".join(show(args, width).split()) == "".join(show(args, 0).split())


@pytest.mark.parametrize("width", WIDTHS)
def test_every_value_of_a_dump_is_shown(show, width):
    def values(out):
        return [word for line in out.splitlines() for word in line.rpartition("]")[2].split()
                if "]" in line]
    wide = values(show(["inspect", "f.bin", "--hex", "stem.bn.w"], 0))
    assert values(show(["inspect", "f.bin", "--hex", "stem.bn.w"], width)) == wide != []


def test_columns_stay_below_each_other(show):
    head, more, title, *rows = show(["inspect", "f.bin", "--tensors", "stem.*"], 50).splitlines()
    assert more.split()[-1] == "histogram" and title == "stem" and len(rows) == 12
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert first[head.index("shape") - 1] == " " != first[head.index("shape")]
        assert second.startswith("    ") and second.strip()


@pytest.mark.parametrize("width", WIDTHS)
def test_different_values_are_told_apart(show, width):
    out = show(["diff", "1.bin", "2.bin"], width)
    for end in "12":
        assert f"end alone, {end}" in " ".join(out.split()) or f"alone, {end}" in out
