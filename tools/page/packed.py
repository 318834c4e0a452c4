# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The Python of the page as one archive: the package's modules, unchanged, and what they import."""

from __future__ import annotations

import io
import re
import zipfile
from importlib import metadata
from pathlib import Path

from tools import ROOT, layers

VERBS = ("validate", "inspect", "diff", "where", "explain", "report")
"""Of the command, those that the page asks."""
LIBRARIES = ("construct", "click", "jinja2", "markupsafe")
"""Distributions that these verbs import; each is Python alone, or does without what is compiled."""
FASTER = re.compile(r"markupsafe/_speedups\.")
"""Compiled parts that are left out."""
TEMPLATES = ROOT / "efm3" / "report" / "templates"
GLUE = ROOT / "page" / "glue.py"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Of each member, so that the same files give the same archive."""


def modules() -> list[Path]:
    """The files of efm3/ that the verbs need."""
    roots = [f"efm3.cli.{verb}" for verb in VERBS]
    codes = [m for m in layers.files() if m.startswith(("efm3.codes.", "efm3.rules."))]
    files = layers.needed("efm3.cli", "efm3.sniff", *roots, *codes)
    # Of each folder, whether another module names it or not.
    return sorted({*files, *(f.parent / "__init__.py" for f in files)})


def _of_library(name: str) -> dict[str, bytes]:
    """Its modules, and its licence. Raises PackageNotFoundError, ValueError."""
    out = {}
    for file in metadata.files(name) or ():
        inner = file.as_posix()
        if inner.startswith(".."):  # its command, which is in another folder
            continue
        licence = ".dist-info/" in inner and re.search("licen|METADATA", inner, re.IGNORECASE)
        if inner.endswith(".so") and not FASTER.match(inner):
            raise ValueError(f"{name} is not Python alone: {inner}")
        if inner.endswith(".py") or licence:
            out[inner] = Path(str(file.locate())).read_bytes()
    return out


def members() -> dict[str, bytes]:
    """Name in the archive to content."""
    files = [*modules(), *sorted(TEMPLATES.iterdir())]
    out = {p.relative_to(ROOT).as_posix(): p.read_bytes() for p in files}
    for name in LIBRARIES:
        out |= _of_library(name)
    return out | {GLUE.name: GLUE.read_bytes()}


def archive(parts: dict[str, bytes]) -> bytes:
    """A zip archive of these members, the same for the same ones."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for name, data in sorted(parts.items()):
            z.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
