# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/evidence.json as tables: a line each, and of what it is stale.

A figure is stale where a source that it depends on was changed since (tools/evidence/_sources.py).
What is wanted and was never measured is reported as such. All numbers and the commands are in the
book.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tools.evidence import _book, _sources
from tools.gen.blocks import table


class Area(NamedTuple):
    """A chapter: its letter, what is measured, what was requested, the parts that measure it, and
    where that falls short of the request."""

    letter: str
    title: str
    asked: str
    parts: tuple[str, ...]
    limits: str = ""


AREAS = (
    Area("A", "Fuzzing", "100 million runs in C, 20 million of them under sanitizers; 5 million in "
         "Python; no open finding", ("fuzz", "fuzz_python", "memory")),
    Area("B", "Exhaustive damage, one verdict", "5 million files, no disagreement; at most 2 x the "
         "file + 1 MiB and 100 ms per refusal at level structure, 4 x the mirror more above it",
         ("exhaustive", "differential", "limits"),
         "the five million files through all four readers are the mutated ones and the exhaustive "
         "sets together. Pairs of u32s are tested in C at all 40 x 40 values, in Python at "
         "12 x 12, on the smallest file alone; the memory of Python is measured on a sample."),
    Area("C", "Faults", "every call and allocation failing; 20,000 kills; no partial file",
         ("faults",)),
    Area("D", "Threads and processes", "64 threads, clean under TSan; a million loads, constant "
         "memory", ("threads", "soak")),
    Area("E", "Foreign machines", "the whole corpus on aarch64, armhf, i686, s390x, riscv64; no "
         "SIGILL without AVX2", ("foreign",),
         "the machines are emulated (qemu-user), not real ones. The emulator has no AVX-512: that "
         "row is checked only on a processor that has it. Fork is not tested there, since the "
         "emulator itself fails in a child of a process with threads."),
    Area("F", "Every check is tested", "each removed check is noticed; every branch taken",
         ("checks", "branches"),
         "no test notices the removal of the checks counted as harmless: they only save time, or "
         "refuse what another check refuses as well. Each is listed with its reason in "
         "tools/evidence/exceptions.toml, as are branches that no file can reach."),
)

SHOWN: dict[str, tuple[str, ...]] = {
    "fuzz": ("executions",),
    "fuzz_python": ("executions",),
    "exhaustive": ("C loader", "all four readers", "disagreements", "slowest refusal in C"),
    "differential": ("files", "disagreements", "slowest refusal in C, ms"),
    "limits": ("refused files", "most part of the bound", "slowest refusal, ms"),
    "faults": ("faults", "survived", "kills", "killed", "saves", "failed once",
               "failed from there on", "leaks or crashes", "torn or lost", "load", "save"),
    "memory": ("files", "cuts of a file", "files loaded and run, or refused", "reports"),
    "threads": ("threads", "calls", "results that differ from serial use",
                "reports of ThreadSanitizer", "forks during batches",
                "hangs, crashes, wrong results", "ended well",
                "hangs, crashes, words on stderr"),
    "soak": ("loads, calls and ends", "loads", "slope, bytes a load", "open files",
             "open files at the end"),
    "foreign": ("corpus files", "verdicts equal", "chosen", "cases", "findings and bytes equal"),
    "checks": ("mutants", "killed", "harmless and listed"),
    "branches": ("branches", "taken", "listed exceptions"),
}
"""Part to the numbers of its figures that the page shows, where a figure has them; of one that has
none of them, the names of all."""

MANY = 7
"""A number by name, such as calls by instruction set, is shown so up to as many names."""


def _number(value: Any) -> str:
    if isinstance(value, dict):
        return (", ".join(f"{k} {_number(v)}" for k, v in value.items()) if len(value) <= MANY
                else f"{len(value)} kinds")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value).replace("|", "/")
    return f"{value:,}"


def _short(part: str, numbers: dict[str, Any]) -> str:
    named = {key.replace("_", " "): value for key, value in numbers.items()}
    return "; ".join(f"{key}: {_number(named[key])}" for key in SHOWN[part] if key in named
                     ) or ", ".join(named)


def _state(changed: list[str], long: bool) -> str:
    return ("" if long else "short form; ") + (
        f"**stale**: {', '.join(changed)}" if changed else "fresh")


def _figures(book: dict[str, Any], now: _sources.Tree) -> dict[str, list[str]]:
    """PART.FIGURE to the groups that were changed since."""
    return {f"{part}.{name}": _sources.changed(f["sources"], now(f"{part}.{name}"))
            for part, own in book["figures"].items() for name, f in own.items()}


def _runs(book: dict[str, Any], now: _sources.Tree) -> dict[str, list[str]]:
    """The wanted runs that were made, "COUNTER, SANITIZER: COMMAND", to the groups that were
    changed since the last of them. What is no longer wanted is not among them."""
    rows = {}
    for target, sanitizer, command in _sources.RUNS:
        own = [r for r in book["counters"].get(target, ())
               if (r["sanitizer"], r["command"]) == (sanitizer, command)]
        if own:
            rows[_run(target, sanitizer, command)] = min(
                (_sources.changed(r["sources"], now(target)) for r in own), key=len)
    return rows


