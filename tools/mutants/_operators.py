# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is changed in a C source: conditions, their borders and constants, statuses, statements.

A mutant is found in the text, by the shapes that the engine's sources are written in, so a function
that moves takes its mutants with it; names say the function and the changed text, never a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tools.cc import SRC


class Mutant(NamedTuple):
    """A change of one file: the text from `start` to `end` becomes `new`."""

    name: str
    file: str
    start: int
    end: int
    new: str

    @property
    def source(self) -> str:
        """The whole file with the change."""
        text = (SRC / self.file).read_text(encoding="utf-8")
        return text[:self.start] + self.new + text[self.end:]


Change = tuple[int, int, str, str]
"""Start, end, new text, and the words that name it."""

_FUNCTION = re.compile(r"^[A-Za-z][\w *]*?\b(\w+)\(", re.MULTILINE)
_SITE = re.compile(r"\bif \(|\bwhile \(|\breturn |\bfits = |\bbool ok = |\bint rc = ",
                   re.MULTILINE)
_LIMITS = re.compile(r"^ +LIMITS\((\w+), (\w+)\);", re.MULTILINE)
_OTHER = {" < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > "}
_BORDER = re.compile(r" (?:<|<=|>|>=) ")
# Behind `<` and `>=` one more is what the other border is.
_NUMBER = re.compile(r"(?<!< )(?<!>= )(?<!\de-)(?<![\w.\[])\d+(?![\w.])|\bMFN_(?:FMT_)?MAX_\w+")
_FLAG = re.compile(r" \| [A-Z_]+\b")
_STATUS = re.compile(r"\bMFN_E_\w+")
_STATEMENT = re.compile(
    r"(?<=\n)( +)(?:if \([^;{}]*\) )?((?:free|close|mem\w+|mfn_\w+|atomic_\w+|impl_free)\([^;]*\)|"
    r"\*?[a-z]\w*(?:->\w+|\[\w+\])* [-+]?= [^;{}]*);(?=\n)")


def _masked(text: str) -> str:
    """The text with comments, strings and directives blank, place for place."""
    pattern = r'//[^\n]*|"(?:[^"\\\n]|\\.)*"|^#(?:[^\\\n]|\\\n|\\.)*'
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.MULTILINE)


def _close(text: str, start: int, closer: str) -> int:
    """Offset of the `closer` that ends what starts at `start`."""
    depth = 0
    for i in range(start, len(text)):
        if depth == 0 and text[i] == closer:
            return i
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text[i], 0)
    raise ValueError(f"no {closer} after {text[start:start + 40]!r}")


def _parts(text: str, start: int, end: int, operator: str) -> list[tuple[int, int]]:
    """The operands of the operator at the top of an expression."""
    cuts, depth, at = [], 0, start
    for i in range(start, end):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text[i], 0)
        if depth == 0 and text[i:i + 2] == operator:
            cuts.append((at, i))
            at = i + 2
    return [*cuts, (at, end)]


