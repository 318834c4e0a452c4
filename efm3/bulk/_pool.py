# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Workers in processes of their own: pictures in, rows out in the same order.

Processes, for decoding holds Python's lock most of the time; started as new programs, for a fork
of a process with threads may hang. What a picture does to its worker ends with the worker: what
it had is asked again, picture by picture, and the one that kills a worker twice gets a row that
says so.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

from efm3.bulk import _frames
from efm3.bulk.inputs import Item
from efm3.bulk.rows import Made, Plan, failed
from efm3.findings import Finding, error, refuse

# The child gets our import path: isolated (-I), it looks for modules nowhere else, and not in the
# current folder, which may hold pictures, and a module of any name.
PROGRAM = """import sys
sys.path[:] = sys.argv[2:]
try:
    from {0} import main
except Exception as e:
    sys.exit(f"efm3: a worker does not start: {{e}}")
main()
"""
CHILD = "efm3.bulk._child"
MOST = 32
"""Pictures of a question; fewer where they take more than BUSY seconds."""
BUSY = 0.04
FIRST = 4
"""Pictures of a question while it is not known how long they take."""
CREDIT = 4
"""Questions that a worker has at once: it has something to do while the run writes a part."""
AHEAD = 16
"""Questions for each worker whose answers wait for those of slower pictures before them."""
BYTES = 1 << 24
"""Of pictures out of archives: in a question about a quarter, with the workers so many."""
PIPE = 1 << 20
"""Bytes of a pipe, where the system lets it be as large."""
STARTS = 3
"""Workers that end before they are ready, one after the other, until the run gives up."""


