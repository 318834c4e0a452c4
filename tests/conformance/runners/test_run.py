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
def test_usage(runner, folder):
    for words in ([], ["reader"], ["-s", "nothing", "reader", "true"], ["-x", "reader", "true"],
                  ["painter", "true"]):
        done = subprocess.run([*runner[:1], folder / runner[1], *words], capture_output=True,
                              check=False)
        assert done.returncode == 2, words
