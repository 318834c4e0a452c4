# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Shells in terminals, as a person has them: keys are typed, and the screen is read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
PATIENCE = 60.0
"""Seconds after which what a screen should show is not waited for any more."""
PROMPT = "ready> "

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
"""Each shell without anybody's settings."""
PROMPTS = {
    "bash": f"PS1='{PROMPT}'; bind 'set bell-style none'; bind 'set show-all-if-ambiguous on'",
    "zsh": f"PROMPT='{PROMPT}'; unsetopt beep",
    "fish": f"function fish_prompt; printf '{PROMPT}'; end; set -g fish_greeting",
}
SOURCE = {
    "bash": 'eval "$(efm3 completion bash)"',
    "zsh": 'eval "$(efm3 completion zsh)"',
    "fish": "efm3 completion fish | source",
}
"""How a shell reads its script, as docs/shells.md says."""


def missing(*programs: str) -> str:
    """Why these programs cannot be run here, "" where they can."""
    gone = [p for p in programs if shutil.which(p) is None]
    return f"no {' and no '.join(gone)} here: tools/foreign/install_shells.sh" if gone else ""


class Terminal:
    """A terminal in which a program runs, `width` columns wide."""

    def __init__(self, command: list[str], folder: Path, width: int, height: int,
                 **variables: str) -> None:
        self._socket = f"efm3-{os.getpid()}-{id(self)}"
        home = folder / ".home"
        home.mkdir(exist_ok=True)
        tools = home / "efm3"
        tools.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m efm3 "$@"\n')
        tools.chmod(0o755)
        own = {"HOME": str(home), "PATH": f"{home}:{os.environ['PATH']}", "TERM": "screen-256color",
               "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "SHELL": "/bin/sh"} | variables
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", str(width), "-y", str(height),
                   "-c", str(folder), "env", "-i", *(f"{k}={v}" for k, v in own.items()), *command)

    def _tmux(self, *words: str) -> str:
        return subprocess.run(["tmux", "-u", "-L", self._socket, *words], check=True,
                              capture_output=True, encoding="utf-8").stdout

    def type(self, text: str) -> None:
        """These characters."""
        self._tmux("send-keys", "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: Tab, Enter, C-u."""
        self._tmux("send-keys", *keys)

    def screen(self, colours: bool = False) -> str:
        """What is to be seen, lines that the terminal broke being one, without spaces at the end;
        with escape sequences where `colours`."""
        return self._tmux("capture-pane", "-p", "-J", *(["-e"] if colours else [])).rstrip()

    def wait(self, seen: Callable[[str], bool], what: str) -> str:
        """The screen, once `seen` says yes of it. Raises AssertionError after PATIENCE."""
        end = time.monotonic() + PATIENCE
        while not seen(shown := self.screen()):
            assert time.monotonic() < end, f"not seen: {what}\n{shown}"
            time.sleep(0.05)
        return shown

    def close(self) -> None:
        """End all that runs in it."""
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], capture_output=True,
                       check=False)


def last(shown: str) -> str:
    """The line with the last prompt, without the prompt."""
    return shown.rpartition(PROMPT.rstrip())[2].strip()


@contextmanager
def terminal(command: list[str], folder: Path, width: int = 100,
             **variables: str) -> Iterator[Terminal]:
    """A Terminal that is closed in the end."""
    opened = Terminal(command, folder, width, 40, **variables)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def shell(name: str, folder: Path, width: int = 100) -> Iterator[Terminal]:
    """A shell in `folder` that has read its completion."""
    with terminal(START[name], folder, width=width) as opened:
        opened.type(PROMPTS[name])
        opened.press("Enter")
        opened.wait(lambda s: s.endswith(f"\n{PROMPT.rstrip()}"), f"{name}'s prompt")
        opened.type(f"{SOURCE[name]}; clear; echo loaded")
        opened.press("Enter")
        opened.wait(lambda s: s.lstrip().startswith("loaded") and s.endswith(PROMPT.rstrip()),
                    "the script")
        yield opened
