# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Command lines: words, placeholders with their escape, and why one cannot be run."""

import pytest

from efm3.conformance import commands
from tests.systems import posix


def test_words():
    assert commands.words_of("a 'b c'") == ["a", "b c"]
    for bad in ("  ", "'"):
        with pytest.raises(ValueError, match=r"empty|quotation"):
            commands.words_of(bad)


def test_a_command_that_cannot_be_split_is_named():
    with pytest.raises(ValueError, match="cannot be split") as e:
        commands.words_of('"untermi\x1bnated')
    assert str(e.value) == ("the command '\"untermi\\x1bnated' cannot be split into words: "
                            "No closing quotation")


@pytest.mark.parametrize("words,found", [
    (["x"], []), (["{file}", "--o={out}"], ["file", "out"]), (["{{file}}"], []),
    (["{{{file}}}"], ["file"]), (["{"], ["{"]), (["a}"], ["}"]), (["{}"], [""]),
    (['{"a": 1}'], ['"a": 1']), (['{{"a": {{}}}}'], [])])
def test_placeholders(words, found):
    assert commands.placeholders(words) == found


@pytest.mark.parametrize("verb,words", [
    ("read", ["{file}"]), ("embed", ["{model}", "{input}", "{output}"]),
    ("embed", ["{layers}{model}{input}{output}"]), ("read", ["x", "{{nope}}"]), ("write", ["x"])])
def test_commands_that_are_right(verb, words):
    commands.check(words, [verb])


@pytest.mark.parametrize("verbs,word,said", [
    (["read"], "{nope}", "holds {nope}, which stands for nothing: there are {file};"),
    (["read"], "{", "holds {, which"), (["read"], "{model}", "{model}"),
    (["read"], "{}", "holds {}, which"),
    (["embed"], "{layers}", "holds {layers} and not {model}"),
    (["edit"], "{file}", "not {edit}"), ((), "{file}", "lines protocol"),
    (list(commands.ARGUMENTS), "{nope}", "{layers}")])
def test_commands_that_are_wrong(verbs, word, said):
    with pytest.raises(ValueError) as e:
        commands.check(["x", word], verbs)
    told = str(e.value)
    assert said in told and told.endswith(("{{ and }} are the braces themselves", "all appended"))


def test_every_class_has_its_verb():
    from efm3.conformance.requirements import CLASSES

    assert tuple(commands.VERBS) == CLASSES and set(commands.VERBS.values()) == set(
        commands.ARGUMENTS)


def test_filled():
    assert commands.filled(["--a={file}", "{{file}}", "{out}", "{{{file}}}"], {"file": "/x{out}"}
                           ) == ["--a=/x{out}", "{file}", "{out}", "{/x{out}}"]


def cannot(*words):
    with pytest.raises(OSError) as e:
        commands.start(list(words))
    return commands.cannot(list(words), e.value)


@posix
def test_why_a_command_cannot_be_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "reader"
    assert cannot("reader") == "reader cannot be run: no folder of PATH has it"
    assert cannot("./reader") == "./reader cannot be run: No such file or directory"
    path.write_text("#!/nowhere/python\n")
    assert cannot("reader").endswith("has it; the file here is ./reader")
    assert cannot("./reader").endswith("it is not executable")
    path.chmod(0o755)
    assert cannot("./reader").endswith("the interpreter in its first line is missing")
    path.write_bytes(b"\x00\x01")
    assert cannot("./reader").endswith("it is neither a program nor has a first line with #!")


def test_on_windows_a_backslash_stands_between_folders(monkeypatch):
    monkeypatch.setattr(commands.sys, "platform", "win32")
    assert commands.words_of(r'C:\py\python.exe "D:\my tools\r.py" {file} # all') == [
        r"C:\py\python.exe", r"D:\my tools\r.py", "{file}", "#", "all"]
    with pytest.raises(ValueError, match="cannot be split"):
        commands.words_of('"')


def test_on_windows_a_program_is_ended_with_those_that_it_started(monkeypatch):
    ran = []

    class Process:
        pid, kill, wait = 7, lambda _: ran.append("kill"), lambda _: ran.append("wait")
    monkeypatch.setattr(commands.sys, "platform", "win32")
    monkeypatch.setattr(commands.subprocess, "run", lambda words, **_: ran.append(words))
    commands.kill(Process())
    assert ran == [["taskkill", "/f", "/t", "/pid", "7"], "kill", "wait"]
