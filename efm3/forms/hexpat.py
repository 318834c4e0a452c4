# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The pattern for the ImHex hex editor: coloured, commented, with every limit as an assertion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from efm3 import format as fmt
from efm3.forms._shape import CLAUSES, VECTORS, Row, block, outer, shrink
from efm3.forms._text import preamble

COLOURS = {"container": "8DA0CB", "arch": "66C2A5", "stage": "A6D854", "json": "FFD92F",
           "size": "FC8D62", "data": "E5C494"}
"""Colour of each part's bytes, RRGGBB."""


def text() -> str:
    """The pattern."""
    before, after = outer()
    rows = [*before, *after]
    outside, inside = (sum(r.tensors for r in x) for x in (rows, block()))
    magic = " ".join(f"{b:02X}" for b in fmt.MAGIC)
    json, n_tensors = fmt.FILE.json, fmt.FILE.n_tensors
    return "\n".join([
        *preamble("//"),
        "#pragma author EFM3 contributors",
        "#pragma description EFM3 face-recognition weights",
        f"#pragma magic [ {magic} ] @ 0x00",
        "#pragma endian little",
        "",
        "import std.core;", "import std.mem;", "import std.sys;",
        "",
        "// Carried from stage to stage: side of the feature map, blocks so far.",
        "u32 map_side = 0;", "u32 total_blocks = 0;",
        "",
        *_struct("Stage", _stage()), *_struct("Arch", _arch()), *_struct("Prefix", _prefix()),
        "Prefix prefix @ 0x00;",
        f"char json[prefix.json_len] @ $ {_look('json', json.docs)};",
        f"u32 n_tensors @ $ {_look('container', n_tensors.docs)};",
        *_assert("n_tensors", f"n_tensors == {outside} + {inside} * total_blocks",
                 "n_tensors is not the layout's"),
        "",
        *_struct("Weights<auto w_out, auto w_fan_in, auto w_kernel>",
                 _tensor("w_out * w_fan_in * w_kernel * w_kernel")),
        *_struct("Vector<auto v_count>", _tensor("v_count")),
        *_struct("Layer<auto l_out, auto l_fan_in, auto l_kernel, auto l_act>", _layer()),
        *_struct("Block<auto b_stage>", _block()),
        *_struct("StageLayers", [
            "u32 i = std::core::array_index();",
            "Block<i> blocks[prefix.arch.stages[i].n];"]),
        *_struct("Tensors", [*_outer(before), "StageLayers stages[prefix.arch.n_stages];",
                             *_outer(after)]),
        "Tensors tensors @ $;",
        *_assert("end", "$ == std::mem::base_address() + std::mem::size()",
                 "the file does not end with the last tensor"),
        ""])


def _struct(name: str, body: list[str]) -> list[str]:
    return [f"struct {name} {{", *(f"    {line}" for line in body), "};", ""]


def _look(part: str, words: str) -> str:
    return f'[[color("{COLOURS[part]}"), comment("{words}")]]'


def _assert(clause: str, condition: str, words: str) -> list[str]:
    return [f'std::assert({condition}, "{CLAUSES[clause]}: {words}");']


def _field(con: Any, part: str) -> str:
    """A field of the declaration."""
    size, where = con.sizeof(), con.name
    kind = {1: "u8", 2: "u16", 4: "u32"}.get(size, "u8")
    if con.name == "magic":
        kind, where = "char", f"magic[{size}]"
    elif size not in (1, 2, 4):
        where = f"{con.name}[{size}]"
    return f"{kind} {where} {_look(part, con.docs)};"


def _limits(con: Any, clause: str) -> list[str]:
    """A field's own limits; nothing where the type's are narrower."""
    size, name, words = con.sizeof(), con.name, f"{con.name} is not {con.legal}"
    if name == "magic":
        return _assert(clause, f'magic == "{fmt.MAGIC.decode()}"', "the magic is not EFM3")
    if size not in (1, 2, 4):
        return _assert(clause, " && ".join(f"{name}[{i}] == 0" for i in range(size)), words)
    if con.lo == con.hi:
        return _assert(clause, f"{name} == {con.lo}", words)
    parts = [f"{name} >= {con.lo}"] if con.lo else []
    parts += [f"{name} <= {con.hi}"] if con.hi < 256**size - 1 else []
    parts += [f"{name} % {con.step} == {con.lo % con.step}"] if con.step > 1 else []
    return _assert(clause, " && ".join(parts), words)


