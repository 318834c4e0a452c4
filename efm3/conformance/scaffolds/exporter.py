#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An EFM3 exporter to start from: `write`, and the command that the kit calls."""

import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

LIMITS = {"stem_kernel": 15, "stem_stride": 4, "stem_channels": 65535, "block_channels": 65535,
          "final_channels": 65535, "embedding_dim": 65535, "gdc_kernel": 112}


class Refused(Exception):
    """No file can be made of this; the text says why."""


def need(ok: bool, reason: str) -> None:
    """Refuse unless `ok`."""
    if not ok:
        raise Refused(reason)


def check(arch: dict[str, Any]) -> None:
    """Refuse what the header cannot state and what no engine could run."""
    need(type(arch) is dict and type(arch.get("stages")) is list, "this is no arch")
    need(1 <= len(arch["stages"]) <= 8, "there are not 1..8 stages")
    rows = [(arch, LIMITS)] + [(stage, {"t": 255, "n": 255, "s": 4}) for stage in arch["stages"]]
    for row, limits in rows:
        for key, most in limits.items():
            need(type(row.get(key)) is int and 1 <= row[key] <= most, f"{key} is not 1..{most}")
    need(arch["stem_kernel"] % 2 == 1, "stem_kernel is even")
    need(sum(stage["n"] for stage in arch["stages"]) <= 256, "there are more than 256 blocks")
    side = (112 - 1) // arch["stem_stride"] + 1
    for stage in arch["stages"]:
        side = (side - 1) // stage["s"] + 1
    need(arch["gdc_kernel"] == side, f"gdc_kernel is not {side}, the last map's side")
    name, width = arch.get("name"), arch.get("width_mult")
    need(type(name) is str and "\0" not in name, "there is no name, or a NUL in it")
    need(name.encode("utf-8", "ignore").decode() == name, "the name holds half a character")
    need(type(width) in (int, float) and 0 < width < 1e20, "width_mult is not above zero")


def write(arch: dict[str, Any], tensors: dict[str, Any]) -> bytes:
    """The file's bytes; `tensors` maps names to arrays. Raises Refused."""
    check(arch)
    table: list[bytes] = []

    def layer(name: str, out: int, per_group: int, kernel: int, act: bool = True) -> None:
        for part in ("conv.w", "bn.w", "bn.b", "bn.mean", "bn.var", "act.w")[:6 if act else 5]:
            shape = (out, per_group, kernel, kernel) if part == "conv.w" else (out,)
            array = tensors.get(f"{name}.{part}")
            need(array is not None, f"{name}.{part} is missing")
            need(array.shape == shape, f"{name}.{part} has shape {array.shape}, not {shape}")
            need(array.dtype.str == "<f4", f"{name}.{part} is {array.dtype}, not float32")
            need(array.flags.c_contiguous, f"{name}.{part} is not in C order")
            need(bool(np.isfinite(array).all()), f"{name}.{part} holds NaN or infinity")
            table.append(struct.pack("<I", array.nbytes) + array.tobytes())

    keys = ("stem_channels", "block_channels", "final_channels", "embedding_dim", "gdc_kernel")
    c, block_channels, final, dim, gdc_kernel = (arch[key] for key in keys)
    layer("stem", c, 3, arch["stem_kernel"])
    layer("dw_stem", c, 1, 3)
    for i, stage in enumerate(arch["stages"], start=1):
        out = arch["stem_channels"] if i == 1 else block_channels
        for j in range(stage["n"]):
            wide = c * stage["t"]
            need(wide <= 65535, f"stage {i} expands to {wide} channels")
            layer(f"stage{i}.block{j}.expand", wide, c, 1)
            layer(f"stage{i}.block{j}.dw", wide, 1, 3)
            layer(f"stage{i}.block{j}.project", out, wide, 1, act=False)
            c = out
    layer("final_conv", final, c, 1)
    layer("gdconv", final, 1, gdc_kernel, act=False)
    layer("embed_proj", dim, final, 1, act=False)
    need(len(table) == len(tensors), "a tensor is not in the layout")

    mirror = {key: arch[key] for key in ("name", "width_mult", *keys)}
    mirror["stages"] = [{key: stage[key] for key in "tns"} for stage in arch["stages"]]
    text = json.dumps(mirror, separators=(",", ":")).encode("ascii")
    need(len(text) <= 1 << 20, "the mirror is over 1 MiB")
    header = struct.pack("<4B4HB3x", 1, len(arch["stages"]), arch["stem_kernel"],
                         arch["stem_stride"], *(arch[key] for key in keys))
    for stage in arch["stages"]:
        header += struct.pack("<3B5x", stage["t"], stage["n"], stage["s"])
    return (struct.pack("<4sI80sI", b"EFM3", 3, header, len(text)) + text
            + struct.pack("<I", len(table)) + b"".join(table))


# The command: exporter.py ARCH.json TENSORS_FOLDER OUT.bin

def main(arch: str, folder: str, out: str) -> int:
    """Export NAME.npy of a folder; exit code 1 where it is refused."""
    try:
        values = json.loads(Path(arch).read_text(encoding="utf-8"))
        tensors = {path.stem: np.load(path) for path in Path(folder).glob("*.npy")}
    except (ValueError, EOFError) as e:
        print(f"no JSON, or no array: {e}", file=sys.stderr)
        return 1
    try:
        Path(out).write_bytes(write(values, tensors))
        return 0
    except Refused as e:
        print(e, file=sys.stderr)
        return 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Exception as e:  # Python ends with 1 on its own, and 1 would say refused
        print(repr(e), file=sys.stderr)
        sys.exit(70)
