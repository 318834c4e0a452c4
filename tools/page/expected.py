# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the command says of the kit's files, for the page's tests.

`python -m tools.page.expected OUT [LEVEL]` writes each file under OUT/files, and for each a line of
OUT/expected.jsonl: what `efm3 validate --format json` prints, and `efm3 inspect --json` of parts;
in OUT/drawings.json the networks that `efm3 report` draws of the published sizes and of a long one.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from efm3 import format as fmt
from efm3.arch import ARCHS, Arch, Stage
from efm3.conformance.cases import corpus
from efm3.inspection import inspect
from efm3.reading import scan_of
from efm3.report.topology import drawing
from efm3.scan import scan


def said(words: list[str]) -> str:
    """What the command prints."""
    from efm3.cli import cli

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        cli(words, prog_name="efm3")
    return out.getvalue()


def _is_json(text: bytes) -> bool:
    """True where JSON's own grammar reads the mirror; of other texts each reader sees a part."""
    try:
        return isinstance(json.loads(text.decode(), parse_constant=_no_constant), dict)
    except (ValueError, RecursionError):
        return False


def _no_constant(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity, which Python reads


def row(name: str, level: str) -> dict[str, Any]:
    """What is expected of a file of the working folder."""
    found = scan_of(name)
    seen = inspect(found, name, tensors="*", fields=True, path=name)
    parts = {"coherence": seen["coherence"], "tensors": seen["tensors"], "bytes": seen["bytes"],
             # Of a broken header inspect shows what the mirror states; the quick view does not.
             "topology_of_header": seen["topology"] if found.arch else [],
             "mirror_is_json": _is_json(bytes(found.mirror or b"{}"))}
    words = ["validate", "--no-config", "--level", level, "--format", "json", "--", name]
    return {"name": name, "report": said(words), **parts}


def drawings() -> dict[str, Any]:
    """Name to the header of a network, as hex, and its drawing."""
    stages = (Stage(2, 5, 2), Stage(4, 40, 2), Stage(2, 9, 2))
    out = {}
    for arch in (*ARCHS.values(), Arch("long", 1.0, 64, 128, 512, 512, 7, stages)):
        prefix = fmt.PREFIX.build({"magic": fmt.MAGIC, "version": fmt.VERSION,
                                   "arch": arch.header(), "json_len": 0})
        out[arch.name] = {"prefix": prefix.hex(),
                          "drawing": drawing(inspect(scan(prefix))["topology"])}
    return out


def main() -> int:
    """Write the folder; its name and the level are the arguments."""
    out, level = Path(sys.argv[1]).absolute(), (sys.argv[2:] or ["values"])[0]
    files = out / "files"
    files.mkdir(parents=True, exist_ok=True)
    seen: set[bytes] = set()
    for case in corpus():
        data = case.data()
        if case.kind == "reader" or (data and data not in seen):
            (files / f"{case.id}.bin").write_bytes(data)
            seen.add(data)
    (out / "drawings.json").write_text(json.dumps(drawings()), encoding="utf-8")
    os.chdir(files)
    with open(out / "expected.jsonl", "w", encoding="utf-8") as f:
        for path in sorted(files.iterdir()):
            f.write(json.dumps(row(path.name, level)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