def _operands(masked: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """(start, end, neutral form) of each operand of the condition, which ends before a `?`."""
    end = _parts(masked, start, end, " ?")[0][1]
    ors = _parts(masked, start, end, "||")
    for s, e in ors:
        ands = _parts(masked, s, e, "&&")
        if len(ors) > 1:
            yield s, e, "(({}) && 0)"
        if len(ands) > 1:
            yield from ((x, y, "(({}) || 1)") for x, y in ands)


def _words(text: str) -> str:
    return " ".join(text.split())


def _conditions(text: str, masked: str) -> Iterator[Change]:
    """Of each condition: never, or one of its parts always; its side effects stay.

    `if (a || b)` becomes `if (((a) && 0) || b)`.
    """
    for start, end, whole in _sites(masked):
        sites = list(_operands(masked, start, end))
        if whole:
            sites.insert(0, (start, end, "(({}) && 0)"))
        for s, e, form in sites:
            what = "never" if form.endswith("0)") else "always"
            yield s, e, form.format(text[s:e]), f"{what} {_words(text[s:e])}"
    for m in _LIMITS.finditer(masked):
        yield m.start(), m.end(), "", text[m.start():m.end()].strip()


def _sites(masked: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether it is an if's) of each condition."""
    for m in _SITE.finditer(masked):
        own = m.group().endswith("(")
        yield m.end(), _close(masked, m.end(), ")" if own else ";"), m.group().startswith("if")


def _around(masked: str, at: int, start: int, end: int) -> tuple[int, int]:
    """The operand of || and && that `at` is in, at whatever depth."""
    cuts = [start, *(m.end() for m in re.finditer(r"\|\||&&", masked[:end]) if m.end() > start),
            end + 2]
    left = max(c for c in cuts if c <= at)
    return left, min(c for c in cuts if c > at) - 2


def _in_conditions(masked: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where the pattern is in a condition: its ends, and those of the operand around it."""
    for start, end, _ in _sites(masked):
        for m in pattern.finditer(masked, start, end):
            yield m.start(), m.end(), *_around(masked, m.start(), start, end)


def _borders(text: str, masked: str) -> Iterator[Change]:
    """`<` for `<=` and the like; each limit of the header one further out."""
    for s, e, left, right in _in_conditions(masked, _BORDER):
        new = _OTHER[masked[s:e]]
        yield s, e, new, _words(f"as {text[left:s]}{new}{text[e:right]}")
    for m in _LIMITS.finditer(masked):
        name, field = m.groups()
        for lo, hi, what in (("- 1", "", "lower"), ("", "+ 1", "upper")):
            yield (m.start(), m.end(),
                   f'if ((rc = in_limits(e, "{field}", MFN_FMT_OFF_{name}, a->{field}, '
                   f"MFN_FMT_MIN_{name} {lo}, MFN_FMT_MAX_{name} {hi}))) return rc;",
                   f"the {what} limit of {field} one further")


def _constants(text: str, masked: str) -> Iterator[Change]:
    """Numbers of a condition one higher; a flag of several left out."""
    for s, e, left, right in _in_conditions(masked, _NUMBER):
        if re.search(r'mfn_fail\([^"]*"', text[left:s]):
            continue  # a number that a message states
        old = text[s:e]
        new = str(int(old) + 1) if old.isdecimal() else f"({old} + 1)"
        yield s, e, new, _words(f"as {text[left:s]}{new}{text[e:right]}")
    for m in _FLAG.finditer(masked):
        yield m.start(), m.end(), "", f"without {m.group()[3:]}"


def _statuses(text: str, masked: str) -> Iterator[Change]:
    """Each status another one."""
    for m in _STATUS.finditer(masked):
        new = "MFN_E_STATE" if m.group() != "MFN_E_STATE" else "MFN_E_ARG"
        yield m.start(), m.end(), new, f"{new[4:]} for {m.group()[4:]}"


def _statements(text: str, masked: str) -> Iterator[Change]:
    """A call or an assignment left out."""
    for m in _STATEMENT.finditer(masked):
        if masked[:m.start()].rstrip()[-1:] in "|&":
            continue  # the rest of a condition
        yield m.start(2), m.end(2), "(void)0", f"without {_words(text[m.start(2):m.end(2)])}"


OPERATORS = (_conditions, _borders, _constants, _statuses, _statements)


def mutants(files: tuple[str, ...]) -> list[Mutant]:
    """Every change of some of the engine's sources, in the order of the files and the operators."""
    out: list[Mutant] = []
    for file in files:
        text = (SRC / file).read_text(encoding="utf-8")
        masked = _masked(text)
        starts = [(f.start(), f.group(1)) for f in _FUNCTION.finditer(masked)]
        for operator in OPERATORS:
            for s, e, new, words in operator(text, masked):
                own = [name for at, name in starts if at < s][-1:]
                out.append(Mutant(f"{file} {''.join(own)}: {words}", file, s, e, new))
    return _unique(out)


def _unique(found: list[Mutant]) -> list[Mutant]:
    """The same with a number appended to names that occur twice."""
    seen: dict[str, int] = {}
    out = []
    for m in found:
        seen[m.name] = n = seen.get(m.name, 0) + 1
        out.append(m._replace(name=m.name if n == 1 else f"{m.name} #{n}"))
    return out
