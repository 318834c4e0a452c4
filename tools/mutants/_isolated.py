# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The programs whose checks are taken out one by one: scaffolds, and our own.

A `Program` runs cases with one check off and says of each what it did and which check refused.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from efm3 import rules
from efm3.codes import LEVELS
from efm3.conformance.cases import Case, edit_text, writer_text
from efm3.conformance.faults import tensors_of
from efm3.findings import Efm3Error, refuse
from efm3.rules import load_rules
from efm3.rules._registry import CHECKS
from efm3.validator import validate
from tools import ROOT
from tools.cc import cc
from tools.mutants import _source
from tools.mutants._source import Check
from tools.mutants.programs import SCAFFOLDS, Module


class Did(NamedTuple):
    """What a program did with a case: accepted, refused or broken; and the check that was noted
    last, -1 for none. With another check taken out it would have done the same."""

    verdict: str
    check: int


class Program:
    """A program with a switch at each check. `kinds` are those of its cases, `levels` a Reader's
    levels."""

    name = ""
    kinds: tuple[str, ...] = ("reader",)
    levels: tuple[str, ...] = ("structure", "coherence")
    checks: list[Check]

    def run(self, cases: Sequence[Case], off: int, level: str) -> list[Did]:
        """What it does with each case while the check `off` (-1: none) is taken out."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends the program."""


class Switched(Program):
    """A program in this process: `ask` accepts a case, or raises."""

    refused: tuple[type[Exception], ...] = (Efm3Error,)

    def __init__(self) -> None:
        self._now, self._last, self.checks = -1, -1, list[Check]()

    def hooks(self) -> dict[str, Any]:
        """What the switches of the source call whose checks are added next."""
        n = len(self.checks)
        return {"_off": lambda k: k + n == self._now, "_saw": lambda k, ok: self.saw(k + n, ok),
                "_guard": lambda k, call: self._guard(k + n, call)}

    def saw(self, k: int, ok: object) -> object:
        """A condition, noted where it does not hold."""
        if not ok:
            self._last = k
        return ok

    def _guard(self, k: int, call: Callable[[], object]) -> object:
        try:
            return call()
        except self.refused:
            self._last = k
            if k != self._now:
                raise
        return None

    def ask(self, case: Case, level: str) -> None:
        """Returns where the program accepts the case. Raises Refused or what it raises."""
        raise NotImplementedError

    def run(self, cases: Sequence[Case], off: int, level: str) -> list[Did]:
        """See Program."""
        self._now, out = off, []
        for case in cases:
            self._last, verdict = -1, "accepted"
            try:
                self.ask(case, level)
            except self.refused:
                verdict = "refused"
            except Exception:
                verdict = "broken"
            out.append(Did(verdict, self._last))
        self._now = -1
        return out

    def copy(self, module: str, only: str = "", **swap: Any) -> Any:
        """A copy of one of our modules with switches, not in sys.modules; `swap` replaces names.
        """
        path = ROOT / (module.replace(".", "/") + ".py")
        code, checks = _source.python(path.read_text(encoding="utf-8"), str(path), only)
        copy = ModuleType(module)
        vars(copy).update(self.hooks())
        self.checks += [c._replace(where=f"{path.name} {c.where}") for c in checks]
        exec(code, vars(copy))
        vars(copy).update(swap)
        return copy


class Scaffold(Switched):
    """A scaffold in Python."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.name, self.kinds = Module.FILES[kind], (kind,)
        if kind != "reader":
            self.levels = ("",)
        text = (SCAFFOLDS / self.name).read_text(encoding="utf-8")
        code, checks = _source.python(text, self.name)
        self._own = self.hooks() | {"__name__": "scaffold"}
        self.checks += checks
        exec(code, self._own)
        self.refused = (self._own["Refused"],)

    def ask(self, case: Case, level: str) -> None:
        """See Switched."""
        if case.kind == "reader":
            self._own["read"](case.data(), level)
        elif case.kind == "writer":
            self._own["write"](json.loads(writer_text(case)), tensors_of(case))
        else:
            self._own["edit"](case.data(), edit_text(case).encode())


class Models(Switched):
    """`efm3.load` and `efm3.dumps`, the arch, and how the kit gives it."""

    name, kinds, levels = "efm3.load and dumps", ("reader", "writer"), ("coherence",)

    def __init__(self) -> None:
        super().__init__()
        arch = self.copy("efm3.arch")
        limits = {code: len(self.checks) + i for i, code in enumerate(arch.PROBLEM_CODES)}
        self.checks += [Check("arch.py problems", code, code) for code in limits]
        problems: Callable[[Any], Iterator[Any]] = arch.problems

        def some(value: Any) -> Iterator[Any]:
            for p in problems(value):
                if limits[p.code] != self._now:
                    yield p

        def said(code: str, *words: Any) -> None:  # by the one call that refuses for them all
            self.saw(limits.get(code, self._last), False)
            refuse(code, *words)
        arch.problems, arch.refuse = some, said
        self._model = self.copy("efm3.model", Arch=arch.Arch)
        self._given = self.copy("efm3.conformance.builtin", "arch_of", Arch=arch.Arch,
                                Stage=arch.Stage)

    def ask(self, case: Case, level: str) -> None:
        """See Switched."""
        if case.kind == "reader":
            self._model.load(case.data(), level)
        else:
            self._model.dumps(self._given.arch_of(writer_text(case)), tensors_of(case))


class Edit(Switched):
    """Our editor."""

    name, kinds, levels = "efm3 editor", ("editor",), ("",)

    def __init__(self) -> None:
        super().__init__()
        self._copy = self.copy("efm3.conformance.editing")

    def ask(self, case: Case, level: str) -> None:
        """See Switched."""
        self._copy.edited(case.data(), edit_text(case))


class Rules(Switched):
    """`efm3.validate` at a level: its checks are the rules of severity error."""

    def __init__(self, level: str) -> None:
        super().__init__()
        self.name, self.levels = f"efm3.validate {level}", (level,)
        self.checks = [Check(r.group, code, code) for code, r in load_rules(level).items()
                       if r.severity == "error"]
        self._number = {c.code: k for k, c in enumerate(self.checks)}

    def run(self, cases: Sequence[Case], off: int, level: str) -> list[Did]:
        """See Program."""
        code = self.checks[off].code if off >= 0 else ""
        rules._chosen.cache_clear()
        if code:
            rules.check_of(code)
        out = []
        with emptied(code):
            for case in cases:
                found = validate(case.data(), level).at_least("error")
                out.append(Did("refused" if found else "accepted",
                               self._number[found[-1].code] if found else -1))
        return out


@contextmanager
def emptied(code: str) -> Iterator[None]:
    """The rule finds nothing for a while; "" for none."""
    old = CHECKS.get(code)
    if code:
        CHECKS[code] = lambda ctx: iter(())
    try:
        yield
    finally:
        rules._chosen.cache_clear()
        if old is not None:
            CHECKS[code] = old


class _Files(Program):
    """A program that is given its cases as files of one folder."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="efm3-")

    def path(self, case: Case) -> str:
        """The case's file."""
        path = Path(self.folder.name) / f"{case.id}.bin"
        if not path.exists():
            path.write_bytes(case.data())
        return str(path)

    def close(self) -> None:
        """See Program."""
        self.folder.cleanup()


