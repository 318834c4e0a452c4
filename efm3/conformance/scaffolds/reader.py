#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An EFM3 reader to start from, levels `structure` and `coherence`; the standard library alone.

    python reader.py FILE      prints the document; exit code 1 where FILE is refused
    python reader.py           the same for standard input
    python reader.py --lines   answers the lines protocol

The variable EFM3_LEVEL holds the level. Replace `read` by your own reader.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import struct
import sys
import traceback
import zlib
from typing import Any


class Refused(Exception):
    """The file breaks a rule; the text starts with the rule's code."""


def need(ok: bool, reason: str) -> None:
    """Refuse unless `ok`."""
    if not ok:
        raise Refused(reason)


def read(data: bytes, level: str = "structure") -> dict[str, Any]:
    """The document of a file's bytes. Raises Refused."""
    need(len(data) >= 92, "C004: the file ends inside its first 92 bytes")
    magic, version = struct.unpack_from("<4sI", data, 0)
    need(magic == b"EFM3", "C002: the file does not start with EFM3")
    need(version == 3, f"C003: the version is {version}, not 3")
    arch = read_arch(data)
    layout = tensor_layout(arch)

    json_len = struct.unpack_from("<I", data, 88)[0]
    need(json_len <= 1 << 20, "C005: json_len is over 1 MiB")
    need(json_len <= len(data) - 92, "C006: the mirror reaches past the end of the file")
    text = data[92:92 + json_len]
    at = 92 + json_len
    need(len(data) - at >= 4, "C007: the file ends before the whole tensor count")
    n_tensors = struct.unpack_from("<I", data, at)[0]
    need(n_tensors == len(layout), f"T001: {n_tensors} tensors, the layout has {len(layout)}")
    at += 4
    table = at
    tensors = []
    for name, shape in layout:
        need(len(data) - at >= 4, f"T013: the file ends before the size of {name}")
        size = struct.unpack_from("<I", data, at)[0]
        need(size == 4 * math.prod(shape), f"T002: {name} has {size} bytes, not its shape's")
        at += 4
        need(size <= len(data) - at, f"T012: the file ends inside {name}")
        payload = data[at:at + size]
        tensors.append({
            "name": tag("string", name),
            "shape": [tag("u32", n) for n in shape],
            "offset": tag("u64", at),
            "first": tag("f32", payload[:4][::-1].hex()),
            "last": tag("f32", payload[-4:][::-1].hex()),
            "crc32": crc32(payload)})
        at += size
    need(at == len(data), f"T014: {len(data) - at} bytes follow the last tensor")

    document = {
        "version": tag("u32", version),
        "arch": {k: tag("u16" if k.endswith(("channels", "dim")) else "u8", v)
                 for k, v in arch.items() if k != "stages"}
                | {"stages": [{k: tag("u8", s[k]) for k in "tns"} for s in arch["stages"]]},
        "mirror": {"offset": tag("u32", 92), "length": tag("u32", json_len),
                   "crc32": crc32(text)},
        "tensors": tensors}
    if level != "structure":
        document["json"] = tagged(read_mirror(text, arch, data[table:]))
    return document


