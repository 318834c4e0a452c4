# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Recipes: a base file and the patches that make a case of it, as text.

`OPS` is the one list of patches. A patch names its op and the op's arguments, as in
`{ op = "field", path = "arch.stem_kernel", value = 4 }`. A place (`at`) is an offset, or one of
`end`, `json`, `n_tensors`, `table`, `NAME.size`, `NAME.data`, each with an optional `+N` or `-N`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from efm3 import format as fmt
from efm3.arch import ARCHS, Arch, Stage
from efm3.conformance import sample
from efm3.conformance.home import HOME, RecipeError

_PLACE = re.compile(r"(\d+|end|json|n_tensors|table|[\w.]+\.(?:size|data))([+-]\d+)?")


def place(data: bytes, at: int | str) -> int:
    """The offset that a place names in `data`."""
    if isinstance(at, int):
        return at
    m = _PLACE.fullmatch(at)
    if m is None:
        raise RecipeError(f"{at!r} is not a place")
    word, shift = m.group(1), int(m.group(2) or 0)
    s = sample.spans(data)
    if word.isdigit():
        return int(word) + shift
    if word == "end":
        return len(data) + shift
    if word == "json":
        return fmt.PREFIX_SIZE + shift
    if s.table_offset is None:
        raise RecipeError(f"{at!r}: the file has no table")
    if word in ("n_tensors", "table"):
        return s.table_offset - (fmt.COUNT_SIZE if word == "n_tensors" else 0) + shift
    name, what = word.rsplit(".", 1)
    for t in s.tensors:
        if t.name == name:
            return (t.offset if what == "size" else t.data_offset) + shift
    raise RecipeError(f"{at!r}: no tensor {name}")


def _raw(args: Mapping[str, Any]) -> bytes:
    """The bytes that `hex`, `text` or `u32` state, `times` over."""
    if "hex" in args:
        one = bytes.fromhex(args["hex"])
    elif "u32" in args:
        one = struct.pack("<I", args["u32"])
    else:
        one = args["text"].encode()
    return one * int(args.get("times", 1))


def _float(value: Any) -> float:
    if isinstance(value, str) and value.startswith("bits:"):
        return float(struct.unpack("<f", bytes.fromhex(value[5:])[::-1])[0])
    return float(value)


def _floats(values: list[Any]) -> bytes:
    # A NaN's payload would not survive a float: bits are packed as bits.
    return b"".join(bytes.fromhex(v[5:])[::-1] if isinstance(v, str) and v.startswith("bits:")
                    else struct.pack("<f", _float(v)) for v in values)


def _field(data: bytes, a: Mapping[str, Any]) -> bytes:
    value = a["value"] if "value" in a else _raw(a)
    return sample.field(a["path"], value)(data)


def _insert(data: bytes, a: Mapping[str, Any]) -> bytes:
    at = place(data, a["at"])
    return data[:at] + (data if a.get("self") else _raw(a)) + data[at:]


def _delete(data: bytes, a: Mapping[str, Any]) -> bytes:
    at = place(data, a["at"])
    return data[:at] + data[at + a["length"]:]


def _mirror(data: bytes, a: Mapping[str, Any]) -> bytes:
    return sample.text(_raw(a))(data)


def _mirror_sub(data: bytes, a: Mapping[str, Any]) -> bytes:
    old = bytes(sample.spans(data).mirror or b"")
    want = a["old"].encode()
    if want not in old:
        raise RecipeError(f"the mirror holds no {a['old']!r}")
    new = bytes.fromhex(a["hex"]) if "hex" in a else a["new"].encode()
    return sample.text(old.replace(want, new * int(a.get("times", 1)), 1))(data)


def _mirror_set(data: bytes, a: Mapping[str, Any]) -> bytes:
    def change(m: dict[str, Any]) -> dict[str, Any]:
        *path, last = a["key"].split(".")
        inner = m
        for k in path:
            inner = inner.setdefault(k, {})
        inner[last] = a["value"]
        return m
    return sample.with_mirror(change)(data)


