# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The tested implementation: a program behind one of two protocols, or our own functions.

A `Subject` turns bytes and arrays into an `Answer`; `Program` is a Subject that writes them
to files first. See spec/conformance.md.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import threading
import zlib
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from efm3.conformance import commands
from efm3.conformance.answers import MAX_OUTPUT, object_of
from efm3.conformance.results import Answer
from efm3.findings import refuse, shown

OLDER = b"an older file\n"
"""What is there where a file is to be written over one."""

MAX_SAID = 2000
"""Most characters that are kept of a program's reasons."""


class Subject:
    """An implementation. Every method returns an Answer; the subject's failures never raise."""

    implementation: dict[str, Any]
    unusable: str
    """Why it cannot answer any case, as soon as that is known."""

    def __init__(self) -> None:
        self.implementation, self.unusable = {}, ""

    def check(self) -> None:
        """Raises Efm3Error (K016) where it is known that no case can be answered."""
        if self.unusable:
            refuse("K016", self.unusable)

    def read(self, data: bytes, level: str) -> Answer:
        """The document of a file."""
        return Answer("broken", "it is not a Reader")

    def write(self, arch: str, tensors: Mapping[str, Any]) -> Answer:
        """The bytes of a file from the text of an arch, JSON whose spelling may be the point of
        a case; a refusal's value says what was left behind, "" where nothing."""
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


class Program(Subject):
    """A Subject that works on files; `ask` sends the paths and returns the raw answer."""

    def __init__(self, tensors_form: str = "npy") -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="efm3-")
        self._number = count()
        self._form = tensors_form
        # One model serves several inputs, one input many models; concurrent cases have their own.
        self._own = threading.local()

    def ask(self, verb: str, paths: Mapping[str, str], level: str, stdin: bytes) -> Answer:
        """The answer to one request."""
        raise NotImplementedError

    def _path(self, name: str) -> Path:
        # An unpredictable name: a file of an earlier case is never taken for an answer.
        return Path(self._folder.name) / f"{next(self._number)}-{name}"

    def _kept(self, name: str, data: bytes) -> str:
        """A file of these bytes: the last one of that name where it held the same."""
        kept: dict[str, tuple[bytes, Path]] = self._own.__dict__
        if name not in kept or kept[name][0] != data:
            if name in kept:
                with contextlib.suppress(OSError):
                    kept[name][1].unlink()
            kept[name] = data, self._path(name)
            kept[name][1].write_bytes(data)
        return str(kept[name][1])

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
        arch_path, folder, out = self._path("arch.json"), self._path("tensors"), self._out(arch)
        arch_path.write_text(arch, encoding="utf-8", newline="\n")
        if self._form == "npz":
            folder = folder.with_suffix(".npz")
            np.savez(folder, **tensors)
        else:
            folder.mkdir()
            for name, value in tensors.items():
                np.save(folder / f"{name}.npy", value)
        return self._made(lambda: self.ask("write", {
            "arch": str(arch_path), "tensors": str(folder), "out": str(out)}, "", b""), out)

    def edit(self, data: bytes, change: str) -> Answer:
        """See Subject."""
        path, edit, out = self._path("case.bin"), self._path("edit.json"), self._out(change)
        path.write_bytes(data)
        edit.write_text(change, encoding="utf-8", newline="\n")
        answer = self._made(lambda: self.ask("edit", {
            "file": str(path), "edit": str(edit), "out": str(out)}, "", b""), out)
        try:
            kept = path.read_bytes() == data
        except OSError:
            kept = False
        return answer if kept else Answer("broken", "it changed the file that it was given to edit")

    def _out(self, text: str) -> Path:
        """Where a file is to be written: a folder of its own, in every second case (by what is
        asked, so that a case is always the same) with an older file there."""
        folder = self._path("out")
        folder.mkdir()
        if zlib.crc32(text.encode("utf-8", "surrogatepass")) & 1:
            (folder / "out.bin").write_bytes(OLDER)
        return folder / "out.bin"

    def _made(self, ask: Callable[[], Answer], out: Path) -> Answer:
        """The answer with what was written, or with what a refusal should not have left."""
        older = out.exists()
        answer, data = ask(), None
        with contextlib.suppress(OSError):
            data = out.read_bytes() if out.stat().st_size <= MAX_OUTPUT else b""
        others = sorted(p.name for p in out.parent.iterdir() if p != out)
        shutil.rmtree(out.parent, ignore_errors=True)
        if answer.kind == "ok":
            if data is not None and data != OLDER:
                return Answer("ok", value=data)
            return Answer("broken", "it says that it wrote a file, but "
                          + ("there is none" if data is None else "the older one is there"))
        if answer.kind == "refused":
            left = (f"{shown(others[0])} was left beside it" if others else
                    "" if data == (OLDER if older else None) else
                    "the file that was there is another, or gone" if older else "a file was left")
            return Answer("refused", answer.reason, left)
        return answer

    def embed(self, model: bytes, x: Any) -> Answer:
        """See Subject."""
        out, folder = self._path("out.f32"), self._path("layers")
        folder.mkdir()
        given = self._kept("input.f32", np.ascontiguousarray(x, "<f4").tobytes())
        try:
            answer = self.ask("embed", {"model": self._kept("model.bin", model), "input": given,
                                        "output": str(out), "layers": str(folder)}, "", b"")
            if answer.kind != "ok":
                return answer
            return Answer("ok", value=(_floats(out), {p.stem: _floats(p)
                                                      for p in sorted(folder.glob("*.f32"))}))
        except (OSError, ValueError) as e:
            return Answer("broken", f"its output: {e}")
        finally:  # the layers of a thousand cases fill a disk
            with contextlib.suppress(OSError):
                out.unlink()
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """See Subject."""
        self._folder.cleanup()


