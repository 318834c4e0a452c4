# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""FORCE_COLOR and NO_COLOR are the same for all verbs, in a pipe and on a terminal."""

import itertools

import pytest

from efm3.cli import _colours
from efm3.conformance import sample

VERBS = {
    "inspect": ["inspect", "f.bin"], "tensors": ["inspect", "f.bin", "--tensors"],
    "hex": ["inspect", "f.bin", "--hex", "arch"], "validate": ["validate", "f.bin"],
    "explain": ["explain", "T012"], "all": ["explain", "--all"],
    "where": ["where", "f.bin", "100"], "layout": ["layout", "f.bin"],
    "diff": ["diff", "f.bin", "g.bin"],
    "list": ["conformance", "list", "bad-c001*", "bad-c002*"],
    "case": ["conformance", "list", "bad-c001-empty"],
    "run": ["conformance", "run", "--reader", "@python", "--select", "bad-c001-empty", "-q"],
}
"""Every verb that colours something, and needs no library beside the suite's own."""
PLAIN = {"json": ["inspect", "f.bin", "--json"], "spec": ["spec"], "help": ["--help"],
         "report": ["validate", "f.bin", "--format", "json"],
         "sarif": ["validate", "f.bin", "--format", "sarif"],
         "script": ["completion", "bash"], "completion": ["completion", "zsh", "--json"]}


@pytest.fixture
def run(cli, tmp_path, monkeypatch):
    """run(args, tty, FORCE_COLOR=..., NO_COLOR=...): what is printed."""
    (tmp_path / "f.bin").write_bytes(sample.base())
    (tmp_path / "g.bin").write_bytes(sample.weights("stem.bn.w", 9.0)(sample.base()))
    monkeypatch.chdir(tmp_path)

    def go(args, tty, **variables):
        for name in ("FORCE_COLOR", "NO_COLOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", "xterm")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        # What click prints is judged by `color`, what rich prints by `isatty`.
        monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: tty,
                            raising=False)
        done = cli(*args, color=tty)
        assert done.exit_code in (0, 1), done.output
        return done.stdout
    return go


@pytest.mark.parametrize("args", VERBS.values(), ids=VERBS)
def test_both_variables(run, args):
    for tty, force, no in itertools.product((False, True), ("", "1"), ("", "1")):
        want = not no and (tty or bool(force))
        assert ("\x1b[" in run(args, tty, FORCE_COLOR=force, NO_COLOR=no)) == want, (tty, force, no)
    assert "\x1b[" not in run(args, True, TERM="dumb")


@pytest.mark.parametrize("args", PLAIN.values(), ids=PLAIN)
def test_what_programs_read_is_never_coloured(run, args):
    assert "\x1b[" not in run(args, False, FORCE_COLOR="1")


def test_who_asks(monkeypatch):
    for force, no, want in (("", "", None), ("1", "", True), ("", "1", False), ("1", "1", False)):
        monkeypatch.setenv("FORCE_COLOR", force)
        monkeypatch.setenv("NO_COLOR", no)
        assert _colours.asked() is want
