# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Model: an arch, its mirror, its tensors; load and save."""

from __future__ import annotations

import copy
import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3 import rules
from efm3.arch import Arch
from efm3.arrays import Floats as Tensor
from efm3.findings import Efm3Error, error, printable, refuse
from efm3.network import tensor_layout
from efm3.reading import scan_of
from efm3.scan import Scan, scan
from efm3.source import Source, Unreadable, name_of, path_of, write_atomic


class Tensors(Mapping[str, Tensor]):
    """A file's tensors by name, in stored order; each view is created on access."""

    def __init__(self, scanned: Scan) -> None:
        self._data, self._table = scanned.data, scanned.tensors
        self._places = {name: i for i, (name, _) in enumerate(scanned.layout)}

    def __getitem__(self, name: str) -> Tensor:
        """A read-only float32 view of the layout's shape, at whatever alignment it has."""
        t = self._table[self._places[name]]
        view = np.frombuffer(self._data, "<f4", t.size // 4, t.data_offset).reshape(t.shape)
        view.flags.writeable = False
        return view

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __reduce__(self) -> tuple[Any, ...]:
        return _tensors, (bytes(self._data),)

    def __deepcopy__(self, memo: Any) -> Tensors:
        return self  # nothing of it can change


def _tensors(data: bytes) -> Tensors:
    return Tensors(scan(data))


class Model:
    """A network: `arch`, `mirror` (the parsed JSON) and `tensors` (name to float32 array).

    It can be pickled and copied; its tensors then take their memory again.
    """

    def __init__(self, arch: Arch, tensors: Mapping[str, Any],
                 mirror: dict[str, Any] | None = None, mirror_text: bytes = b"") -> None:
        self.arch = arch
        self.tensors = tensors
        self._mirror = mirrors.values(arch) if mirror is None and not mirror_text else mirror
        self._loaded = (arch, copy.deepcopy(self._mirror), mirror_text)

    @property
    def mirror(self) -> dict[str, Any]:
        """The parsed JSON; that of a file is parsed when it is first asked for, {} where it
        breaks the grammar."""
        if self._mirror is None:
            self._mirror = _parsed(self._loaded[2])
        return self._mirror

    @mirror.setter
    def mirror(self, value: dict[str, Any]) -> None:
        self._mirror = value

    @property
    def turned(self) -> bool:
        """True where the network takes its picture turned by 180 degrees (`meta.picture`).

        Raises Efm3Error M043 where the mirror says something unknown of the picture.
        """
        said = mirrors.picture(self.mirror)
        if not said:
            refuse("M043", "how to put a picture before this network is not known",
                   f"json.{fmt.META_KEY}.{fmt.PICTURE_KEY}",
                   mirrors.shown(mirrors.meta_of(self.mirror)[fmt.PICTURE_KEY]),
                   " or ".join(fmt.PICTURES))
        return said == fmt.TURNED

    @property
    def aligned(self) -> bool:
        """True where the file it came from has 4-byte aligned tensors."""
        first = fmt.PREFIX_SIZE + len(self._loaded[2]) + 2 * fmt.COUNT_SIZE
        return bool(self._loaded[2]) and first % fmt.TENSOR_ALIGN == 0

    def save(self, path: str | os.PathLike[str], *, align: bool = False,
             finite: bool = True, seal: bool = False) -> None:
        """Write the model; an unchanged mirror keeps its exact text. See `save`.

        A digest that was read is kept, so M042 refuses other tensors beside it: drop it from
        `mirror["meta"]`, or have it written anew by `seal`.
        """
        write_atomic(path, self.parts(align=align, finite=finite, seal=seal))

    def parts(self, *, align: bool = False, finite: bool = True,
              seal: bool = False) -> list[bytes]:
        """What `save` writes, in pieces."""
        text = b"" if seal else self._kept_text()
        extra = {} if text else self._extra()
        return _parts(self.arch, self.tensors, extra, text, align, finite, seal)

    def mirror_text(self) -> bytes:
        """The mirror's text: as it was read if unchanged, else canonical."""
        text = self._kept_text()
        if not text:
            text = _mirror_text(self.arch, self._extra(), "")
            _head(self.arch, text)
        return text

    def _kept_text(self) -> bytes:
        arch, mirror, text = self._loaded
        if arch != self.arch:
            return b""
        if self._mirror is not None:
            was = _parsed(text) if mirror is None else mirror
            return text if was == self._mirror else b""
        return text

    def _extra(self) -> dict[str, Any]:
        known = dict(fmt.MIRROR_KEYS)
        return {k: v for k, v in _extras(self.mirror).items() if k not in known}

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from efm3 import model_html

        return model_html.html(self.arch, self.mirror)


def load(source: Source | Scan, level: str = "coherence") -> Model:
    """Read a file that is valid at `level`, or take what `reading.scan_of` read of it; raises
    Efm3Error on its first error.

    The bytes are read into memory; a path must be a regular file.
    """
    rules.check_level(level)
    try:
        scanned = scan_of(bytes(source) if isinstance(source, (bytearray, memoryview)) else source)
    except Unreadable as e:
        raise error("IO001", str(e), name_of(source)) from e
    for finding in rules.run(scanned, level, path=path_of(source)):
        if finding.severity == "error":
            raise Efm3Error(finding)
    assert scanned.arch is not None
    text = bytes(scanned.mirror or b"")
    try:
        mirror: dict[str, Any] = mirrors.outline(text).value
    except mirrors.MirrorProblem:
        mirror = {}
    name: Any = mirror.get("name")
    width: Any = mirror.get("width_mult")
    stated = mirrors.is_kind(width, "number") and width > 0
    arch = replace(scanned.arch, name=name if isinstance(name, str) else "",
                   width_mult=width if stated else 0.0)
    return Model(arch, Tensors(scanned), None if text else {}, text)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        return mirrors.parse(text)
    except mirrors.MirrorProblem:
        return {}


def save(path: str | os.PathLike[str], arch: Arch, tensors: Mapping[str, Any], *,
         mirror_extra: Mapping[str, Any] | None = None, align: bool = False,
         finite: bool = True, seal: bool = False) -> None:
    """Write a file, atomically and durably; the target keeps its bytes on any failure.

    Of a file that was there, mode, and where the system allows it owner, ACL and extended
    attributes are kept; another hard link to it keeps the old bytes.
    `tensors` maps every name of `tensor_layout(arch)` to an array of its shape, in any
    memory order: float32, whose bits are kept, or a type whose every value float32 holds exactly.
    `mirror_extra` adds keys to the mirror (`{"meta": {...}}`): what JSON has, within the rules,
    tuples as arrays; a `meta.sha256` is refused unless it is right for these tensors (M042).
    `align` pads the mirror so that tensors are 4-byte aligned; `finite=False` lets NaN and
    infinities through; `seal` writes the table's digest to `meta.sha256`, over a given one.

    No file is written that is not valid at level `coherence`. Of level `values` only NaN and
    infinities are refused: whether variances are negative, `validate` tells. Raises Efm3Error,
    OSError.
    """
    write_atomic(path, _parts(arch, tensors, _extras(mirror_extra), b"", align, finite, seal))


def dumps(arch: Arch, tensors: Mapping[str, Any], *, mirror_extra: Mapping[str, Any] | None = None,
          align: bool = False, finite: bool = True, seal: bool = False) -> bytes:
    """The bytes that `save` would write."""
    return b"".join(_parts(arch, tensors, _extras(mirror_extra), b"", align, finite, seal))


def _extras(given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        refuse("W007", f"what is added to the mirror is {mirrors.shown(given)}", "json",
                type(given).__name__, "a mapping")
    return dict(given or {})


def _parts(arch: Arch, tensors: Mapping[str, Any], extra: dict[str, Any], text: bytes,
           align: bool, finite: bool, seal: bool) -> list[bytes]:
    if not isinstance(arch, Arch):
        refuse("W014", f"the arch is {mirrors.shown(arch)}", "arch", type(arch).__name__, "an Arch")
    if not isinstance(tensors, Mapping):
        refuse("W001", "the tensors are no mapping of names to arrays", "tensors",
                type(tensors).__name__, "a mapping")
    layout = tensor_layout(arch)
    missing = [n for n, _ in layout if n not in tensors]
    if missing:
        refuse("W001", f"{len(missing)} tensors are missing, first {missing[0]}", missing[0])
    names = {n for n, _ in layout}
    unknown = [n for n in tensors if n not in names]
    if unknown:
        refuse("W002", f"{len(unknown)} tensors are not in the layout, first "
                        f"{mirrors.shown(unknown[0])}", printable(str(unknown[0])))
    table: list[bytes] = []
    most = fmt.TENSOR.size.hi
    for name, shape in layout:
        if 4 * math.prod(shape) > most:
            refuse("T002", f"{name} needs {4 * math.prod(shape)} bytes, more than its size field "
                            "states", name, 4 * math.prod(shape), f"at most {most}")
        payload = _payload(name, shape, tensors[name], finite)
        table += (fmt.U32.build(len(payload)), payload)
    if not text:
        text = _mirror_text(arch, extra, _digest(table) if seal else "")
    if align:
        text = mirrors.pad(text.rstrip(b" "))
    head = _head(arch, text)
    if not seal:
        stated = mirrors.meta_of(mirrors.outline(text).value).get("sha256")
        if stated is not None and stated != _digest(table):
            refuse("M042", "the digest is not that of these tensors: leave it out, or seal the "
                            "file", "json.meta.sha256", stated, _digest(table))
    return [*head, fmt.U32.build(len(layout)), *table]


def _digest(table: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in table:
        digest.update(part)
    return digest.hexdigest()


def _head(arch: Arch, text: bytes) -> list[bytes]:
    """The prefix and the mirror, checked as a reader at level coherence does."""
    if len(text) > fmt.MAX_JSON_LEN:
        refuse("C005", f"the mirror has {len(text)} bytes", "json_len", len(text),
                f"at most {fmt.MAX_JSON_LEN}")
    prefix = fmt.PREFIX.build({"magic": fmt.MAGIC, "version": fmt.VERSION, "arch": arch.header(),
                               "json_len": len(text)})
    for f in rules.mirror_errors(scan(prefix + text)):
        refuse("W007", f"the mirror would break {f.code}: {f.message}", f.path, f.found, f.expected)
    return [prefix, text]


def _mirror_text(arch: Arch, extra: dict[str, Any], digest: str) -> bytes:
    """The canonical text with these keys added, and a digest where one is given."""
    taken = [k for k, _ in fmt.MIRROR_KEYS if k in extra]
    if taken:
        refuse("W006", f"mirror_extra may not set {taken[0]}: it comes from the arch", taken[0])
    if digest:
        meta = extra.get("meta", {})
        if not isinstance(meta, dict):
            refuse("W007", f"meta is {mirrors.shown(meta)}: a digest cannot be stored there",
                    "json.meta", type(meta).__name__, "a dict")
        extra = extra | {"meta": meta | {"sha256": digest}}
    try:
        text = mirrors.canonical(arch, extra)
        _keys(extra, "json")
    except (TypeError, ValueError, RecursionError) as e:
        if isinstance(e, Efm3Error):
            raise
        refuse("W007", f"the mirror cannot be written as JSON: {printable(str(e))}", "json")
    return text


def _keys(value: Any, place: str) -> None:
    """Refuse keys that are not strings: json writes them as other keys."""
    if isinstance(value, dict):
        for k, v in value.items():
            if not isinstance(k, str):
                refuse("W007", f"the key {mirrors.shown(k)} is not a string", place,
                        type(k).__name__, "a string")
            _keys(v, f"{place}.{printable(k)}")
    elif isinstance(value, (list, tuple)):
        for v in value:
            _keys(v, place)


def _payload(name: str, shape: tuple[int, ...], value: Any, finite: bool) -> bytes:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as e:  # the last from a tensor with a gradient
        refuse("W004", f"{name} is not an array: {printable(str(e))}", name,
                type(value).__name__, "float32")
    if array.shape != shape:
        refuse("W003", f"{name} has shape {array.shape}, the layout {shape}", name,
                array.shape, shape)
    if array.dtype.kind not in "fiub":
        refuse("W004", f"{name} has dtype {array.dtype}, not a real number type", name,
                array.dtype, "float32")
    if array.dtype != np.float32:
        with np.errstate(all="ignore"):
            exact = array.astype(np.float32)
            fits = np.ones(shape, bool)
            if array.dtype.kind in "iu":  # what rounds to 2^63 comes back as each processor likes
                fits = exact < float(np.iinfo(array.dtype).max + 1)
            same = fits & (np.where(fits, exact, 0).astype(array.dtype) == array)
        if array.dtype.kind == "f":
            same |= np.isnan(array)
        if not bool(same.all()):
            refuse("W004", f"{name} has dtype {array.dtype} and values that float32 cannot hold",
                    name, array.dtype, "float32, or values that convert without loss")
        array = exact
    if finite and not bool(np.isfinite(array).all()):
        refuse("W005", f"{name} holds NaN or infinity", name, expected="finite values")
    data = np.ascontiguousarray(array, "<f4").tobytes()
    assert len(data) == 4 * math.prod(shape)
    return data
