# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on the JSON mirror: its grammar, its keys, and its agreement with the header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.arch import ARCHS
from efm3.findings import Finding
from efm3.rules import Context, rule

F = Iterator[Finding]


def _declare_grammar() -> None:
    rows = (
        ("M001", "empty", "The mirror holds no JSON text.",
         "It says what the file is to people and tools.", "write the mirror"),
        ("M002", "bom", "The mirror starts with a byte order mark.",
         "JSON texts have none, and parsers disagree on it.", "write plain UTF-8"),
        ("M003", "utf8", "The mirror is not UTF-8.",
         "Readers would each make something else of it.", "write ASCII with \\u escapes"),
        ("M004", "depth", "The mirror nests deeper than 16.",
         "Deep nesting exhausts a parser's stack.", "flatten what stands under meta"),
        ("M005", "duplicate", "A key stands twice in one object.",
         "Parsers disagree on which value counts.", "write each key once"),
        ("M006", "constant", "The mirror holds NaN or Infinity.",
         "They are no JSON.", "leave the key out, or write null"),
        ("M007", "number", "A number has over 20 digits or overflows a double.",
         "Parsers round, wrap or refuse it.", "write a sane number"),
        ("M008", "nul", "A string holds a NUL character.",
         "C readers would cut the string there.", "remove it"),
        ("M009", "surrogate", "A string holds a lone surrogate.",
         "It cannot be written as UTF-8.", "write whole characters"),
        ("M010", "trailing", "Something other than spaces follows the JSON object.",
         "json_len is wrong, or something hides there.", "end the mirror with the object"),
        ("M011", "syntax", "The mirror is not JSON.",
         "No tool can read it.", "write it with a JSON library"),
        ("M012", "object", "The mirror is JSON, but not an object.",
         "The keys have no place.", "write an object"),
    )
    for code, kind, what, why, fix in rows:
        rule(code, "coherence")(_grammar(kind, f"What: {what} Why: {why} Fix: {fix}"))


def _grammar(kind: str, doc: str) -> Callable[[Context], F]:
    def check(ctx: Context) -> F:
        p = ctx.mirror_problem
        if p is not None and p.kind == kind:
            n = ctx.scan.json_len or 0
            yield ctx.at(p.message, offset=fmt.PREFIX_SIZE + p.offset, length=max(n - p.offset, 0),
                         path="json", expected="one JSON object")
    check.__name__, check.__doc__ = kind, doc
    return check


_declare_grammar()


def _json(ctx: Context, key: str, message: str, found: Any = "", expected: Any = "") -> Finding:
    text = bytes(ctx.scan.mirror or b"")
    at = max(text.find(f'"{key.split(".")[-1].split("[")[0]}"'.encode()), 0)
    return ctx.at(message, offset=fmt.PREFIX_SIZE + at, length=len(text) - at, path=f"json.{key}",
                  found=mirrors.shown(found), expected=expected)


@rule("M020", "coherence")
def key_missing(ctx: Context) -> F:
    """What: The mirror lacks one of its keys.
    Why: A tool that shows the mirror would have a hole where the network's shape stands.
    Fix: write all eight keys
    """
    m = ctx.mirror
    for key, _ in fmt.MIRROR_KEYS:
        if m is not None and key not in m:
            yield _json(ctx, key, f"key {key} is missing", expected=key)


@rule("M021", "coherence")
def key_type(ctx: Context) -> F:
    """What: A value of the mirror has the wrong JSON type (true is no integer).
    Why: Typed readers refuse it.
    Fix: write the type of the schema
    """
    m = ctx.mirror or {}
    for key, kind in fmt.MIRROR_KEYS:
        if key in m and not mirrors.is_kind(m[key], kind):
            yield _json(ctx, key, f"{key} is a JSON {mirrors.kind_of(m[key])}, not {kind}",
                        m[key], kind)


@rule("M022", "coherence")
def disagrees(ctx: Context) -> F:
    """What: A number of the mirror is not the header's.
    Why: The header wins; people who read the mirror are told something false.
    Fix: write both from the same values
    """
    m = ctx.mirror or {}
    for key, kind in fmt.MIRROR_KEYS:
        if kind == "integer" and key in m and mirrors.is_kind(m[key], kind):
            header = ctx.scan.values[f"arch.{key}"]
            if m[key] != header:
                yield _json(ctx, key, f"{key} is {mirrors.shown(m[key])}, the header says {header}",
                            m[key], header)


@rule("M023", "coherence")
def stage_count(ctx: Context) -> F:
    """What: The mirror lists another number of stages than the header.
    Why: The header wins; people who read the mirror see another network.
    Fix: write both from the same values
    """
    stages, n = _stages(ctx), ctx.scan.values.get("arch.n_stages")
    if stages is not None and len(stages) != n:
        yield _json(ctx, "stages", f"{len(stages)} stages, the header has {n}", len(stages), n)


def _stages(ctx: Context) -> list[Any] | None:
    stages = (ctx.mirror or {}).get("stages")
    return stages if isinstance(stages, list) else None


@rule("M024", "coherence")
def stage_shape(ctx: Context) -> F:
    """What: A stage of the mirror is not an object of the integers t, n and s.
    Why: Typed readers refuse it.
    Fix: write {"t":..,"n":..,"s":..}
    """
    for i, stage in enumerate((_stages(ctx) or [])[:fmt.STAGE_SLOTS]):
        if not (isinstance(stage, dict) and sorted(stage) == ["n", "s", "t"]
                and all(mirrors.is_kind(v, "integer") for v in stage.values())):
            yield _json(ctx, f"stages[{i}]", "not an object of the integers t, n, s", stage)


