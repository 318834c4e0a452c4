# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 train`: options in, a run folder with a verified file out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click

from efm3.cli import Finite, json_option
from efm3.cli._kinds import FILE, FOLDER
from efm3.extras import need
from efm3.findings import printable
from efm3.texts import dumps
from efm3.train.config import Config

STOPPED = 75
"""Exit code of a run that was stopped with a checkpoint (EX_TEMPFAIL: try again)."""


PLACES = {"data": FILE, "out": FOLDER, "eval_pairs": FILE, "held_out": FILE,
          "teacher": FILE}
"""Options that name a place, which a shell completes."""


def _type(f: Field[Any]) -> Any:
    said = f.metadata
    if said["choices"]:
        return click.Choice(said["choices"])
    if f.type == "str":
        return PLACES.get(f.name, click.STRING)
    number = click.IntRange if f.type == "int" else Finite
    return number(said["least"], said["most"])


def _option(f: Field[Any]) -> Callable[[Any], Any]:
    """The option of a field; None where it was not given, so that a resume sees what was."""
    name = f.name.replace("_", "-")
    text = f.metadata["help"]
    if f.metadata["shown"]:
        text += f" (default {f.metadata['shown']})"
    if f.type == "bool":
        return click.option(f"--{name}/--no-{name}", f.name, default=None, help=text)
    return click.option(f"--{name}", f.name, type=_type(f), default=None, help=text,
                        metavar=None if f.metadata["choices"] else _metavar(f))


def _metavar(f: Field[Any]) -> str:
    return {"str": "TEXT", "int": "N"}.get(str(f.type), "X")


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for f in reversed(fields(Config)):
        command = _option(f)(command)
    return command


def _published(given: dict[str, Any]) -> None:
    """Refuse words that the finished file could not hold: after a run it would be late."""
    licence, note = given.get("licence", "MIT"), given.get("note", "")
    if not re.fullmatch(r"[A-Za-z0-9.+() -]{1,100}", licence):
        raise click.UsageError(f"--licence {printable(licence)[:80]!r} is not an SPDX expression")
    if len(note) > 1000 or any("\ud800" <= c <= "\udfff" or c == "\0" for c in note):
        raise click.UsageError("--note is longer than 1,000 characters, or not Unicode text")


@click.command("train")
@_options
@click.option("--resume", is_flag=True, help="resume from the folder's last.pt; start "
              "a new run where there is none")
@json_option
def command(resume: bool, as_json: bool, **options: Any) -> None:
    """Train a network on aligned faces with identities, and write a verified weight file.

    --data and --out are needed; a resumed run knows its data. SIGINT (Ctrl-C) and SIGTERM end a
    run after the current step, with a checkpoint. Needs PyTorch: the extra `train`.

    On several GPUs: torchrun --nproc-per-node N -m efm3.train, with the same options.

    \b
    efm3 train --arch nano --data ms1m/train.rec --out runs/nano
    efm3 train --out runs/nano --resume

    Exit codes: 0 trained and verified; 1 refused, or not verified, or a library is missing; 2
    usage; 3 a file cannot be read or written; 75 stopped with a checkpoint, --resume resumes.
    """
    given = {k: v for k, v in options.items() if v is not None}
    last = Path(given.get("out", "")) / "last.pt"
    found = "out" in given and last.exists()
    for name in ("out", "data"):
        if not given.get(name) and not (name == "data" and resume and found):
            raise click.UsageError(f"--{name} is missing")
    if found and not resume:
        raise click.ClickException(f"{printable(str(last))} exists: resume with --resume, or "
                                   "choose another --out")
    _published(given)
    need("torch", "train")
    from efm3.train import session

    try:
        done = session.start(given, resume)
    except Exception as e:
        why = session.reason(e)
        if why is None:
            raise
        raise click.ClickException(printable(why)) from None
    if as_json and done.first:
        click.echo(dumps(done.to_json(), indent=2))
    if done.stopped is not None:
        click.get_current_context().exit(STOPPED)
