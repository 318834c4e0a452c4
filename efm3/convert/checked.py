# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A conversion from file to file; the result is checked before it is renamed into place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from efm3 import format as fmt
from efm3.arch import Arch
from efm3.arithmetic import TOLERANCE
from efm3.convert._base import Format, Network, Wanted
from efm3.convert.formats import format_of, module_of, read_network, write_checked
from efm3.convert.matching import network_of
from efm3.findings import refuse
from efm3.model import Model
from efm3.source import apart, open_regular
from efm3.version import __version__

OWN = "efm3."
"""What a converted file's meta says of its source begins with this."""


@dataclass(frozen=True)
class Check:
    """Result compared with source on fixed inputs: what ran each, worst component and cosine.

    `verified` is False where one program of this package ran both: then their tensors were
    compared, and are the same bit for bit; and where the source gives nearly one embedding for
    all inputs, so that the error shows nothing.
    """

    source: str
    result: str
    max_error: float
    min_cosine: float
    tolerance: float
    verified: bool


@dataclass
class Conversion:
    """What was done: formats, arch, size in bytes, what had to be assumed, and the check."""

    source: str
    target: str
    from_format: str
    to_format: str
    arch: Arch
    beside: str = ""
    turned: bool = False
    size: int = 0
    assumed: list[str] = field(default_factory=list)
    check: Check | None = None

    def to_json(self) -> dict[str, Any]:
        """The conversion as a JSON object."""
        return asdict(self)


def convert(source: str | os.PathLike[str], target: str | os.PathLike[str], *,
            wanted: Wanted | None = None, arch: Arch | None = None, name: str | None = None,
            meta: Mapping[str, Any] | None = None, from_format: str | None = None,
            to_format: str | None = None, fold: bool = False, strict: bool = False,
            verify: bool = True, tolerance: float = TOLERANCE) -> Conversion:
    """Convert a file; `target` is replaced atomically, and only by a checked result.

    `wanted` (or `arch` alone) says what the caller knows of the source; `name` and `meta` change
    the mirror. Unless `verify` is False the new file is read back and run, and its embeddings
    compared with the source's; X013 beyond `tolerance`. Raises Efm3Error, OSError.
    """
    wanted = wanted or Wanted(arch)
    row_in, row_out = format_of(source, from_format), format_of(target, to_format, write=True)
    network = read_network(source, wanted, format=row_in.name, strict=strict)
    model = network.model
    if not network.own:
        _describe(network, row_in, wanted, [os.fspath(source), *network.files])
    _rename(model, name, meta)
    module = module_of(row_out)
    beside = module.beside(os.fspath(target)) if hasattr(module, "beside") else ""
    if beside and os.path.exists(beside) and not os.path.exists(target):
        refuse("X019", f"{beside} is there already, and would be replaced", beside)
    if row_in.name != "bin":
        apart([os.fspath(source), *network.files], [os.fspath(target), beside])
    done = Conversion(os.fspath(source), os.fspath(target), row_in.name, row_out.name, model.arch,
                      beside, network.turned, assumed=network.assumed)

    def check(path: str, *beside: str) -> None:
        done.size = sum(map(os.path.getsize, (path, *beside)))
        if verify:
            stated = Wanted(model.arch, turned=model.turned)
            back = network_of(module.read(path, stated, *beside), stated)
            done.check = compare(network, back, tolerance, os.fspath(target))

    write_checked(module, model, os.fspath(target), fold, check)
    return done


def _describe(network: Network, row: Format, wanted: Wanted, files: list[str]) -> None:
    """What the new file says of its source, in `meta`: no name or folder, which are private."""
    meta = {"source": f"converted from {row.title}", "efm3.source_format": row.name,
            "efm3.source_sha256": " ".join(_digest(f) for f in files),
            "efm3.source_options": wanted.words(network.unused), "efm3.tool": f"efm3 {__version__}"}
    _rename(network.model, None, {k: v for k, v in meta.items() if v}, told=True)


def _digest(path: str) -> str:
    with open_regular(path) as f:
        digest = hashlib.sha256()
        while piece := f.read(1 << 20):
            digest.update(piece)
        return digest.hexdigest()


def _rename(model: Model, name: str | None, meta: Mapping[str, Any] | None, *,
            told: bool = False) -> None:
    if name is not None:
        model.arch = replace(model.arch, name=name)
        model.mirror = {**model.mirror, "name": name}
    if meta:
        own = next((k for k in meta if k.startswith(OWN) and not told), None)
        if own is not None:
            refuse("X012", f"meta.{own} says what the file was converted from", own)
        if fmt.PICTURE_KEY in meta:
            refuse("X012", f"meta.{fmt.PICTURE_KEY} says how the network takes its picture, which "
                           "the source decides (--turned)", fmt.PICTURE_KEY)
        old = model.mirror.get("meta")
        model.mirror = {**model.mirror, "meta": {**(old if isinstance(old, dict) else {}), **meta}}


def compare(source: Network, result: Network, tolerance: float, place: str) -> Check:
    """Both networks' embeddings of the fixed inputs. Raises X013 beyond `tolerance`."""
    from efm3 import verification

    if source.embed is None and result.embed is None and _same(source.model, result.model):
        return Check(source.framework, result.framework, 0.0, 1.0, tolerance, False)
    x = verification.inputs()
    want = source.run(x)
    error, cosine = verification.distance(result.run(x), want)
    if not error <= tolerance:
        refuse("X013", f"the result's embeddings differ from the source's by {error:.2e} "
                       f"(cosine {cosine:.9f}); nothing is written", place, error,
               f"at most {tolerance:g}")
    return Check(source.framework, result.framework, error, cosine, tolerance,
                 source.framework != result.framework and verification.shows(error, want))


def _same(a: Model, b: Model) -> bool:
    return a.arch.header() == b.arch.header() and all(
        np.asarray(a.tensors[k]).tobytes() == np.asarray(b.tensors[k]).tobytes()
        for k in a.tensors)