@rule("M025", "coherence")
def stage_disagrees(ctx: Context) -> F:
    """What: A number of a stage is not the header's.
    Why: The header wins; people who read the mirror see another network.
    Fix: write both from the same values
    """
    for i, stage in enumerate((_stages(ctx) or [])[:fmt.STAGE_SLOTS]):
        for k in "tns":
            header = ctx.scan.values[f"arch.stages[{i}].{k}"]
            if (isinstance(stage, dict) and mirrors.is_kind(stage.get(k), "integer")
                    and stage[k] != header):
                yield _json(ctx, f"stages[{i}].{k}", f"stage {i + 1}: {k} is "
                            f"{mirrors.shown(stage[k])}, the header says {header}",
                            stage[k], header)


@rule("M026", "coherence")
def width_mult(ctx: Context) -> F:
    """What: width_mult is not above zero.
    Why: It names the multiplier of the channel counts, and there is no such network.
    Fix: write the multiplier, 1.0 where there is none
    """
    w = (ctx.mirror or {}).get("width_mult", 1.0)
    if mirrors.is_kind(w, "number") and w <= 0:
        yield _json(ctx, "width_mult", "width_mult is not above zero", w, "> 0")


@rule("M027", "coherence", "warning")
def name_empty(ctx: Context) -> F:
    """What: The name is empty or over 64 characters.
    Why: Tools show it as the file's title.
    Fix: give a short name
    """
    name = (ctx.mirror or {}).get("name")
    if isinstance(name, str) and not 1 <= len(name) <= 64:
        yield _json(ctx, "name", f"the name has {len(name)} characters", name, "1..64 characters")


@rule("M028", "coherence", "warning")
def name_of_another(ctx: Context) -> F:
    """What: The name is that of a published size, the numbers are not.
    Why: People would take it for that network.
    Fix: give it another name
    """
    m = ctx.mirror or {}
    arch = ARCHS.get(m["name"]) if isinstance(m.get("name"), str) else None
    if arch and ctx.scan.arch:
        own = mirrors.values(arch)
        off = [k for k, kind in fmt.MIRROR_KEYS
               if kind == "integer" and ctx.scan.values[f"arch.{k}"] != own[k]]
        if off or ctx.scan.arch.stages != arch.stages:
            what = off[0] if off else "stages"
            yield _json(ctx, "name", f"the published {arch.name} has another {what}", arch.name)


@rule("M029", "coherence", "warning")
def unknown_key(ctx: Context) -> F:
    """What: The mirror has a key that is neither its own nor `meta`.
    Why: Other tools may drop it; extra facts have their place under meta.
    Fix: move it under meta
    """
    for key in ctx.mirror or {}:
        if key != "meta" and key not in dict(fmt.MIRROR_KEYS):
            yield _json(ctx, "json", f"unknown key {mirrors.shown(key)}", key)


@rule("M030", "coherence", "info")
def not_canonical(ctx: Context) -> F:
    """What: The mirror's text is not the canonical one: keys in order, no inner white space,
    width_mult with its point.
    Why: One network should have one text, so that files compare byte for byte.
    Fix: let efm3.save write it
    """
    m = ctx.mirror
    if m is None or any(k not in m for k, _ in fmt.MIRROR_KEYS):
        return
    import json
    order = {k: m[k] for k, _ in fmt.MIRROR_KEYS} | m
    if mirrors.is_kind(m["width_mult"], "number"):
        order["width_mult"] = float(m["width_mult"])
    if isinstance(m["stages"], list):
        order["stages"] = [{k: s[k] for k in "tns" if k in s} | s if isinstance(s, dict) else s
                           for s in m["stages"]]
    text = json.dumps(order, separators=(",", ":"))
    if bytes(ctx.scan.mirror or b"").rstrip(b" ") != text.encode():
        yield _json(ctx, "json", "the text is not the canonical one")


def _meta(ctx: Context) -> dict[str, Any]:
    meta = (ctx.mirror or {}).get("meta")
    return meta if isinstance(meta, dict) else {}


@rule("M040", "coherence")
def meta_type(ctx: Context) -> F:
    """What: `meta` is not an object.
    Why: Its keys have no place.
    Fix: write an object
    """
    m = ctx.mirror or {}
    if "meta" in m and not isinstance(m["meta"], dict):
        yield _json(ctx, "meta", f"meta is a JSON {mirrors.kind_of(m['meta'])}", m["meta"],
                    "object")


@rule("M041", "coherence")
def digest_form(ctx: Context) -> F:
    """What: meta.sha256 is not 64 lower-case hexadecimal digits.
    Why: It cannot be compared with the tensor table.
    Fix: let `efm3 seal` write it
    """
    meta = _meta(ctx)
    if "sha256" in meta and not mirrors.is_digest(meta["sha256"]):
        yield _json(ctx, "meta.sha256", "the digest is not 64 lower-case hex digits",
                    meta["sha256"], "64 hex digits")


@rule("M042", "coherence")
def digest_differs(ctx: Context) -> F:
    """What: The tensor table's SHA-256 is not the one that the file was sealed with.
    Why: The weights changed after the seal, by damage or by hand.
    Fix: fetch the file again; after a wanted change run `efm3 seal`
    """
    d = ctx.digest
    if d is not None and d.result() != d.stated:
        yield ctx.at("the tensor table does not match its digest", offset=d.offset,
                     length=ctx.scan.size - d.offset, path="json.meta.sha256",
                     found=d.result(), expected=d.stated)