def _mirror_drop(data: bytes, a: Mapping[str, Any]) -> bytes:
    return sample.with_mirror(lambda m: {k: v for k, v in m.items() if k != a["key"]})(data)


def _size(data: bytes, a: Mapping[str, Any]) -> bytes:
    if a.get("big"):
        return sample.size_of(a["tensor"], lambda n: int.from_bytes(
            n.to_bytes(4, "big"), "little"))(data)
    return sample.size_of(a["tensor"], lambda n: a["value"] if "value" in a
                          else n + a["delta"])(data)


def _row(table: sample.Table, name: str) -> int:
    for i, (n, _) in enumerate(table):
        if n == name:
            return i
    raise RecipeError(f"no tensor {name}")


def _drop(data: bytes, a: Mapping[str, Any]) -> bytes:
    return sample.with_table(lambda t: [r for r in t if r[0] != a["tensor"]]
                             if _row(t, a["tensor"]) >= 0 else t)(data)


def _add(data: bytes, a: Mapping[str, Any]) -> bytes:
    def change(t: sample.Table) -> sample.Table:
        i = len(t) if a["before"] == "end" else _row(t, a["before"])
        return [*t[:i], ("", bytes(a["bytes"])), *t[i:]]
    return sample.with_table(change)(data)


def _swap(data: bytes, a: Mapping[str, Any]) -> bytes:
    def change(t: sample.Table) -> sample.Table:
        i, j = _row(t, a["a"]), _row(t, a["b"])
        t[i], t[j] = t[j], t[i]
        return t
    return sample.with_table(change)(data)


