# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""config.json of the run folder: all that is needed to repeat a run."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from efm3.source import write_atomic
from efm3.texts import dumps
from efm3.train.data import Data
from efm3.version import __version__

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package: a checkout's, or site-packages."""


def describe(config: dict[str, Any], source: Data, processes: int, device: str) -> dict[str, Any]:
    """The run as JSON: options, command, commit, versions, data, machine."""
    return {
        "config": config, "command": shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]]),
        "commit": commit(), "data": source.name, "drawn": source.facts,
        "identities": source.classes, "images": len(source), "processes": processes,
        "versions": {"efm3": __version__, "python": platform.python_version(),
                     "torch": torch.__version__, "numpy": np.__version__,
                     "pillow": _version("pillow")},
        "machine": {"system": platform.platform(), "cpu": cpu(), "threads": torch.get_num_threads(),
                    "device": torch.cuda.get_device_name() if device == "cuda" else "cpu"},
    }


def write(folder: Path, value: dict[str, Any]) -> None:
    """Write config.json atomically."""
    write_atomic(folder / "config.json", [(dumps(value, indent=2) + "\n").encode()])


def commit(root: Path = ROOT) -> str:
    """The commit of this package's own checkout, with `+` where files differ from it, or "".

    An installed package has none: a repository that happens to surround it is another project's.
    """
    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False,
                              encoding="utf-8", errors="replace")
        return done.stdout.strip() if done.returncode == 0 else ""
    try:
        own = 'name = "efm3"' in (root / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        top = git("rev-parse", "--show-toplevel") if own else ""
        if not top or Path(top).resolve() != root.resolve():
            return ""
        found = git("rev-parse", "HEAD")
        return found + ("+" if found and git("status", "--porcelain", "-uno") else "")
    except (OSError, ValueError):
        return ""


def cpu() -> str:
    """The processor's name, where the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return next(line.split(":", 1)[1].strip() for line in text.splitlines()
                    if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
