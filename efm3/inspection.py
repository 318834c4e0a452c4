# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a file holds, as one JSON-able structure: the data behind `efm3 inspect`.

Any bytes give an Inspection; what a broken file does not reach is null or empty.
The TypedDicts below are its documented form, and `schema()` is made of them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3 import rules
from efm3.arch import ARCHS, Arch, Stage
from efm3.coherence import Coherence, coherence, lenient
from efm3.findings import SEVERITIES, Efm3Error, Finding
from efm3.floats import statistics
from efm3.network import file_size, layers, macs, parameters, stored_values
from efm3.places import find, value_of
from efm3.scan import Scan, TensorSpan
from efm3.version import __version__

INSPECT_VERSION = 1
LEVEL = "coherence"


class Verdict(TypedDict):
    """Is the file usable? `text` is one line; the weights themselves are not checked."""

    ok: bool
    level: str
    text: str
    counts: dict[str, int]


class Card(TypedDict):
    """The label: how the network takes an upright picture, as `meta.picture` states it ("" where
    that is unknown); a published size's name, "custom", or "" where no arch is available.

    `arch_from` says who gave the arch (header, or mirror where the header is broken);
    `output` is the embedding's length; `meta` is the mirror's object of that name, of a mirror
    over 32 KiB the registered keys of it and the first others.
    """

    picture: str
    size: str
    name: str
    arch_from: str
    output: int | None
    meta: dict[str, Any]
    verdict: Verdict


class TopologyRow(TypedDict):
    """A layer; stage counts from 1, block from 0 (null outside the stages); sides in pixels."""

    name: str
    stage: int | None
    block: int | None
    layer: str
    kind: str
    shape: list[int]
    stride: int
    act: bool
    residual: str
    in_side: int
    out_side: int
    parameters: int
    macs: int


class Sizes(TypedDict):
    """Bytes of the file, by its arch (`expected`), of the mirror, of the float32 values
    and at one byte per parameter (`int8`); `statistics` counts BatchNorm means and variances."""

    file: int
    expected: int | None
    mirror: int | None
    parameters: int | None
    statistics: int | None
    fp32: int | None
    int8: int | None
    macs: int | None


class TensorRow(TypedDict):
    """An entry of the table. `offset` is of its first value, `size` and `present` in bytes;
    the statistics are over the finite values that are present, `histogram` has 16 equal bins
    from min to max."""

    number: int
    name: str
    offset: int
    size: int
    present: int
    shape: list[int]
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    nan: int
    inf: int
    histogram: list[int]


class BytesRow(TypedDict):
    """A field, or the part of it that was asked for: its first byte, length, path and doc.

    `start` is the field's own first byte; `hex` is null unless bytes were asked for.
    """

    path: str
    offset: int
    length: int
    start: int
    doc: str
    value: Any
    hex: str | None


class Inspection(TypedDict):
    """Everything `efm3 inspect --json` prints."""

    inspect_version: int
    efm3: str
    source: str
    card: Card
    findings: list[dict[str, Any]]
    coherence: list[Coherence]
    topology: list[TopologyRow]
    sizes: Sizes
    tensors: list[TensorRow]
    bytes: list[BytesRow]


def inspect(scan: Scan, source: str = "<bytes>", *, tensors: str | None = None,
            part: str | None = None, fields: bool = False, path: str = "") -> Inspection:
    """Inspect a scanned file; `path` is where it is, "" for nowhere.

    `tensors` is a glob of tensor names to take statistics of; `part` a field or range
    (`places.find`) to give the bytes of; `fields` lists every field where there is no
    `part`. Raises ValueError for a `part` that is not in the file.
    """
    found = rules.run(scan, LEVEL, path=path)
    mirror = lenient(scan.mirror or b"")
    arch, arch_from = (scan.arch, "header") if scan.arch else (_arch_of(mirror), "mirror")
    name = mirror.get("name")
    card = Card(picture=mirrors.picture(mirror), size=size_name(arch),
                name=name if isinstance(name, str) else "", arch_from=arch_from if arch else "",
                output=arch.embedding_dim if arch else None,
                meta=mirrors.meta_of(mirror), verdict=_verdict(found))
    return Inspection(
        inspect_version=INSPECT_VERSION, efm3=__version__, source=source, card=card,
        findings=[f.to_json() for f in found], coherence=coherence(scan, mirror),
        topology=_topology(arch), sizes=_sizes(scan, arch),
        tensors=[] if tensors is None else tensor_rows(scan, tensors),
        bytes=byte_rows(scan, part) if fields or part is not None else [])


