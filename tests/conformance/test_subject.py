# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The simple protocol: exit code 0 with an answer, exactly 1 for a refusal, all else is broken."""

import json
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from efm3.conformance.subject import Simple, Subject
from tests.systems import ABORTED, WINDOWS, posix


@pytest.fixture
def program(tmp_path):
    """A Simple subject that runs this Python text; `{folder}` in it is a folder to write to."""
    made = []

    def make(text, *words, **options):
        path = tmp_path / f"program{len(made)}.py"
        path.write_text("import sys, os, json\n" + text.replace("{folder}", str(tmp_path)))
        made.append(Simple(shlex.join([sys.executable, str(path), *words]),
                           **{"timeout": 120} | options))
        return made[-1]
    yield make
    for subject in made:
        subject.close()


def test_exit_0_with_json_is_accepted(program):
    answer = program("print(json.dumps({'size': len(open(sys.argv[1], 'rb').read())}))").read(
        b"EFM3", "structure")
    assert (answer.kind, answer.value) == ("ok", {"size": 4})


def test_exit_1_is_a_refusal_with_a_reason(program):
    answer = program("sys.exit('no magic')").read(b"", "structure")
    assert (answer.kind, answer.reason) == ("refused", "no magic")


@pytest.mark.parametrize("text,words", [
    ("sys.exit(2)", "exit code 2"), ("print('fine')", "not JSON"),
    ("os.abort()", f"exit code {ABORTED}" if WINDOWS else "signal 6"),
    ("print('[1]')", "not a JSON object"), ("", "is empty"),
    ("print('loading'); print('{}')", 'line 1 is "loading"; one JSON object is due, and logs'),
    ("print('{\"a\":' * 5000)", "not JSON"),
    ("import time; time.sleep(9)", "no answer in 0.5 s")])
def test_anything_else_is_broken(program, text, words):
    answer = program(text, timeout=0.5 if "sleep" in text else 60).read(b"", "structure")
    assert answer.kind == "broken" and words in answer.reason


def test_a_program_that_is_not_there_is_broken():
    subject = Simple("/nowhere/reader")
    answer = subject.read(b"", "structure")
    assert answer.kind == "broken" and "cannot be run" in answer.reason == subject.unusable
    subject.close()


def test_the_level_is_in_the_environment_and_the_file_on_standard_input(program):
    text = ("print(json.dumps({'level': os.environ['EFM3_LEVEL'], 'args': len(sys.argv),"
            "'n': len(sys.stdin.buffer.read())}))")
    answer = program(text, stdin=True).read(b"12345", "coherence")
    assert answer.value == {"level": "coherence", "args": 1, "n": 5}


def test_placeholders_take_the_place_of_appended_paths(program):
    text = "print(json.dumps({'args': sys.argv[1:]}))"
    answer = program(text, "--in={file}", "x").read(b"", "structure")
    assert len(answer.value["args"]) == 2 and answer.value["args"][0].startswith("--in=/")


WRITER = """
import glob
arch, tensors, out = sys.argv[1:]
names = [os.path.basename(p) for p in glob.glob(tensors + '/*.npy')]
open(out, 'w').write(json.dumps([json.load(open(arch)), names]))
"""


def test_a_writer_gets_its_parts_and_its_file_comes_back(program):
    answer = program(WRITER).write('{"name": "x"}', {"stem.conv.w": np.zeros(3, np.float32)})
    assert json.loads(answer.value) == [{"name": "x"}, ["stem.conv.w.npy"]]


def test_a_writer_may_get_an_npz(program):
    text = "open(sys.argv[3], 'wb').write(open(sys.argv[2], 'rb').read(2))"
    answer = program(text, tensors_form="npz").write("{}", {"a": np.zeros(1, np.float32)})
    assert answer.value == b"PK"


NEW, OVER = "{ }", "{}"
"""What is asked for a new file, and for one over an older one."""


def test_a_writer_that_writes_nothing_is_broken(program):
    for text, words in ((NEW, "there is none"), (OVER, "the older one is there")):
        answer = program("").write(text, {})
        assert answer.kind == "broken" and words in answer.reason
    for text in (NEW, OVER):
        assert program("open(sys.argv[3], 'wb').write(b'new')").write(text, {}).value == b"new"


