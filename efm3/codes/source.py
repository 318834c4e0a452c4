# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a file cannot be read at all, and why a file of settings cannot be used."""

ROWS = (
    ("IO001", "error", "", "unreadable",
     "The file cannot be read: it is missing, a folder or a device, not permitted, or it changed "
     "while it was read.",
     "Its contents were not checked; it may be valid or not.",
     "check the path and its permissions, and that no other program is writing the file"),
    ("IO002", "error", "", "settings",
     "A file of settings, efm3.toml or [tool.efm3] of pyproject.toml, holds a key that is not "
     "known or a value that is not allowed, or is no TOML.",
     "What it was meant to say is not known, and files would be judged otherwise than wanted.",
     "correct the key or the value that is named (docs/ci.md lists all; `efm3 config` shows them)"),
)
