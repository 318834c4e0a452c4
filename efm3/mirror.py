# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The JSON mirror: canonical text, closed grammar, and its JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from efm3 import format as fmt
from efm3.arch import Arch, Stage
from efm3.findings import shown as shown
from efm3.grammar import MirrorProblem as MirrorProblem
from efm3.grammar import Outline as Outline
from efm3.grammar import kind_of as kind_of
from efm3.grammar import outline as outline
from efm3.grammar import parse as parse

_SHA = re.compile(r"[0-9a-f]{64}")


def canonical(arch: Arch, extra: dict[str, Any] | None = None, align: bool = False) -> bytes:
    """The mirror's text: compact, ASCII, keys in order, then `extra` keys.

    `align` pads with spaces so that the first payload, and so every one, starts
    at a multiple of `format.TENSOR_ALIGN`.
    """
    text = json.dumps(values(arch) | (extra or {}), separators=(",", ":"),
                      ensure_ascii=True, allow_nan=False).encode("ascii")
    return pad(text) if align else text


def pad(text: bytes) -> bytes:
    """`text` with the trailing spaces that align the tensors."""
    first = fmt.PREFIX_SIZE + len(text) + 2 * fmt.COUNT_SIZE
    return text + b" " * (-first % fmt.TENSOR_ALIGN)


def values(arch: Arch) -> dict[str, Any]:
    """The mirror's canonical keys and their values for this arch."""
    own = {k: getattr(arch, k) for k, _ in fmt.MIRROR_KEYS}
    return own | {"width_mult": float(arch.width_mult), "stages": [asdict(s) for s in arch.stages]}


def arch_of(value: dict[str, Any]) -> Arch:
    """The arch that a parsed mirror states.

    Raises MirrorProblem for a missing key or a wrong type, Efm3Error for what no arch may be.
    """
    problem = schema_problem(value)
    if problem:
        raise MirrorProblem("schema", problem)
    own = {k: value[k] for k, _ in fmt.MIRROR_KEYS}
    return Arch(**own | {"stages": tuple(Stage(**s) for s in value["stages"])})


def is_kind(value: Any, kind: str) -> bool:
    """True where a parsed value has this JSON type (an integer is a number)."""
    have = kind_of(value)
    return have == kind or (kind == "number" and have == "integer")


def is_digest(value: Any) -> bool:
    """True for 64 lower-case hexadecimal digits."""
    return isinstance(value, str) and _SHA.fullmatch(value) is not None


def meta_of(value: Mapping[str, Any]) -> dict[str, Any]:
    """The `meta` of a parsed mirror, {} where it has none."""
    meta = value.get(fmt.META_KEY)
    return meta if isinstance(meta, dict) else {}


def picture(value: Mapping[str, Any]) -> str:
    """How a parsed mirror's network takes its picture: one of `format.PICTURES`, "" where the
    mirror says something else (M043)."""
    said = meta_of(value).get(fmt.PICTURE_KEY, fmt.UPRIGHT)
    return said if said in fmt.PICTURES else ""


def as_turned(value: Mapping[str, Any]) -> dict[str, Any]:
    """A mirror, or a `mirror_extra`, that also says that the picture is turned by 180 degrees."""
    return {**value, fmt.META_KEY: meta_of(value) | {fmt.PICTURE_KEY: fmt.TURNED}}


def schema() -> dict[str, Any]:
    """The mirror's JSON Schema, from the declaration."""
    props: dict[str, Any] = {}
    for key, kind in fmt.MIRROR_KEYS:
        f = fmt.FIELDS.get(f"arch.{key}")
        props[key] = {"type": kind, "description": f.doc if f else key}
        if f:
            props[key] |= {"minimum": f.con.lo, "maximum": f.con.hi}
    props["width_mult"] |= {"exclusiveMinimum": 0, "description": "multiplier of 64/128/512"}
    stage = {k: {"type": "integer", "minimum": f.con.lo, "maximum": f.con.hi, "description": f.doc}
             for k in "tns" for f in [fmt.FIELDS[f"arch.stages[0].{k}"]]}
    props["stages"] |= {
        "minItems": 1, "maxItems": fmt.STAGE_SLOTS, "description": "one object per stage",
        "items": {"type": "object", "properties": stage, "required": list("tns"),
                  "additionalProperties": False}}
    meta: dict[str, Any] = {k: {"description": d} for k, d in fmt.META_KEYS.items()}
    meta["sha256"] |= {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    meta[fmt.PICTURE_KEY] |= {"enum": list(fmt.PICTURES)}
    props["meta"] = {"type": "object", "properties": meta, "description": "registered extra keys"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "EFM3 JSON mirror", "type": "object", "properties": props,
        "required": [k for k, _ in fmt.MIRROR_KEYS],
    }


def checker(of: dict[str, Any]) -> Callable[[Any], str]:
    """A function that returns a value's first violation of a JSON Schema, or ""."""
    import jsonschema
    from jsonschema.exceptions import best_match

    validator = jsonschema.Draft202012Validator(of)

    def problem(value: Any) -> str:
        error = best_match(validator.iter_errors(value))
        return "" if error is None else f"{error.json_path}: {error.message}"[:200]
    return problem


@lru_cache(maxsize=1)
def _own_checker() -> Callable[[Any], str]:
    return checker(schema())


def schema_problem(value: Any) -> str:
    """The first violation of the JSON Schema in a parsed mirror, or ""."""
    return _own_checker()(value)