class _Chunk:
    """Pictures that stand one after the other, and what is known of each."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.made: list[Made | None] = [None] * len(items)
        self.left = len(items)
        self.bytes = sum(len(i.source) for i in items if isinstance(i.source, bytes))

    def fill(self, at: int, made: list[Made]) -> None:
        self.made[at:at + len(made)] = made
        self.left -= len(made)


class _Ask(NamedTuple):
    """A question: a part of a chunk."""

    chunk: _Chunk
    start: int
    stop: int

    @property
    def items(self) -> list[Item]:
        return self.chunk.items[self.start:self.stop]


class _Worker:
    """A process, the questions that it has, oldest first, and whether it answered at all.

    What it says is read by a thread, for not every system can wait for one of several pipes. It
    comes into `said` frame by frame, the next one once `taken` was called, and at last the error
    that ends them.
    """

    def __init__(self, module: str, said: queue.SimpleQueue[_Said]) -> None:
        self.asks: deque[_Ask] = deque()
        self.ready = False
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", PROGRAM.format(module), "efm3-worker",
             *(p or os.getcwd() for p in sys.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            # Ctrl-C is for the run, which then ends its workers; Windows knows groups alone.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            env={"OPENBLAS_NUM_THREADS": "1", **os.environ})
        assert self.process.stdin and self.process.stdout
        self._in, self._out, self._said = self.process.stdin, self.process.stdout, said
        for pipe in (self._in, self._out):
            with contextlib.suppress(ImportError, AttributeError, OSError):
                import fcntl

                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)
        self._next = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self.process.kill()
            self.process.wait()
            raise

    def _listen(self) -> None:
        while True:
            try:
                found: _Answer = _frames.read_frame(self._read)
            except Exception as e:
                found = e
            self._said.put((self, found))
            if isinstance(found, Exception):
                return
            self._next.acquire()

    def taken(self) -> None:
        """The next frame may be read."""
        self._next.release()

    def say(self, data: bytes) -> None:
        rest = memoryview(data)
        # A worker that died is found where its answer is missing.
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[self._in.write(rest):]

    def _read(self, count: int) -> bytes:
        """So many bytes of its answer, fewer where it died."""
        data, at = bytearray(count), 0
        while at < count and (found := self._out.readinto(memoryview(data)[at:])):  # type: ignore
            at += found
        return bytes(data[:at])

    def end(self) -> int:
        """Its exit status, after it was ended where it had not by itself."""
        with contextlib.suppress(OSError):
            self._in.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.2)
        self.process.kill()
        status = self.process.wait()
        self.taken()
        # What it started may hold the pipe open: then the thread stays, and closes nothing.
        self._thread.join(0.2)
        if not self._thread.is_alive():
            self._out.close()
        return status


_Answer = tuple[dict[str, Any], bytes] | Exception
_Said = tuple[_Worker, _Answer]


class Pool:
    """`jobs` workers for a plan; `start`, then `rows`, then `close`."""

    def __init__(self, model: bytes, plan: Plan, dim: int, jobs: int, module: str = CHILD) -> None:
        self._hello = _frames.frame({"plan": asdict(plan)}, model)
        self._dim, self._jobs, self._module = dim, jobs, module
        # A photograph may show a thousand faces, with two kilobytes for each.
        self._most = MOST // 4 if plan.face == "all" else MOST
        self._workers: list[_Worker] = []
        self._again: deque[_Ask] = deque()
        self._failed, self._size, self._bytes = 0, min(FIRST, self._most), 0
        self._said: queue.SimpleQueue[_Said] = queue.SimpleQueue()

    def start(self) -> None:
        """Start the workers, and wait for one. Raises what opening model and detector raises."""
        for _ in range(self._jobs):
            self._workers.append(self._started())
        for worker in self._workers:
            worker.say(self._hello)
        while not any(w.ready for w in self._workers):
            self._wait()

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.end()
        self._workers = []

    def rows(self, items: Iterator[Item]) -> Iterator[Made]:
        """The rows of the pictures, in their order."""
        order: deque[_Chunk] = deque()
        held: _Chunk | None = None
        ended = False
        while order or held or not ended:
            for depth in range(1, CREDIT + 1):
                for worker in self._workers:
                    if len(worker.asks) >= depth:
                        continue
                    if self._again:
                        self._ask(worker, self._again.popleft())
                        continue
                    if held is None and not ended and len(order) < AHEAD * self._jobs:
                        held = self._chunk(items)
                        ended = held is None
                    if held is None or (order and self._bytes + held.bytes > BYTES):
                        continue
                    order.append(held)
                    self._bytes += held.bytes
                    self._ask(worker, _Ask(held, 0, len(held.items)))
                    held = None
            if order and order[0].left:
                self._wait()
            while order and not order[0].left:
                chunk = order.popleft()
                self._bytes -= chunk.bytes
                for made in chunk.made:
                    assert made is not None
                    yield made

    def _chunk(self, items: Iterator[Item]) -> _Chunk | None:
        """The next pictures; one that cannot be had ends a chunk of its own."""
        found: list[Item] = []
        held = 0
        for item in items:
            found.append(item)
            held += len(item.source) if isinstance(item.source, bytes) else 0
            if len(found) >= self._size or held > BYTES // 4 or isinstance(item.source, Finding):
                break
        return _Chunk(found) if found else None

    def _started(self) -> _Worker:
        return _Worker(self._module, self._said)

    def _ask(self, worker: _Worker, ask: _Ask) -> None:
        worker.asks.append(ask)
        worker.say(_frames.question([(i.name, i.source) for i in ask.items
                                     if not isinstance(i.source, Finding)]))

    def _wait(self) -> None:
        """Wait for an answer, and take it."""
        while True:
            with contextlib.suppress(queue.Empty):
                # Windows hears Ctrl-C between two waits alone.
                worker, found = self._said.get(timeout=0.5)
                break
        if worker not in self._workers:
            return
        worker.taken()
        try:
            if isinstance(found, Exception):
                raise found
            words, body = found
            if "died" in words:
                raise _frames.Garbled(str(words["died"]))
            if not worker.ready and "ready" in words:
                worker.ready, self._failed = True, 0
                return
            self._take(worker, words, body)
        except (EOFError, _frames.Garbled) as e:
            self._lost(worker, str(e))

    def _take(self, worker: _Worker, words: dict[str, Any], body: bytes) -> None:
        if not worker.asks:
            _frames.answered(words, body, [], self._dim)  # only a refusal may come unasked
            raise _frames.Garbled("an answer without a question")
        ask = worker.asks[0]
        sound = [i for i in ask.items if not isinstance(i.source, Finding)]
        made = iter(_frames.answered(words, body, [i.name for i in sound], self._dim))
        worker.asks.popleft()
        ask.chunk.fill(ask.start, [
            failed(i.name, i.source) if isinstance(i.source, Finding) else next(made)
            for i in ask.items])
        each = float(words["seconds"]) / max(1, len(sound))
        self._size = max(1, min(self._most, int(BUSY / max(each, 1e-6))))

    def _lost(self, worker: _Worker, why: str) -> None:
        """A worker is dead: start another, and ask the first question again in pieces."""
        status = worker.end()
        why = why or _ended(status)
        if not worker.ready:
            self._failed += 1
            if self._failed >= STARTS:
                refuse("B013", f"the workers end before they can work: {why}")
        new = self._started()
        self._workers[self._workers.index(worker)] = new
        new.say(self._hello)
        asks = [*worker.asks]
        if worker.ready and asks:
            ask = asks.pop(0)
            if ask.stop - ask.start == 1:
                name = ask.items[0].name
                ask.chunk.fill(ask.start, [failed(name, error(
                    "B013", f"the process that worked on it died: {why}", name).finding)])
            else:
                asks = [_Ask(ask.chunk, i, i + 1) for i in range(ask.start, ask.stop)] + asks
        self._again.extendleft(reversed(asks))


def _ended(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
