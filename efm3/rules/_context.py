# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The input of a rule: a scanned file, and facts that several rules need, computed once."""

from __future__ import annotations

import hashlib
from functools import cache, cached_property
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.arch import problems
from efm3.rules import _causes
from efm3.scan import Scan, TensorSpan

if TYPE_CHECKING:
    from efm3.rules._stats import Stats


class Found(NamedTuple):
    """What a check has found: a finding without what the catalogue says of its rule."""

    message: str
    offset: int | None
    length: int | None
    path: str
    found: str
    expected: str


class Digest:
    """The SHA-256 of `data`, which starts at `offset`, and the `stated` one."""

    def __init__(self, data: memoryview, offset: int, stated: str) -> None:
        self.offset, self.stated = offset, stated
        self._data, self._hex = data, ""
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start in parallel with the other rules.

        Hashing takes longer than all of them together, and hashlib releases the interpreter's
        lock. Where the system cannot start a thread, `result` does the work.
        """
        thread = Thread(target=self._work, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return
        self._thread = thread

    def _work(self) -> None:
        self._hex = hashlib.sha256(self._data).hexdigest()

    def result(self) -> str:
        """64 hexadecimal digits."""
        if self._thread is not None:
            self._thread.join()
        if not self._hex:
            self._work()
        return self._hex


class Context:
    """A scanned file and its shared facts; each is computed when a rule first asks for it.

    `own` bytes are ours: they are not looked at as another kind of file.
    """

    def __init__(self, scan: Scan, path: str = "", *, own: bool = False) -> None:
        self.scan, self._path = scan, path
        if own:
            self._cause = "", ""

    def at(self, message: str, *, offset: int | None = None, length: int | None = None,
           path: str = "", found: object = "", expected: object = "") -> Found:
        """What a check yields; offset and length in bytes of the file."""
        return Found(message, offset, length, path, str(found), str(expected))

    def field(self, path: str, message: str, *, expected: object = "") -> Found:
        """`at` a field of the prefix."""
        f = fmt.FIELDS[path]
        value = self.scan.values[path]
        found = value.hex(" ") if isinstance(value, bytes) else value
        return self.at(message, offset=f.offset, length=f.size, path=path, found=found,
                       expected=expected or f.con.legal)

    @cached_property
    def _cause(self) -> tuple[str, str]:
        return _causes.of_file(self.scan, self._path)

    @property
    def cause(self) -> str:
        """The code of the rule that says what the bytes really are, or ""."""
        return self._cause[0]

    @property
    def cause_words(self) -> str:
        """What the bytes really are, as a sentence; "" where only C002 or C003 says so."""
        return self._cause[1]

    @cached_property
    def arch_problems(self) -> list[Any]:
        """What `arch.problems` says of the header."""
        if self.scan.arch or "json_len" not in self.scan.values or self.cause:
            return []
        return list(problems(self.scan.raw_arch()))

    @cached_property
    def _parsed(self) -> tuple[mirrors.Outline | None, mirrors.MirrorProblem | None]:
        if self.scan.mirror is None or self.cause:
            return None, None
        try:
            return mirrors.outline(self.scan.mirror), None
        except mirrors.MirrorProblem as e:
            return None, e

    @property
    def mirror(self) -> dict[str, Any] | None:
        """The parsed mirror, or None where there is no valid one; of a long one the parts that
        rules look at."""
        found = self._parsed[0]
        return None if found is None else found.value

    @property
    def mirror_compact(self) -> bool:
        """True where each value of the mirror is written as the canonical text writes it."""
        found = self._parsed[0]
        return found is not None and found.compact

    @property
    def mirror_problem(self) -> mirrors.MirrorProblem | None:
        """Why the mirror is invalid, or None."""
        return self._parsed[1]

    @cached_property
    def table_cause(self) -> tuple[str, TensorSpan | None]:
        """(rule code, entry) of a mistake that explains the whole table, or ("", None)."""
        return _causes.of_table(self.scan) if not self.cause else ("", None)

    @cached_property
    def digest(self) -> Digest | None:
        """The table's digest, where the mirror states one to compare it with.

        None unless the table is complete: other rules report one that is too short or long.
        """
        meta, start = (self.mirror or {}).get("meta"), self.scan.table_offset
        stated = meta.get("sha256") if isinstance(meta, dict) else None
        if not mirrors.is_digest(stated) or not self.scan.complete:
            return None
        assert start is not None
        return Digest(self.scan.data[start:], start, str(stated))

    @cached_property
    def stats(self) -> Stats | None:
        """What the value rules ask of the weights; None unless the table is complete."""
        return backend()(self.scan) if self.scan.complete else None


@cache
def backend() -> type[Stats]:
    """Who looks at the weights: numpy, or where it cannot be imported the standard library."""
    try:
        from efm3.rules._quick import QuickStats

        return QuickStats
    except ImportError:
        from efm3.rules._plain import PlainStats

        return PlainStats
