# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules on the JSON mirror: its grammar, its keys, and its agreement with the header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.arch import ARCHS
from efm3.codes import CODES
from efm3.rules._context import Context, Found
from efm3.rules._registry import rule

F = Iterator[Found]

MOST = 20
"""Unknown keys that are reported: a mirror may have 100,000."""


def _grammar(code: str) -> Callable[[Context], F]:
    kind = CODES[code].name  # what mirrors.parse calls it

    def check(ctx: Context) -> F:
        p = ctx.mirror_problem
        if p is not None and p.kind == kind:
            n = ctx.scan.json_len or 0
            yield ctx.at(p.message, offset=fmt.PREFIX_SIZE + p.offset, length=max(n - p.offset, 0),
                         path="json", expected="one JSON object")
    return check


for _number in range(1, 13):
    rule(f"M{_number:03}")(_grammar(f"M{_number:03}"))


def _json(ctx: Context, key: str, message: str, found: Any = "", expected: Any = "") -> Found:
    text = bytes(ctx.scan.mirror or b"")
    at = max(text.find(f'"{key.split(".")[-1].split("[")[0]}"'.encode()), 0)
    return ctx.at(message, offset=fmt.PREFIX_SIZE + at, length=len(text) - at, path=f"json.{key}",
                  found=mirrors.shown(found), expected=expected)


@rule("M020")
def key_missing(ctx: Context) -> F:
    m = ctx.mirror
    for key, _ in fmt.MIRROR_KEYS:
        if m is not None and key not in m:
            yield _json(ctx, key, f"key {key} is missing", expected=key)


@rule("M021")
def key_type(ctx: Context) -> F:
    m = ctx.mirror or {}
    for key, kind in fmt.MIRROR_KEYS:
        if key in m and not mirrors.is_kind(m[key], kind):
            yield _json(ctx, key, f"{key} is a JSON {mirrors.kind_of(m[key])}, not {kind}",
                        m[key], kind)


@rule("M022")
def disagrees(ctx: Context) -> F:
    m = ctx.mirror or {}
    for key, kind in fmt.MIRROR_KEYS:
        if kind == "integer" and key in m and mirrors.is_kind(m[key], kind):
            header = ctx.scan.values[f"arch.{key}"]
            if m[key] != header:
                yield _json(ctx, key, f"{key} is {mirrors.shown(m[key])}, the header says {header}",
                            m[key], header)


@rule("M023")
def stage_count(ctx: Context) -> F:
    stages, n = _stages(ctx), ctx.scan.values.get("arch.n_stages")
    if stages is not None and len(stages) != n:
        yield _json(ctx, "stages", f"{len(stages)} stages, the header has {n}", len(stages), n)


def _stages(ctx: Context) -> list[Any] | None:
    stages = (ctx.mirror or {}).get("stages")
    return stages if isinstance(stages, list) else None


@rule("M024")
def stage_shape(ctx: Context) -> F:
    for i, stage in enumerate((_stages(ctx) or [])[:fmt.STAGE_SLOTS]):
        if not (isinstance(stage, dict) and sorted(stage) == ["n", "s", "t"]
                and all(mirrors.is_kind(v, "integer") for v in stage.values())):
            yield _json(ctx, f"stages[{i}]", "not an object of the integers t, n, s", stage)


@rule("M025")
def stage_disagrees(ctx: Context) -> F:
    for i, stage in enumerate((_stages(ctx) or [])[:fmt.STAGE_SLOTS]):
        for k in "tns":
            header = ctx.scan.values[f"arch.stages[{i}].{k}"]
            if (isinstance(stage, dict) and mirrors.is_kind(stage.get(k), "integer")
                    and stage[k] != header):
                yield _json(ctx, f"stages[{i}].{k}", f"stage {i + 1}: {k} is "
                            f"{mirrors.shown(stage[k])}, the header says {header}",
                            stage[k], header)


@rule("M026")
def width_mult(ctx: Context) -> F:
    w = (ctx.mirror or {}).get("width_mult", 1.0)
    if mirrors.is_kind(w, "number") and w <= 0:
        yield _json(ctx, "width_mult", "width_mult is not above zero", w, "> 0")


@rule("M027")
def name_empty(ctx: Context) -> F:
    name = (ctx.mirror or {}).get("name")
    if isinstance(name, str) and not 1 <= len(name) <= 64:
        yield _json(ctx, "name", f"the name has {len(name)} characters", name, "1..64 characters")


@rule("M028")
def name_of_another(ctx: Context) -> F:
    m = ctx.mirror or {}
    arch = ARCHS.get(m["name"]) if isinstance(m.get("name"), str) else None
    if arch and ctx.scan.arch:
        own = mirrors.values(arch)
        off = [k for k, kind in fmt.MIRROR_KEYS
               if kind == "integer" and ctx.scan.values[f"arch.{k}"] != own[k]]
        if off or ctx.scan.arch.stages != arch.stages:
            what = off[0] if off else "stages"
            yield _json(ctx, "name", f"the published {arch.name} has another {what}", arch.name)


@rule("M029")
def unknown_key(ctx: Context) -> F:
    unknown = (k for k in ctx.mirror or {} if k != "meta" and k not in dict(fmt.MIRROR_KEYS))
    for key in islice(unknown, MOST):
        yield _json(ctx, "json", f"unknown key {mirrors.shown(key)}", key)


@rule("M030")
def not_canonical(ctx: Context) -> F:
    m = ctx.mirror
    if m is None or any(k not in m for k, _ in fmt.MIRROR_KEYS):
        return
    stages = [s for s in _stages(ctx) or [] if isinstance(s, dict)]
    ordered = (list({k: m[k] for k, _ in fmt.MIRROR_KEYS} | m) == list(m)
               and all(list({k: s[k] for k in "tns" if k in s} | s) == list(s) for s in stages)
               and mirrors.kind_of(m["width_mult"]) != "integer")  # it is a real, with a point
    text = bytes(ctx.scan.mirror or b"").rstrip(b" ")
    spaces = (ctx.scan.json_len or 0) - len(text)
    if not (ctx.mirror_compact and ordered and spaces in (0, len(mirrors.pad(text)) - len(text))):
        yield _json(ctx, "json", "the text is not the canonical one")


@rule("M040")
def meta_type(ctx: Context) -> F:
    m = ctx.mirror or {}
    if "meta" in m and not isinstance(m["meta"], dict):
        yield _json(ctx, "meta", f"meta is a JSON {mirrors.kind_of(m['meta'])}", m["meta"],
                    "object")


@rule("M041")
def digest_form(ctx: Context) -> F:
    meta = mirrors.meta_of(ctx.mirror or {})
    if "sha256" in meta and not mirrors.is_digest(meta["sha256"]):
        yield _json(ctx, "meta.sha256", "the digest is not 64 lower-case hex digits",
                    meta["sha256"], "64 hex digits")


@rule("M042")
def digest_differs(ctx: Context) -> F:
    d = ctx.digest
    if d is not None and d.result() != d.stated:
        yield ctx.at("the tensor table does not match its digest", offset=d.offset,
                     length=ctx.scan.size - d.offset, path="json.meta.sha256",
                     found=d.result(), expected=d.stated)


@rule("M043")
def unknown_picture(ctx: Context) -> F:
    m = ctx.mirror or {}
    if not mirrors.picture(m):
        yield _json(ctx, f"{fmt.META_KEY}.{fmt.PICTURE_KEY}", "unknown way to take the picture",
                    mirrors.meta_of(m)[fmt.PICTURE_KEY], " or ".join(fmt.PICTURES))