def _floats(path: Path) -> Any:
    if path.stat().st_size > MAX_OUTPUT:
        raise ValueError(f"{path.name} is over {MAX_OUTPUT} bytes")
    return np.frombuffer(path.read_bytes(), "<f4")


class Simple(Program):
    """A program that is run once per case and answers with its exit code.

    `tested` is the class that it is tested as, "" for any. Raises ValueError for a command that
    is no command.
    """

    def __init__(self, command: str, timeout: float = 10.0, stdin: bool = False,
                 tensors_form: str = "npy", tested: str = "") -> None:
        self._words, self._timeout, self._stdin = commands.words_of(command), timeout, stdin
        commands.check(self._words, [commands.VERBS[tested]] if tested
                       else list(commands.ARGUMENTS))
        super().__init__(tensors_form)
        self._appends = not commands.placeholders(self._words)
        self._answered = False

    def _command(self, verb: str, paths: Mapping[str, str]) -> list[str]:
        words = commands.filled(self._words, paths)
        if self._appends and not (self._stdin and verb == "read"):
            words += [paths[k] for k in commands.ARGUMENTS[verb]]
        return words

    def ask(self, verb: str, paths: Mapping[str, str], level: str, stdin: bytes) -> Answer:
        """See Program."""
        words = self._command(verb, paths)
        try:
            process = commands.start(words, subprocess.PIPE, EFM3_LEVEL=level or "structure")
        except OSError as e:
            self.unusable = commands.cannot(words, e)
            return Answer("broken", self.unusable)
        with process:
            try:
                out, err = process.communicate(
                    stdin if self._stdin and verb == "read" else b"", self._timeout)
            except subprocess.TimeoutExpired:
                commands.kill(process)
                return Answer("broken", f"no answer in {self._timeout:g} s; "
                                        "--timeout gives a program longer")
            except BaseException:
                commands.kill(process)
                raise
        return self._judged(verb, process.returncode, out, err)

    def _judged(self, verb: str, code: int, out: bytes, err: bytes) -> Answer:
        said = err[-MAX_SAID:].decode("utf-8", "replace").strip()
        why = f"; {said}" if said else ""
        self._answered |= code in (0, 1)
        if code == 1:
            return Answer("refused", said)
        if code < 0:
            return Answer("broken", f"killed by signal {-code}{why}")
        if code:
            shell = {126: ", as a shell says of what is no program",
                     127: ", as a shell says of a command that is not there"}.get(code, "")
            words = f"exit code {code}{shell}, neither 0 nor 1{why}"
            if shell and not self._answered:
                self.unusable = words
            return Answer("broken", words)
        if verb != "read":
            return Answer("ok")
        value = object_of(out, "exit code 0, but standard output", "one JSON object is due")
        return Answer("broken", value) if isinstance(value, str) else Answer("ok", value=value)
