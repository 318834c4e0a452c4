# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The `efm3` command. Each verb is a module of this package, loaded when it is called."""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import click

import efm3
from efm3.cli._colours import asked, coloured
from efm3.cli._kinds import ISA
from efm3.precision import PRECISIONS
from efm3.texts import printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from efm3.scan import Scan
    from efm3.source import Source

# Verb to the line that `efm3 --help` shows; module efm3.cli.<verb> has the command.
VERBS = {
    "inspect": "show what is in a file, broken ones included",
    "validate": "check files against the rules",
    "report": "write a page of HTML about files, to look at and to send",
    "config": "show the settings of validate, and where they come from",
    "explain": "explain a code: what it means, why it exists, how to fix it",
    "where": "byte to field and tensor, and back",
    "spec": "print the format's text, its guides or a machine-readable form",
    "layout": "list the tensors of an arch, in stored order",
    "diff": "compare two files, tensor by tensor",
    "extract": "write one tensor to a .npy file",
    "embed": "compute embeddings of faces",
    "compare": "print the similarities of two faces or more",
    "faces": "find the faces in photographs, and cut them out aligned",
    "eval": "measure accuracy and error rates on pairs of faces",
    "search": "find the faces of a table that are most like a face",
    "cluster": "sort the faces of a table by person",
    "dedupe": "list pictures of a table that are nearly the same",
    "train": "train on labelled images, write a verified weight file",
    "draw": "draw pictures of identities, for training and evaluation",
    "verify": "check the engine against the reference on every instruction set",
    "convert": "convert checkpoints, ONNX and other formats to EFM3, and back",
    "bench": "measure how fast the engine runs a file here",
    "new": "write an untrained file of a given arch",
    "examples": "copy a weight file and some pictures, to try things with",
    "seal": "write the tensor table's digest into a file",
    "doctor": "say what is installed and what is broken, for a bug report",
    "help": "print the help of a verb",
    "conformance": "test a reader, writer, editor or engine against the spec",
    "completion": "print the script by which a shell completes this command",
}


class Finite(click.FloatRange):
    """A number within a range; neither NaN, which no comparison catches, nor infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click.ParamType."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


precision_option = click.option(
    "--precision", type=click.Choice(PRECISIONS), default="f32", show_default=True,
    help="of the pointwise layers; docs/precision.md")


json_option = click.option("--json", "as_json", is_flag=True,
                           help="one JSON object on standard output")
isa_option = click.option("--isa", type=ISA, help="force an instruction set of the engine")


def restore_help(command: click.Command) -> None:
    """Read a command's help, and that of its own commands, from the source again.

    python -OO drops docstrings, and click takes the help from them.
    """
    import ast

    if command.callback is not None and not command.help:
        code = command.callback.__code__
        with open(code.co_filename, encoding="utf-8") as f:
            tree = ast.parse(f.read())
        command.help = next((ast.get_docstring(n) for n in ast.walk(tree)
                             if isinstance(n, ast.FunctionDef) and n.name == code.co_name), None)
    for inner in getattr(command, "commands", {}).values():
        restore_help(inner)


def _numbers(command: click.Command) -> None:
    """Call a number N or X in a command's help, as its verbs do; click says INTEGER RANGE."""
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_flag and option.metavar is None \
                and isinstance(option.type, (click.IntRange, click.FloatRange)):
            option.metavar = "N" if isinstance(option.type, click.IntRange) else "X"
    for inner in getattr(command, "commands", {}).values():
        _numbers(inner)


class Verbs(click.Group):
    """A group whose verbs are modules of a package, loaded when they are called."""

    verbs: ClassVar[dict[str, str]] = VERBS
    package = "efm3.cli"

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.verbs:
            return None
        module = import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        _numbers(command)
        if sys.flags.optimize > 1:
            restore_help(command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str],
                        ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click.Group; a word that is no verb is answered with those that are like it."""
        word = args[0]
        if word in self.verbs or word.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from efm3.cli._names import meant

        ctx.fail(f"No such verb {word!r}{meant(word, self.verbs)}")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The verbs, of which none is loaded, and this group's own options."""
        from click.shell_completion import CompletionItem

        return [*(CompletionItem(verb, help=line) for verb, line in self.verbs.items()
                  if verb.startswith(incomplete)),
                *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(self.verbs.items()))


