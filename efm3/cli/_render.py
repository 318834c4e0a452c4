# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Inspections as lines of styled text. The one module that imports rich.

A file's own text passes through `printable`, and rich's markup is off everywhere.
Rows are aligned here, not by rich's tables: that costs a cold start half as much.
"""

from __future__ import annotations

import io
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from efm3.cli._colours import PLAIN_TERMINALS, coloured
from efm3.cli._names import apart, middle
from efm3.findings import printable
from efm3.inspection import Inspection, TensorRow, inspect
from efm3.reading import scan_of
from efm3.report import card as cards
from efm3.reporting import COLOURS

Cell = str | tuple[str, str]
Lines = Iterator[Text]

LABEL = "dim"
GOOD, BAD = "bold green", "bold red"
MAX_FINDINGS = 8
NARROWEST, INDENT = 20, 4
"""Columns that a terminal has at least, and by which the second of two lines is indented."""
TONES = {"bad": BAD, "warn": "yellow", "name": "bold cyan", "faint": LABEL, "": ""}
"""The styles of a card's rows."""
FACT = 16
"""Columns of what header, mirror or table say of something."""
BARS = " ▁▂▃▄▅▆▇█"
ASCII = str.maketrans("╭╮╰╯─│·×→…✔✘▁▂▃▄▅▆▇█≠", "++++-|.x>~*!_.-=+*##!")


def console(**options: Any) -> Console:
    """A console on stdout, with styles where `coloured` says so, and without markup.

    A pipe gets 100 columns where COLUMNS does not say otherwise.
    """
    if not options:
        on = coloured()
        options = {"force_terminal": on, "no_color": not on}
        if not on or os.environ.get("TERM") in PLAIN_TERMINALS:
            options["color_system"] = "standard" if on else None
        if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
            options["width"] = 100
    return Console(highlight=False, markup=False, emoji=False, **options)


class Row(Text):
    """A line of a table; `starts` are the characters at which its columns begin, `widths` the
    columns of a terminal that each takes in the widest row, which may be wider than here."""

    starts: tuple[int, ...] = ()
    widths: tuple[int, ...] = ()


