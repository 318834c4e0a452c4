#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Write weights/facex_*.bin and weights/manifest.json; --check compares them with what is there."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import efm3  # noqa: E402
from efm3 import synthesis  # noqa: E402
from efm3.source import write_atomic  # noqa: E402

SEED = 1
FOLDER = ROOT / "weights"


def files() -> dict[str, bytes]:
    """Every file of the folder that this tool makes, by name."""
    out = {f"facex_{name}.bin": synthesis.dumps(arch, SEED) for name, arch in efm3.ARCHS.items()}
    rows = [{"file": name, "arch": name[6:-4], "size": len(data), "seed": SEED, "trained": False,
             "sha256": hashlib.sha256(data).hexdigest()} for name, data in out.items()]
    return out | {"manifest.json": (json.dumps({"files": rows}, indent=2) + "\n").encode()}


def main(check: bool) -> int:
    """Write or compare; returns how many files differed."""
    differing = 0
    for name, data in files().items():
        path = FOLDER / name
        if path.exists() and path.read_bytes() == data:
            continue
        differing += 1
        print(f"{path.relative_to(ROOT)}: {'differs' if check else 'written'}")
        if not check:
            write_atomic(path, [data])
    return differing


if __name__ == "__main__":
    check_only = "--check" in sys.argv[1:]
    sys.exit(1 if main(check_only) and check_only else 0)
