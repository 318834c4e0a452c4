# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch checkpoints: state_dicts of any naming in, of the original project's naming out."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from efm3 import format as fmt
from efm3.arch import Arch
from efm3.arrays import Array
from efm3.convert import _meta, _state_dict, _units
from efm3.convert._base import EmbedInputs, Network, spooled
from efm3.convert._named import single
from efm3.extras import need
from efm3.findings import printable, refuse
from efm3.model import Model
from efm3.network import layers
from efm3.source import open_regular

MODEL_KEY = "model"
ATTRIBUTE = "efm3"
"""Attribute of the state_dict that carries the arch and the mirror; PyTorch ignores it."""


def read(path: str, arch: Arch | None) -> Network:
    """The network in a checkpoint. Raises Efm3Error, X002 without PyTorch."""
    torch = need("torch", "torch")
    value, size = _load(torch, path)
    state = _state(torch, value, path)
    tensors, assumed = _arrays(torch, state, size)
    own = getattr(state, ATTRIBUTE, None)
    texts = own if isinstance(own, Mapping) else {}
    hint = _meta.model_of({}, texts)
    if hint is not None:
        arch = arch or hint.arch
    units, known, more = _state_dict.units_of(tensors, arch)
    weights = _units.tensors(known, units)
    kept = _meta.model_of(weights, texts)
    model = kept if kept is not None and kept.arch == known else Model(known, weights)
    return Network(model, assumed + more, "torch", _embed(torch, units, known))


def _load(torch: Any, path: str) -> tuple[Any, int]:
    with open_regular(path) as f:
        size = f.seek(0, io.SEEK_END)
        f.seek(0)
        if zipfile.is_zipfile(f):
            f.seek(0)
            _stored(f, path, size)
        f.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.load(f, map_location="cpu", weights_only=True), size
        except Exception as e:
            # PyTorch raises nearly every kind of exception on a file that is not a checkpoint.
            _explain(path, str(e))


def _stored(f: Any, path: str, size: int) -> None:
    try:
        with zipfile.ZipFile(f) as z:
            entries = z.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as e:
        refuse("X003", f"{path} is damaged: {e}", path)
    if sum(e.file_size for e in entries) > size:
        refuse("X003", f"{path} unpacks to more bytes than it has; PyTorch compresses nothing",
               path)


def _explain(path: str, said: str) -> NoReturn:
    asked = re.search(r"GLOBAL ([\w.]+)", said)
    if asked:
        refuse("X004", f"its pickle asks for {asked[1]}, more than tensors: loading it could run "
                       "code. Save the state_dict alone", path, asked[1])
    if "TorchScript" in said:
        refuse("X004", "it is a TorchScript archive, a program: save the state_dict instead", path)
    why = re.search(r"WeightsUnpickler error: (.*)", said)
    first = printable(re.sub(r"\s+", " ", why[1] if why else said))[:160]
    code = "X004" if re.match(r"Can only|Trying to", first) else "X003"
    refuse(code, f"PyTorch does not load it: {first}", path)


def _state(torch: Any, value: Any, path: str) -> Mapping[str, Any]:
    """The one state_dict: the value itself, or one under a key."""
    def fits(v: Any) -> bool:
        return isinstance(v, Mapping) and any(
            isinstance(t, torch.Tensor) and t.ndim == 4 for t in v.values())

    if fits(value):
        return dict_of(value)
    inside = {k: v for k, v in value.items() if fits(v)} if isinstance(value, Mapping) else {}
    if MODEL_KEY in inside:
        return dict_of(inside[MODEL_KEY])
    if len(inside) != 1:
        kind = type(value).__name__
        names = f", but {len(inside)} under {', '.join(map(str, inside))}" if inside else ""
        refuse("X015", f"it holds a {kind}, not a state_dict with convolutions{names}", path)
    return dict_of(next(iter(inside.values())))


def dict_of(value: Any) -> Mapping[str, Any]:
    """The state_dict where all its keys are text. Raises X015."""
    for key in value:
        if not isinstance(key, str):
            refuse("X015", f"a key of the state_dict is {key!r}, not text", repr(key))
    state: Mapping[str, Any] = value
    return state


def _arrays(torch: Any, state: Mapping[str, Any], size: int) -> tuple[dict[str, Array], list[str]]:
    out: dict[str, Array] = {}
    assumed: list[str] = []
    for key, value in state.items():
        if key.removeprefix("module.").split(".")[0] == _state_dict.HEAD:
            continue
        if not isinstance(value, torch.Tensor):
            refuse("X006", f"{key} is a {type(value).__name__}, not a tensor", key)
        if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
            refuse("X006", f"{key} is a {value.layout} tensor of {value.dtype} on {value.device}, "
                           "not a plain one", key)
        # An expanded view can state any number of values; a checkpoint holds what it states.
        if value.numel() * value.element_size() > size:
            refuse("X006", f"{key} states {value.numel():,} values, more than the file holds", key)
        plain = value.detach()
        if plain.dtype == torch.bfloat16:
            plain = plain.float()
        out[key], note = single(key, plain.numpy())
        assumed += note
    return out, assumed


def _embed(torch: Any, units: Sequence[_units.Unit], arch: Arch) -> EmbedInputs:
    """The checkpoint's own tensors in PyTorch, float64; strides and residuals from `arch`."""
    def double(a: Array | None) -> Any:
        return None if a is None else torch.from_numpy(np.array(a, np.float64))

    def run(x: Any) -> Any:
        f = torch.nn.functional
        with torch.inference_mode():
            y = double(x)
            skips: dict[str, Any] = {}
            for layer, unit in zip(layers(arch), units, strict=True):
                skips[layer.name] = y
                y = f.conv2d(y, double(unit.weight), double(unit.bias), layer.stride,
                             layer.padding, groups=layer.groups)
                if unit.bn is not None:
                    bn = {k: double(v) for k, v in unit.bn.items()}
                    y = f.batch_norm(y, bn["bn.mean"], bn["bn.var"], bn["bn.w"], bn["bn.b"],
                                     eps=fmt.BN_EPS)
                if unit.slope is not None:
                    y = f.prelu(y, double(unit.slope))
                if layer.residual:
                    y = y + skips[layer.residual]
            return f.normalize(y.flatten(1)).numpy()
    return run


def parts(model: Model, path: str, fold: bool) -> Iterable[bytes]:
    """A state_dict as a module of the original project loads it, with `strict=True` too."""
    torch = need("torch", "torch")
    state: OrderedDict[str, Any] = OrderedDict()
    for key, value in _state_dict.original(model.arch, model.tensors):
        state[key] = (torch.tensor(0) if value is None
                      else torch.from_numpy(np.array(value, np.float32)))
    setattr(state, ATTRIBUTE, _meta.texts(model))
    yield from spooled(lambda to: torch.save(state, to))
