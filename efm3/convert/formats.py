# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The registry of formats: one outside format is one file of this package and one row here.

The verb's choices, its help and the table in docs/converters.md come from the rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from efm3 import sniff
from efm3.convert._base import Format, Network, Source, Wanted
from efm3.findings import Efm3Error, refuse

if TYPE_CHECKING:
    from efm3.arch import Arch
    from efm3.model import Model

FORMATS: dict[str, Format] = {f.name: f for f in (
    Format("bin", (".bin", ".efm3"), "EFM3",
           "itself, at level coherence", "an EFM3 file; the mirror keeps its text"),
    Format("torch", (".pt", ".pth", ".ckpt", ".tar"), "PyTorch checkpoint",
           "a state_dict of any naming, at any depth, or a TorchScript archive; without PyTorch, "
           "and without running code; run by PyTorch where the extra torch is installed",
           "a state_dict in the original project's naming", "torch"),
    Format("onnx", (".onnx",), "ONNX",
           "any exporter's graph, from opset 9 on; run by onnxruntime where the extra onnx is "
           "installed",
           "opset 17, any batch size, L2 norm; BatchNorm as it is, or folded with --fold", "onnx"),
    Format("tflite", (".tflite", ".lite"), "TensorFlow Lite",
           "float, float16 and 8-bit weights (dequantised), NHWC, any batch; run by LiteRT where "
           "the extra litert is installed"),
    Format("ncnn", (".param",), "ncnn",
           "NAME.param with NAME.bin beside it, as converted or optimised; float32, float16 and "
           "int8 storage; run by ncnn where the extra ncnn is installed",
           "NAME.param and NAME.bin beside it; BatchNorm as it is, or folded with --fold; L2 norm"),
    Format("mxnet", (".params",), "MXNet",
           "NAME-symbol.json and NAME-0000.params, beside each other"),
    Format("caffe", (".caffemodel", ".prototxt"), "Caffe",
           "NAME.prototxt and NAME.caffemodel, beside each other"),
    Format("safetensors", (".safetensors",), "safetensors",
           "our names with the arch in the metadata, else as a state_dict of any naming",
           "our names, the arch and the mirror in the metadata", "safetensors"),
    Format("npz", (".npz",), "NumPy archive",
           "our names with the arch beside them, else as a state_dict of any naming",
           "our names, and the arch and the mirror as text"),
    Format("c_array", (".h", ".c"), "C array",
           "an array that this tool wrote", "the whole EFM3 file as an aligned const array"),
)}
"""Every format, in the order in which help and docs list them."""


SNIFFED = {k.format for k in sniff.KINDS.values()} - {"bin"}
"""Formats that their bytes show: another kind of file under their suffix is refused by what it is.
What a .bin really is, EFM3's own rules say."""


def format_of(path: str | os.PathLike[str], name: str | None = None, *,
              write: bool = False) -> Format:
    """The format called `name`; else, for a file to read, the one that its bytes are of, and for
    one to write the one of its suffix.

    Where the bytes have no mark the suffix decides. Raises X001, X003 for a file that is known to
    be something else, Unreadable.
    """
    place = os.fspath(path)
    suffix = os.path.splitext(place)[1].lower()
    found = FORMATS.get(name) if name else next(
        (f for f in FORMATS.values() if suffix in f.suffixes), None)
    if not name and not write:
        kind = sniff.of_path(place)
        if kind is not None and kind.format:
            found = FORMATS[kind.format]
        elif kind is not None and (found is None or found.name in SNIFFED):
            refuse("X003", f"this is {kind.says(place)}", place)
    if found is None or not (found.writes if write else found.reads):
        known = ", ".join(f"{f.name} ({' '.join(f.suffixes)})" for f in FORMATS.values()
                          if (f.writes if write else f.reads))
        asked = repr(name or os.path.basename(place))
        what = (f"{asked} is not a format that can be {'written' if write else 'read'}"
                if name or write else f"neither its bytes nor its name say what {asked} is")
        refuse("X001", f"{what}: {known}", place)
    return found


def module_of(row: Format) -> Any:
    """The format's module, imported when it is needed."""
    return import_module(f"efm3.convert.{row.name}")


def read_network(path: str | os.PathLike[str], wanted: Wanted | None = None, *,
                 format: str | None = None, strict: bool = False) -> Network:
    """The network in a file of any format that can be read. Raises Efm3Error.

    `wanted` says what the caller knows of it. `strict` refuses (X014) what had to be assumed.
    """
    from efm3.convert.matching import network_of

    wanted = wanted or Wanted()
    network = network_of(read_source(path, wanted, format=format), wanted)
    if strict and network.assumed:
        refuse("X014", "; ".join(network.assumed), os.fspath(path))
    return network


def read_source(path: str | os.PathLike[str], wanted: Wanted, *, format: str | None = None
                ) -> Source:
    """What a source holds before anything is matched. Raises Efm3Error."""
    try:
        source: Source = module_of(format_of(path, format)).read(os.fspath(path), wanted)
    except Efm3Error as e:
        from efm3.convert._damage import named

        raise named(e, os.fspath(path)) from None
    return source


def read(path: str | os.PathLike[str], *, arch: Arch | None = None, format: str | None = None,
         strict: bool = False) -> Model:
    """The Model in a file of any format that can be read; see `read_network`."""
    return read_network(path, Wanted(arch), format=format, strict=strict).model


def write(model: Model, path: str | os.PathLike[str], *, format: str | None = None,
          fold: bool = False) -> None:
    """Write a Model in the format of the path's suffix, atomically. Raises Efm3Error, OSError.

    `fold` folds BatchNorm into the convolutions where the format can leave it out (ONNX).
    """
    row = format_of(path, format, write=True)
    write_checked(module_of(row), model, os.fspath(path), fold, lambda *new: None)


def write_checked(module: Any, model: Model, path: str, fold: bool,
                  check: Callable[..., None]) -> None:
    """Write a Model; `check` gets the new file, and the one beside it where a format has two.

    Each takes its place only after the check, the one beside first.
    """
    from efm3.source import write_atomic

    parts = module.parts(model, path, fold)
    if not hasattr(module, "beside"):
        write_atomic(path, parts, check)
        return

    def both(new: str) -> None:
        write_atomic(module.beside(path), module.weights(model, path, fold),
                     lambda beside: check(new, beside))

    write_atomic(path, parts, both)
