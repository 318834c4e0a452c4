# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a file cannot be read at all."""

ROWS = (
    ("IO001", "error", "", "unreadable",
     "The file cannot be read: it is missing, a folder or a device, not permitted, or it changed "
     "while it was read.",
     "Its contents were not checked; it may be valid or not.",
     "check the path and its permissions, and that no other program is writing the file"),
)
