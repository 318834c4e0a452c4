# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a word of the command may be: each kind completes itself; none of them judges the word.

While a shell completes there is no time, and nobody to read a message: of a file its prefix is
read, which states the tensors, and what fails gives no candidates.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    Items = list[CompletionItem[str]]
    Kind = click.ParamType[Any]
else:  # not every click that is supported has type arguments
    Kind = click.ParamType


def _item(word: str, **more: Any) -> CompletionItem[str]:
    from click.shell_completion import CompletionItem  # a verb that runs needs none

    return CompletionItem(word, **more)


class Word(Kind):
    """A word of which some are known; what is begun picks among them."""

    name = "text"
    separator = ""
    """What stands between several in one word."""
    any_case = False

    def known(self, begun: str, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Words and what they are; those that do not begin as `begun` may be among them."""
        return ()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click.ParamType."""
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter,
                       incomplete: str) -> Items:
        """See click.ParamType."""
        head, mark, begun = incomplete.rpartition(self.separator) if self.separator else \
            ("", "", incomplete)
        begun = begun.upper() if self.any_case else begun
        return [_item(head + mark + word, help=about)
                for word, about in self.known(begun, ctx) if word.startswith(begun)]


class _Place(Kind):
    """A name in the file system, which the shell completes; `kind` is file or dir."""

    name = "path"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter,
                       incomplete: str) -> Items:
        """See click.ParamType."""
        return [_item(incomplete, type=self.kind)]


FILE, FOLDER = _Place("file"), _Place("dir")


class _Arch(Word):
    """A published size, or a file."""

    name = "arch"

    def known(self, begun: str, ctx: click.Context) -> Iterable[tuple[str, str]]:
        from efm3.arch import ARCHS

        return ((name, f"{a.embedding_dim} values") for name, a in ARCHS.items())

    def shell_complete(self, ctx: click.Context, param: click.Parameter,
                       incomplete: str) -> Items:
        return [*super().shell_complete(ctx, param, incomplete),
                _item(incomplete, type="file")]


def _tensors(ctx: click.Context) -> Iterator[tuple[str, str]]:
    """The tensors that the prefix of the command's file states. Raises Unreadable, Efm3Error."""
    from efm3 import format as fmt
    from efm3.network import tensor_layout
    from efm3.scan import scan
    from efm3.source import opened

    with opened(os.path.expanduser(ctx.params["file"])) as file:
        arch = scan(file.start(fmt.PREFIX_SIZE)).arch
    for name, shape in tensor_layout(arch) if arch else ():
        yield name, "x".join(map(str, shape))


class _Tensor(Word):
    """A tensor of the command's FILE."""

    name = "tensor"

    def known(self, begun: str, ctx: click.Context) -> Iterable[tuple[str, str]]:
        return _tensors(ctx)


class _Spot(Word):
    """A field or tensor of the command's FILE; a byte has a number, which nobody completes."""

    name = "place"

    def known(self, begun: str, ctx: click.Context) -> Iterable[tuple[str, str]]:
        from efm3 import format as fmt
        from efm3.scan import scan
        from efm3.source import opened

        with opened(os.path.expanduser(ctx.params["file"])) as file:
            spans = scan(file.start(fmt.PREFIX_SIZE)).spans()
        yield from ((s.path, s.doc) for s in spans)
        yield from _tensors(ctx)


class _Code(Word):
    """A code of the catalogue."""

    name = "code"
    any_case = True

    def known(self, begun: str, ctx: click.Context) -> Iterable[tuple[str, str]]:
        from efm3.codes import CODES

        return ((c.code, c.what) for c in CODES.values())


class _Rules(_Code):
    """Codes of rules on files, or their beginnings, with commas between."""

    separator = ","

    def known(self, begun: str, ctx: click.Context) -> Iterable[tuple[str, str]]:
        from efm3.codes import CODES, RULE_GROUPS

        return ((c.code, c.what) for c in CODES.values() if c.group in RULE_GROUPS)


class _Cases(Word):
    """A word that names cases of the kit: of their IDs only where one is begun, for the words that
    name many are what is wanted then."""

    name = "word"

    def known(self, begun: str, ctx: click.Context) -> Iterable[tuple[str, str]]:
        from efm3.conformance.home import HOME

        folders = sorted(f.name for f in os.scandir(HOME / "cases") if f.is_dir())
        yield from (("smoke", "a few that show most"), ("MUST", "what is required"),
                    ("SHOULD", "what is advised"))
        yield from ((folder, "a folder of cases") for folder in folders)
        if begun:
            for folder in folders:
                yield from ((f.name.removesuffix(".toml"), folder)
                            for f in sorted(os.scandir(HOME / "cases" / folder),
                                            key=lambda f: f.name) if f.name.endswith(".toml"))


class _Isa(Word):
    """An instruction set that the engine here has and can run."""

    name = "isa"

    def known(self, begun: str, ctx: click.Context) -> Iterable[tuple[str, str]]:
        from efm3.engine import isas

        return ((name, "") for name, runs in isas().items() if runs)


class _Verb(Word):
    """A verb of the command, or of the one that the words before it name."""

    name = "verb"

    def known(self, begun: str, ctx: click.Context) -> Iterable[tuple[str, str]]:
        at: click.Command | None = ctx.find_root().command
        for word in ctx.params.get("words") or ():
            at = at.get_command(ctx, word) if isinstance(at, click.Group) else None
        return ((verb, "") for verb in at.list_commands(ctx)) if isinstance(
            at, click.Group) else ()


class _Form(Word):
    """A text or form of `efm3 spec`."""

    name = "name"

    def known(self, begun: str, ctx: click.Context) -> Iterable[tuple[str, str]]:
        from efm3.forms import FORMS

        return ((name, form.description) for name, form in FORMS.items())


ARCH, TENSOR, PLACE, CODE, RULES, CASES, ISA, FORM, VERB = (
    _Arch(), _Tensor(), _Spot(), _Code(), _Rules(), _Cases(), _Isa(), _Form(), _Verb())
