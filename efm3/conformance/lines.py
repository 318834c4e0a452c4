# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The lines protocol: messages, their JSON Schema, and the client side."""

from __future__ import annotations

import contextlib
import io
import json
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from efm3 import mirror
from efm3.conformance import commands
from efm3.conformance.answers import LOGS, MAX_OUTPUT, object_of, quoted
from efm3.conformance.commands import ARGUMENTS
from efm3.conformance.requirements import CLASSES
from efm3.conformance.results import Answer
from efm3.conformance.subject import MAX_SAID, Program
from efm3.findings import printable, shown

PROTOCOL_VERSION = 1
DUE = "each answer is one line of JSON"
MAX_BEGUN = 4096
"""Most bytes that are looked at of a line whose end does not come."""


def _object(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": required,
            "additionalProperties": False}


def schema() -> dict[str, Any]:
    """The protocol's JSON Schema: `request` and `answer` definitions."""
    text, whole = {"type": "string"}, {"type": "integer", "minimum": 1}
    about = _object({
        "name": text | {"minLength": 1}, "version": text, "language": text,
        "homepage": text, "issues": text,
        "classes": {"type": "array", "items": {"enum": list(CLASSES)}},
        "levels": {"type": "array", "items": text}}, ["name", "version"])
    requests = [_object({"cmd": {"const": "start"}, "version": whole}, ["cmd", "version"]),
                _object({"cmd": {"const": "stop"}}, ["cmd"])]
    for verb, paths in ARGUMENTS.items():
        extra = {"level": text} if verb == "read" else {"layers": text} if verb == "embed" else {}
        requests.append(_object({"cmd": {"const": verb}, "seq": whole} | dict.fromkeys(paths, text)
                                | extra, ["cmd", "seq", *paths, *extra]))
    seq = {"seq": whole}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "EFM3 conformance, lines protocol",
        "$defs": {
            "request": {"oneOf": requests},
            "started": _object({"version": {"const": PROTOCOL_VERSION}, "ready": {"const": True},
                                "implementation": about}, ["version", "ready", "implementation"]),
            "answer": {"oneOf": [
                _object(seq | {"ok": {"const": True}, "document": {"type": "object"}},
                        ["seq", "ok"]),
                _object(seq | {"ok": {"const": False}, "reason": text}, ["seq", "ok"]),
                _object(seq | {"error": text}, ["seq", "error"])]}}}


@lru_cache(maxsize=4)
def _checker(part: str) -> Callable[[Any], str]:
    return mirror.checker({"$ref": f"#/$defs/{part}"} | schema())


def _problem(part: str, value: dict[str, Any]) -> str:
    """What is against the schema, or "". An answer is judged as the kind that it says it is: of
    all kinds at once the schema would blame that of another one.
    """
    if part != "answer":
        return _checker(part)(value)
    if "error" in value:
        kind = 2
    elif isinstance(value.get("ok"), bool):
        kind = 0 if value["ok"] else 1
    elif "ok" in value:
        return f"$.ok: {shown(value['ok'])} is neither true nor false"
    else:
        return "it holds neither ok nor error"
    return _checker(f"answer/oneOf/{kind}")(value)


