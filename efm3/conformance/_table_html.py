# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of statements as one HTML file: no script, nothing loaded, light and dark."""

from __future__ import annotations

from collections.abc import Iterator

from efm3.codes import CODES
from efm3.conformance import tables
from efm3.conformance.badges import xml
from efm3.conformance.statement import Claim
from efm3.texts import safe

STYLE = """
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #59626e; --line: #d6dbe1; --page: #fff;
  --card: #f6f7f9; --passes: #1b6e2b; --part: #8a5300; --fails: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a4adb8; --line: #3a414b;
  --page: #15181c; --card: #1e2228; --passes: #6fd083; --part: #f0b455; --fails: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
bdi, code { overflow-wrap: anywhere; }
main { max-width: 90rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p { max-width: 46rem; margin: .5rem 0; } code { font-size: .9em; }
.counts { display: block; font-size: .85em; color: var(--soft); white-space: nowrap; }
.note { border-left: 4px solid var(--part); padding-left: .75rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
tbody th { min-width: 9rem; } td strong { font-weight: 600; }
th, td { text-align: left; vertical-align: top; padding: .5rem .4rem;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-size: .85em; }
.passes { color: var(--passes); } .part, .known { color: var(--part); }
.fails { color: var(--fails); }
ul { margin: .25rem 0; padding-left: 1.25rem; }
@media (max-width: 44rem) {
  thead { position: absolute; left: -99rem; }
  table, tbody, tr, td, tbody th { display: block; }
  tr { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
    margin: .75rem 0; padding: .5rem .75rem; }
  th, td { border: 0; padding: .25rem 0; } tbody th { font-size: 1.1em; }
  td { display: grid; grid-template-columns: 7.5rem 1fr; column-gap: .75rem; }
  td::before { content: attr(data-label); color: var(--soft); font-size: .85em; }
  td:empty { display: none; }
}
"""


def page(sets: list[tables.Set]) -> str:
    """The whole file."""
    return "\n".join((
        '<!doctype html>', '<html lang="en">', '<head>', '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Whatever an escape forgot: the page may load and run nothing.
        '<meta http-equiv="Content-Security-Policy" '
        'content="default-src \'none\'; style-src \'unsafe-inline\'">',
        f'<title>EFM3 conformance</title>\n<style>{STYLE}</style>', '</head>', '<body>', '<main>',
        *_body(sets), '</main>', '</body>', '</html>')) + "\n"


def _body(sets: list[tables.Set]) -> Iterator[str]:
    yield "<h1>EFM3 conformance</h1>"
    yield f"<p>{tables.WORTH} To have a sample run again:<br><code>{tables.CHECK}</code></p>"
    if len(sets) > 1:
        yield f'<p class="note"><strong>{tables.MIXED}</strong></p>'
    for s in sets:
        yield f"<h2>Kit {_foreign(s.kit)}, set <code>{s.digest[:12]}</code></h2>"
        if not s.own:
            yield f'<p class="note">{tables.OTHER}</p>'
        yield from _table(s)
        for row in s.rows:
            yield from _failures(s, row)


def _foreign(text: str) -> str:
    """A foreign text: of its own direction, so that it turns nothing beside it."""
    return f"<bdi>{xml(text)}</bdi>"


def _table(of: tables.Set) -> Iterator[str]:
    yield '<div class="wide"><table><thead><tr>'
    yield from (f'<th scope="col">{xml(name)}</th>' for name in (
        "implementation", "version", "language", *(name for _, name in of.columns)))
    yield "</tr></thead><tbody>"
    for row in of.rows:
        yield f'<tr><th scope="row">{_foreign(row.about["name"])}</th>'
        for key in ("version", "language"):
            value = row.about[key]
            yield f'<td data-label="{key}">{_foreign(value) if value else ""}</td>'
        for column, name in of.columns:
            cell = _cell(row.claims[column]) if column in row.claims else ""
            yield f'<td data-label="{xml(name)}">{cell}</td>'
        yield "</tr>"
    yield "</tbody></table></div>"


def _cell(claim: Claim) -> str:
    kind, sign, words = tables.status(claim)
    lines = "".join(f'<span class="counts">{line}</span>' for line in tables.counts(claim))
    return f'<div><strong class="{kind}">{sign} {words}</strong>{lines}</div>'


def _failures(of: tables.Set, row: tables.Row) -> Iterator[str]:
    mine = tables.failed(of, row)
    if mine:
        yield f"<h3>{_foreign(tables.title(row))}</h3>"
    for c in mine:
        codes = ", ".join(f'<abbr title="{safe(CODES[k].sentence, "xml")}">{k}</abbr>'
                          for k in tables.codes_of(of, c.stated()))
        yield (f"<details open><summary>{xml(c.name)}{': ' if codes else ''}{codes}"
               f"{tables.unnamed(c)}</summary><ul>")
        yield from (f"<li>{verdict}: " + ", ".join(f"<code>{_foreign(i)}</code>" for i in ids)
                    + "</li>" for verdict, ids in c.cases.items() if ids)
        yield "</ul></details>"
