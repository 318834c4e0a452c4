# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes PyTorch's files without PyTorch: checkpoints, new and old, and TorchScript archives.

`archive(value)` and `stream(value)` give a file of torch.save, `script(code, ...)` one of
torch.jit.save; `program(model)` gives a network's text and constants for it. Dicts, lists, tuples,
text and numbers are themselves, numpy arrays are tensors, and `Call`, `New` and `Tensor` are
what else a pickle can ask for.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import efm3
from efm3.network import layers

KINDS = {"float32": "Float", "float64": "Double", "float16": "Half", "int64": "Long",
         "int32": "Int", "uint8": "Byte", "bool": "Bool", "complex64": "ComplexFloat"}
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


@dataclass
class Global:
    """A name, with a dot before its last part."""

    name: str


@dataclass
class Call:
    """A call of a name; `state` is then set on the result."""

    name: str
    args: tuple[Any, ...] = ()
    state: Any = None


@dataclass
class New:
    """An object of a class, with its attributes."""

    name: str
    state: dict[str, Any]


@dataclass
class Tensor:
    """A tensor of any claims: `kind` is the storage's class less Storage, `tail` what follows the
    strides."""

    data: bytes
    kind: str
    count: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    tail: tuple[Any, ...] = (False, Call("collections.OrderedDict"))
    rebuild: str = "torch._utils._rebuild_tensor_v2"


