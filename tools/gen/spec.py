# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The generated blocks of the pages under spec/: `<!-- gen:NAME -->` to `<!-- /gen -->`.

A block's text comes from `BLOCKS[NAME]`, for `gen:file PATH` from the file at that path, and for
`gen:core PATH` from an exporter's scaffold, up to the command that is for the kit alone.
`PAGES` holds every page that has such a block; tools/gen.py writes and compares them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from efm3 import format as fmt
from efm3.arch import ARCHS, LIMIT_CODES
from efm3.codes import RULE_GROUPS
from efm3.conformance import sample
from efm3.conformance.cases import corpus
from efm3.conformance.recipe import OPS
from efm3.conformance.requirements import REQUIREMENTS
from efm3.conformance.scaffold import core
from efm3.network import (
    file_size,
    layers,
    macs,
    parameters,
    stored_values,
    tensor_layout,
)
from efm3.rules import load_rules
from efm3.rules._causes import CAUSES
from efm3.rules.table import TAILS
from efm3.scan import TensorSpan, scan
from tools import ROOT
from tools.gen.blocks import fill, table

EXAMPLE = "valid-minimal"
"""The case that the spec shows to the last byte."""

LANGUAGES = {".py": "python", ".c": "c", ".h": "c", ".rs": "rust", ".js": "js", ".go": "go",
             ".sh": "sh", ".json": "json", ".toml": "toml"}
STRENGTH = {"error": "must", "warning": "should", "info": "recommended"}


def anchor(code: str) -> str:
    """What a requirement's item begins with."""
    return f'<a id="{code.lower()}"></a>**{code}**'


def _type(field: fmt.Field) -> str:
    name = field.path.rsplit(".", 1)[-1]
    if name in ("magic", "pad") and field.size > 1:
        return f"u8[{field.size}]"
    return f"u{8 * field.size}"


def _legal(field: fmt.Field) -> str:
    return "" if field.path == "magic" else field.con.legal


def parts() -> Iterator[str]:
    """The container."""
    rows: list[tuple[object, ...]] = []
    for con in fmt.PREFIX.subcons:
        f = fmt.FIELDS.get(con.name)
        at = f.offset if f else fmt.FIELDS["arch.hdr_version"].offset
        kind = _type(f) if f else f"{fmt.ARCH_SIZE} bytes"
        rows.append((at, kind, f"`{con.name}`", con.docs))
    start = str(fmt.PREFIX_SIZE)
    for con in fmt.FILE.subcons[1:]:
        kind = {"json": "J bytes", "n_tensors": "u32"}.get(con.name, "entries")
        rows.append((start, kind, f"`{con.name}`", con.docs))
        start = f"{fmt.PREFIX_SIZE} + J" if con.name == "json" else (
            f"{fmt.PREFIX_SIZE + fmt.COUNT_SIZE} + J")
    yield from table(("offset", "type", "part", "what"), rows)


def header() -> Iterator[str]:
    """The arch header's own fields."""
    first = fmt.FIELDS["arch.hdr_version"].offset
    rows: list[tuple[object, ...]] = [
        (f.offset, f.offset - first, _type(f), f"`{f.path[5:]}`", _legal(f),
         "yes" if f.con.mirror else "", f.doc)
        for f in fmt.FIELDS.values() if f.path.startswith("arch.") and "[" not in f.path]
    at = fmt.FIELDS["arch.stages[0].t"].offset
    rows.append((at, at - first, f"{fmt.STAGE_SLOTS} records", "`stages`", "", "yes",
                 fmt.ARCH_HEADER.stages.docs))
    yield from table(("in file", "in header", "type", "field", "legal", "mirror", "what"), rows)


def stage() -> Iterator[str]:
    """A stage record."""
    fields = [f for f in fmt.FIELDS.values() if f.path.startswith("arch.stages[0].")]
    base = fields[0].offset
    yield from table(("offset", "type", "field", "legal", "mirror", "what"), [
        (f"{base} + 8·i" + (f" + {f.offset - base}" if f.offset > base else ""), _type(f),
         f"`{f.path.rsplit('.', 1)[-1]}`", f.con.legal, "yes" if f.con.mirror else "", f.doc)
        for f in fields])