class Lines(Program):
    """A program that is started once and answers each line of JSON with a line of JSON."""

    def __init__(self, command: str, timeout: float = 10.0, tensors_form: str = "npy",
                 log: Callable[[str], None] = lambda _: None) -> None:
        words = commands.words_of(command)
        commands.check(words, ())
        super().__init__(tensors_form)
        self._words, self._timeout, self._log = commands.filled(words, {}), timeout, log
        self._seq, self._why = 0, ""
        self._process: subprocess.Popen[bytes] | None = None
        self._start()
        if self._process is None:
            self.unusable = self._why

    def _start(self) -> None:
        self._answers: queue.Queue[bytes] = queue.Queue(4)
        self._begun = bytearray()  # a line whose end has not come
        try:
            self._process = commands.start(self._words)
        except OSError as e:
            self._why = commands.cannot(self._words, e)
            return
        threading.Thread(target=self._listen, daemon=True,
                         args=(self._process, self._answers, self._begun)).start()
        hello = self._exchange({"cmd": "start", "version": PROTOCOL_VERSION}, "started")
        if isinstance(hello, str):
            self._end(f"the handshake: {hello}")
        else:
            self.implementation = hello["implementation"]

    @staticmethod
    def _listen(process: subprocess.Popen[bytes], answers: queue.Queue[bytes],
                begun: bytearray) -> None:
        assert isinstance(process.stdout, io.BufferedReader)
        # Where four lines wait that nobody asked for, no more of them is read.
        with contextlib.suppress(ValueError, OSError, queue.Full):
            while chunk := process.stdout.read1(1 << 16):
                *ends, rest = chunk.split(b"\n")
                for end in ends:
                    line = bytes(begun + end + b"\n")
                    begun.clear()
                    answers.put_nowait(line)
                begun += rest
                if len(begun) > MAX_OUTPUT:
                    break  # no answer is so long: the rest is not read
            if begun:
                answers.put_nowait(bytes(begun))
            answers.put_nowait(b"")

    def _exchange(self, message: dict[str, Any], part: str) -> dict[str, Any] | str:
        """The answer to a message, or what is wrong with it."""
        line = json.dumps(message)
        self._log(f"-> {line}")
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
            back = self._answers.get(timeout=self._timeout)
        except OSError as e:
            # A program that ended is told in the same words, whichever pipe shows it first.
            ended = self._status()
            return (f"it ended without an answer{ended}" if ended else
                    f"it does not read its input: {e.strerror}")
        except queue.Empty:
            if self._begun:
                return (f"no line end after {quoted(bytes(self._begun[:MAX_BEGUN]))} in "
                        f"{self._timeout:g} s; {DUE}, with LF at its end, and flushed")
            return (f"no answer in {self._timeout:g} s: does it flush standard output after each "
                    "line? --timeout gives a program longer")
        self._log(f"<- {printable(back[:2000].decode('utf-8', 'replace').rstrip())}")
        if not back:
            return f"it ended without an answer{self._status()}"
        if len(back) <= MAX_OUTPUT and not back.endswith(b"\n"):
            return f"it ended in a line: {quoted(back)}{self._status()}"
        value = object_of(back, "its line", DUE)
        if isinstance(value, str):
            return value
        problem = _problem(part, value)
        return f"an answer against the schema: {problem}: {quoted(back)}" if problem else value

    def _early(self) -> str:
        """What is wrong before the next case is asked: a line too many, or the end; or ""."""
        with contextlib.suppress(queue.Empty):
            if line := self._answers.get_nowait():
                return (f"a surplus line before {self._seq} was asked: {quoted(line)}; {DUE}, "
                        f"and {LOGS}")
            return f"it ended without an answer{self._status()}"
        return ""

    def _status(self) -> str:
        """How it ended, where that is known already."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1)
            return f" (signal {-code})" if code < 0 else f" (exit code {code})"
        return ""

    def _end(self, why: str) -> None:
        self._why = why
        self._log(f"## {why}")
        if self._process is not None:
            commands.kill(self._process)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._process = None

    def ask(self, verb: str, paths: Mapping[str, str], level: str, stdin: bytes) -> Answer:
        """See Program; after a broken answer the program is restarted for the next case."""
        if self._process is None:
            if self.implementation:
                self._start()
            if self._process is None:
                return Answer("broken", self._why)
        self._seq += 1
        message = {"cmd": verb, "seq": self._seq} | dict(paths)
        if verb == "read":
            message["level"] = level
        back = self._early() or self._exchange(message, "answer")
        if isinstance(back, str):
            self._end(back)
            return Answer("broken", back)
        if back["seq"] != self._seq:
            surplus = "" if back["seq"] > self._seq else "a surplus line: "
            self._end(f"{surplus}an answer to {shown(back['seq'])}, {self._seq} was asked")
            return Answer("broken", self._why)
        if "error" in back:
            return Answer("broken", back["error"][:MAX_SAID] or "it gives an error without words")
        if not back["ok"]:
            return Answer("refused", back.get("reason", "")[:MAX_SAID])
        if verb == "read" and "document" not in back:
            return Answer("broken", "ok without a document")
        return Answer("ok", value=back.get("document"))

    def close(self) -> None:
        """Sends stop, and waits briefly."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(b'{"cmd":"stop"}\n')
                self._process.stdin.flush()
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)
            self._end("stopped")
        super().close()
