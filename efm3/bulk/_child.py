# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A worker's process: frames on standard input are questions, those on standard output answers.

The first frame is the plan and the model. It ends when its standard input does, so that none
outlives the run, however that ended.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from efm3.bulk import _frames
from efm3.bulk.rows import Maker, Plan
from efm3.findings import Efm3Error

Frame = tuple[dict[str, Any], bytes]
Make = Callable[[bytes, Plan], Any]


def main(make: Make = Maker) -> None:
    """Answer until the questions end. `make` opens what has a method `made`."""
    # What a library prints must not get among the answers.
    answers = os.dup(1)
    os.dup2(2, 1)
    questions: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(questions,), daemon=True).start()
    try:
        words, model = questions.get()
        maker = make(model, Plan(**words["plan"]))
        del model
        _say(answers, _frames.frame({"ready": True}))
        while True:
            words, body = questions.get()
            start = time.process_time()  # a busy machine makes no picture slower
            made = maker.made(_frames.asked(words, body))
            _say(answers, _frames.answer(made, time.process_time() - start))
    except Efm3Error as e:
        _say(answers, _frames.refusal(e))
    except Exception as e:
        _say(answers, _frames.frame({"died": f"{type(e).__name__}: {e}"[:300]}))
    os._exit(1)


def _listen(questions: queue.SimpleQueue[Frame]) -> None:
    """Take every question at once, so that who asks never waits; there are never many."""
    try:
        while True:
            questions.put(_frames.read_frame(sys.stdin.buffer.read))
    except (EOFError, OSError, ValueError):
        os._exit(0)


def _say(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(fd, rest):]
    except OSError:
        os._exit(0)
