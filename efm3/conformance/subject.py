# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The tested implementation: a program behind one of two protocols, or our own functions.

A `Subject` turns bytes and arrays into an `Answer`; `Program` is a Subject that writes them
to files first. See spec/conformance.md.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from efm3.conformance.results import Answer

MAX_OUTPUT = 64 << 20
"""Most bytes of an answer; a longer one is broken."""


class Subject:
    """An implementation. Every method returns an Answer; the subject's failures never raise."""

    implementation: dict[str, Any]

    def __init__(self) -> None:
        self.implementation = {}

    def read(self, data: bytes, level: str) -> Answer:
        """The document of a file."""
        return Answer("broken", "it is not a Reader")

    def write(self, arch: str, tensors: Mapping[str, Any]) -> Answer:
        """The bytes of a file from the text of an arch, JSON whose spelling may be the point of
        a case; a refusal's value is whether a file was left behind."""
        return Answer("broken", "it is not a Writer")

    def edit(self, data: bytes, change: str) -> Answer:
        """The bytes of the file edited as the text of a change says; a refusal's value as for
        `write`."""
        return Answer("broken", "it is not an Editor")

    def embed(self, model: bytes, x: Any) -> Answer:
        """(embedding float32 [D], layers by name float32 flat) for an input [3, 112, 112]."""
        return Answer("broken", "it is not an Engine")

    def close(self) -> None:
        """Ends the subject."""


ARGUMENTS = {"read": ("file",), "write": ("arch", "tensors", "out"),
             "edit": ("file", "edit", "out"), "embed": ("model", "input", "output")}
"""Verb to the paths that it gets, in order; `embed` may also be given `layers`."""


class Program(Subject):
    """A Subject that works on files; `ask` sends the paths and returns the raw answer."""

    def __init__(self, tensors_form: str = "npy") -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="efm3-")
        self._number = count()
        self._form = tensors_form
        # One model file serves several inputs; concurrent cases have one each.
        self._own = threading.local()

    def ask(self, verb: str, paths: Mapping[str, str], level: str, stdin: bytes) -> Answer:
        """The answer to one request."""
        raise NotImplementedError

    def _path(self, name: str) -> Path:
        # An unpredictable name: a file of an earlier case is never taken for an answer.
        return Path(self._folder.name) / f"{next(self._number)}-{name}"

    def read(self, data: bytes, level: str) -> Answer:
        """See Subject."""
        path = self._path("case.bin")
        path.write_bytes(data)
        try:
            return self.ask("read", {"file": str(path)}, level, data)
        finally:
            path.unlink()

    def write(self, arch: str, tensors: Mapping[str, Any]) -> Answer:
        """See Subject."""
        arch_path, folder, out = self._path("arch.json"), self._path("tensors"), self._path("o.bin")
        arch_path.write_text(arch, encoding="utf-8")
        if self._form == "npz":
            folder = folder.with_suffix(".npz")
            np.savez(folder, **tensors)
        else:
            folder.mkdir()
            for name, value in tensors.items():
                np.save(folder / f"{name}.npy", value)
        return self._made(self.ask("write", {"arch": str(arch_path), "tensors": str(folder),
                                             "out": str(out)}, "", b""), out)

    def edit(self, data: bytes, change: str) -> Answer:
        """See Subject."""
        path, edit, out = self._path("case.bin"), self._path("edit.json"), self._path("out.bin")
        path.write_bytes(data)
        edit.write_text(change, encoding="utf-8")
        return self._made(self.ask("edit", {"file": str(path), "edit": str(edit),
                                            "out": str(out)}, "", b""), out)

    def _made(self, answer: Answer, out: Path) -> Answer:
        if answer.kind == "refused":
            return Answer("refused", answer.reason, out.exists())
        if answer.kind == "ok":
            try:
                return Answer("ok", value=out.read_bytes())
            except OSError as e:
                return Answer("broken", f"it says that it wrote a file: {e.strerror}")
        return answer

    def embed(self, model: bytes, x: Any) -> Answer:
        """See Subject."""
        if getattr(self._own, "model", None) != model:
            self._own.model, self._own.path = model, self._path("model.bin")
            self._own.path.write_bytes(model)
        given, out, folder = self._path("input.f32"), self._path("out.f32"), self._path("layers")
        given.write_bytes(np.ascontiguousarray(x, "<f4").tobytes())
        folder.mkdir()
        answer = self.ask("embed", {"model": str(self._own.path), "input": str(given),
                                    "output": str(out), "layers": str(folder)}, "", b"")
        if answer.kind != "ok":
            return answer
        try:
            return Answer("ok", value=(_floats(out), {p.stem: _floats(p)
                                                      for p in sorted(folder.glob("*.f32"))}))
        except (OSError, ValueError) as e:
            return Answer("broken", f"its output: {e}")

    def close(self) -> None:
        """See Subject."""
        self._folder.cleanup()


def _floats(path: Path) -> Any:
    if path.stat().st_size > MAX_OUTPUT:
        raise ValueError(f"{path.name} is over {MAX_OUTPUT} bytes")
    return np.frombuffer(path.read_bytes(), "<f4")


def words_of(command: str) -> list[str]:
    """A command line as words. Raises ValueError where it holds none."""
    words = shlex.split(command)
    if not words:
        raise ValueError("the command is empty")
    return words


class Simple(Program):
    """A program that is run once per case and answers with its exit code."""

    def __init__(self, command: str, timeout: float = 10.0, stdin: bool = False,
                 tensors_form: str = "npy") -> None:
        super().__init__(tensors_form)
        self._words, self._timeout, self._stdin = words_of(command), timeout, stdin

    def _command(self, verb: str, paths: Mapping[str, str]) -> list[str]:
        def fill(word: str) -> str:
            for key, path in paths.items():
                word = word.replace("{" + key + "}", path)
            return word
        words = [fill(w) for w in self._words]
        if words == self._words and not (self._stdin and verb == "read"):
            words += [paths[k] for k in ARGUMENTS[verb]]
        return words

    def ask(self, verb: str, paths: Mapping[str, str], level: str, stdin: bytes) -> Answer:
        """See Program."""
        try:
            done = subprocess.run(
                self._command(verb, paths), input=stdin if self._stdin and verb == "read" else b"",
                capture_output=True, timeout=self._timeout, check=False,
                env=os.environ | {"EFM3_LEVEL": level or "structure"})
        except subprocess.TimeoutExpired:
            return Answer("broken", f"no answer in {self._timeout:g} s")
        except OSError as e:
            return Answer("broken", f"cannot be run: {e.strerror}: {e.filename}")
        said = done.stderr[-2000:].decode("utf-8", "replace").strip()
        if done.returncode == 1:
            return Answer("refused", said)
        if done.returncode < 0:
            return Answer("broken", f"killed by signal {-done.returncode}; {said}")
        if done.returncode:
            return Answer("broken", f"exit code {done.returncode}, neither 0 nor 1; {said}")
        if verb != "read":
            return Answer("ok")
        return parsed(done.stdout)


def parsed(text: bytes) -> Answer:
    """The document on standard output, or what is wrong with it."""
    if len(text) > MAX_OUTPUT:
        return Answer("broken", f"an answer of {len(text)} bytes")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as e:
        return Answer("broken", f"exit code 0, but standard output is not JSON: {e}")
    if not isinstance(value, dict):
        return Answer("broken", "exit code 0, but standard output is not a JSON object")
    return Answer("ok", value=value)
