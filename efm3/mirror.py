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

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKET = re.compile(rb"[][{}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHA = re.compile(r"[0-9a-f]{64}")


class MirrorProblem(Exception):
    """Why a text is not a mirror: `kind` (the rule's keyword), message, offset in the text."""

    def __init__(self, kind: str, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.kind, self.message, self.offset = kind, message, offset


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


def parse(text: bytes) -> dict[str, Any]:
    """The text as a dict; MirrorProblem where it violates the closed grammar.

    Kinds: empty, bom, utf8, depth, duplicate, constant, number, nul, surrogate,
    trailing, syntax, object.
    """
    if not text.strip(b" "):
        raise MirrorProblem("empty", "the mirror holds no JSON text")
    if text.startswith(b"\xef\xbb\xbf"):
        raise MirrorProblem("bom", "the mirror starts with a byte order mark")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as e:
        bad = f"byte {text[e.start]:#04x} is not UTF-8 here"
        raise MirrorProblem("utf8", bad, e.start) from None
    depth = 0
    for m in _BRACKET.finditer(_STRING.sub(lambda s: b" " * len(s.group()), text)):
        depth += 1 if m.group() in b"[{" else -1
        if depth > fmt.MAX_JSON_DEPTH:
            raise MirrorProblem("depth", f"nested deeper than {fmt.MAX_JSON_DEPTH}", m.start())
    decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant,
                               parse_int=_integer, parse_float=_real)
    start = len(decoded) - len(decoded.lstrip(" \t\r\n"))
    try:
        value, end = decoder.raw_decode(decoded, start)
    except json.JSONDecodeError as e:
        raise MirrorProblem("syntax", e.msg, len(decoded[:e.pos].encode())) from None
    rest = decoded[end:].strip(" ")
    if rest:
        raise MirrorProblem("trailing", f"{rest[:20]!r} follows the JSON object",
                            len(decoded[:end].encode()))
    if not isinstance(value, dict):
        raise MirrorProblem("object", f"the mirror is a JSON {kind_of(value)}, not an object")
    _strings(value)
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise MirrorProblem("duplicate", f"key {shown(twice)} occurs twice in one object")
    return out


def _constant(word: str) -> Any:
    raise MirrorProblem("constant", f"{word} is not a JSON number")


def _integer(text: str) -> int:
    digits = len(text.lstrip("-"))
    if digits > 20:
        raise MirrorProblem("number", f"an integer of {digits} digits")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise MirrorProblem("number", f"{text[:20]} overflows a double")
    return value


def _strings(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise MirrorProblem("nul", f"{shown(value)} holds a NUL character")
        if _SURROGATE.search(value):
            raise MirrorProblem("surrogate", f"{shown(value)} holds a lone surrogate")
    elif isinstance(value, dict):
        for k, v in value.items():
            _strings(k)
            _strings(v)
    elif isinstance(value, list):
        for v in value:
            _strings(v)


def kind_of(value: Any) -> str:
    """The JSON type of a parsed value."""
    if value is None:
        return "null"
    kinds: tuple[tuple[Any, str], ...] = (
        (bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"))
    return next((word for t, word in kinds if isinstance(value, t)), "object")


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
