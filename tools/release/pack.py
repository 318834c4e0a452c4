# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Archives whose bytes depend on their content and one time alone, in place of setuptools' own.

Its sdist states who packed it, when, with which umask; its wheel the times and modes of files.
"""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import re
import tarfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

_ENGINE = re.compile(r"efm3/_engine\.([\w-]+\.)?(so|pyd)")


def stable(platform: str) -> str:
    """The name in a wheel of the engine's extension for the stable ABI, by the platform's tag:
    Windows has no name for that ABI."""
    return f"efm3/_engine.{'pyd' if platform.startswith('win') else 'abi3.so'}"


def engine(files: Iterable[str]) -> str:
    """The name of the engine's extension among a wheel's members, "" where it holds none."""
    return next((name for name in files if _ENGINE.fullmatch(name)), "")


def members(path: Path) -> dict[str, bytes]:
    """Name to bytes of an archive's files: a zip or a wheel, else a tar.gz."""
    if path.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(path) as z:
            return {i.filename: z.read(i) for i in z.infolist() if not i.is_dir()}
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read()  # type: ignore[union-attr]  # it is a file
                for m in tar.getmembers() if m.isfile()}


def sdist(path: Path, epoch: int) -> None:
    """Pack the tar.gz anew: files sorted, owned by nobody, readable by all, of the time `epoch`."""
    with tarfile.open(path) as tar:
        runs = {m.name for m in tar.getmembers() if m.mode & 0o100}
    files = members(path)
    with (open(path, "wb") as f, gzip.GzipFile("", "wb", 9, f, epoch) as packed,
          tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as out):
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(files[name]), epoch
            info.mode = 0o755 if name in runs else 0o644
            out.addfile(info, io.BytesIO(files[name]))


def metadata_folder(files: dict[str, bytes]) -> str:
    """The name of a wheel's .dist-info folder. Raises ValueError where there is not just one."""
    found = {name.partition("/")[0] for name in files if ".dist-info/" in name}
    if len(found) != 1:
        raise ValueError(f"the wheel has {len(found)} folders *.dist-info, not 1")
    return found.pop()


def record(files: dict[str, bytes], name: str) -> bytes:
    """The text of RECORD, whose own name is `name`: each file, its SHA-256 and its length."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for member, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow([member, f"sha256={digest}", len(data)])
    rows.writerow([name, "", ""])
    return text.getvalue().encode()


def wheel(path: Path, epoch: int, added: dict[str, bytes]) -> None:
    """Pack the wheel anew: files sorted, its metadata last, of the time `epoch`, with `added` in
    the .dist-info folder."""
    files = members(path)
    folder = metadata_folder(files)
    files |= {f"{folder}/{name}": data for name, data in added.items()}
    last = f"{folder}/RECORD"
    files.pop(last, None)
    files = {name: files[name] for name in sorted(files, key=lambda n: (folder in n, n))}
    files[last] = record(files, last)
    write(path, files, epoch)


def write(path: Path, files: dict[str, bytes], epoch: int) -> None:
    """Write a zip archive of these files, in their order, of the time `epoch`, seconds since
    1970; the engine's extension may be run, as linkers leave it."""
    with zipfile.ZipFile(path, "w") as out:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, time.gmtime(epoch)[:6])
            info.create_system, info.compress_type = 3, zipfile.ZIP_DEFLATED
            info.external_attr = (0o100755 if name == engine([name]) else 0o100644) << 16
            out.writestr(info, data)
