# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs: which cases a class answers to, jobs, known failures, the set's digest."""

import shlex
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from efm3.conformance import runner
from efm3.conformance.export import index
from efm3.conformance.lines import Lines
from efm3.conformance.subject import Simple
from efm3.findings import Efm3Error
from tests.systems import CRASHED, WINDOWS


def test_an_engine_answers_to_the_readers_cases_too():
    assert {c.kind for c in runner.cases_of("engine")} == {"engine", "reader"}
    for kind in ("reader", "writer", "editor"):
        assert {c.kind for c in runner.cases_of(kind)} == {kind}


def test_subjects_by_command():
    made = [runner.subject("true"), runner.subject("true", "lines", timeout=1)]
    assert [type(s) for s in made] == [Simple, Lines]
    for s in made:
        s.close()
    with pytest.raises(ValueError, match="@nothing"):
        runner.subject("@nothing")


def test_a_run_tells_what_it_was():
    run = runner.run_all("reader", "@python", ["bad-h004-*"], level="coherence")
    assert run.ok and run.level == "coherence" and run.selected == ("bad-h004-*",)
    assert run.implementation["name"] == "efm3" and run.digest == index()["digest"]


def test_jobs_give_the_outcomes_in_the_cases_order():
    words = ["bad-c001-*", "bad-c002-*"]
    subject = Simple("false")
    run = runner.run_all("reader", "false", words, jobs=4, of=subject)
    subject.close()
    assert [o.case for o in run.outcomes] == [c.id for c in runner.cases_of("reader", words)]
    assert run.ok  # `false` refuses everything, which is right for these


def test_a_listed_case_that_passes_fails_the_run():
    words = ["bad-c001-*"]
    assert runner.run_all("reader", "@python", words).ok
    run = runner.run_all("reader", "@python", words, known=["bad-c001-empty"])
    assert not run.ok and run.outcomes[0].verdict == "unexpected"


def test_true_and_false_are_no_readers():
    assert not runner.run_all("reader", "false", ["smoke"]).ok
    assert runner.run_all("reader", "true", ["bad-c001-*"]).count("broken") == 1


@pytest.mark.parametrize("command,protocol,words", [
    ("/nowhere/reader", "simple", "cannot be run"), ("sh -c nowhere-reader", "simple", "127"),
    ("/nowhere/reader", "lines", "cannot be run"), ("true", "lines", "handshake"),
    ("sh -c 'echo $0 >&2; exit 9'", "simple", "broken in each of the first cases")])
def test_a_program_that_cannot_be_run_ends_the_run_at_once(command, protocol, words):
    asked = []

    def progress(found, total):
        for o in found:
            asked.append(o)
            yield o
    subject = runner.subject(command, protocol, timeout=60)
    with pytest.raises(Efm3Error, match=words) as e:
        runner.run_all("reader", command, jobs=2, of=subject, progress=progress)
    subject.close()
    assert e.value.code == "K016" and len(asked) < runner.FIRST


HELLO = '{"version":1,"ready":true,"implementation":{"name":"t","version":"1"}}'


@pytest.mark.parametrize("then,words", [
    ("exit 0", "it ended without an answer (exit code 0)"),
    ("read x; exit 9", "it ended without an answer (exit code 9)"),
    ("read x; kill -11 $$",
     f"it ended without an answer ({f'exit code {CRASHED}' if WINDOWS else 'signal 11'})"),
    ("read x; echo at 0x$$ab", 'not JSON: "at 0x')])
def test_a_program_that_ends_after_its_handshake_is_given_few_cases(tmp_path, then, words):
    path, count = tmp_path / "reader.sh", tmp_path / "count"
    path.write_text(f"echo >>{count}; read x; echo '{HELLO}'; {then}\n")
    subject = runner.subject(f"sh {path}", "lines", timeout=60)
    with pytest.raises(Efm3Error) as e:
        runner.run_all("reader", "", of=subject)
    subject.close()
    assert e.value.code == "K016" and words in str(e.value)
    assert count.stat().st_size <= runner.FIRST + 1


def test_a_program_that_is_broken_on_the_first_files_alone_is_given_all(tmp_path):
    path = tmp_path / "reader.py"
    path.write_text("import os, sys; sys.exit(9 if os.path.getsize(sys.argv[1]) < 40 else 1)")
    words = ["bad-c001-*", "bad-c002-*"]
    subject = runner.subject(shlex.join([sys.executable, str(path)]))
    run = runner.run_all("reader", "", words, of=subject)
    subject.close()
    assert len(run.outcomes) == len(runner.cases_of("reader", words)) and run.count("broken")
    assert {o.verdict for o in run.outcomes[:1]} == {"broken"}


def test_cases_that_are_asked_at_once_do_not_get_each_others_models(tmp_path):
    """The program says how long its model is; each case's is of another length."""
    path = tmp_path / "engine.py"
    path.write_text("import os, struct, sys\n"
                    "n = os.path.getsize(sys.argv[1])\n"
                    "open(sys.argv[3], 'wb').write(struct.pack('<f', n))\n")
    subject = Simple(shlex.join([sys.executable, str(path)]))

    def told(n):
        return int(subject.embed(bytes(n), np.zeros(3)).value[0][0])
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(told, range(1, 41))) == list(range(1, 41))
    subject.close()
