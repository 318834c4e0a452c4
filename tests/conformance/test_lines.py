# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The lines protocol: a handshake, one line an answer, and every other line is broken."""

import json
import shlex
import sys

import pytest

from efm3 import mirror
from efm3.conformance import lines

HELLO = ('print(json.dumps({"version": 1, "ready": True, "implementation": '
         '{"name": "t", "version": "1"}}), flush=True)')
LOOP = """
for line in sys.stdin:
    m = json.loads(line)
    if m["cmd"] == "start":
        {hello}
    elif m["cmd"] == "stop":
        break
    else:
        {answer}
"""


@pytest.fixture
def program(tmp_path):
    """A Lines subject with this code for an answer."""
    made = []

    def make(answer, hello=HELLO, **options):
        path = tmp_path / f"program{len(made)}.py"
        path.write_text("import json, sys, time, os\n" + LOOP.format(hello=hello, answer=answer))
        made.append(lines.Lines(shlex.join([sys.executable, str(path)]),
                                **{"timeout": 120} | options))
        return made[-1]
    yield make
    for subject in made:
        subject.close()


def say(text):
    return f"print(json.dumps({text}), flush=True)"


def test_ok_refused_and_error(program):
    subject = program(say('{"seq": m["seq"], "ok": True, "document": {"level": m["level"]}}'))
    assert subject.implementation["name"] == "t"
    assert subject.read(b"", "coherence").value == {"level": "coherence"}
    subject = program(say('{"seq": m["seq"], "ok": False, "reason": "bad"}'))
    assert [subject.read(b"", "x").kind for _ in range(3)] == ["refused"] * 3
    answer = program(say('{"seq": m["seq"], "error": "oops"}')).read(b"", "x")
    assert (answer.kind, answer.reason) == ("broken", "oops")


@pytest.mark.parametrize("answer,words", [
    ("print('fine', flush=True)", 'not JSON: "fine"; each answer is one line of JSON, and logs'),
    ("print('{\\n}', flush=True)", 'not JSON: "{"'), ("print(flush=True)", "is empty"),
    ("sys.stdout.reconfigure(encoding='utf-8'); print('\\ufeff{}', flush=True)", "byte order mark"),
    (say('{"seq": 1}'), "neither ok nor error"),
    (say('{"seq": m["seq"], "ok": False, "reason": "r", "zz": 0}'), "('zz' was unexpected)"),
    (say('{"seq": m["seq"], "ok": False, "document": {}}'), "('document' was unexpected)"),
    (say('{"seq": m["seq"], "ok": True, "reason": ""}'), "('reason' was unexpected)"),
    (say('{"seq": m["seq"], "error": "e", "ok": False}'), "('ok' was unexpected)"),
    (say('{"ok": False}'), "'seq' is a required"), (say('{"seq": 1, "error": 5}'), "$.error: 5"),
    (say('{"seq": m["seq"], "ok": "yes"}'), "$.ok: 'yes' is neither true nor false"),
    (say('{"seq": m["seq"], "ok": True, "extra": 1}'), "schema"),
    (say('{"seq": m["seq"] + 1, "ok": True}'), "answer to"),
    (say('{"seq": m["seq"], "ok": True}'), "without a document"),
    ("os._exit(7)", "it ended without an answer (exit code 7)"),
    ("sys.stdout.write('{'); sys.stdout.flush(); os._exit(0)", 'it ended in a line: "{"'),
    ("sys.stdout.write('{\"seq\":'); sys.stdout.flush(); time.sleep(9)",
     'no line end after "{"seq":" in 0.5 s'),
    ("time.sleep(9)", "no answer in 0.5 s: does it flush")])
def test_a_broken_answer_is_told_apart_and_the_next_case_is_asked_afresh(program, answer, words):
    # A loaded machine takes its time to start a program: only the sleeper is not waited for.
    subject = program(answer, timeout=60)
    if "sleep" in answer:
        subject._timeout = 0.5
    for _ in range(1 if "sleep" in answer else 2):
        got = subject.read(b"", "structure")
        assert got.kind == "broken" and words in got.reason


