# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance`: the kit for people who write exporters, readers and engines."""

from __future__ import annotations

from typing import ClassVar

import click

from efm3.cli import Verbs


class _Kit(Verbs):
    verbs: ClassVar[dict[str, str]] = {
        "run": "run the cases against an implementation",
        "list": "list cases, or show one",
        "export": "write the cases as plain files",
        "scaffold": "write a working program to start from",
        "statement": "state what an implementation passed, with a badge",
        "verify-statement": "check a statement, or run a sample of it again",
        "table": "show statements side by side",
        "diff": "find files on which two readers disagree",
    }
    package = "efm3.cli.conformance"


@click.command(cls=_Kit, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Test a reader, writer, editor or engine against the spec.

    \b
    efm3 conformance run --reader 'python3 reader.py' --select smoke
    """
