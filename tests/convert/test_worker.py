# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A runtime's process: what it holds, how it ends, and what ends with it."""


import json
import os
import signal

import numpy as np
import pytest

import efm3
from efm3.convert import _worker
from tests.systems import CRASHED, WINDOWS

CHILD = '''
import json, os, signal, sys, time

def main():
    given, answers = sys.stdin.buffer, sys.stdout.buffer
    held = None
    while line := given.readline():
        word = json.loads(line)
        if word.startswith("load "):
            held, numbers = word[5:], []
        elif word == "who":
            numbers = [os.getpid() % 1000, int(held)]
        elif word == "crash":
            signal.raise_signal(signal.SIGSEGV)
        elif word == "leave":
            sys.exit(3)
        elif word == "sleep":
            time.sleep(60)
        elif word == "half":
            answers.write(b'{"shape": [4]}' + bytes([10, 0, 0]))
            answers.close()
            time.sleep(60)
        odd = {"list": b"[1]", "junk": b"ready", "huge": b'{"shape": [1000000000]}'}
        if word in odd:
            answers.write(odd[word] + bytes([10]))
        elif word == "no":
            answers.write(json.dumps({"shape": [0], "error": "not " + held}).encode() + bytes([10]))
        else:
            import array
            answers.write(json.dumps({"shape": [1, len(numbers)]}).encode() + bytes([10]))
            answers.write(array.array("f", numbers).tobytes())
        answers.flush()
'''


class Network:
    """Something that can be held weakly."""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    (tmp_path / "a_runtime.py").write_text(CHILD)
    monkeypatch.syspath_prepend(tmp_path)
    return _worker.Worker("a_runtime", "A runtime")


def said(word):
    return [json.dumps(word).encode(), b"\n"]


def who(worker, network, number):
    """The process, and the number that was loaded."""
    answer = worker.ask(network, said(f"load {number}"), said("who"))
    assert answer.shape == (1, 2) and answer.dtype == np.float32
    return [int(v) for v in answer[0]]


def test_one_process_holds_one_network_after_the_other(worker):
    a, b = Network(), Network()
    first, one = who(worker, a, 1)
    assert [one, who(worker, b, 2), who(worker, b, 9), who(worker, a, 1)] == [
        1, [first, 2], [first, 2], [first, 1]]
    # A new object in the place of one that is gone is not taken for it.
    del a
    assert who(worker, Network(), 4) == [first, 4]


@pytest.mark.parametrize("word,why", [
    ("crash", f"ended with {CRASHED}" if WINDOWS else "ended by SIGSEGV"),
    ("leave", "ended with 3"), ("junk", "ended"), ("list", "ended"),
    ("huge", "ended")])
def test_an_end_is_one_refusal_and_the_next_question_is_answered(worker, word, why):
    network = Network()
    first, _ = who(worker, network, 1)
    with pytest.raises(efm3.Efm3Error, match=f"A runtime cannot run it: .*{why}") as e:
        worker.ask(network, said("load 1"), said(word))
    assert e.value.code == "X013"
    second, number = who(worker, network, 1)
    assert number == 1 and second != first


@pytest.mark.parametrize("word", ["sleep", "half"])
def test_no_answer_in_time(worker, monkeypatch, word):
    network = Network()
    who(worker, network, 1)
    monkeypatch.setattr(_worker, "LIMIT", 0.05)
    with pytest.raises(efm3.Efm3Error, match="no answer in"):
        worker.ask(network, said("load 1"), said(word))


def test_a_no_leaves_the_process(worker):
    network = Network()
    first, _ = who(worker, network, 1)
    with pytest.raises(efm3.Efm3Error, match="cannot run it: not 1"):
        worker.ask(network, said("load 1"), said("no"))
    assert who(worker, network, 7) == [first, 7]


def test_a_process_that_ended_itself_is_started_again(worker):
    network = Network()
    first, _ = who(worker, network, 1)
    worker._process.kill()
    worker._process.wait()
    second, number = who(worker, network, 5)
    assert number == 5 and second != first


def test_the_process_ends_with_its_worker(worker):
    network = Network()
    who(worker, network, 1)
    process = worker._process
    worker._end()
    assert process.returncode == -signal.SIGKILL and process.stdin.closed


def test_interrupted_between_question_and_answer(worker, monkeypatch):
    who(worker, Network(), 1)

    def interrupt(*args):
        raise KeyboardInterrupt
    with monkeypatch.context() as m:
        m.setattr(_worker.json, "loads", interrupt)
        with pytest.raises(KeyboardInterrupt):
            worker.ask(Network(), said("load 2"))
    assert worker._process.returncode is not None
    assert who(worker, Network(), 2)[1] == 2


def test_a_fork_leaves_its_parents_process(worker, monkeypatch):
    who(worker, Network(), 1)
    with monkeypatch.context() as m:
        m.setattr(os, "getpid", lambda: -1)
        worker._end()
    assert worker._process.poll() is None
    _worker._stop(worker._process, os.getpid())
