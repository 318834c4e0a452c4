# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The format's machine-readable forms: one function per form.

Every number in them is the declaration's (efm3/format.py), every layer the walk's
(efm3/network.py). `python -m tools.gen` writes them into the repository, `efm3 spec` prints them.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import NamedTuple


class Form(NamedTuple):
    """A form: its file in the repository, `module:function` that makes it, and what it is."""

    path: str
    source: str
    description: str

    def text(self) -> str:
        """The whole file; anything but text is written as JSON."""
        module, function = self.source.split(":")
        made = getattr(import_module(module), function)()
        return made if isinstance(made, str) else json.dumps(made, indent=2) + "\n"


FORMS: dict[str, Form] = {
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
                "Kaitai Struct description; its parsers refuse what level structure refuses"),
    "hexpat": Form("spec/efm3.hexpat", "efm3.forms.hexpat:text",
                   "pattern for the ImHex hex editor"),
    "c-header": Form("engine/src/format.gen.h", "efm3.forms.c_header:text",
                     "offsets and limits as C macros"),
    "rules": Form("spec/rules.md", "efm3.forms.codes_page:rules",
                  "every rule: what, why, how to fix it"),
    "codes": Form("docs/codes.md", "efm3.forms.codes_page:others",
                  "every other code that efm3 prints"),
}
"""Every form by the name that `efm3 spec` takes."""