def size_name(arch: Arch | None) -> str:
    """The published size with these numbers (the file's own name may be wrong), or "custom"."""
    if arch is None:
        return ""
    return next((a.name for a in ARCHS.values() if a.header() == arch.header()), "custom")


def _verdict(found: list[Finding]) -> Verdict:
    counts = {s: sum(f.severity == s for f in found) for s in reversed(SEVERITIES)}
    errors = [f for f in found if f.severity == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        text = f"INVALID: {errors[0].message}{more}"
    else:
        text = "valid: header, mirror and tensor table agree"
    return Verdict(ok=not errors, level=LEVEL, text=text, counts=counts)


def _arch_of(mirror: dict[str, Any]) -> Arch | None:
    try:
        stages = tuple(Stage(s["t"], s["n"], s["s"]) for s in mirror["stages"])
        own = {k: mirror[k] for k, kind in fmt.MIRROR_KEYS if kind == "integer"}
        return Arch(name="", width_mult=0.0, stages=stages, **own)
    except (Efm3Error, KeyError, TypeError):
        return None


def _topology(arch: Arch | None) -> list[TopologyRow]:
    rows = []
    for x in layers(arch) if arch else ():
        parts = x.name.split(".")
        inside = len(parts) == 3
        rows.append(TopologyRow(
            name=x.name, stage=int(parts[0][5:]) if inside else None,
            block=int(parts[1][5:]) if inside else None, layer=parts[-1], kind=x.kind,
            shape=list(x.weight_shape), stride=x.stride, act=x.act, residual=x.residual,
            in_side=x.in_side, out_side=x.out_side, parameters=x.parameters, macs=x.macs))
    return rows


def _sizes(scan: Scan, arch: Arch | None) -> Sizes:
    sizes = Sizes(file=scan.size, expected=None, mirror=scan.json_len, parameters=None,
                  statistics=None, fp32=None, int8=None, macs=None)
    if arch:
        stored, n = stored_values(arch), parameters(arch)
        sizes.update({"parameters": n, "statistics": stored - n, "fp32": 4 * stored,
                      "int8": n, "macs": macs(arch)})
        if scan.json_len is not None:
            sizes["expected"] = file_size(arch, scan.json_len)
    return sizes


def tensor_rows(scan: Scan, glob: str = "*") -> list[TensorRow]:
    """The table's entries whose name (or `tensors[i]`) matches, with their statistics."""
    return [_tensor(scan, t) for t in scan.tensors
            if fnmatchcase(t.name, glob) or fnmatchcase(f"tensors[{t.number}]", glob)]


def _tensor(scan: Scan, t: TensorSpan) -> TensorRow:
    found = statistics(scan.data[t.data_offset:t.data_offset + t.present])
    return TensorRow(
        number=t.number, name=t.name, offset=t.data_offset, size=t.size, present=t.present,
        shape=list(t.shape), min=found.min, max=found.max, mean=found.mean, std=found.std,
        nan=found.nan, inf=found.inf, histogram=list(found.histogram))


def byte_rows(scan: Scan, part: str | None = None) -> list[BytesRow]:
    """Every field, or those that `part` touches with their bytes in hex, cut to it."""
    start, length = find(scan, part) if part is not None else (0, scan.size)
    rows = []
    for s in scan.spans():
        first, end = max(s.offset, start), min(s.offset + s.length, start + length)
        if first < end:
            text = None if part is None else bytes(scan.data[first:end]).hex()
            rows.append(BytesRow(path=s.path, offset=first, length=end - first, start=s.offset,
                                 doc=s.doc, value=value_of(scan, s), hex=text))
    return rows


def schema() -> dict[str, Any]:
    """The JSON Schema of an Inspection."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "EFM3 inspection"} | _schema_of(Inspection)


def _schema_of(hint: Any) -> dict[str, Any]:
    if is_typeddict(hint):
        props = {k: _schema_of(v) for k, v in get_type_hints(hint).items()}
        return {"type": "object", "description": " ".join(hint.__doc__.split()),
                "properties": props, "required": list(props), "additionalProperties": False}
    inner = get_args(hint)
    if get_origin(hint) is list:
        return {"type": "array", "items": _schema_of(inner[0])}
    if get_origin(hint) is dict:
        return {"type": "object", "additionalProperties": _schema_of(inner[1])}
    if inner:
        return {"anyOf": [_schema_of(i) for i in inner]}
    words = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
    return {"type": words[hint]} if hint in words else {}