@pytest.mark.parametrize("script,new,over", [
    ("", "", ""),
    ("open(sys.argv[3], 'w').close()", "a file was left", "the file that was there is another"),
    ("open(sys.argv[3] + '.tmp', 'w').close()", "'out.bin.tmp' was left beside it",
     "'out.bin.tmp' was left beside it"),
    ("os.path.exists(sys.argv[3]) and os.unlink(sys.argv[3])", "", "or gone")])
def test_a_refusal_leaves_no_file_and_no_other(program, script, new, over):
    for text, words in ((NEW, new), (OVER, over)):
        answer = program(f"{script}\nsys.exit(1)").write(text, {})
        assert answer.kind == "refused" and (words in answer.value if words else not answer.value)


def test_an_editor_that_touches_the_file_that_it_was_given_is_broken(program):
    assert program("open(sys.argv[3], 'w').write('new')").edit(b"x", "{}").value == b"new"
    assert program("sys.exit(1)").edit(b"x", "{}").kind == "refused"
    for text in ("open(sys.argv[1], 'w'); sys.exit(1)", "os.unlink(sys.argv[1]); sys.exit(1)"):
        answer = program(text).edit(b"x", "{}")
        assert answer.kind == "broken" and "changed the file" in answer.reason


ENGINE = """
import struct
model, given, output, layers = sys.argv[1:]
x = open(given, 'rb').read()
open(output, 'wb').write(x[:8])
open(layers + '/stem.f32', 'wb').write(struct.pack('<2f', 1, 2))
"""


def test_an_engine_gets_model_and_input_and_gives_embedding_and_layers(program):
    subject = program(ENGINE, "{model}", "{input}", "{output}", "{layers}")
    embedding, layers = subject.embed(b"model", np.full((3, 112, 112), 0.5, np.float32)).value
    assert embedding.tolist() == [0.5, 0.5] and layers["stem"].tolist() == [1, 2]
    folder = Path(subject._folder.name)
    assert sorted(p.name.split("-")[1] for p in folder.iterdir()) == ["input.f32", "model.bin"]
    before = set(folder.iterdir())
    subject.embed(b"model", np.full((3, 112, 112), 0.5, np.float32))
    assert set(folder.iterdir()) == before  # the same bytes are written once
    embedding, _ = subject.embed(b"other", np.full((3, 112, 112), 2, np.float32)).value
    assert embedding.tolist() == [2, 2] and len(list(folder.iterdir())) == 2
    assert not set(folder.iterdir()) & before


def test_an_engine_with_a_wrong_output_is_broken(program):
    assert program("").embed(b"", np.zeros(3)).kind == "broken"
    assert program("open(sys.argv[3], 'w').write('abc')").embed(b"", np.zeros(3)).kind == "broken"


def test_every_class_is_broken_where_a_subject_has_none_of_it():
    nothing = Subject()
    for answer in (nothing.read(b"", ""), nothing.write("{}", {}), nothing.edit(b"", "{}"),
                   nothing.embed(b"", None)):
        assert answer.kind == "broken"


def test_a_command_that_is_none_is_refused():
    for command, tested in (("  ", ""), ("x {nope}", ""), ("x {model}", "reader"),
                            ("x {file} {out}", "editor")):
        with pytest.raises(ValueError, match="the command"):
            Simple(command, tested=tested)


def test_doubled_braces_are_braces_and_paths_are_appended_to_them(program):
    text = "print(json.dumps({'args': sys.argv[1:]}))"
    first, path = program(text, '{{"a": 1}}').read(b"", "structure").value["args"]
    assert first == '{"a": 1}' and path.endswith("case.bin")


@posix
def test_a_program_ends_with_those_that_it_started(program, tmp_path):
    """A shell that is killed alone leaves its child with the pipe, and the kit waiting."""
    (tmp_path / "slow.sh").write_text("sleep 60\n")
    text = f"import subprocess; subprocess.run(['sh', '{tmp_path}/slow.sh'])"
    before = time.monotonic()
    answer = program(text, timeout=0.5).read(b"", "structure")
    assert answer.kind == "broken" and "--timeout" in answer.reason
    assert time.monotonic() - before < 40


def test_a_program_that_a_shell_does_not_find_is_unusable_unless_it_answered(program):
    subject = program("sys.exit(127 if open(sys.argv[1]).read() else 1)")
    assert subject.read(b"", "x").kind == "refused" and subject.read(b"a", "x").kind == "broken"
    assert not subject.unusable
    subject = program("sys.exit(127)")
    subject.read(b"", "x")
    assert "command that is not there" in subject.unusable
