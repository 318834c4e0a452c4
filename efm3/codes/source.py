# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What keeps a file from being read at all."""

ROWS = (
    ("IO001", "error", "", "unreadable",
     "The file cannot be read: it is missing, a folder or a device, not permitted, or it changed "
     "while it was read.",
     "Nothing of it was looked at; it may be valid or not.",
     "check the path and its permissions, and that no other program is writing the file"),
)
