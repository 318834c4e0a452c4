# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Inputs of what a project's folder may tell `efm3 validate`: settings, and patterns of git."""

from __future__ import annotations

import os

from efm3 import settings
from efm3.findings import Efm3Error
from efm3.globs import of_text
from tests.fuzz import packs

WORDS = (b"select", b"ignore", b"exclude", b"level", b"fail-on", b"gitignore", b"[tool.efm3]",
         b"[[tool]]", b'"M0"', b'["T", "V"]', b"true", b"'''", b'"""', b"1e999", b"a.b.c", b"\xff",
         b"9" * 5000, b"[" * 2000, b"1979-05-27T07:32:00Z", b'"\\udcff"')
PATTERNS = (b"*.bin", b"**/a", b"a/**/b", b"!a", b"/a", b"a/", b"[!a-z]", b"[[:alpha:]]", b"[z-a]",
            b"[", b"\\", b"#a", b"*" * 300, b"?" * 300, b"*a" * 200, b"**/" * 100, b"\xff", b"")
PATHS = tuple(tuple(path.split(b"/")) for path in (
    b"a", b"a.bin", b"a/b/c.bin", b"!a", b"[", b"\xff\xfe", b"a" * 250 + b"b",
    b"/".join([b"a"] * 99)))


def configurations() -> list[bytes]:
    """Files of settings as they should be, and some that are refused."""
    return [b'select = ["M", "T012"]\nlevel = "values"\nfail-on = "warning"\n',
            b'[tool.efm3]\nignore = ["P008"]\nexclude = ["old/", "*.tmp.bin"]\ngitignore = false\n',
            b'[project]\nname = "x"\n[tool.other]\na.b.c = 1\n', b"", b"level = 3\n", b"leve = 1\n"]


def check_settings(data: bytes) -> str:
    """Settings by either name of their file, or IO002."""
    said = ""
    for name in settings.FILES:
        path = os.path.join(packs.folder(), name)
        with open(path, "wb") as f:
            f.write(data)
        try:
            found = settings.read(path)
            said += "none " if found is None else f"{len(found.to_json()['settings'])} "
        except Efm3Error as e:
            assert e.code == "IO002", e
            said += f"{e.code} "
    return said.strip()


def ignored() -> list[bytes]:
    """Texts as .gitignore holds them."""
    return [b"\n".join(PATTERNS), b"*\n!*/\n!*.bin\n", b"# all\nbuild/\n*.o\r\n/a/b\n"]


def check_patterns(data: bytes) -> str:
    """Each path is left out, taken, or nobody's business."""
    patterns = of_text(data)
    return " ".join(str(patterns.says(path, folder)) for path in PATHS for folder in (False, True))
