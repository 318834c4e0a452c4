# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The Kaitai Struct description: its parsers refuse exactly what level `structure` refuses.

Limits of one field are stated at the field. Relations of several fields are stated at fields of
length zero, named `check_...`, as soon as all their inputs are read.
"""

from __future__ import annotations

from typing import Any

from efm3 import format as fmt
from efm3.forms._shape import CLAUSES, VECTORS, Row, block, outer, shrink
from efm3.forms._text import preamble
from efm3.forms._yaml import dump

Attr = dict[str, Any]

ABOUT = """\
EFM3 files carry a MobileFaceNet face-recognition network: the magic, a version, an 80-byte \
header that states the network's shape, a JSON text for people, and a table of float32 \
tensors whose number, order and sizes follow from the header.
A parser made from this description accepts exactly the files without an error at level \
`structure` (EFM3.md); the JSON text is not parsed.
Sizes are compared by division: products of shapes may pass 32 bits, and here nothing does."""


def text() -> str:
    """The description."""
    before, after = outer()
    return "\n".join(preamble("#")) + "\n" + dump({
        "meta": {"id": "efm3", "title": "EFM3 face-recognition weights",
                 "file-extension": ["bin", "efm3"], "license": "Apache-2.0",
                 "ks-version": "0.11", "endian": "le"},
        "doc": ABOUT,
        "doc-ref": "EFM3.md",
        "seq": _top(),
        "types": {
            "arch": _arch(sum(r.tensors for r in before + after)),
            "stage": _stage(),
            "tensors": {
                "doc": str(fmt.FILE.tensors.docs),
                "seq": [*(_layer(r, "_root.arch.") for r in before),
                        {"id": "stages", "type": "stage_layers(_index)", "repeat": "expr",
                         "repeat-expr": "_root.arch.n_stages"},
                        *(_layer(r, "_root.arch.") for r in after)]},
            "stage_layers": {
                "params": [{"id": "index", "type": "s4"}],
                "seq": [{"id": "blocks", "repeat": "expr", "repeat-expr": "record.n", "type":
                         "block(_index == 0 ? record.in_channels : record.out_channels, "
                         "record.t, record.out_channels)"}],
                "instances": {"record": {"value": "_root.arch.stages[index]"}}},
            "block": {
                "params": [{"id": k, "type": "s4"} for k in ("in_channels", "t", "out_channels")],
                "seq": [_layer(r, "") for r in block()],
                "instances": {"expanded": {"value": "in_channels * t"}}},
            "layer": _layer_type(),
            "weights": _tensor(("num_out", "fan_in", "kernel"), "_ / 4 % num_out == 0 and "
                               "_ / 4 / num_out % fan_in == 0 and "
                               "_ / 4 / num_out / fan_in == kernel * kernel",
                               "Convolution weights [num_out, fan_in, kernel, kernel]; fan_in "
                               "counts input channels per group."),
            "vector": _tensor(("num_values",), "_ / 4 == num_values", "One value per channel."),
        }})


def _field(con: Any, where: str = "") -> Attr:
    """A field of the declaration with its own limits."""
    attr: Attr = {"id": con.name}
    size = con.sizeof()
    if con.name == "magic":
        attr["contents"] = fmt.MAGIC.decode()
    elif size not in (1, 2, 4):
        attr["contents"] = [0] * size
    else:
        attr["type"] = f"u{size}"
        if con.lo == con.hi:
            attr["valid"] = con.lo
        elif con.step > 1:
            attr["valid"] = {"expr": f"_ >= {con.lo} and _ <= {con.hi} and "
                                     f"_ % {con.step} == {con.lo % con.step}"}
        else:
            limits = {"min": con.lo, "max": con.hi}
            idle = {"min": 0, "max": 256**size - 1}
            attr["valid"] = {k: v for k, v in limits.items() if v != idle[k]}
    return attr | _docs(str(con.docs), where + con.name)


def _docs(words: str, clause: str) -> Attr:
    return {"doc": words, "doc-ref": f"EFM3.md#{CLAUSES[clause].lower()}"}


def _check(name: str, expr: str, words: str) -> Attr:
    return {"id": f"check_{name}", "size": 0, "valid": {"expr": expr}} | _docs(words, name)


def _top() -> list[Attr]:
    magic, version, arch, json_len = fmt.PREFIX.subcons
    _, json, n_tensors, tensors = fmt.FILE.subcons
    return [
        _field(magic), _field(version),
        {"id": "arch", "type": "arch", "doc": str(arch.docs)},
        _field(json_len),
        {"id": "json", "size": "json_len"} | _docs(str(json.docs), "json"),
        {"id": "n_tensors", "type": "u4", "valid": {"expr": "_ == arch.num_tensors"}}
        | _docs(str(n_tensors.docs), "n_tensors"),
        {"id": "tensors", "type": "tensors", "doc": str(tensors.docs)},
        _check("end", "_io.eof", "The file ends with the last tensor."),
    ]


def _arch(outside: int) -> Attr:
    *fields, stages = fmt.ARCH_HEADER.subcons
    inside = sum(r.tensors for r in block())
    previous = "_index == 0 ? {} : stages[_index - 1].{}"
    carried = [previous.format(*p) for p in (("stem_side", "out_side"), ("0", "total_blocks"))]
    side, k = fmt.INPUT_SIDE, "stem_kernel"
    return {
        "doc": str(fmt.PREFIX.arch.docs),
        "seq": [
            *(_field(f, "arch.") for f in fields),
            {"id": "stages", "type": f"stage(_index, {', '.join(carried)})", "repeat": "expr",
             "repeat-expr": "n_stages", "doc": str(stages.docs)},
            {"id": "unused", "contents": [0] * fmt.STAGE_SIZE, "repeat": "expr",
             "repeat-expr": f"{fmt.STAGE_SLOTS} - n_stages"}
            | _docs("records after the used ones, zero", "unused"),
            _check("blocks", f"stages.last.total_blocks <= {fmt.MAX_BLOCKS}",
                   f"There are at most {fmt.MAX_BLOCKS} blocks over all stages."),
            _check("last_side", "stages.last.out_side == gdc_kernel",
                   "gdc_kernel is the side of the last feature map."),
        ],
        "instances": {
            "stem_side": {"value": f"({side} + 2 * ({k} / 2) - {k}) / stem_stride + 1",
                          "doc": "side of the first feature map"},
            "last_channels": {"value": "stages.last.out_channels",
                              "doc": "output channels of the last stage"},
            "num_tensors": {"value": f"{outside} + {inside} * stages.last.total_blocks",
                            "doc": f"{outside} tensors outside the stages, {inside} per block"},
        }}


def _stage() -> Attr:
    stem, other = "_parent.stem_channels", "_parent.block_channels"
    return {
        "params": [{"id": "index", "type": "s4"},
                   {"id": "in_side", "type": "s4", "doc": "side of the input map"},
                   {"id": "blocks_before", "type": "s4", "doc": "blocks of the earlier stages"}],
        "seq": [*(_field(f, "stage.") for f in fmt.STAGE.subcons),
                _check("expanded", f"widest * t <= {fmt.MAX_EXPANDED}",
                       f"No block expands to more than {fmt.MAX_EXPANDED} channels.")],
        "instances": {
            "in_channels": {"value": f"index < 2 ? {stem} : {other}",
                            "doc": "input channels of the first block"},
            "out_channels": {"value": f"index == 0 ? {stem} : {other}",
                             "doc": "output channels of a block, input channels of the next"},
            "widest": {"value": "n > 1 and out_channels > in_channels ? out_channels "
                                ": in_channels"},
            "out_side": {"value": f"(in_side {shrink():+d}) / s + 1".replace("-", "- "),
                         "doc": "side of the output map"},
            "total_blocks": {"value": "blocks_before + n"},
        }}


def _layer(row: Row, scope: str) -> Attr:
    words = [x if x.isdecimal() else scope + x for x in (row.out, row.fan_in, row.kernel)]
    return {"id": row.id, "type": f"layer({', '.join(words)}, {str(row.act).lower()})",
            "doc": f"{row.kind}, BatchNorm{', PReLU' if row.act else ''}"}


def _layer_type() -> Attr:
    *norm, slopes = ({"id": v, "type": "vector(num_out)"} for v in VECTORS)
    return {
        "params": [*({"id": k, "type": "s4"} for k in ("num_out", "fan_in", "kernel")),
                   {"id": "has_act", "type": "bool"}],
        "seq": [{"id": "conv_w", "type": "weights(num_out, fan_in, kernel)"}, *norm,
                slopes | {"if": "has_act"}]}


def _tensor(params: tuple[str, ...], fits: str, words: str) -> Attr:
    size, data = fmt.TENSOR.subcons
    return {
        "doc": words,
        "params": [{"id": k, "type": "s4"} for k in params],
        "seq": [{"id": "size", "type": "u4", "valid": {"expr": f"_ % 4 == 0 and {fits}"}}
                | _docs(str(size.docs), "size"),
                {"id": "data", "size": "size"} | _docs(str(data.docs), "data")]}
