# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The `efm3` command, also as `python -m efm3`: start-up settings for speed, then the verbs.
"""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from efm3.machine import one_blas_thread
from efm3.texts import printable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


STOPPED = (130, 143)
"""Exit codes of a verb that was stopped by Ctrl-C or SIGTERM."""


def _open_streams() -> None:
    """Open the null device as stdin, stdout or stderr where the process lacks one.

    Otherwise the next file that is opened takes its number, and messages end up in that file.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            os.set_inheritable(fd, True)
            # For the rest of the process, so nobody closes it.
            setattr(sys, name, os.fdopen(fd, mode, encoding="utf-8", closefd=False))


class _Log(io.FileIO):
    """Standard error, of which what cannot be written is lost: a full disk ends no work."""

    def write(self, data: ReadableBuffer) -> int:
        """All of it, as far as the caller can tell."""
        count = None
        with suppress(OSError):
            count = super().write(data)
        return memoryview(data).nbytes if count is None else count


class _Pipe(io.FileIO):
    """Standard output on Windows, where a reader that has gone is an invalid argument."""

    def write(self, data: ReadableBuffer) -> int:
        """As many bytes as there was room for. Raises OSError, BrokenPipeError without a reader."""
        try:
            return super().write(data)
        except OSError as e:
            if e.errno != errno.EINVAL:
                raise
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None


def _keep_going() -> None:
    """Let no message, and no character of another alphabet, be the end of a command."""
    windows = sys.platform == "win32"  # a console there is written by other means
    if not (windows and sys.stderr.isatty()):
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(_Log(2, "w", closefd=False)),
                                      sys.stderr.encoding, "backslashreplace",
                                      line_buffering=True, newline=None)
    if windows and not sys.stdout.isatty():
        # The same bytes as elsewhere: Python would write the machine's code page, and CR LF.
        told = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
        out = io.TextIOWrapper(io.BufferedWriter(_Pipe(1, "w", closefd=False)),
                               told or "utf-8", newline="\n")
        for name in ("stdout", "__stdout__"):  # the latter is typed as final
            setattr(sys, name, out)
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.encoding.startswith("utf"):
        sys.stdout.reconfigure(errors="backslashreplace")


def _leave(code: int = 3) -> NoReturn:
    # The interpreter would try to write what is left in stdout's buffer, and say so.
    os._exit(code)


def main() -> None:
    """Entry point of the command.

    OpenBLAS starts a thread per core when numpy is imported, and they busy-wait: half of a
    command's processor time, more than they save on matrices as small as these.
    Imports create many objects and no garbage, so the collector runs less often.
    """
    _open_streams()
    _keep_going()
    gc.set_threshold(200_000, 20, 20)
    one_blas_thread()
    try:
        from efm3.cli import cli

        try:
            cli(prog_name="efm3")
        except SystemExit as end:
            # What goes wrong there is said here, and not by the interpreter.
            try:
                sys.stdout.flush()
            except OSError:
                if end.code == 3:  # the verb has said it
                    _leave()
                raise
            if end.code in STOPPED:
                # Not by the interpreter's own end: threads of a library that was at work (Daft's)
                # abort the process when that takes away what they run in.
                atexit._run_exitfuncs()
                with suppress(OSError):
                    sys.stdout.flush()
                _leave(end.code)
            raise
    except BrokenPipeError:
        _leave(1)  # as click ends a verb whose reader has gone
    except OSError as e:  # what click itself writes, help and completion, on a full disk
        sys.stderr.write(f"efm3: {printable(str(e.strerror or e))}\n")
        _leave()
    except ImportError as e:  # a library that memory or open files do not suffice for
        last = str(e.__cause__ or e).strip().splitlines()[-1:] or ["no reason given"]
        sys.stderr.write(f"efm3: a library cannot be loaded: {printable(last[0])}\n")
        _leave()
    except MemoryError:
        sys.stderr.write("efm3: out of memory\n")
        _leave()
    except KeyboardInterrupt:  # before there is a verb
        sys.stderr.write("efm3: stopped\n")
        _leave(130)


if __name__ == "__main__":
    main()