def limits() -> Iterator[str]:
    """The rules on single fields of the header."""
    for name, code in LIMIT_CODES.items():
        in_stage = len(name) == 1
        con = fmt.FIELDS[f"arch.stages[0].{name}" if in_stage else f"arch.{name}"].con
        words = con.legal.replace("..", " to ").replace(", odd", ", and odd")
        subject = f"In a used stage record `{name}`" if in_stage else f"`{name}`"
        yield f"- {anchor(code)} {subject} MUST be {words}."


def keys() -> Iterator[str]:
    """The mirror's keys."""
    rows: list[tuple[object, ...]] = []
    for key, kind in fmt.MIRROR_KEYS:
        f = fmt.FIELDS.get(f"arch.{key}")
        what = f.doc if f else {"name": "what people call it", "width_mult": "multiplier of the "
                                "channels 64/128/512", "stages": "one object `{t, n, s}` for "
                                "each used stage record"}[key]
        rows.append((f"`{key}`", kind, f"`{key}`" if f or key == "stages" else "", what))
    yield from table(("key", "type", "header", "what"), rows)


def meta() -> Iterator[str]:
    """The registry of `meta` keys."""
    yield from table(("key", "value"), [(f"`{k}`", v) for k, v in fmt.META_KEYS.items()])


def layer_table() -> Iterator[str]:
    """The sample network, layer by layer."""
    arch = sample.ARCH
    stages = " ".join(f"({s.t},{s.n},{s.s})" for s in arch.stages)
    yield (f"Stages (t, n, s) {stages}; stem {arch.stem_kernel}×{arch.stem_kernel}, stride "
           f"{arch.stem_stride}; channels {arch.stem_channels} / {arch.block_channels} / "
           f"{arch.final_channels}; embedding {arch.embedding_dim}: "
           f"{len(tensor_layout(arch))} tensors.")
    yield ""
    rows: list[tuple[object, ...]] = []
    number = 0
    for x in layers(arch):
        shape = "×".join(map(str, x.weight_shape))
        rows.append((number, x.name, shape, x.stride, x.padding, x.groups,
                     "yes" if x.act else "", "yes" if x.residual else "",
                     f"{x.in_side} → {x.out_side}"))
        number += len(x.tensors)
    yield from table(("tensor", "layer", "conv.w", "stride", "padding", "groups", "PReLU",
                      "adds input", "side"), rows)


def sizes() -> Iterator[str]:
    """The published sizes."""
    yield from table(
        ("name", "`width_mult`", "stem / block / final", "embedding", "tensors", "parameters",
         "stored values", "MACs", "file"),
        [(a.name, a.width_mult, f"{a.stem_channels} / {a.block_channels} / {a.final_channels}",
          a.embedding_dim, len(tensor_layout(a)), f"{parameters(a):,}", f"{stored_values(a):,}",
          f"{macs(a):,}", f"{file_size(a, 0):,}") for a in ARCHS.values()])


def _named(codes: list[str]) -> Iterator[str]:
    rules = load_rules()
    yield from table(("code", "what it is", "verdict"),
                     [(anchor(c), rules[c].what, "MUST be refused") for c in codes])


def dump() -> Iterator[str]:
    """A whole small file, annotated."""
    data = next(c for c in corpus() if c.id == EXAMPLE).data()
    s = scan(data)
    assert s.arch is not None and s.complete
    yield (f"The smallest network that the limits allow, in {len(data)} bytes, all of them shown: "
           f"the case `{EXAMPLE}`")
    yield "of the corpus. Offsets and bytes are hexadecimal; their meaning follows them."
    yield ""
    yield "```text"
    at = 0
    while at < fmt.PREFIX_SIZE:
        f = next(f for f in fmt.FIELDS.values() if f.offset == at)
        record = re.match(r"arch\.(stages\[(\d)\])", f.path)
        size = fmt.STAGE_SIZE if record else f.size
        value = "" if record or f.path in ("magic", "arch.pad") else f" = {s.values[f.path]}"
        note = record[1] if record else f.path
        if record:
            used = int(record[2]) < s.values["arch.n_stages"]
            told = " ".join(f"{k} = {s.values[f'arch.{record[1]}.{k}']}" for k in "tns")
            note += f": {told}" if used else ": unused"
        yield _line(at, data[at:at + size], note + value)
        at += size
    for i in range(0, s.json_len or 0, 16):
        text = data[at + i:min(at + i + 16, at + (s.json_len or 0))]
        yield _line(at + i, text, ("json " if i == 0 else "     ") + text.decode("ascii"))
    at += s.json_len or 0
    yield _line(at, data[at:at + fmt.COUNT_SIZE], f"n_tensors = {s.n_tensors}")
    for t in s.tensors:
        yield from _tensor(data, t)
    yield f"{len(data):04x}  end of file"
    yield "```"