def _ends(ctx: click.Context, why: str) -> NoReturn:
    """End with exit code 3: what the system refuses, and no verb can mend."""
    click.echo(f"efm3: {why}", err=True)
    ctx.exit(3)


@contextmanager
def _escaped() -> Iterator[None]:
    """What click itself says repeats words of the command, which may be a stranger's names."""
    try:
        yield
    except click.ClickException as e:
        vars(e).update(message=printable(e.message))  # typed as final
        raise


class _Top(Verbs):
    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command, or answer a shell that completes it."""
        if "_EFM3_COMPLETE" in os.environ:
            from efm3.cli import _shells

            _shells.register()
        return super().main(*args, **options)

    def make_context(self, info_name: str | None, args: list[str],
                     parent: click.Context | None = None, **extra: Any) -> click.Context:
        with _escaped():
            # Or click drops the colours that FORCE_COLOR asks for.
            return super().make_context(info_name, args, parent, color=asked(), **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; Ctrl-C ends it in one line too, also while it says why it ends."""
        try:
            return self._invoke(ctx)
        except KeyboardInterrupt:  # in a verb that has nothing to end in order
            click.echo("efm3: stopped", err=True)
            ctx.exit(130)

    def _invoke(self, ctx: click.Context) -> Any:
        """Efm3Error and OSError end in one line on stderr, not in a traceback."""
        try:
            with _escaped():
                return super().invoke(ctx)
        except efm3.Efm3Error as e:
            outside = e.code in ("IO001", "K016")  # nothing was judged
            click.echo(f"efm3: {printable(e.finding.message if outside else str(e))}", err=True)
            ctx.exit(3 if outside else 2 if e.code == "IO002" else 1)
        except MemoryError:
            _ends(ctx, "out of memory")
        except ModuleNotFoundError as e:
            if e.name != "numpy":
                raise
            _ends(ctx, f"{ctx.invoked_subcommand} needs numpy, which is not here")
        except RuntimeError as e:
            if "start new thread" in str(e):
                _ends(ctx, "the system cannot start another thread")
            if "allocate memory" in str(e):  # PyTorch's words for MemoryError
                _ends(ctx, "out of memory")
            raise
        except OSError as e:
            if e.errno == errno.EPIPE:
                raise  # click ends quietly
            where = f"{e.filename}: " if e.filename else ""
            click.echo(f"efm3: {printable(f'{where}{e.strerror or e}')}", err=True)
            ctx.exit(3)


@click.command(cls=_Top, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(efm3.__version__, prog_name="efm3")
def cli() -> None:
    """Read, write, check and show EFM3 weight files.

    \b
    efm3 inspect weights.bin
    efm3 help validate

    Exit codes: 0 fine; 1 findings, files that differ, or input that is refused; 2 usage;
    3 unreadable.
    """


if sys.flags.optimize > 1:
    restore_help(cli)


def styler() -> Callable[..., str]:
    """click.style where standard output is coloured, else a style that adds nothing."""
    from efm3.findings import plain  # with the catalogue of codes, which --help does without

    return click.style if coloured() else plain


def source(file: str) -> Source:
    """What to read for a FILE argument: `-` is standard input."""
    return sys.stdin.buffer if file == "-" else file


def separate(read: Iterable[str | None],
             written: Iterable[str | os.PathLike[str] | None]) -> None:
    """Raises Efm3Error X019 where a file that would be written is one that is read; `-` is standard
    input there, standard output here, and None is nothing."""
    from efm3.source import apart

    apart([source(f) for f in read if f], [f for f in written if f != "-"])


def again(file: str) -> Source | Scan:
    """The same for what is read more than once: of standard input, which is not, what its header
    allows. Raises Unreadable."""
    from efm3.reading import scan_of

    return scan_of(source(file)) if file == "-" else file


@contextmanager
def needs_engine() -> Iterator[None]:
    """Turns "the engine was not built" into one line for the user: an error, or where numpy
    computes in its place a note."""
    from efm3 import fallback
    from efm3.engine import MISSING, EngineMissing

    try:
        with fallback.telling(lambda text: click.echo(f"efm3: {printable(text)}", err=True)):
            yield
    except EngineMissing as e:
        text = str(e)
        if text.startswith(MISSING):
            text = f"this needs the C engine, which is not here: {fallback.how()}"
        raise click.ClickException(text) from None
