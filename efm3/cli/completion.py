# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 completion`: the script by which a shell completes this command."""

from __future__ import annotations

import click

from efm3.cli._shells import SHELLS
from efm3.texts import dumps


@click.command("completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.option("--json", "as_json", is_flag=True, help="the shell and its script as JSON")
def command(shell: str, as_json: bool) -> None:
    """Print the script that completes verbs, options, files, tensors, codes, archs and cases.

    \b
    bash        eval "$(efm3 completion bash)"     in ~/.bashrc
    zsh         eval "$(efm3 completion zsh)"      in ~/.zshrc
    fish        efm3 completion fish | source      in ~/.config/fish/config.fish
    PowerShell  efm3 completion powershell | Out-String | Invoke-Expression    in $PROFILE

    Exit codes: 0 printed, 2 usage.
    """
    script = SHELLS[shell].script
    click.echo(dumps({"shell": shell, "script": script}, indent=2) if as_json else script)
