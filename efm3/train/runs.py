# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The run folder: what it takes to do the same again."""

from __future__ import annotations

import json
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

import efm3
from efm3.source import write_atomic

ROOT = Path(__file__).resolve().parents[2]


def describe(config: dict[str, Any], source: Any, processes: int, device: str) -> dict[str, Any]:
    """The run as JSON: options, command, commit, versions, data, machine."""
    return {
        "config": config, "command": shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]]),
        "commit": commit(), "data": source.name, "identities": source.classes,
        "images": len(source), "processes": processes,
        "versions": {"efm3": efm3.__version__, "python": platform.python_version(),
                     "torch": torch.__version__, "numpy": np.__version__,
                     "pillow": _version("pillow")},
        "machine": {"system": platform.platform(), "cpu": cpu(), "threads": torch.get_num_threads(),
                    "device": torch.cuda.get_device_name() if device == "cuda" else "cpu"},
    }


def write(folder: Path, value: dict[str, Any]) -> None:
    """config.json, whole or not at all."""
    write_atomic(folder / "config.json", [(json.dumps(value, indent=2) + "\n").encode()])


def commit() -> str:
    """The commit of this checkout, with `+` where files differ from it, or ""."""
    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True,
                              check=False)
        return done.stdout.strip() if done.returncode == 0 else ""
    try:
        found = git("rev-parse", "HEAD")
        return found + ("+" if found and git("status", "--porcelain", "-uno") else "")
    except OSError:
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