def _fields(struct: Any, part: str, scope: str = "") -> Iterator[str]:
    for con in struct.subcons:
        if isinstance(con, fmt.Limited):
            yield _field(con, part)
            yield from _limits(con, scope + con.name)


def _stage() -> list[str]:
    fields = fmt.STAGE.subcons
    unused = " && ".join(f"{f.name} == 0" for f in fields)
    return [
        "u32 i = std::core::array_index();",
        *(_field(f, "stage") for f in fields),
        "u32 in_channels = i < 2 ? parent.stem_channels : parent.block_channels;",
        "u32 out_channels = i == 0 ? parent.stem_channels : parent.block_channels;",
        "u32 widest = n > 1 && out_channels > in_channels ? out_channels : in_channels;",
        "if (i < parent.n_stages) {",
        *(f"    {line}" for f in fields for line in _limits(f, f"stage.{f.name}")),
        *(f"    {line}" for line in _assert("expanded", f"widest * t <= {fmt.MAX_EXPANDED}",
                                            "the stage expands to too many channels")),
        f"    map_side = (map_side {shrink():+d}) / s + 1;".replace("-", "- "),
        "    total_blocks = total_blocks + n;",
        "} else {",
        *(f"    {line}" for line in _assert("unused", unused, "an unused record is not zero")),
        "}"]


def _arch() -> list[str]:
    k = "stem_kernel"
    return [
        *_fields(fmt.ARCH_HEADER, "arch", "arch."),
        f"map_side = ({fmt.INPUT_SIDE} + 2 * ({k} / 2) - {k}) / stem_stride + 1;",
        f"Stage stages[{fmt.STAGE_SLOTS}];",
        *_assert("blocks", f"total_blocks <= {fmt.MAX_BLOCKS}",
                 f"more than {fmt.MAX_BLOCKS} blocks"),
        *_assert("last_side", "map_side == gdc_kernel",
                 "gdc_kernel is not the side of the last feature map")]


def _prefix() -> list[str]:
    lines = list(_fields(fmt.PREFIX, "container"))
    at = next(i for i, line in enumerate(lines) if " json_len " in line)
    return [*lines[:at], "Arch arch;", *lines[at:]]


def _tensor(count: str) -> list[str]:
    size, data = fmt.TENSOR.subcons
    return [f"u32 size {_look('size', size.docs)};",
            *_assert("size", f"size == {fmt.TENSOR_ALIGN} * {count}", "not the shape's size"),
            f"float data[{count}] {_look('data', data.docs)};"]


def _layer() -> list[str]:
    *norm, slopes = (f"Vector<l_out> {v};" for v in VECTORS)
    return ["Weights<l_out, l_fan_in, l_kernel> conv_w;", *norm,
            "if (l_act) {", f"    {slopes}", "}"]


def _call(row: Row, scope: dict[str, str]) -> str:
    words = [scope.get(x, x) for x in (row.out, row.fan_in, row.kernel)]
    return f"Layer<{', '.join(words)}, {str(row.act).lower()}> {row.id};"


def _block() -> list[str]:
    record = "prefix.arch.stages[b_stage]"
    return ["u32 j = std::core::array_index();",
            f"u32 out_channels = {record}.out_channels;",
            f"u32 in_channels = j == 0 ? {record}.in_channels : out_channels;",
            f"u32 expanded = in_channels * {record}.t;",
            *(_call(r, {}) for r in block())]


def _outer(rows: list[Row]) -> list[str]:
    last = "prefix.arch.stages[prefix.arch.n_stages - 1].out_channels"
    scope = {x: f"prefix.arch.{x}" for r in rows for x in r[2:5] if not x.isdecimal()}
    return [_call(r, scope | {"last_channels": last}) for r in rows]