def tensor(a: NDArray[Any]) -> Tensor:
    """An array as a plain tensor."""
    strides = tuple(s // a.itemsize for s in np.empty(a.shape, a.dtype).strides)
    return Tensor(a.tobytes(), KINDS[a.dtype.name], a.size, a.shape, strides)


def bfloat16(a: NDArray[np.float32]) -> Tensor:
    """The upper halves of an array's values."""
    out = tensor(a)
    out.data = (np.ascontiguousarray(a).view(np.uint32) >> 16).astype(np.uint16).tobytes()
    out.kind = "BFloat16"
    return out


class Pickler:
    """Writes a value as a pickle of protocol 2, and keeps the bytes of its storages."""

    def __init__(self, old: bool = False) -> None:
        self.storages: list[Tensor] = []
        self._old = old
        self._out = io.BytesIO()

    def dumps(self, value: Any) -> bytes:
        """The pickle."""
        self._out.write(b"\x80\x02")
        self._write(value)
        self._out.write(b".")
        return self._out.getvalue()

    def _put(self, *parts: Any) -> None:
        for part in parts:
            if isinstance(part, bytes):
                self._out.write(part)
            else:
                self._write(part)

    def _write(self, v: Any) -> None:
        if isinstance(v, np.ndarray):
            v = tensor(v)
        if v is None or isinstance(v, bool):
            self._put({None: b"N", True: b"\x88", False: b"\x89"}[v])
        elif isinstance(v, int) and -1 << 31 <= v < 1 << 31:
            self._put(b"J" + struct.pack("<i", v))
        elif isinstance(v, (int, float)):
            self._put(pickle.dumps(v, 2)[2:-1])
        elif isinstance(v, str):
            data = v.encode("utf-8", "surrogatepass")
            self._put(b"X" + struct.pack("<I", len(data)) + data)
        elif isinstance(v, tuple):
            self._put(b"(", *map(_Value, v), b"t")
        elif isinstance(v, list):
            self._put(b"](", *map(_Value, v), b"e")
        elif isinstance(v, dict):
            self._put(b"}(", *(_Value(x) for kv in v.items() for x in kv), b"u")
        elif isinstance(v, Tensor):
            kind = Global(f"torch.{v.kind}Storage")
            where = ("storage", kind, str(len(self.storages)), "cpu", v.count)
            self.storages.append(v)
            full = (_Persistent(where + ((None,) if self._old else ())), v.offset, v.shape,
                    v.strides, *v.tail)
            self._write(Call(v.rebuild, full))
        elif isinstance(v, Call):
            self._put(Global(v.name), v.args, b"R")
            if v.state is not None:
                self._put(v.state, b"b")
        elif isinstance(v, New):
            self._put(Global(v.name), b")\x81", v.state, b"b")
        elif isinstance(v, Global):
            self._put("c{}\n{}\n".format(*v.name.rpartition(".")[::2]).encode())
        elif isinstance(v, _Persistent):
            self._put(v.value, b"Q")
        elif isinstance(v, _Value):
            self._write(v.value)
        else:
            raise TypeError(type(v).__name__)


@dataclass
class _Value:
    value: Any


@dataclass
class _Persistent:
    value: tuple[Any, ...]


def archive(value: Any, **entries: bytes) -> bytes:
    """A file of torch.save, with more entries; an underscore in their names is a dot."""
    pickler = Pickler()
    return _zip({"data.pkl": pickler.dumps(value), **_data(pickler, "data"),
                 **{k.replace("_", "."): v for k, v in entries.items()}})


def stream(value: Any) -> bytes:
    """A file of torch.save before PyTorch 1.6."""
    pickler = Pickler(old=True)
    out = [pickle.dumps(MAGIC, 2), pickle.dumps(PROTOCOL, 2),
           pickle.dumps({"protocol_version": PROTOCOL, "little_endian": True}, 2),
           pickler.dumps(value),
           pickle.dumps([str(i) for i in range(len(pickler.storages))], 2)]
    for s in pickler.storages:
        out += [struct.pack("<q", s.count), s.data]
    return b"".join(out)


def script(code: Mapping[str, str], root: New, constants: tuple[Any, ...] = ()) -> bytes:
    """A file of torch.jit.save; `code` by the module's name, as __torch__.net."""
    data, more = Pickler(), Pickler()
    return _zip({"data.pkl": data.dumps(root), **_data(data, "data"),
                 "constants.pkl": more.dumps(constants), **_data(more, "constants"),
                 **{f"code/{k.replace('.', '/')}.py": v.encode() for k, v in code.items()}},
                packed=True)


def _data(pickler: Pickler, folder: str) -> dict[str, bytes]:
    return {f"{folder}/{i}": s.data for i, s in enumerate(pickler.storages)}


def _zip(entries: Mapping[str, bytes], *, packed: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in {**entries, "version": b"3\n",
                           "byteorder": entries.get("byteorder", b"little")}.items():
            kind = zipfile.ZIP_DEFLATED if packed and name.endswith(".py") else zipfile.ZIP_STORED
            z.writestr(zipfile.ZipInfo(f"archive/{name}"), data, kind)
    return out.getvalue()


HEAD = """class Net(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def forward(self: __torch__.net.Net,
    x: Tensor) -> Tensor:
"""
NET = "__torch__.net"


def program(model: efm3.Model, eps: float = 1e-5) -> tuple[list[str], list[NDArray[Any]]]:
    """A network's lines, the last of which gives `y`, and the constants that they take."""
    lines: list[str] = []
    constants: list[NDArray[Any]] = []

    def const(a: Any) -> str:
        constants.append(np.array(a))
        return f"CONSTANTS.c{len(constants) - 1}"

    lines.append("y = x")
    for layer in layers(model.arch):
        t = {k.removeprefix(f"{layer.name}."): v for k, v in model.tensors.items()
             if k.startswith(f"{layer.name}.")}
        lines.append(f"in_{layer.name.replace('.', '_')} = y")
        s, p = layer.stride, layer.padding
        lines.append(f"y = torch._convolution(y, {const(t['conv.w'])}, None, [{s}, {s}], "
                     f"[{p}, {p}], [1, 1], False, [0, 0], {layer.groups}, False, False, True)")
        bn = ", ".join(const(t[k]) for k in ("bn.w", "bn.b", "bn.mean", "bn.var"))
        lines.append(f"y = torch.batch_norm(y, {bn}, False, 0.1, {eps!r}, True)")
        if layer.act:
            lines.append(f"y = torch.prelu(y, {const(t['act.w'])})")
        if layer.residual:
            lines.append(f"y = torch.add(y, in_{layer.residual.replace('.', '_')})")
    lines.append("y = torch.flatten(y, 1)")
    return lines, constants


def scripted(lines: list[str], constants: list[NDArray[Any]] | tuple[Any, ...] = (),
             state: dict[str, Any] | None = None, more: str = "", head: str = HEAD) -> bytes:
    """A TorchScript archive of one module, whose forward is these lines."""
    text = head + "".join(f"    {line}\n" for line in lines) + more
    return script({NET: text}, New(f"{NET}.Net", {"training": False, **(state or {})}),
                  tuple(constants))
