# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Offsets and limits for the engine, as C macros."""

from __future__ import annotations

from efm3 import format as fmt
from efm3.forms._text import preamble


def text() -> str:
    """The header file."""
    rows: list[tuple[str, object]] = [
        ("MAGIC", f'"{fmt.MAGIC.decode()}"'), ("VERSION", fmt.VERSION),
        ("HDR_VERSION", fmt.HDR_VERSION), ("PREFIX_SIZE", fmt.PREFIX_SIZE),
        ("ARCH_OFFSET", fmt.FIELDS["arch.hdr_version"].offset), ("ARCH_SIZE", fmt.ARCH_SIZE),
        ("STAGE_SLOTS", fmt.STAGE_SLOTS), ("STAGE_OFFSET", fmt.FIELDS["arch.stages[0].t"].offset),
        ("STAGE_SIZE", fmt.STAGE_SIZE), ("JSON_LEN_OFFSET", fmt.FIELDS["json_len"].offset),
    ]
    header = [f for f in fmt.FIELDS.values()
              if f.path.startswith("arch.") and "stages[" not in f.path]
    rows += [(f"OFF_{_macro(f.path)}", f.offset) for f in header]
    stage = [fmt.FIELDS[f"arch.stages[0].{k}"] for k in "tns"]
    for f in header + stage:
        if f.con.lo < f.con.hi:
            rows += [(f"MIN_{_macro(f.path)}", f.con.lo), (f"MAX_{_macro(f.path)}", f.con.hi)]
    rows += [("MAX_JSON_LEN", fmt.MAX_JSON_LEN), ("MAX_BLOCKS", fmt.MAX_BLOCKS),
             ("MAX_EXPANDED", fmt.MAX_EXPANDED), ("INPUT_SIDE", fmt.INPUT_SIDE),
             ("INPUT_CHANNELS", fmt.INPUT_CHANNELS), ("BN_EPS", repr(fmt.BN_EPS)),
             ("L2_EPS", repr(fmt.L2_EPS)), ("MAX_JSON_DEPTH", fmt.MAX_JSON_DEPTH),
             ("META_KEY", f'"{fmt.META_KEY}"'), ("PICTURE_KEY", f'"{fmt.PICTURE_KEY}"'),
             ("PICTURE_UPRIGHT", f'"{fmt.UPRIGHT}"'), ("PICTURE_TURNED", f'"{fmt.TURNED}"')]
    lines = [*preamble("//"), "#ifndef MFN_FORMAT_GEN_H", "#define MFN_FORMAT_GEN_H", ""]
    lines += [f"#define MFN_FMT_{name} {value}" for name, value in rows]
    return "\n".join([*lines, "", "#endif", ""])


def _macro(path: str) -> str:
    return path.removeprefix("arch.").replace("stages[0].", "stage_").upper()