def _payload(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    def rows(t: sample.Table) -> sample.Table:
        i = _row(t, name)
        return [*t[:i], (name, change(t[i][1])), *t[i + 1:]]
    return sample.with_table(rows)(data)


def _resize(data: bytes, a: Mapping[str, Any]) -> bytes:
    def change(old: bytes) -> bytes:
        return (old + bytes(a["bytes"]))[:a["bytes"]]
    return _payload(data, a["tensor"], change)


def _values(data: bytes, a: Mapping[str, Any]) -> bytes:
    new, at = _floats(a["values"]), 4 * int(a.get("at", 0))
    return _payload(data, a["tensor"], lambda d: d[:at] + new + d[at + len(new):])


def _fill(data: bytes, a: Mapping[str, Any]) -> bytes:
    one = _floats([a["value"]])
    return sample.payload(a["tensor"], lambda d: one * (len(d) // 4))(data)


def _shift(data: bytes, a: Mapping[str, Any]) -> bytes:
    def change(old: bytes) -> bytes:
        floats = struct.unpack(f"<{len(old) // 4}f", old)
        return b"".join(struct.pack("<f", v + a["value"]) for v in floats)
    return _payload(data, a["tensor"], change)


def _recode(data: bytes, a: Mapping[str, Any]) -> bytes:
    def change(old: bytes) -> bytes:
        count = len(old) // 4
        if a["to"] == "big":
            return struct.pack(f">{count}I", *struct.unpack(f"<{count}I", old))
        floats = struct.unpack(f"<{count}f", old)
        return struct.pack(f"<{count}{ {'f16': 'e', 'f64': 'd'}[a['to']] }", *floats)
    return sample.payload("", change)(data)


Op = Callable[[bytes, Mapping[str, Any]], bytes]

OPS: dict[str, tuple[Op, str, str]] = {
    "content": (lambda _, a: _raw(a), "", "the whole file"),
    "field": (_field, "path", "a field of the prefix: value, or hex"),
    "put": (lambda d, a: sample.put(place(d, a["at"]), _raw(a))(d), "at", "bytes over others"),
    "cut": (lambda d, a: d[:place(d, a["at"])], "at", "only the bytes before a place"),
    "insert": (_insert, "at", "bytes between others; self: the file itself"),
    "delete": (_delete, "at length", "bytes removed"),
    "replace": (lambda d, a: d.replace(bytes.fromhex(a["old"]), bytes.fromhex(a["hex"])),
                "old hex", "every occurrence of bytes"),
    "mirror": (_mirror, "", "the mirror's text, as given; json_len follows"),
    "mirror_sub": (_mirror_sub, "old", "a part of the mirror's text; json_len follows"),
    "mirror_set": (_mirror_set, "key value", "a key of the mirror, a.b for a nested key"),
    "mirror_drop": (_mirror_drop, "key", "a key of the mirror removed"),
    "size": (_size, "tensor", "a size field alone: value, delta, or big (bytes reversed)"),
    "drop": (_drop, "tensor", "a tensor removed; n_tensors follows"),
    "add": (_add, "before bytes", "a tensor of zeros inserted; n_tensors follows"),
    "swap": (_swap, "a b", "two tensors exchanged with their sizes"),
    "resize": (_resize, "tensor bytes", "a payload cut or lengthened; its size follows"),
    "values": (_values, "tensor values", "values from index `at` on; bits:HEX for a pattern"),
    "fill": (_fill, "tensor value", "all values of the tensors whose name ends in `tensor`"),
    "shift": (_shift, "tensor value", "a value added to all of a tensor"),
    "recode": (_recode, "to", "all payloads as f16, f64, or big (big-endian)"),
    "seal": (lambda d, _: sample.digest_of(d), "", "the table's digest into meta.sha256"),
}
"""Op to (function, arguments it needs, words)."""


def patch(data: bytes, step: Mapping[str, Any]) -> bytes:
    """`data` after one patch. Raises RecipeError."""
    op, needs, _ = OPS.get(step.get("op", ""), (None, "", ""))
    if op is None:
        raise RecipeError(f"no op {step.get('op')!r}; there are {', '.join(OPS)}")
    missing = [k for k in needs.split() if k not in step]
    if missing:
        raise RecipeError(f"{step['op']} needs {missing[0]}")
    try:
        return op(data, step)
    except (KeyError, TypeError, ValueError, OverflowError, struct.error, StopIteration) as e:
        raise RecipeError(f"{dict(step)}: {e!r}") from e


def arch_of(table: Mapping[str, Any], unchecked: bool = False) -> Arch:
    """The arch that a recipe's `[arch]` table states; what it leaves out is the sample's.

    `unchecked` accepts what the format forbids, for files in which nothing else is wrong.
    """
    own = {k: getattr(sample.ARCH, k) for k in sample.ARCH.__dataclass_fields__} | dict(table)
    own["stages"] = tuple(s if isinstance(s, Stage) else
                          Stage(**s) if isinstance(s, dict) else Stage(*s) for s in own["stages"])
    if not unchecked:
        return Arch(**own)
    arch = object.__new__(Arch)
    for key, value in own.items():
        object.__setattr__(arch, key, value)
    return arch


def base(recipe: Mapping[str, Any]) -> bytes:
    """The file a recipe starts from: sample, empty, arch, a published size, or vectors/NAME."""
    name = recipe.get("base", "sample")
    if name == "sample":
        return sample.base()
    if name == "empty":
        return b""
    if name == "arch":
        arch = arch_of(recipe.get("arch", {}), bool(recipe.get("unchecked")))
        if "seed" in recipe:
            from efm3.conformance.weights import file
            return file(arch, recipe["seed"])
        return sample.build(arch)
    if name in ARCHS:
        return sample.build(ARCHS[name])
    path = HOME / f"{name}.bin"
    if re.fullmatch(r"vectors/\w+", name) and path.is_file():
        return path.read_bytes()
    raise RecipeError(f"no base {name!r}")


def render(recipe: Mapping[str, Any]) -> bytes:
    """The file of a recipe. Raises RecipeError."""
    data = base(recipe)
    for step in recipe.get("patch", ()):
        data = patch(data, step)
    return data
