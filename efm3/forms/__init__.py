# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The format's texts and its machine-readable forms: one row each.

Every number in a form is the declaration's (efm3/format.py), every layer the walk's
(efm3/network.py). `python -m tools.gen` writes what is made here into the repository; `efm3 spec`
prints all of it.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import NamedTuple

from efm3.conformance.home import HOME


class Form(NamedTuple):
    """A form: its file in the repository, `module:function` that makes it ("" where it is a text
    that people write), what it is, and, where another program reads it, how to give it to that."""

    path: str
    source: str
    description: str
    use: str = ""

    def text(self) -> str:
        """The whole file; anything but text is written as JSON."""
        if not self.source:
            return (HOME / self.path.removeprefix("spec/")).read_text(encoding="utf-8")
        module, function = self.source.split(":")
        made = getattr(import_module(module), function)()
        return made if isinstance(made, str) else json.dumps(made, indent=2) + "\n"


def _decisions() -> dict[str, Form]:
    """The decisions that are there, by the name of their file."""
    out = {}
    for path in sorted(HOME.glob("decisions/*.md")):
        with path.open(encoding="utf-8") as f:
            title = next(line for line in f if line.startswith("# "))
        out[path.stem] = Form(f"spec/decisions/{path.name}", "",
                              f"decision: {title.partition(':')[2].strip()}")
    return out


FORMS: dict[str, Form] = {
    "text": Form("spec/EFM3.md", "", "the format's normative text"),
    "conformance": Form("spec/conformance.md", "", "how the kit talks to a program"),
    "exporters": Form("spec/exporters.md", "", "a guide: write an exporter in some 60 lines"),
    "rules": Form("spec/rules.md", "efm3.forms.codes_page:rules",
                  "every rule: what, why, how to fix it"),
    "codes": Form("docs/codes.md", "efm3.forms.codes_page:others",
                  "every other code that efm3 prints"),
    "mirror-schema": Form("spec/mirror.schema.json", "efm3.mirror:schema",
                          "JSON Schema of the file's JSON mirror"),
    "report-schema": Form("spec/report.schema.json", "efm3.reporting:schema",
                          "JSON Schema of what `efm3 validate --format json` prints"),
    "inspect-schema": Form("spec/inspect.schema.json", "efm3.inspection:schema",
                           "JSON Schema of what `efm3 inspect --json` prints"),
    "run-schema": Form("spec/run.schema.json", "efm3.conformance.results:schema",
                       "JSON Schema of what `efm3 conformance run --format json` prints"),
    "statement-schema": Form("spec/statement.schema.json", "efm3.conformance.statement:schema",
                             "JSON Schema of a conformance statement"),
    "protocol-schema": Form("spec/protocol.schema.json", "efm3.conformance.lines:schema",
                            "JSON Schema of the conformance kit's lines protocol"),
    "ksy": Form("spec/efm3.ksy", "efm3.forms.ksy:text",
                "Kaitai Struct description; its parsers refuse what level structure refuses",
                "efm3 spec ksy >efm3.ksy; kaitai-struct-compiler -t python efm3.ksy, or drop it "
                "into the Kaitai Web IDE"),
    "hexpat": Form("spec/efm3.hexpat", "efm3.forms.hexpat:text",
                   "pattern for the ImHex hex editor",
                   "efm3 spec hexpat >efm3.hexpat; in ImHex import it as a pattern file"),
    "magic": Form("spec/efm3.magic", "efm3.forms.magic:text",
                  "entry for file(1), which then knows these weights",
                  "efm3 spec magic >>~/.magic; file f.bin"),
    "c-header": Form("engine/src/format.gen.h", "efm3.forms.c_header:text",
                     "offsets and limits as C macros"),
    **_decisions(),
}
"""Every text and form by the name that `efm3 spec` takes."""
