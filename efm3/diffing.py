# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Two files compared: prefix, mirror, then tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.coherence import lenient
from efm3.floats import difference
from efm3.scan import Scan, TensorSpan

DIFF_VERSION = 1


class Change(TypedDict):
    """A field of the prefix (`arch.stem_channels`) or a key of the mirror (`json.meta.source`)
    that the files give other values; null where one has none."""

    path: str
    a: Any
    b: Any


class TensorChange(TypedDict):
    """A tensor of either file.

    `state` is identical, different, other shape, only in a, only in b, or incomplete
    (its bytes are not all present in both files). `differing` counts values whose bits
    differ, of `count`. `max_abs` and `max_ulp` are over pairs of finite values, `cosine`
    is of the two as vectors; all null where nothing can be compared. `non_finite`
    counts differing pairs with a NaN or an infinity.
    """

    name: str
    state: str
    count: int
    differing: int
    non_finite: int
    max_abs: float | None
    max_ulp: int | None
    cosine: float | None


class Diff(TypedDict):
    """What `efm3 diff --json` prints. `identical` is about the bytes of the two files;
    `elsewhere` is true where they differ in bytes that nothing else here names (white space
    in the mirror, a tail)."""

    diff_version: int
    a: str
    b: str
    identical: bool
    elsewhere: bool
    header: list[Change]
    mirror: list[Change]
    tensors: list[TensorChange]


def diff(a: Scan, b: Scan, a_name: str = "a", b_name: str = "b") -> Diff:
    """Compare two scanned files, broken ones as far as they go. Never raises on content."""
    same = a.data == b.data
    header = [Change(path=p, a=_plain(a.values.get(p)), b=_plain(b.values.get(p)))
              for p in fmt.FIELDS if a.values.get(p) != b.values.get(p)]
    ours, theirs = (dict(_flat("json", _mirror(s.mirror or b""))) for s in (a, b))
    mirror = [Change(path=p, a=ours.get(p), b=theirs.get(p)) for p in ours | theirs
              if (repr(ours.get(p)), p in ours) != (repr(theirs.get(p)), p in theirs)]
    tensors = list(_tensors(a, b))
    named = bool(header or mirror or any(t["state"] != "identical" for t in tensors))
    return Diff(diff_version=DIFF_VERSION, a=a_name, b=b_name, identical=same,
                elsewhere=not same and not named, header=header, mirror=mirror, tensors=tensors)


def _mirror(text: bytes | memoryview) -> dict[str, Any]:
    """All of a mirror, where `lenient` gives of a long one a part."""
    try:
        return mirrors.parse(text)
    except mirrors.MirrorProblem:
        return lenient(text)


def _plain(value: Any) -> Any:
    return value.hex(" ") if isinstance(value, bytes) else value


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for k, v in value.items():
            yield from _flat(f"{path}.{k}", v)
    elif isinstance(value, list) and value:
        for i, v in enumerate(value):
            yield from _flat(f"{path}[{i}]", v)
    else:
        yield path, value


def _tensors(a: Scan, b: Scan) -> Iterator[TensorChange]:
    # An entry that the layout does not name is identified by its number.
    ours, theirs = ({t.name or f"tensors[{t.number}]": t for t in s.tensors} for s in (a, b))
    for name in ours | theirs:
        x, y = ours.get(name), theirs.get(name)
        change = TensorChange(name=name, state="", count=(x or y or _NONE).size // 4, differing=0,
                              non_finite=0, max_abs=None, max_ulp=None, cosine=None)
        if x is None or y is None:
            change["state"] = "only in b" if x is None else "only in a"
        elif x.shape != y.shape or x.size != y.size:
            change["state"] = "other shape"
        elif min(x.present, y.present) < x.size:
            change["state"] = "incomplete"
        else:
            _compare(_bytes(a, x), _bytes(b, y), change)
        yield change


_NONE = TensorSpan(0, 0, 0, 0, "", ())


def _bytes(scan: Scan, t: TensorSpan) -> memoryview:
    return scan.data[t.data_offset:t.data_offset + t.size]


def _compare(x: memoryview, y: memoryview, change: TensorChange) -> None:
    if x == y:
        change.update({"state": "identical", "max_abs": 0.0, "max_ulp": 0, "cosine": 1.0})
        return
    change.update({"state": "different", **difference(x, y)._asdict()})  # type: ignore[typeddict-item]