def read_arch(data: bytes) -> dict[str, Any]:
    """The 80 bytes of the arch header, which start at byte 8."""
    hdr_version, n_stages, stem_kernel, stem_stride = struct.unpack_from("<4B", data, 8)
    stem, block, final, dim = struct.unpack_from("<4H", data, 12)
    gdc_kernel, pad = struct.unpack_from("<B3s", data, 20)
    need(hdr_version == 1, "H001: hdr_version is not 1")
    need(pad == bytes(3), "H002: a pad byte is not zero")
    need(1 <= n_stages <= 8, "H003: n_stages is not 1..8")
    need(stem_kernel % 2 == 1 and stem_kernel <= 15, "H004: stem_kernel is not odd, 1..15")
    need(1 <= stem_stride <= 4, "H005: stem_stride is not 1..4")
    need(stem >= 1, "H006: stem_channels is 0")
    need(block >= 1, "H007: block_channels is 0")
    need(final >= 1, "H008: final_channels is 0")
    need(dim >= 1, "H009: embedding_dim is 0")
    stages = []
    for i in range(n_stages):
        t, n, s, stage_pad, reserved = struct.unpack_from("<4BI", data, 24 + 8 * i)
        need(t >= 1, f"H011: stage {i + 1} has t = 0")
        need(n >= 1, f"H012: stage {i + 1} has n = 0")
        need(1 <= s <= 4, f"H013: stage {i + 1} has a stride outside 1..4")
        need(stage_pad == 0 and reserved == 0, f"H017: stage {i + 1} has a pad that is not zero")
        stages.append({"t": t, "n": n, "s": s})
    unused = data[24 + 8 * n_stages:88]
    need(unused == bytes(len(unused)), "H018: an unused stage record is not zero")
    need(sum(s["n"] for s in stages) <= 256, "H014: more than 256 blocks")
    side = (112 + 2 * (stem_kernel // 2) - stem_kernel) // stem_stride + 1
    for stage in stages:
        side = (side - 1) // stage["s"] + 1
    need(gdc_kernel == side, f"H016: gdc_kernel is {gdc_kernel}, the last map's side {side}")
    return {"hdr_version": hdr_version, "n_stages": n_stages, "stem_kernel": stem_kernel,
            "stem_stride": stem_stride, "stem_channels": stem, "block_channels": block,
            "final_channels": final, "embedding_dim": dim, "gdc_kernel": gdc_kernel,
            "stages": stages}


def tensor_layout(arch: dict[str, Any]) -> list[tuple[str, tuple[int, ...]]]:
    """(name, shape) of every tensor, in stored order."""
    layout: list[tuple[str, tuple[int, ...]]] = []

    def layer(name: str, out: int, per_group: int, kernel: int, act: bool) -> None:
        layout.append((f"{name}.conv.w", (out, per_group, kernel, kernel)))
        layout.append((f"{name}.bn.w", (out,)))
        layout.append((f"{name}.bn.b", (out,)))
        layout.append((f"{name}.bn.mean", (out,)))
        layout.append((f"{name}.bn.var", (out,)))
        if act:
            layout.append((f"{name}.act.w", (out,)))

    c = arch["stem_channels"]
    layer("stem", c, 3, arch["stem_kernel"], True)
    layer("dw_stem", c, 1, 3, True)
    for i, stage in enumerate(arch["stages"], start=1):
        out = arch["stem_channels"] if i == 1 else arch["block_channels"]
        for j in range(stage["n"]):
            wide = c * stage["t"]
            need(wide <= 65535, f"H015: stage {i} expands to {wide} channels")
            layer(f"stage{i}.block{j}.expand", wide, c, 1, True)
            layer(f"stage{i}.block{j}.dw", wide, 1, 3, True)
            layer(f"stage{i}.block{j}.project", out, wide, 1, False)
            c = out
    layer("final_conv", arch["final_channels"], c, 1, True)
    layer("gdconv", arch["final_channels"], 1, arch["gdc_kernel"], False)
    layer("embed_proj", arch["embedding_dim"], arch["final_channels"], 1, False)
    return layout


# Level coherence: the JSON mirror.

KINDS = {"name": (str,), "width_mult": (int, float), "stem_channels": (int,),
         "block_channels": (int,), "final_channels": (int,), "embedding_dim": (int,),
         "gdc_kernel": (int,), "stages": (list,)}


def read_mirror(text: bytes, arch: dict[str, Any], table: bytes) -> dict[str, Any]:
    """The parsed mirror; it must agree with the header, and its digest with the table."""
    mirror = parse(text)
    for key, kinds in KINDS.items():
        need(key in mirror, f"M020: the mirror has no {key}")
        need(type(mirror[key]) in kinds, f"M021: {key} has the wrong type")
        if kinds == (int,):
            need(mirror[key] == arch[key], f"M022: {key} is not the header's")
    need(len(mirror["stages"]) == arch["n_stages"], "M023: another number of stages")
    for mine, stage in zip(mirror["stages"], arch["stages"], strict=True):
        need(type(mine) is dict and sorted(mine) == ["n", "s", "t"]
             and all(type(v) is int for v in mine.values()), "M024: a stage is not t, n, s")
        need(mine == stage, "M025: a stage is not the header's")
    need(mirror["width_mult"] > 0, "M026: width_mult is not above zero")
    meta = mirror.get("meta", {})
    need(type(meta) is dict, "M040: meta is not an object")
    if "sha256" in meta:
        digest = meta["sha256"]
        need(type(digest) is str and re.fullmatch("[0-9a-f]{64}", digest) is not None,
             "M041: the digest is not 64 lower-case hex digits")
        need(digest == hashlib.sha256(table).hexdigest(), "M042: the digest is not the table's")
    need(meta.get("picture", "upright") in ("upright", "turned-180"),
         "M043: meta.picture is unknown")
    return mirror


def parse(text: bytes) -> dict[str, Any]:
    """The mirror's closed grammar: everything JSON parsers disagree on is refused."""
    need(text.strip(b" ") != b"", "M001: the mirror is empty")
    need(not text.startswith(b"\xef\xbb\xbf"), "M002: a byte order mark")
    depth = 0
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"")  # each quote left bounds a string
    for bracket in re.findall(rb"[][{}]", re.sub(rb'"[^"]*"?', b"", plain)):
        depth += 1 if bracket in b"[{" else -1
        need(depth <= 16, "M004: nested deeper than 16")
    decoder = json.JSONDecoder(object_pairs_hook=unique, parse_constant=constant,
                               parse_int=integer, parse_float=real)
    try:
        decoded = text.decode("utf-8").lstrip(" \t\r\n")
        value, end = decoder.raw_decode(decoded)
    except UnicodeDecodeError:
        raise Refused("M003: the mirror is not UTF-8") from None
    except json.JSONDecodeError as e:
        raise Refused(f"M011: {e}") from None
    need(decoded[end:].strip(" ") == "", "M010: something follows the JSON object")
    need(type(value) is dict, "M012: the mirror is not an object")
    check_strings(value)
    return dict(value)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys differ."""
    need(len(dict(pairs)) == len(pairs), "M005: a key occurs twice")
    return dict(pairs)


def constant(word: str) -> None:
    """NaN, Infinity, -Infinity."""
    raise Refused(f"M006: {word}")


def integer(text: str) -> int:
    """A number without fraction and exponent."""
    need(len(text.lstrip("-")) <= 20, "M007: an integer of more than 20 digits")
    return int(text)


def real(text: str) -> float:
    """A number with fraction or exponent."""
    need(math.isfinite(float(text)), "M007: a number overflows a double")
    return float(text)


def check_strings(value: Any) -> None:
    """Refuse NUL and lone surrogates, in keys too."""
    if isinstance(value, str):
        need("\0" not in value, "M008: a NUL character")
        need(re.search("[\ud800-\udfff]", value) is None, "M009: a lone surrogate")
    elif isinstance(value, (dict, list)):
        for inner in [*value, *(value.values() if isinstance(value, dict) else ())]:
            check_strings(inner)


# The document.

def tag(kind: str, value: object) -> dict[str, str]:
    """A tagged leaf."""
    return {"type": kind, "value": str(value)}


def crc32(data: bytes) -> dict[str, str]:
    """The tagged CRC-32 of `data`."""
    return tag("crc32", f"{zlib.crc32(data):08x}")


def tagged(value: Any) -> Any:
    """A parsed JSON value with every leaf tagged."""
    if isinstance(value, dict):
        return {k: tagged(v) for k, v in value.items()}
    if isinstance(value, list):
        return [tagged(v) for v in value]
    if value is None:
        return tag("null", "")
    if isinstance(value, bool):
        return tag("bool", str(value).lower())
    kind = {str: "string", int: "integer", float: "number"}[type(value)]
    return tag(kind, value)


# The interface to the kit.

HELLO = {"version": 1, "ready": True, "implementation": {
    "name": "my-reader", "version": "0.1", "language": "python", "classes": ["reader"],
    "levels": ["structure", "coherence"]}}


def answer(ask: dict[str, Any]) -> dict[str, Any]:
    """The answer to a line of the lines protocol."""
    if ask["cmd"] == "start":
        return HELLO
    try:
        with open(ask["file"], "rb") as f:
            return {"seq": ask["seq"], "ok": True, "document": read(f.read(), ask["level"])}
    except Refused as e:
        return {"seq": ask["seq"], "ok": False, "reason": str(e)}
    except Exception as e:
        return {"seq": ask["seq"], "error": repr(e)}


def main(args: list[str]) -> int:
    """The command; the exit code."""
    if args == ["--lines"]:
        for line in sys.stdin:
            ask = json.loads(line)
            if ask["cmd"] == "stop":
                break
            print(json.dumps(answer(ask)), flush=True)
        return 0
    try:
        with open(args[0], "rb") if args else sys.stdin.buffer as f:
            data = f.read()
        print(json.dumps(read(data, os.environ.get("EFM3_LEVEL", "structure"))))
        return 0
    except Refused as e:
        print(e, file=sys.stderr)
        return 1
    except Exception:  # an uncaught exception exits with 1, which would mean refused
        traceback.print_exc()
        return 70


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
