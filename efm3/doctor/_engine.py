# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The C engine: is it there, does it load, is it this version's, does it compute right?"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from efm3.doctor._libraries import imported
from efm3.doctor._surroundings import short
from efm3.version import __version__

PACKAGE = Path(__file__).resolve().parent.parent
_AGAIN = ("install a C compiler, then install efm3 again from its sources, or take a wheel for "
          "this system")

Broken = Callable[[str, str], None]


def state(quick: bool, broken: Broken, note: Callable[[str], None]) -> dict[str, Any]:
    """The row of the engine; `state` is "works", "absent", "broken", or "untried" when quick."""
    row: dict[str, Any] = {
        "state": "absent", "file": None, "reason": None, "version": None, "isas": {},
        "isa": None, "asked_isa": os.environ.get("MFN_ISA") or None, "precisions": {},
        "checks": []}
    spec = find_spec("efm3._engine")
    if spec is None:
        others = sorted(p.name for p in PACKAGE.glob("_engine.*") if p.suffix in (".so", ".pyd"))
        if others:
            row |= {"state": "broken", "file": others[0],
                    "reason": "built for another Python or another system"}
            broken(f"the engine {others[0]} was built for another Python or system", _AGAIN)
        else:
            row["reason"] = "it was not built"
            note("the C engine was not built: what needs it is slower or refused; " + _AGAIN)
        return row
    row["file"] = short(str(spec.origin))
    # In another process first: a library that was cut off may end the one that loads it.
    if wrong := imported(["efm3._engine"])["efm3._engine"]:
        row |= {"state": "broken", "reason": short(wrong)}
        broken(f"the engine is there but cannot be loaded: {wrong}", _AGAIN)
        return row
    try:
        module = import_module("efm3._engine")
        row["version"] = module.ffi.string(module.lib.mfn_version()).decode()
    except Exception as e:  # whatever a foreign library raises, or lacks
        row |= {"state": "broken", "reason": short(f"{type(e).__name__}: {e}")}
        broken(f"the engine is there but cannot be loaded: {e}", _AGAIN)
        return row
    for name, version in (("efm3", __version__), ("engine/include/facex_mfn.h", _header())):
        if version not in (None, row["version"]):
            row |= {"state": "broken", "reason": f"{name} is {version}"}
            broken(f"the engine is of version {row['version']}, {name} of {version}",
                   "build it again: python setup.py build_ext --inplace, or install efm3's "
                   "sources anew")
    try:
        _ask(row, quick, broken)
    except Exception as e:  # a function that an older library lacks, a name that it refuses
        if row["asked_isa"] and getattr(e, "code", "") == "E_ISA":
            broken(f"MFN_ISA is set to {row['asked_isa']!r}: {e}", "unset MFN_ISA, or name one of "
                   + ", ".join(n for n, here in row["isas"].items() if here))
        else:
            broken(f"the engine cannot be used: {type(e).__name__}: {e}", _AGAIN)
        row |= {"state": "broken", "reason": short(f"{type(e).__name__}: {e}")}
    return row


def _header() -> str | None:
    """The version that the header of a checkout states; None outside one."""
    try:
        text = (PACKAGE.parent / "engine/include/facex_mfn.h").read_text("utf-8", "replace")
    except OSError:
        return None
    found = re.search(r'^#define MFN_VERSION_STRING "([^"\n]{1,40})"', text, re.MULTILINE)
    return found[1] if found else None


def _ask(row: dict[str, Any], quick: bool, broken: Broken) -> None:
    """Instruction sets, precisions, and a small network on each beside the reference."""
    from efm3 import untrained, verification
    from efm3.conformance.sample import ARCH
    from efm3.engine import Engine, isas
    from efm3.model import load
    from efm3.precision import PRECISIONS

    row["isas"] = isas()
    if quick:
        row["state"] = "broken" if row["reason"] else "untried"
        return
    model = load(untrained.dumps(ARCH, 1))
    for precision in PRECISIONS:
        with Engine(model, precision=precision) as e:
            row["isa"] = e.isa
            row["precisions"][precision] = e.arithmetic
    for outcome in verification.verify(model):
        row["checks"].append({"isa": outcome.isa, "max_error": outcome.to_json()["max_error"],
                              "ok": outcome.ok})
        if not outcome.ok:
            broken(f"the engine computes wrongly with {outcome.isa}: error "
                   f"{outcome.max_error:.2e}", "report it with this text, and set MFN_ISA to "
                   "another instruction set")
    right = all(c["ok"] for c in row["checks"]) and not row["reason"]
    row["state"] = "works" if right else "broken"