def _tensor(data: bytes, t: TensorSpan) -> Iterator[str]:
    end = t.data_offset + t.size
    note = f"{t.name} [{'×'.join(map(str, t.shape))}], size {t.size}"
    # A small tensor is shown in the line of its size.
    first = end if t.size <= 12 else t.data_offset
    values = f": {_floats(data[t.data_offset:end])}" if first == end else ""
    yield _line(t.offset, data[t.offset:first], note + values)
    for at in range(first, end, 16):
        row = data[at:min(at + 16, end)]
        yield _line(at, row, f"  {_floats(row)}")


def _floats(data: bytes) -> str:
    return " ".join(f"{v:.9g}" for v in struct.unpack(f"<{len(data) // 4}f", data))


def _line(at: int, data: bytes, note: str) -> str:
    return f"{at:04x}  {data.hex(' '):47}  {note}"


def index() -> Iterator[str]:
    """Every code, by class and strength."""
    rows: list[tuple[object, ...]] = []
    for group in RULE_GROUPS:
        for severity, strength in STRENGTH.items():
            found = [r for r in load_rules().values() if (r.group, r.severity) == (group, severity)]
            for level in sorted({r.level for r in found}, reverse=True):
                codes = [r.code for r in found if r.level == level]
                rows.append((f"file: {group}", level, strength, _links(codes)))
    for subject in dict.fromkeys(r.subject for r in REQUIREMENTS.values()):
        for strength in ("MUST", "SHOULD"):
            codes = [r.code for r in REQUIREMENTS.values()
                     if (r.subject, r.level) == (subject, strength)]
            if codes:
                rows.append((subject, "", strength.lower(), _links(codes)))
    yield (f"{len(load_rules())} rules on files and {len(REQUIREMENTS)} requirements on programs. "
           "`coverage.md` says which cases test each.")
    yield ""
    yield from table(("of", "level", "strength", "codes"), rows)


def _links(codes: list[str]) -> str:
    return " ".join(f"[{c}](#{c.lower()})" for c in codes)


def ops() -> Iterator[str]:
    """The patches of a recipe."""
    yield from table(("op", "needs", ""), [(f"`{op}`", " ".join(f"`{n}`" for n in needs.split()),
                                            words) for op, (_, needs, words) in OPS.items()])


BLOCKS: dict[str, Callable[[], Iterator[str]]] = {
    "ops": ops,
    "parts": parts, "header": header, "stage": stage, "limits": limits, "keys": keys, "meta": meta,
    "layers": layer_table, "sizes": sizes, "dump": dump, "index": index,
    "causes": lambda: _named(list(CAUSES)),
    "inferred": lambda: _named([f"T{n:03}" for n in range(3, 10)] + [code for code, _, _ in TAILS]),
}


def source(path: str, read: Callable[[Path], str] = lambda p: p.read_text(encoding="utf-8")
           ) -> Iterator[str]:
    """A file of the repository as a fenced block, without its licence lines."""
    file = ROOT / path
    kept = [line for line in read(file).splitlines() if "SPDX-" not in line]
    yield f"```{LANGUAGES.get(file.suffix, 'text')}"
    yield from kept
    yield "```"


def block(name: str) -> Iterator[str]:
    """The lines of the block of that name. Raises KeyError for a name that is not in BLOCKS."""
    word, _, path = name.partition(" ")
    return (source(path) if word == "file" else source(path, core) if word == "core"
            else BLOCKS[name]())


def _page(path: Path) -> Callable[[], str]:
    return lambda: fill(path.read_text(encoding="utf-8"), block)


PAGES: dict[str, Callable[[], str]] = {
    p.relative_to(ROOT).as_posix(): _page(p) for p in sorted((ROOT / "spec").glob("*.md"))
    if re.search(r"^<!-- gen:", p.read_text(encoding="utf-8"), re.MULTILINE)}
"""Pages that have blocks, and what makes each of them whole."""
