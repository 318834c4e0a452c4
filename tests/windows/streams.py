# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Standard streams as Windows has them where they are pipes and files: in a code page, with CR LF,
and a reader that has gone is "Invalid argument"."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

from tests.windows.files import CODE_PAGE

WORKER = "exec(eval(sys.stdin.readline()))"
"""How pytest-xdist starts its workers."""


class File(io.FileIO):
    """A file's or a pipe's bytes."""

    def write(self, data: Any) -> int:
        """See the base class."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise OSError(errno.EINVAL, "Invalid argument") from None


def install() -> None:
    """Change this process; but what pytest itself prints stays UTF-8."""
    io.FileIO = File  # type: ignore[misc]
    if "pytest" in sys.orig_argv or WORKER in " ".join(sys.orig_argv):
        return
    wanted = os.environ.get("PYTHONIOENCODING", "").split(":")[0]
    encoding = wanted or ("utf-8" if sys.flags.utf8_mode else CODE_PAGE)
    for fd, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        old = getattr(sys, name)
        if old is None or os.isatty(fd):
            continue
        new = io.TextIOWrapper(
            io.BufferedWriter(File(fd, "wb", closefd=False)), encoding, errors, "\r\n",
            line_buffering=fd == 2, write_through=False)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    if sys.stdin is not None and not os.isatty(0):
        sys.stdin.reconfigure(encoding=encoding)  # type: ignore[union-attr]
