# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The kit's own runners, in sh and in Python: right programs pass, planted mistakes do not.

`make kit` runs both on the whole set.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from efm3.conformance import cases, kit

SCAFFOLDS = Path(__file__).resolve().parents[3] / "efm3" / "conformance" / "scaffolds"
WORDS = ["valid-sample", "bad-h004-alone-kernel-4", "bad-m005-first-wrong",
         "valid-stem-wider-than-blocks", "write-plain", "write-refuse-gdc-kernel", "edit-meta",
         "edit-value", "edit-meta-kept", "edit-refuse-trailing", "run-plain"]
RUNNERS = [pytest.param(["sh", "run.sh"], id="sh", marks=pytest.mark.skipif(
    shutil.which("jq") is None, reason="without jq run.sh compares no documents")),
    pytest.param([sys.executable, "run.py"], id="py")]
both = pytest.mark.parametrize("runner", RUNNERS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The kit with a few cases."""
    path = tmp_path_factory.mktemp("kit")
    kit.write(path, cases.select(cases.corpus(), WORDS))
    return path


@pytest.fixture
def run(folder, tmp_path):
    """Run a runner on a scaffold, changed by text: (exit code, last line, lines before)."""
    def call(runner, kind, name, old="", new="", *words):
        text = (SCAFFOLDS / name).read_text(encoding="utf-8")
        assert old in text
        shutil.copy(SCAFFOLDS / "reader.py", tmp_path)  # the editor's
        (tmp_path / name).write_text(text.replace(old, new) if old else text, encoding="utf-8")
        done = subprocess.run(
            [*runner[:1], folder / runner[1], *words, kind, sys.executable, tmp_path / name],
            cwd=tmp_path, capture_output=True, text=True, check=False)
        assert not done.stderr, done.stderr
        *told, last = done.stdout.splitlines()
        return done.returncode, last, told
    return call


@both
@pytest.mark.parametrize("precision,old,new,told", [
    ("high", "", "", ""), ("fast", "", "", ""),
    # Each value is off by 1e-4: too much in f32, nothing in less, but for the norm.
    ("f32", "np.maximum(norm, 1e-12)", "np.maximum(norm, 1e-12) * 1.0001", "value"),
    ("fast", "np.maximum(norm, 1e-12)", "np.maximum(norm, 1e-12) * 1.0001", "the norm is 1.0001"),
    ("f32", "return y\n\n\ndef conv", "return np.round(y * 64) / 64\n\n\ndef conv", "value"),
    ("fast", "return y\n\n\ndef conv", "return np.round(y * 64) / 64\n\n\ndef conv", ""),
    ("high", "return y\n\n\ndef conv", "return np.round(y * 8) / 8\n\n\ndef conv",
     "1 - cosine is"),
    ("fast", "embedding.astype(np.float32), ", "embedding.astype(np.float32) * np.nan, ", "nan")])
def test_less_than_float32_has_a_bound_for_each_case(run, runner, precision, old, new, told):
    code, last, said = run(runner, "engine", "engine.py", old, new, "-p", precision, "-s",
                           "run-plain")
    assert code == int(bool(told)) and told in " ".join(said), (said, last)


@both
@pytest.mark.parametrize("kind,name,words,count", [
    ("reader", "reader.py", ("-l", "coherence"), 4), ("writer", "exporter.py", (), 2),
    ("editor", "editor.py", (), 4), ("engine", "engine.py", ("-s", "run-*"), 2)])
def test_a_right_program_passes(run, runner, kind, name, words, count):
    code, last, told = run(runner, kind, name, "", "", *words)
    assert (code, told) == (0, [])
    assert last.startswith(f"{kind}: {count} passed, 0 failed, 0 broken")


MISTAKES = [
    ("reader", "reader.py", "stem_kernel % 2 == 1 and", "", "bad-h004-alone-kernel-4", "accepted"),
    ("reader", "reader.py", "payload[:4][::-1].hex()", "payload[:4].hex()", "valid-sample",
     "value"),
    ("reader", "reader.py", "need(len(dict(pairs)) == len(pairs),", "need(True,",
     "bad-m005-first-wrong", "accepted"),
    ("reader", "reader.py", 'arch["stem_channels"] if i == 1', 'arch["stem_channels"] if i == 0',
     "valid-stem-wider-than-blocks", "refused, but it is right"),
    ("reader", "reader.py", "        return 1\n", "        return 3\n", "bad-m005-first-wrong",
     "broken: exit code 3"),
    ("writer", "exporter.py", '"EFM3", 3,', '"EFM3", 4,', "write-plain", "another file"),
    ("editor", "editor.py", "] = bits(row.get(\"value\"))", "] = bits(row.get(\"value\"))[::-1]",
     "edit-value", "another table"),
    ("editor", "editor.py", 'mirror.get("meta", {}) | meta', "meta", "edit-meta-kept",
     "mirror"),
    ("engine", "engine.py", "np.where(y > 0, y,", "np.where(y > 9, y,", "run-plain", "value 0 is"),
]


@both
@pytest.mark.parametrize("kind,name,old,new,case,words", MISTAKES)
def test_a_mistake_is_told(run, runner, kind, name, old, new, case, words):
    level = ("-l", "coherence") if kind == "reader" else ()
    code, last, told = run(runner, kind, name, old, new, *level, "-s", case)
    assert code == (3 if words.startswith("broken") else 1), last
    assert [line for line in told if line.startswith(f"{case} (MUST): ") and words in line], told


@both
@pytest.mark.parametrize("text", ["b''", "out[:90]", "out[:100] + b'\\xff' + out[101:]", "out * 2"])
def test_an_edited_file_that_is_none(run, runner, text):
    code, last, told = run(runner, "editor", "editor.py", "    return out\n",
                           f"    return {text}\n", "-s", "edit-meta")
    assert code == 1 and len(told) == 1, last


@both
def test_a_program_that_writes_nothing_or_a_log_is_broken(run, runner):
    code, last, told = run(runner, "writer", "exporter.py", "Path(out).write_bytes(data)", "pass",
                           "-s", "write-plain")
    assert code == 3 and "broken" in told[0] and "0 failed, 1 broken" in last
    code, last, told = run(runner, "reader", "reader.py", "        with open(args[0]",
                           "        print('loading')\n        with open(args[0]", "-s",
                           "valid-sample")
    assert code == 3 and "broken" in told[0] and "0 failed, 1 broken" in last


CLASSES = [("reader", "bad-h004-alone-kernel-4"), ("writer", "write-refuse-gdc-kernel"),
           ("editor", "edit-refuse-trailing"), ("engine", "bad-h004-alone-kernel-4")]


@both
@pytest.mark.parametrize("kind,case", CLASSES)
def test_only_exit_code_1_is_a_refusal(folder, runner, kind, case):
    """Where a refusal is right: a crash, a lack of memory or a missing program passes nothing."""
    def tell(*command):
        done = subprocess.run([*runner[:1], folder / runner[1], "-s", case, kind, *command],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout
    code, said = tell("sh", "-c", "exit 1")
    assert code == 0 and "1 passed, 0 failed, 0 broken" in said
    ways = [("sh", "-c", f"exit {n}") for n in (2, 10, 19, 71, 100, 124, 126, 127, 139)]
    for command in (*ways, ("sh", "-c", "kill -11 $$"), ("./no-such-program",), ("/",)):
        code, said = tell(*command)
        assert code == 3, (command, said)
        assert f"{case} (MUST): broken: " in said and " 0 failed, 1 broken" in said, command
        assert f"{kind}: 0 passed" in said, command


@pytest.mark.parametrize("spelling,counts", [
    ("", "0 passed, 0 failed, 0 broken; 0 SHOULD failed; 1 answers"),
    (", sort_keys=True, separators=(',', ':')",
     "1 passed, 0 failed, 0 broken; 0 SHOULD failed; 0 answers")])
def test_without_jq_a_document_in_another_spelling_is_not_compared(folder, tmp_path, spelling,
                                                                   counts):
    for word in ("sed", "od", "head", "tail", "cmp", "tr", "rm", "mkdir", "sh", "dirname"):
        (tmp_path / word).symlink_to(shutil.which(word) or pytest.skip(f"no {word}"))
    path, end = tmp_path / "reader.py", 'os.environ.get("EFM3_LEVEL", "structure"))'
    text = (SCAFFOLDS / "reader.py").read_text(encoding="utf-8")
    assert end in text
    path.write_text(text.replace(end, end + spelling), encoding="utf-8")
    done = subprocess.run(["sh", folder / "run.sh", "-s", "valid-sample", "reader",
                           sys.executable, path], capture_output=True, text=True, check=False,
                          env={"PATH": str(tmp_path)})
    assert done.returncode == 0 and counts in done.stdout, (done.stdout, done.stderr)


@both
def test_usage(runner, folder):
    for words in ([], ["reader"], ["-s", "nothing", "reader", "true"], ["-x", "reader", "true"],
                  ["painter", "true"]):
        done = subprocess.run([*runner[:1], folder / runner[1], *words], capture_output=True,
                              check=False)
        assert done.returncode == 2, words