class JavaScript(_Files):
    """The reader scaffold in JavaScript, in one process of Node."""

    name = "reader.js"

    def __init__(self) -> None:
        super().__init__()
        text = (SCAFFOLDS / self.name).read_text(encoding="utf-8")
        text, self.checks = _source.braces(text[text.index("'use strict'"):])
        self._node = subprocess.Popen(
            ["node", str(ROOT / "tools/mutants/isolate.js")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self._send(text[:text.index("\nmain(process.argv")])

    def _send(self, message: Any) -> None:
        assert self._node.stdin is not None
        self._node.stdin.write(json.dumps(message) + "\n")
        self._node.stdin.flush()

    def run(self, cases: Sequence[Case], off: int, level: str) -> list[Did]:
        """See Program."""
        assert self._node.stdout is not None
        self._send({"off": off, "level": level, "files": [self.path(c) for c in cases]})
        return [Did(*row) for row in json.loads(self._node.stdout.readline())]

    def close(self) -> None:
        """See Program."""
        self._node.communicate()
        super().close()


_C = """static int _off(int k) {
    const char *s = getenv("CHECK_OFF");
    return s && atoi(s) == k;
}
static int last_ = -1;
static int _saw(int k, int ok) {
    if (!ok) last_ = k;
    return ok;
}
"""


class C(_Files):
    """The reader scaffold in C, a process for each case."""

    name, levels = "reader.c", ("structure",)

    def __init__(self) -> None:
        super().__init__()
        text, self.checks = _source.braces((SCAFFOLDS / self.name).read_text(encoding="utf-8"))
        text = text.replace("typedef struct {", _C + "typedef struct {", 1)
        text = text.replace("    exit(1);", '    fprintf(stderr, "%d\\n", last_);\n    exit(1);', 1)
        fitted = "    return *size ? realloc(data, *size) : data;"
        text = text.replace("    return data;", fitted, 1)
        source = Path(self.folder.name) / "reader.c"
        source.write_text(text, encoding="utf-8")
        self._program = source.with_suffix("")
        # Without a check it may read what it was not given or divide by zero: what comes of that is
        # chance, unless the compiler makes it an end. The file's bytes end where the memory does.
        wrong = cc("-O1", "-std=c11", "-w", "-fsanitize=address,undefined",
                   "-fno-sanitize-recover=all", "-o", self._program, source)
        if wrong:
            raise RuntimeError(f"reader.c with switches: {wrong[:400]}")

    def run(self, cases: Sequence[Case], off: int, level: str) -> list[Did]:
        """See Program."""
        ended = "exitcode=99:detect_leaks=0"  # 1, the sanitizers' own code, is a refusal
        env = os.environ | {"CHECK_OFF": str(off), "ASAN_OPTIONS": ended, "UBSAN_OPTIONS": ended}
        out = []
        for case in cases:
            done = subprocess.run([self._program, self.path(case)], capture_output=True, text=True,
                                  check=False, env=env)
            word = {0: "accepted", 1: "refused"}.get(done.returncode, "broken")
            out.append(Did(word, int(done.stderr.split()[-1]) if word == "refused" else -1))
        return out


def programs() -> Iterator[Program]:
    """Every program; one whose interpreter or compiler is missing is left out."""
    yield Scaffold("reader")
    if shutil.which("node"):
        yield JavaScript()
    if shutil.which("cc"):
        yield C()
    yield from map(Rules, LEVELS)
    yield Models()
    yield from map(Scaffold, ("writer", "editor"))
    yield Edit()
