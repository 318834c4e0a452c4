# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine's package for browsers and Node, into build/wasm.

    python -m tools.web [FOLDER]

Exit 0, also where the compiler is missing, which is said; 1 where something fails.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.foreign.platforms import ZIG
from tools.web import build


def main() -> int:
    """The command."""
    if not ZIG.exists():
        print("wasm: skipped, no build/zig (tools/foreign/install_zig.sh)")
        return 0
    try:
        lines = build.package(Path(sys.argv[1]) if sys.argv[1:] else build.OUT)
    except RuntimeError as e:
        print(f"wasm: {e}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