@pytest.mark.parametrize("hello", [
    "print('{}', flush=True)", "pass", "os._exit(3)",
    say('{"version": 2, "ready": True, "implementation": {"name": "t", "version": "1"}}'),
    say('{"version": 1, "ready": True, "implementation": {"name": "", "version": "1"}}')])
def test_without_a_handshake_nothing_is_asked(program, hello):
    subject = program("pass", hello=hello, timeout=1)
    got = subject.read(b"", "structure")
    assert got.kind == "broken" and "handshake" in got.reason == subject.unusable


def test_white_space_around_an_answer_is_no_fault(program):
    text = 'sys.stdout.write(json.dumps({"seq": m["seq"], "ok": True}) + "  \\r\\n")'
    assert program(f"{text}; sys.stdout.flush()").write("", {}).kind == "broken"  # no file


def test_lines_that_nobody_asked_for_do_not_fill_the_memory(program):
    subject = program("[print('{}', flush=True) for _ in range(100000)]")
    assert "schema" in subject.read(b"", "x").reason
    assert subject._answers.maxsize == 4


TWICE = ('t = json.dumps({"seq": m["seq"], "ok": False}) + "\\n"; sys.stdout.write(t + t); '
         'sys.stdout.flush()')


@pytest.mark.parametrize("late", [True, False], ids=["late", "early"])
def test_a_second_answer_is_told_as_surplus(program, late, monkeypatch):
    """Whether its line came before the next question or, as far as can be seen, after it."""
    subject = program(TWICE)
    assert subject.read(b"", "x").kind == "refused"
    second = subject._answers.get(timeout=60)
    if not late:
        subject._answers.put(second)
    else:  # the line is there as soon as the question was sent
        monkeypatch.setattr(subject, "_log",
                            lambda s: s.startswith("->") and subject._answers.put(second))
    got = subject.read(b"", "x")
    assert got.kind == "broken" and "a surplus line" in got.reason
    assert ("an answer to 1, 2 was asked" if late else "before 2 was asked") in got.reason
    monkeypatch.undo()
    assert subject.read(b"", "x").kind == "refused"  # it was started again


def test_a_handshake_that_comes_unasked_is_taken(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(f"import json, sys\n{HELLO}\nsys.stdin.read()")
    subject = lines.Lines(shlex.join([sys.executable, str(path)]), 60)
    assert subject.implementation["name"] == "t"
    subject.close()


def test_an_answer_to_a_later_question_is_no_surplus(program):
    got = program(say('{"seq": m["seq"] + 1, "ok": False}')).read(b"", "x")
    assert got.reason == "an answer to 2, 1 was asked"


def test_lines_that_come_in_pieces_are_one(program):
    subject = program('[(sys.stdout.write(c), sys.stdout.flush()) for c in '
                      'json.dumps({"seq": m["seq"], "ok": False, "reason": "r"}) + "\\n"]')
    assert [subject.read(b"", "x").reason for _ in range(2)] == ["r", "r"]


def test_a_line_that_is_too_long_is_not_kept(program, monkeypatch):
    monkeypatch.setattr(lines, "MAX_OUTPUT", 1 << 17)
    monkeypatch.setattr("efm3.conformance.answers.MAX_OUTPUT", 1 << 17)
    subject = program("sys.stdout.write('x' * (1 << 22)); sys.stdout.flush()")
    assert "its line is over" in subject.read(b"", "x").reason


def test_a_command_has_no_placeholders(program):
    with pytest.raises(ValueError, match="in its lines"):
        lines.Lines("x {file}")


def test_a_program_that_is_not_there():
    subject = lines.Lines("/nowhere/reader")
    assert "cannot be run" in subject.read(b"", "x").reason
    subject.close()


def test_the_messages_are_logged_and_fit_the_schema(program):
    log = []
    subject = program(say('{"seq": m["seq"], "ok": True}'), log=log.append)
    subject.write("{}", {})
    subject.edit(b"", "{}")
    check = mirror.checker({"$ref": "#/$defs/request"} | lines.schema())
    sent = [json.loads(line[3:]) for line in log if line.startswith("-> ")]
    assert [m["cmd"] for m in sent] == ["start", "write", "edit"]
    assert [check(m) for m in sent] == ["", "", ""]
    assert sum(line.startswith("<- ") for line in log) == 3
