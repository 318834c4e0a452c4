# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""spec/efm3.ksy compiled to JavaScript: the same verdicts and documents as ours.

What the description itself says is tested in test_kaitai.py; here it is what another language makes
of it: numbers, divisions, the walk over the tree, the protocols.
"""

import itertools
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from efm3.conformance import runner, sample
from efm3.conformance.document import document
from efm3.conformance.lines import Lines
from tests import damaged
from tests.oracle import accepts

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "tools" / "foreign" / "kaitai_reader.js"
RUNTIME = ROOT / "build" / "kaitai" / "node_modules" / "kaitai-struct"
NODE = shutil.which("node")
CASES = ["smoke", "bad-t012-*"]
"""Among them sizes that this language's runtime takes for negative."""


def run(*args, program=PROGRAM, level="structure", **kw):
    return subprocess.run([NODE, program, *args], capture_output=True, timeout=600, check=False,
                          env=os.environ | {"EFM3_LEVEL": level}, **kw)


@pytest.fixture(scope="module")
def subject():
    """The reader behind the lines protocol."""
    if NODE is None:
        pytest.skip("node is not there")
    if not RUNTIME.is_dir():
        pytest.skip("Kaitai Struct's runtime for JavaScript is not in build/kaitai: "
                    "run tools/foreign/install_kaitai.sh")
    made = Lines(shlex.join([NODE, str(PROGRAM), "--lines"]))
    yield made
    made.close()


def test_it_conforms_as_a_reader(subject):
    """Some cases through the kit; `make conformance` runs all."""
    found = runner.run_all("reader", str(PROGRAM), CASES, of=subject)
    assert [(o.case, o.detail) for o in found.outcomes if o.verdict != "pass"] == []
    assert len(found.outcomes) == len(runner.cases_of("reader", CASES))
    assert found.implementation["language"] == "Kaitai Struct, JavaScript"


def test_verdicts_and_documents_of_other_files(subject):
    """Wrong numbers at each limit, sizes that wrap at 32 bits, other shapes."""
    seen = set()
    files = [data for kind in damaged.all_kinds().values()
             for data in itertools.islice(kind(), 0, None, 60)]
    for data in [*files, damaged.wraps(), *damaged.shapes(4, 10)]:
        answer = subject.read(data, "structure")
        assert answer.kind == ("ok" if accepts(data) else "refused"), answer.reason
        if answer.kind == "ok":
            assert answer.value == document(data)
        else:
            assert answer.reason
        seen.add(answer.kind)
    assert seen == {"ok", "refused"}


def test_it_says_that_it_does_not_do_the_rest(subject, tmp_path):
    assert subject.read(sample.base(), "coherence").kind == "broken"
    assert "structure" in subject.read(sample.base(), "coherence").reason
    assert subject.edit(sample.base(), "{}").kind == "broken"
    gone = subject.ask("read", {"file": str(tmp_path / "none")}, "structure", b"")
    assert gone.kind == "broken" and "none" in gone.reason


def test_simple_protocol(subject, tmp_path):
    good, bad = tmp_path / "good.bin", tmp_path / "bad.bin"
    good.write_bytes(sample.base())
    bad.write_bytes(sample.base()[:-1])
    for done in (run(good), run(input=good.read_bytes())):
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads(done.stdout) == document(sample.base())
    done = run(bad)
    assert (done.returncode, done.stdout) == (1, b"") and done.stderr.count(b"\n") == 1
    for done in (run(tmp_path / "none.bin"), run(good, level="coherence")):
        assert (done.returncode, done.stdout) == (70, b"") and done.stderr.count(b"\n") == 1


def test_what_is_missing_is_said_and_refuses_nothing(tmp_path):
    """A copy of the programs beside no build folder."""
    if NODE is None:
        pytest.skip("node is not there")
    home = tmp_path / "tools" / "foreign"
    home.mkdir(parents=True)
    (tmp_path / "spec").mkdir()
    shutil.copy(ROOT / "spec" / "efm3.ksy", tmp_path / "spec")
    for name in ("kaitai_reader.js", "kaitai_compile.js"):
        shutil.copy(PROGRAM.with_name(name), home)
    done = run(input=sample.base(), program=home / PROGRAM.name)
    assert done.returncode == 70 and b"install_kaitai.sh" in done.stderr
    assert list((tmp_path / "build" / "kaitai" / "parsers").iterdir()) == []


def test_the_reader_is_not_ours():
    required = [line.split('require("')[1].split('"')[0]
                for line in PROGRAM.read_text(encoding="utf-8").splitlines() if 'require("' in line]
    assert sorted(required) == ["./kaitai_compile.js", "crypto", "fs", "path", "readline"]