def _folded(line: Text, out: Console) -> Iterator[Text]:
    """A line that is wider than the terminal as several: a table's between its columns, at the same
    ones in each row, and any other between words."""
    room = max(out.width, NARROWEST)
    if isinstance(line, Row):
        for part in _parts(line, room):
            yield from _folded(part, out)
    elif line.cell_len <= room:
        yield line
    else:
        first = line.wrap(out, room)[0]
        yield first
        rest = line[len(first):]
        rest = rest[len(rest.plain) - len(rest.plain.lstrip()):]
        indent = min(room // 2, len(line.plain) - len(line.plain.lstrip()) + INDENT)
        for part in rest.wrap(out, room - indent):
            yield text(" " * indent, part)


def _parts(row: Row, room: int) -> Iterator[Text]:
    """A row's columns, as many to a line as fit, without lines that would be empty."""
    line, taken = Text(), 0
    for at, (start, width) in enumerate(zip(row.starts, row.widths, strict=True)):
        if at and taken + width > room:
            line.rstrip()
            if line.plain.strip():
                yield line
            line, taken = Text(" " * INDENT), INDENT
        line.append_text(row[start:row.starts[at + 1] if at + 1 < len(row.starts) else len(row)])
        taken += width
    line.rstrip()
    if line.plain.strip() or taken == sum(row.widths):
        yield line


def show(lines: Iterable[Text], out: Console | None = None) -> None:
    """Print lines, folded at the width of a terminal, whole in a pipe.

    Characters that stdout cannot encode are replaced.
    """
    out = out or console()
    fold = out.record or sys.stdout.isatty()
    narrow = not out.encoding.lower().startswith("utf")
    if narrow and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    bare = not (out.record or out.color_system)
    for line in lines:
        line.rstrip()
        if narrow:
            line.plain = line.plain.translate(ASCII)
        for part in _folded(line, out) if fold else [line]:
            if bare:  # nothing to style: rich would take ten times as long
                out.file.write(f"{part.plain}\n")
            else:
                out.print(part, soft_wrap=True)


def text(*cells: Cell | Text) -> Text:
    """Cells one after the other."""
    return Text.assemble(*cells)


def mosaic(pixels: Any, columns: int = 76) -> Lines:
    """A picture, uint8 RGB [H, W, 3], in half blocks: two pixels to a character; nothing where a
    terminal cannot show their colours."""
    out = console()
    # rich keeps its color_system where NO_COLOR takes the colours away.
    coloured = out.color_system in ("256", "truecolor") and not out.no_color
    if not coloured or not out.encoding.lower().startswith("utf"):
        return
    height, width = pixels.shape[:2]
    step = -(-width // min(columns, out.width))
    small = [[tuple(int(v) for v in pixels[y:y + step, x:x + step].mean((0, 1)))
              for x in range(0, width, step)] for y in range(0, height, step)]
    for upper, lower in zip(small[::2], small[1::2], strict=False):
        yield text(*(("▀", f"rgb({a[0]},{a[1]},{a[2]}) on rgb({b[0]},{b[1]},{b[2]})")
                     for a, b in zip(upper, lower, strict=True)))


def grid(rows: Iterable[list[Cell]], align: str, gap: int = 2) -> Lines:
    """Rows in aligned columns; `align` has `<` or `>` for each column."""
    table = [[(c, "") if isinstance(c, str) else c for c in row] for row in rows]
    widths = [max((cell_len(row[i][0]) for row in table if i < len(row)), default=0)
              for i in range(len(align))]
    for row in table:
        line = Row()
        for (word, style), side, width in zip(row, align, widths, strict=False):
            line.starts = (*line.starts, len(line))
            space = " " * (width - cell_len(word))
            line.append((space + word if side == ">" else word + space) + " " * gap, style)
        # The gap behind the last column is seen by nobody.
        line.widths = tuple(w + gap * (n + 1 < len(row)) for n, (w, _) in enumerate(
            zip(widths, row, strict=False)))
        yield line


def first_screen(i: Inspection, width: int) -> Lines:
    """The label card, what is wrong, the coherence view and the sizes."""
    yield from card(i, max(40, min(width, 100)))
    yield from findings(i)
    if i["coherence"]:
        yield Text()
        yield from coherence(i)
    yield Text()
    yield from sizes(i)


def everything(i: Inspection, width: int) -> Lines:
    """What `efm3 inspect FILE` prints."""
    yield from first_screen(i, width)
    if i["topology"]:
        yield Text()
        yield from topology(i, width)


def card(i: Inspection, width: int) -> Lines:
    """The label: which size, what it is, where it comes from, the verdict."""
    room, measure = width - 14, console(width=width)
    title = Text(f" {middle(printable(os.path.basename(i['source'])), width - 6)} ")
    yield text(("╭─", LABEL), (title.plain, "bold"),
               ("─" * (width - 3 - title.cell_len) + "╮", LABEL))
    for label, value in _card_rows(i):
        for n, part in enumerate(Text(*value).wrap(measure, room)):
            part.rstrip()
            yield Text.assemble(("│ ", LABEL), (f"{'' if n else label:10}", LABEL), part,
                                (" " * (room - part.cell_len) + " │", LABEL))
    yield text(("╰" + "─" * (width - 2) + "╯", LABEL))


def _card_rows(i: Inspection) -> Iterator[tuple[str, tuple[str, str]]]:
    for row in cards.label(i):
        yield row.label, (row.text, TONES[row.tone])
    v = i["card"]["verdict"]
    yield "verdict", (("✔ " if v["ok"] else "✘ ") + printable(v["text"]), GOOD if v["ok"] else BAD)
    if v["ok"]:
        yield "", ("the weights' values are not checked here: efm3 validate", LABEL)


def findings(i: Inspection) -> Lines:
    """Errors and warnings, most severe first."""
    rows = [f for s in ("error", "warning") for f in i["findings"] if f["severity"] == s]
    for f in rows[:MAX_FINDINGS]:
        place = "" if f["offset"] is None else f" at byte {f['offset']:,}"
        yield text((f"{f['severity']} {f['code']}", f"bold {COLOURS[f['severity']]}"),
                   f" {printable(f['path'] or 'file')}{place}")
        yield text(f"  {printable(f['message'])}")
        yield text((f"  fix: {printable(f['hint'])}", LABEL))
    if len(rows) > MAX_FINDINGS:
        yield text((f"… {len(rows) - MAX_FINDINGS} more: efm3 validate", LABEL))


def coherence(i: Inspection) -> Lines:
    """Header, mirror and tensor table side by side; a stage's t, n and s are one row."""
    rows: list[list[Cell]] = [[("coherence", "bold"), ("header", LABEL), ("mirror", LABEL),
                               ("table", LABEL), ""]]
    for fact in cards.facts(i["coherence"]):
        style = "" if fact.agree else BAD
        cells: list[Cell] = [(fact.name, style)]
        sides = (fact.header, fact.mirror, fact.table)
        shown = apart([cards.fact(v) for known in sides for v in known], FACT)
        step = len(fact.header)
        for n, known in enumerate(sides):
            part = shown[n * step:n * step + step]
            words = " ".join(f"{v:>2}" for v in part) if step == 3 else part[0]
            cells.append((words, style or (LABEL if all(v is None for v in known) else "")))
        rows.append([*cells, "" if fact.agree else ("✘ differs", BAD)])
    yield from grid(rows, "<>>><", 3)


def sizes(i: Inspection) -> Lines:
    """Bytes on disk and at one byte per parameter, parameters, MACs."""
    rows: list[list[Cell]] = [[("sizes", "bold"), ("bytes", LABEL), ""]]
    for s in cards.sizes(i["sizes"]):
        bad = BAD if s.wrong else ""
        rows.append([(s.label, bad), (f"{s.value:,}", bad), (s.note, bad or LABEL)])
    yield from grid(rows, "<><")


def topology(i: Inspection, width: int) -> Lines:
    """One row per layer; from 100 columns on with its share of the MACs as a bar."""
    rows: list[list[Cell]] = [[(h, "bold" if n == 0 else LABEL) for n, h in enumerate(
        ("stage", "block", "layer", "shape", "side", "params", "MACs"))]]
    wide = width >= 100
    most = max(r["macs"] for r in i["topology"])
    if wide:
        rows[0] += [("act", LABEL), ("MACs", LABEL)]
    before: tuple[Any, Any] = (None, None)
    for r in i["topology"]:
        here = (r["stage"], r["block"])
        stage = str(here[0]) if here[0] is not None and here[0] != before[0] else ""
        block = str(here[1]) if here[1] is not None and here != before else ""
        side = str(r["out_side"])
        if r["in_side"] != r["out_side"]:
            side = f"{r['in_side']} → {side}"
        layer = r["layer"] + (" + input" if r["residual"] else "")
        row: list[Cell] = [(stage, "bold cyan"), (block, "cyan"), layer,
                           "×".join(map(str, r["shape"])), side, f"{r['parameters']:,}",
                           f"{r['macs']:,}"]
        if wide:
            row += [("PReLU" if r["act"] else "", LABEL),
                    ("█" * max(1, round(r["macs"] / most * 20)), "cyan")]
        rows.append(row)
        before = here
    yield from grid(rows, ">><<>>>" + ("<<" if wide else ""))


def tensors(rows: list[TensorRow], width: int) -> Lines:
    """Each tensor under its layer, with statistics and a histogram from min to max."""
    table: list[list[Cell]] = [[(h, LABEL) for h in (
        "tensor", "offset", "shape", "min", "max", "mean", "std", "histogram")]]
    heads: dict[int, str] = {}
    layer = ""
    for t in rows:
        parts = t["name"].rsplit(".", 2)
        if len(parts) == 3 and parts[0] != layer:
            layer = heads[len(table)] = parts[0]
        name = ".".join(parts[1:]) if len(parts) == 3 else f"#{t['number']}"
        shape: Cell = "×".join(map(str, t["shape"]))
        if not t["size"] == t["present"] == 4 * math.prod(t["shape"]):
            shape = (f"{t['present']:,} B", BAD)
        bad = " ".join(f"{n} {w}" for n, w in ((t["nan"], "NaN"), (t["inf"], "Inf")) if n)
        shown = bars(t["histogram"], 1 if width >= 100 else 2)
        table.append([(f" {name}", ""), (str(t["offset"]), LABEL), shape,
                      *(cards.number(t[k]) for k in ("min", "max", "mean", "std")),
                      (bad or shown, BAD if bad else "cyan")])
    for n, line in enumerate(grid(table, "<><>>>><", 1)):
        if n in heads:
            yield text((heads[n], "bold"))
        yield line


def bars(counts: list[int], merge: int) -> str:
    """A histogram in one line, `merge` bins per character."""
    bins = [sum(counts[i:i + merge]) for i in range(0, len(counts), merge)]
    most = max(bins, default=0)
    return "".join(BARS[math.ceil(n / most * (len(BARS) - 1))] for n in bins)


def screenshot(file: str, svg: str, width: int = 80) -> None:
    """Write the first screen of `efm3 inspect FILE` as SVG; raises OSError."""
    lines = first_screen(inspect(scan_of(file), file), width)
    picture(lines, svg, f"efm3 inspect {os.path.basename(file)}", width)


def picture(lines: Iterable[Text], svg: str, title: str, width: int = 80) -> None:
    """Write lines as the SVG of a terminal, which fetches no fonts; raises OSError."""
    out = console(record=True, width=width, force_terminal=True, color_system="truecolor",
                  file=io.StringIO())
    show(lines, out)
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", out.export_svg(title=title), flags=re.DOTALL)
    Path(svg).write_text(drawn.replace("Fira Code, ", ""), encoding="utf-8", newline="\n")
