# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 diff`: its words and its exit codes, which are diff(1)'s."""

import json

import pytest

from efm3.conformance import sample as s
from efm3.conformance.examples import EXAMPLES, example


@pytest.fixture
def diff(cli, tmp_path):
    def run(a, b, *options):
        (tmp_path / "a").write_bytes(a)
        (tmp_path / "b").write_bytes(b)
        return cli("diff", tmp_path / "a", tmp_path / "b", *options)
    return run


def test_same_is_zero(diff):
    result = diff(s.base(), s.base())
    assert result.exit_code == 0 and "identical" in result.stdout


def test_different_is_one_and_names_the_tensor(diff):
    other = s.weights("embed_proj.bn.b", 3.0)(s.base())
    result = diff(s.base(), other)
    assert result.exit_code == 1
    assert "embed_proj.bn.b" in result.stdout and "1/8" in result.stdout
    assert "95 of 96 tensors identical" in result.stdout
    assert "embed_proj.bn.w" not in result.stdout
    assert "embed_proj.bn.w" in diff(s.base(), other, "--all").stdout


def test_a_tail_is_a_difference(diff):
    result = diff(s.base(), s.base() + b"x")
    assert result.exit_code == 1 and "after the table" in result.stdout


def test_a_file_longer_than_was_read_is_not_compared(diff):
    long = s.base() + bytes(9 * len(s.base()))
    result = diff(long, long)
    assert result.exit_code == 2 and not result.stdout
    assert f"its header allows {len(s.base()):,}" in result.stderr


def test_trouble_is_two(diff, cli, tmp_path):
    result = diff(s.base(), b"not a model")
    assert result.exit_code == 2 and not result.stdout and "nothing in it" in result.stderr
    for other in (tmp_path, tmp_path / "none"):
        assert cli("diff", tmp_path / "a", other).exit_code == 2
    assert cli("diff", "-", "-").exit_code == 2


def test_standard_input(cli, tmp_path):
    (tmp_path / "a").write_bytes(s.base())
    assert cli("diff", tmp_path / "a", "-", input=s.base()).exit_code == 0


def test_json(diff):
    found = json.loads(diff(s.base(), s.field("arch.stem_stride", 1)(s.base()), "--json").stdout)
    assert not found["identical"]
    assert found["header"] == [{"path": "arch.stem_stride", "a": 2, "b": 1}]


def test_a_files_text_cannot_steer_the_terminal(diff):
    evil = "\x1b[2J\u202e"
    result = diff(s.base(), s.with_mirror(lambda m: m | {"name": evil, evil: evil})(s.base()))
    assert "\x1b" not in result.stdout and "\u202e" not in result.stdout


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_any_bytes_end_in_an_answer(diff, code):
    data = example(code)[1]
    for other in (s.base(), data[:300], data):
        for options in ((), ("--json",)):
            result = diff(data, other, *options)
            assert result.exit_code in (0, 1, 2)
            assert result.exception is None or isinstance(result.exception, SystemExit)
