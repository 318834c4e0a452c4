#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An EFM3 exporter to start from: `write`, and at the end the command that the kit calls."""

import json
import struct
from typing import Any

KEYS = ("stem_channels", "block_channels", "final_channels", "embedding_dim", "gdc_kernel")
LIMITS = {"stem_kernel": 15, "stem_stride": 4} | dict.fromkeys(KEYS, 65535) | {"gdc_kernel": 112}


class Refused(Exception):
    """No file can be made of this; the text says why."""


def need(ok: bool, reason: str) -> None:
    """Refuse unless `ok`."""
    if not ok:
        raise Refused(reason)


def check(arch: dict[str, Any]) -> None:
    """Refuse what the header cannot state and what no engine could run."""
    need(type(arch) is dict, "this is not an arch")
    name: Any = arch.get("name")
    width: Any = arch.get("width_mult")
    stages: Any = arch.get("stages")
    need(type(name) is str and type(width) in (int, float), "name or width_mult has a wrong type")
    need(type(stages) is list and all(type(s) is dict and set(s) == set("tns") for s in stages),
         "stages is not an array of objects of t, n, s")
    need(1 <= len(stages) <= 8, "there are not 1..8 stages")
    for row in (arch, *stages):
        for key, most in (LIMITS if row is arch else {"t": 255, "n": 255, "s": 4}).items():
            need(type(row.get(key)) is int and 1 <= row[key] <= most, f"{key} is not 1..{most}")
    need(arch["stem_kernel"] % 2 == 1, "stem_kernel is even")
    need(sum(stage["n"] for stage in stages) <= 256, "there are more than 256 blocks")
    side = (112 - 1) // arch["stem_stride"] + 1
    for stage in stages:
        side = (side - 1) // stage["s"] + 1
    need(arch["gdc_kernel"] == side, f"gdc_kernel is not {side}, the last map's side")
    need(not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in name), "a NUL or half a character")
    need(0 < width <= 1.7976931348623157e308, "width_mult is not above zero, or not a binary64")


def write(arch: dict[str, Any], tensors: dict[str, Any]) -> bytes:
    """The file's bytes; `tensors` maps names to numpy arrays. Raises Refused."""
    check(arch)
    stages, table = arch["stages"], list[bytes]()

    def layer(name: str, out: int, per_group: int, kernel: int, act: bool = True) -> None:
        for part in ("conv.w", "bn.w", "bn.b", "bn.mean", "bn.var", "act.w")[:6 if act else 5]:
            shape = (out, per_group, kernel, kernel) if part == "conv.w" else (out,)
            need(f"{name}.{part}" in tensors, f"{name}.{part} is missing")
            array = tensors[f"{name}.{part}"]
            need(array.shape == shape, f"{name}.{part} has shape {array.shape}, not {shape}")
            need(array.dtype.str == "<f4" and array.flags.c_contiguous, f"{name}.{part} is not <f4")
            need(bool((abs(array) < float("inf")).all()), f"{name}.{part} holds NaN or infinity")
            table.append(struct.pack("<I", array.nbytes) + array.tobytes())

    c, block_channels, final, dim, gdc_kernel = own = [arch[key] for key in KEYS]
    layer("stem", c, 3, arch["stem_kernel"])
    layer("dw_stem", c, 1, 3)
    for i, stage in enumerate(stages, start=1):
        for j in range(stage["n"]):
            wide, out = c * stage["t"], arch["stem_channels"] if i == 1 else block_channels
            need(wide <= 65535, f"stage {i} expands to {wide} channels")
            layer(f"stage{i}.block{j}.expand", wide, c, 1)
            layer(f"stage{i}.block{j}.dw", wide, 1, 3)
            layer(f"stage{i}.block{j}.project", out, wide, 1, act=False)
            c = out
    layer("final_conv", final, c, 1)
    layer("gdconv", final, 1, gdc_kernel, act=False)
    layer("embed_proj", dim, final, 1, act=False)
    need(len(table) == len(tensors), "a tensor is not in the layout")

    mirror: dict[str, Any] = {"name": arch["name"], "width_mult": float(arch["width_mult"])}
    mirror.update({k: arch[k] for k in KEYS}, stages=[{k: s[k] for k in "tns"} for s in stages])
    text = json.dumps(mirror, separators=(",", ":")).encode("ascii")
    need(len(text) <= 1 << 20, "the mirror is over 1 MiB")
    header = struct.pack("<4B4HB3x", 1, len(stages), arch["stem_kernel"], arch["stem_stride"], *own)
    records = b"".join(struct.pack("<3B5x", s["t"], s["n"], s["s"]) for s in stages)
    return b"".join([struct.pack("<4sI80sI", b"EFM3", 3, header + records, len(text)), text,
                     struct.pack("<I", len(table)), *table])


# The command: exporter.py ARCH.json TENSORS_FOLDER OUT.bin

def main(arch_path: str, folder: str, out: str) -> int:
    """Export the NAME.npy of a folder; the exit code, 1 where they are refused."""
    import sys
    from pathlib import Path

    import numpy as np
    try:
        try:
            arch = json.loads(Path(arch_path).read_text(encoding="utf-8"))
            tensors = {path.stem: np.load(path, allow_pickle=False)
                       for path in Path(folder).glob("*.npy")}
        except (ValueError, EOFError) as e:
            raise Refused(f"not JSON, or not an array: {e}") from None
        data = write(arch, tensors)
    except Refused as e:
        print(e, file=sys.stderr)
        return 1
    Path(out).write_bytes(data)
    return 0


if __name__ == "__main__":
    from sys import argv
    from traceback import print_exc
    try:
        code = main(*argv[1:])
    except Exception:  # an uncaught exception exits with 1, which would mean refused
        print_exc()
        code = 70
    raise SystemExit(code)
