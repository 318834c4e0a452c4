# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance verify-statement`: does a statement contradict itself, or its program?"""

from __future__ import annotations

import secrets
import sys

import click

from efm3.cli import json_option, source, styler
from efm3.cli._kinds import FILE
from efm3.conformance.requirements import CLASSES
from efm3.findings import Efm3Error, printable
from efm3.precision import PRECISIONS
from efm3.texts import dumps


@click.command("verify-statement")
@click.argument("statement", type=FILE)
@click.option("--rerun", "program", metavar="CMD", help="run a sample of its cases on CMD")
@click.option("--class", "classes", multiple=True, type=click.Choice(CLASSES),
              help="run again the claims of this class alone")
@click.option("--precision", type=click.Choice(PRECISIONS),
              help="what an engine's CMD computes in, where the statement is about several")
@click.option("--sample", type=click.IntRange(1), default=50, show_default=True, metavar="N",
              help="cases to run again for each claim")
@click.option("--seed", type=click.IntRange(0), help="the sample's; one is drawn by default")
@click.option("--protocol", type=click.Choice(["simple", "lines"]), default="simple",
              show_default=True, help="as for `run`")
@click.option("--stdin", is_flag=True, help="as for `run`")
@click.option("--tensors", type=click.Choice(["npy", "npz"]), default="npy", show_default=True,
              help="as for `run`")
@click.option("--timeout", type=click.FloatRange(0.01), default=10.0, show_default=True,
              metavar="S", help="seconds for one case")
@click.option("-j", "--jobs", type=click.IntRange(1, 64),
              help="simple cases at once; by default as many as there are cores")
@json_option
def command(statement: str, program: str | None, classes: tuple[str, ...],
            precision: str | None, sample: int, seed: int | None, protocol: str, stdin: bool,
            tensors: str, timeout: float, jobs: int | None, as_json: bool) -> None:
    """Check that STATEMENT (- is standard input) is well-formed: it follows its schema, is as
    it was made, is about this kit's set of cases, and its counts support what it says.

    That shows damage, not a lie: whoever edits counts can compute the digest anew. With
    --rerun a sample of the cases is given to CMD and judged again. It follows from the
    statement's digest and the seed, which is printed.

    \b
    efm3 conformance verify-statement statement.json
    efm3 conformance verify-statement statement.json --rerun 'python3 reader.py'

    Exit codes: 0 well-formed, and nothing run again contradicts it; 1 not; 2 usage; 3 unreadable,
    or CMD cannot be run or is broken in all that contradicts it.
    """
    from efm3.conformance import statement as statements
    from efm3.conformance.rerun import chosen, rerun
    from efm3.conformance.runner import subject
    from efm3.machine import cores

    value = statements.read(source(statement))
    found, again = list(statements.problems(value)), None
    if program is not None and not found:
        try:
            picked = chosen(value, classes, precision or "")
        except Efm3Error:
            raise
        except ValueError as e:
            raise click.UsageError(str(e)) from None
        asked = {c.subject for c in picked}
        computed = next((c.precision for c in picked if c.precision), PRECISIONS[0])
        if not asked:
            what = " or ".join(classes) or "an Engine"  # without classes only a precision excludes
            raise click.UsageError(f"the statement has no claim of {what}"
                                   + (f" in {precision}" if precision else ""))
        try:
            of = subject(program, protocol, timeout, stdin, tensors,
                         tested=asked.pop() if len(asked) == 1 else "", precision=computed)
        except ValueError as e:
            raise click.UsageError(str(e)) from None
        # Whoever knows the seed can search for a statement whose sample looks well.
        seed = secrets.randbelow(1 << 31) if seed is None else seed
        try:
            again = rerun(value, of, sample, seed, classes, jobs or cores(), precision or "")
        finally:
            of.close()
        found = again.findings
    code = 3 if again and again.broken else int(bool(found))
    if as_json:
        click.echo(dumps({"ok": not found, "rerun": again and again.to_json(),
                               "findings": [f.to_json() for f in found]}, indent=2))
        sys.exit(code)
    style = styler()
    for f in found:
        click.echo(f"{style(f.code, fg='red', bold=True)}  {printable(f.path or 'statement')}: "
                   f"{printable(f.message)}")
        if f.found and not again:
            click.echo(style(f"    found {printable(f.found)}, expected {printable(f.expected)}",
                             dim=True))
    if again or not found:
        about = value["implementation"]
        own = f"{about['name']} {about['version']}"
        words = ", ".join(c.words for c in statements.claims(value))
        click.echo(printable(f"{own.strip()}: {words}"))
    if again:
        own = f"{again.implementation.get('name', '')} {again.implementation.get('version', '')}"
        if own.strip():
            click.echo(f"the program calls itself {printable(own.strip())}")
        words = (f"{again.ran} of its {again.cases} cases run again (seed {again.seed}): "
                 + (f"{len(found)} contradict it" if found else "none contradicts it"))
    elif found:
        words = "well-formed, but not about these cases: it cannot be checked here" \
            if {f.code for f in found} == {"K007"} else "the statement is NOT well-formed"
    else:
        words = "well-formed; its claims were not checked: --rerun COMMAND"
    click.echo(style(words, bold=True, fg="red" if found else "green" if again else "yellow"))
    sys.exit(code)