def _run(target: str, sanitizer: str, command: str) -> str:
    return f"{target}, {sanitizer}: {command}"


def stale(book: dict[str, Any] | None = None) -> list[str]:
    """A line for each figure and kind of runs that is stale: its name and the groups changed
    since."""
    book, now = book or _book.read(), _sources.Tree()
    rows = _figures(book, now) | _runs(book, now)
    return [f"{name} ({', '.join(groups)})" for name, groups in sorted(rows.items()) if groups]


def missing(book: dict[str, Any] | None = None) -> list[str]:
    """The figures and runs that are wanted and were never measured."""
    book = book or _book.read()
    wanted = [f"{part}.{name}" for part, names in _sources.FIGURES.items() for name in names
              if name not in book["figures"].get(part, {})]
    wanted += [_run(*row) for row in _unmade(book)]
    return sorted(wanted)


def _unmade(book: dict[str, Any]) -> list[tuple[str, str, str]]:
    made = {(target, r["sanitizer"], r["command"])
            for target, rows in book["counters"].items() for r in rows}
    return [row for row in _sources.RUNS if row not in made]


def unfit(book: dict[str, Any] | None = None) -> list[str]:
    """A line for each thing that keeps a release from being made: what is stale or was never
    measured, a figure of the short form, findings on the sources of today."""
    book, now = book or _book.read(), _sources.Tree()
    short = [f"{part}.{name}" for part, own in sorted(book["figures"].items())
             for name, f in sorted(own.items()) if not f["long"]]
    found = [f"{r['findings']} of {_run(target, r['sanitizer'], r['command'])}"
             for target, rows in sorted(book["counters"].items()) for r in rows
             if r["findings"] and r["sources"] == now(target)]
    return [*(f"stale figure: {line}" for line in stale(book)),
            *(f"not measured: {line}" for line in missing(book)),
            *(f"short form: {line}" for line in short), *(f"findings: {line}" for line in found)]


def _figure_rows(part: str, found: dict[str, Any],
                 groups: dict[str, list[str]]) -> Iterator[tuple[object, ...]]:
    for name in sorted({*found, *_sources.FIGURES.get(part, ())}):
        f, shown = found.get(name), f"{part}: {name}" if part in _sources.COUNTING else name
        if f is None:
            yield shown, "", "", "**not measured**"
            continue
        yield (shown, _short(part, f["numbers"]), f"{f['date']}, {f['commit']}",
               _state(groups[f"{part}.{name}"], f["long"]))


def _counter_rows(part: str, found: dict[str, Any],
                  now: _sources.Tree) -> Iterator[tuple[object, ...]]:
    """A row for the first words of a target, sanitizer and command: the runs on the sources of
    today, those of all times, and the newest."""
    kinds: dict[tuple[str, str, str], list[tuple[str, dict[str, Any]]]] = {}
    for target, rows in sorted(found.items()):
        if _sources.part_of(target) == part:
            for row in rows:
                key = target.split(".")[0], row["sanitizer"], row["command"]
                kinds.setdefault(key, []).append((target, row))
    for (first, sanitizer, command), own in kinds.items():
        fresh = [r["executions"] for t, r in own if r["sources"] == now(t)]
        last = sorted((r for _, r in own), key=lambda r: str(r["date"]))[-1]
        targets = len({t for t, _ in own})
        yield (f"{first}: {command}" + (f", {targets} targets" if targets > 1 else ""), sanitizer,
               _number(sum(fresh)), _number(sum(r["executions"] for _, r in own)),
               sum(r["findings"] for _, r in own), f"{last['date']}, {last['commit']}")


def _unmade_rows(part: str, book: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    """A row for the first words of a target, sanitizer and command of which runs are wanted."""
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for target, sanitizer, command in _unmade(book):
        if _sources.part_of(target) == part:
            first, _, rest = target.partition(".")
            kinds.setdefault((first, sanitizer, command), []).append(rest)
    for (first, sanitizer, command), own in kinds.items():
        which = ", ".join(own) if len(own) <= MANY else f"{len(own)} targets"
        yield f"{first}: {command}, {which}", sanitizer, "**not measured**", "", "", ""


def lines(book: dict[str, Any] | None = None) -> Iterator[str]:
    """One chapter per letter: what was requested, and what was measured."""
    book, now = book or _book.read(), _sources.Tree()
    groups, old, new = _figures(book, now), stale(book), missing(book)
    wanted = sum(map(len, _sources.FIGURES.values()))
    yield from ("", f"Of {wanted} figures and {len(_sources.RUNS)} kinds of runs {len(old)} are "
                    f"stale, {len(new)} were not measured.")
    for area in AREAS:
        yield from ("", f"### {area.letter}. {area.title}", "", f"Requested: {area.asked}.", "")
        rows = [row for part in area.parts
                for row in _figure_rows(part, book["figures"].get(part, {}), groups)]
        counts = [row for part in area.parts for row in (
            *_counter_rows(part, book["counters"], now), *_unmade_rows(part, book))]
        yield from table(("figure", "measured", "when", "state"), rows)
        if counts:
            yield ""
            yield from table(("runs of", "sanitizer", "on these sources", "in all", "findings",
                              "last"), counts)
        if area.limits:
            yield from ("", f"Limits: {area.limits}")
    yield ""
