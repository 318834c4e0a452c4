# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 completion`, and the answers that its scripts get; tests/test_shells.py has real shells."""

import os
import shutil
import subprocess
import sys

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efm3.arch import ARCHS
from efm3.cli import VERBS, Verbs, _shells
from efm3.cli import cli as command
from efm3.cli._kinds import FILE, FOLDER, Word
from efm3.codes import CODES
from efm3.conformance import sample
from efm3.conformance.cases import corpus
from efm3.forms import FORMS
from efm3.network import tensor_layout
from efm3.scan import scan


@pytest.fixture
def ask(monkeypatch, capsys, tmp_path):
    """ask(line): what a script gets, as (kind, word, description); f.bin is a weight file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.bin").write_bytes(sample.base())

    def run(line, shell="fish", breaks=" \t\n\"'@><=;|&(:"):
        monkeypatch.setenv(_shells.VARIABLE, f"{shell}_complete")
        monkeypatch.setenv(_shells.LINE, line)
        monkeypatch.setenv(_shells.BREAKS, breaks)
        with pytest.raises(SystemExit):
            command(prog_name="efm3", args=[])
        out, err = capsys.readouterr()
        assert not err
        return [tuple(row.split("\t")) for row in out.splitlines() if row]
    return run


def words(found):
    return [word for kind, word, _ in found if kind == "plain"]


NAMES = [name for name, _ in tensor_layout(scan(sample.base()).arch)]
OWN = [c.code for c in CODES.values()]
RULES = [c for c in OWN if c[0] in "CHMTVP" and c[1:].isdigit()]


@pytest.mark.parametrize("line,want", [
    ("efm3 ", list(VERBS)), ("efm3 ex", ["explain", "extract", "examples"]), ("efm3 zzz", []),
    ("X=1 /a/b/efm3 lay", ["layout"]), ("efm3 conformance sc", ["scaffold"]),
    ("efm3 help conformance sc", ["scaffold"]), ("efm3 help inspect ", []),
    ("efm3 help lay", ["layout"]), ("efm3 help none ", []),
    ("efm3 layout ", list(ARCHS)), ("efm3 new st", ["standard"]),
    ("efm3 convert a b --arch x", ["xs"]),
    ("efm3 extract f.bin ", NAMES), ("efm3 extract 'f.bin' stem.c", ["stem.conv.w"]),
    ("efm3 inspect f.bin --tensors stem.c", ["stem.conv.w"]),
    ("efm3 where f.bin arch.stages[1].", [f"arch.stages[1].{k}" for k in (
        "t", "n", "s", "pad", "reserved")]),
    ("efm3 where f.bin stem.c", ["stem.conv.w"]),
    ("efm3 explain ", OWN), ("efm3 explain T012 x00", [c for c in OWN if c.startswith("X00")]),
    ("efm3 validate a --select C001", ["C001"]), ("efm3 validate a --select X", []),
    ("efm3 validate a --ignore t001,C0", [f"t001,{c}" for c in RULES if c.startswith("C0")]),
    ("efm3 validate --select=C001", ["--select=C001"]),
    ("efm3 validate --format ", ["text", "json", "jsonl", "sarif", "junit", "github"]),
    ("efm3 conformance run --select sm", ["smoke"]),
    ("efm3 conformance list bad-c001", [c.id for c in corpus() if c.id.startswith("bad-c001")]),
    ("efm3 spec ", list(FORMS)),
    ("efm3 completion ", list(_shells.SHELLS)),
    ("efm3 extract gone.bin ", []), ("efm3 extract . ", []), ("efm3 extract - ", []),
])
def test_words(ask, line, want):
    got = words(ask(line))
    assert got == want if len(want) < 5 else set(got) >= set(want)


@pytest.mark.parametrize("shell", list(_shells.SHELLS))
def test_every_shell_is_answered_alike(ask, shell):
    assert words(ask("efm3 extract f.bin stem.c", shell)) == ["stem.conv.w"]
    assert ask("efm3 inspect ", shell) == [("file", "", "")]
    assert ask("efm3 eval a b --plots ", shell) == [("dir", "", "")]
    assert [kind for kind, *_ in ask("efm3 layout n", shell)] == ["plain", "file"]


@pytest.mark.parametrize("line,want", [
    ("efm3 validate --select=C001", ["C001"]), ("efm3 validate --select C001", ["C001"]),
    ("efm3 validate --select='C001", ["C001"]), ("efm3 where f.bin 'arch.stages[1].t",
                                                 ["arch.stages[1].t"]),
])
def test_bash_puts_in_what_follows_its_last_break(ask, line, want):
    assert words(ask(line, "bash")) == want


def test_powershell_has_its_own_quotes(ask, tmp_path):
    shutil.copy(tmp_path / "f.bin", tmp_path / "it's a `.bin")
    for name in ("'it''s a `.bin'", '"it\'s a ``.bin"', "it`'s` a` ``.bin"):
        assert words(ask(f"efm3 extract {name} stem.c", "powershell")) == ["stem.conv.w"], name


@pytest.mark.parametrize("name", ["$(touch gone)", "a b", "it's", 'q"q', "new\nline", "-x", "*",
                                  "\x1b[31m", "\u202e", "co:lon", "\udcff", "~", "`id`"])
def test_a_name_is_read_and_never_said(ask, tmp_path, name):
    shutil.copy(tmp_path / "f.bin", tmp_path / f"{name}.bin")
    quoted = "'" + f"./{name}.bin".replace("'", "'\\''") + "'"
    for shell in ("bash", "zsh", "fish"):
        found = ask(f"efm3 extract {quoted} stem.c", shell)
        assert words(found) == ["stem.conv.w"]
    assert ask(f"efm3 inspect {quoted}") == [("file", "", "")]
    assert sorted(os.listdir(tmp_path)) == sorted(["f.bin", f"{name}.bin"])


def test_what_is_no_regular_file_is_not_waited_for(ask, tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no FIFOs here")
    os.mkfifo(tmp_path / "fifo")
    assert ask("efm3 extract fifo ") == [] and ask("efm3 where fifo ") == []


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_any_line_is_answered_in_silence(line):
    for escape in ("\\", "`"):
        before, last, opened = _shells.split(line, escape)
        assert opened <= len(last) and all(len(w) <= len(line) for w in before)


@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=9), min_size=1))
def test_quoted_words_are_read_back(given_words):
    import shlex

    before, last, _ = _shells.split(" ".join(map(shlex.quote, given_words)))
    assert [*before, last] == given_words


def test_nothing_is_said_of_what_goes_wrong(ask, monkeypatch):
    def fail(*_):
        raise RuntimeError("no")
    monkeypatch.setattr(Word, "known", fail)
    monkeypatch.setattr(type(FILE), "shell_complete", fail)
    assert ask("efm3 inspect ") == []


def test_the_script_and_json(cli):
    import json

    for shell in _shells.SHELLS:
        script = cli("completion", shell).stdout.rstrip("\n")
        assert json.loads(cli("completion", shell, "--json").stdout) == {
            "shell": shell, "script": script}
        for variable in (_shells.VARIABLE, _shells.LINE):
            assert variable in script
    assert cli("completion", "tcsh").exit_code == 2


def test_the_variable_of_old_start_files_still_prints_it(monkeypatch, capsys):
    for shell, known in _shells.SHELLS.items():
        monkeypatch.setenv(_shells.VARIABLE, f"{shell}_source")
        with pytest.raises(SystemExit):
            command(prog_name="efm3", args=[])
        assert capsys.readouterr().out.rstrip("\n") == known.script


def test_it_is_light(tmp_path):
    """A prompt waits: of a file only its prefix is read, and no large library is loaded."""
    file = tmp_path / "f.bin"
    file.write_bytes(sample.base()[:200])  # the prefix and no tensor
    code = ("import sys\n"
            "from efm3.cli import cli\n"
            "try: cli(prog_name='efm3', args=[])\n"
            "except SystemExit: pass\n"
            "print(sorted({'numpy', 'rich', 'torch', 'jsonschema', 'efm3.rules'}"
            " & set(sys.modules)))")
    for line in ("efm3 ", f"efm3 extract {file} stem.c", "efm3 explain T01", "efm3 layout n"):
        env = os.environ | {_shells.VARIABLE: "bash_complete", _shells.LINE: line}
        out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True,
                             check=True, encoding="utf-8").stdout.splitlines()
        assert out[-1] == "[]" and out[0].startswith("plain"), (line, out)


def every(group, said=()):
    """(words, command) of each verb."""
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        yield (*said, name), found
        if isinstance(found, click.Group):
            yield from every(found, (*said, name))


FREE = {"address", "cmd", "device", "e", "glob", "key=number", "key=value", "language",
        "low..high|mean/scale", "n", "name", "path", "prelu|relu|leaky:s", "s", "t", "t,n,s",
        "text", "version", "words", "expression", "x"}
"""What nobody can complete: commands, numbers, names that are made up."""


@pytest.mark.parametrize("said,verb", [pytest.param(w, v, id=" ".join(w))
                                       for w, v in every(command) if not isinstance(v, Verbs)])
def test_every_word_completes_itself_or_is_free(said, verb):
    for param in verb.params:
        kind = param.type
        if isinstance(kind, (Word, type(FILE), click.Choice, click.Path)) or kind in (FILE, FOLDER):
            continue
        if getattr(param, "is_flag", False) or isinstance(
                kind, (click.types.IntParamType, click.types.FloatParamType)):
            continue
        shown = (param.metavar or kind.name).lower()
        assert shown in FREE, f"{' '.join(said)}: {param.opts} ({shown})"
