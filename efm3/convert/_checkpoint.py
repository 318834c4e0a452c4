# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's files, opened without PyTorch: the archive of today and the stream of old.

`Checkpoint.root` is what the pickle states (see `_unpickle`), `Checkpoint.array` a tensor's values.
Only what is asked for is read.
"""

from __future__ import annotations

import io
import math
from typing import Any, BinaryIO, NoReturn

import numpy as np

from efm3.arrays import Array
from efm3.convert._unpickle import Runs, Storage, Tensor, Weights
from efm3.convert._zip import Archive
from efm3.findings import printable, refuse
from efm3.pickles import Refused

MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a stream."""
PICKLE = "data.pkl"
MOST_RANK, MOST_SIDE = 8, 1 << 48
TAR, TAR_AT = b"ustar", 257
SAVE = "torch.save(model.state_dict(), path)"

SIZES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4,
         "int16": 2, "int8": 1, "uint8": 1, "bool": 1, "complex64": 8, "complex128": 16,
         "qint8": 1, "quint8": 1, "qint32": 4}
"""Bytes of a value, by its type."""
CODES = {"float64": "f8", "float32": "f4", "float16": "f2", "bfloat16": "u2"}
"""numpy's name of the types that are read; it has none for bfloat16, the upper half of float32."""
WHOLE = {"int64": "i8", "int32": "i4", "uint8": "u1", "bool": "?"}
"""And of those that a program's constants have."""


class Checkpoint:
    """A checkpoint in an open file."""

    def __init__(self, f: BinaryIO, path: str) -> None:
        self.path = path
        self.size = f.seek(0, io.SEEK_END)
        f.seek(0)
        head = f.read(TAR_AT + len(TAR))
        f.seek(0)
        self.archive: Archive | None = None
        self.folder = ""
        self._raws: dict[str, memoryview] = {}
        self._left = 2 * self.size + (1 << 20)
        self._swapped = False
        if head.startswith(b"PK"):
            self.archive = Archive(f, path)
            self.folder = self._folder(self.archive)
            self.root = self.pickle(self.folder + PICKLE, "data/")
        elif head[TAR_AT:] == TAR:
            refuse("X003", f"{path} is a tar archive: unpack it, and convert the file in it", path)
        else:
            self.root = self._stream(f.read())

    @property
    def script(self) -> bool:
        """True for a TorchScript archive: it holds a program."""
        return self.archive is not None and f"{self.folder}constants.pkl" in self.archive

    def pickle(self, name: str, data: str) -> Any:
        """What an entry of the archive states; its storages are under `data`."""
        if self.archive is None or name not in self.archive:
            self._no(f"it has no {name}")
        order = f"{self.folder}byteorder"
        if order in self.archive:
            said = self.archive.read(order)
            if said not in (b"little", b"big"):
                self._no(f"it is damaged: its byte order is {printable(repr(said[:20]))}")
            self._swapped = said == b"big"
        machine = self._machine(self.archive.read(name))
        root = self._run(machine)
        for storage in machine.storages:
            storage.key = f"{self.folder}{data}{storage.key}"
            storage.swapped = self._swapped
        return root

    def array(self, key: str, tensor: Tensor, *, whole: bool = False) -> Array:
        """A tensor's values: float64, float32 or float16; bfloat16 as float32; where `whole`,
        also whole numbers. Raises X006."""
        code, shape = ({**CODES, **WHOLE} if whole else CODES).get(tensor.dtype), tensor.shape
        if tensor.odd:
            refuse("X006", f"{key} is a {tensor.odd} tensor, not a plain one", key)
        if code is None:
            refuse("X006", f"{key} holds {tensor.dtype[:40]}, not floating point numbers that are "
                           "read here", key, tensor.dtype, "float32")
        # Where there is nothing to step to PyTorch takes any stride.
        empty = 0 in shape
        strides = [0 if empty or n == 1 else s for n, s in zip(shape, tensor.strides, strict=True)]
        numbers = (*shape, *strides, tensor.offset, tensor.storage.first)
        if len(shape) > MOST_RANK or not all(0 <= n < MOST_SIDE for n in numbers):
            refuse("X006", f"{key} states a shape and strides that no tensor has", key)
        count, step = math.prod(shape), SIZES[tensor.dtype]
        self._left -= count * max(step, 4)
        # An expanded view can state any number of values; a checkpoint holds what it states.
        if self._left < 0:
            refuse("X006", f"{key} states {count:,} values, more than the file holds", key, count)
        kind = np.dtype(code).newbyteorder(">" if tensor.storage.swapped else "<")
        if not count:
            return np.zeros(shape, np.float32)
        raw = self._raw(tensor.storage, key)
        first = tensor.storage.first + tensor.offset
        end = first + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + 1
        if end > len(raw) // step:
            refuse("X006", f"{key} states values that its storage of {len(raw):,} bytes has not",
                   key, end, len(raw) // step)
        flat = np.frombuffer(raw[first * step:end * step], kind)
        out: Array = np.lib.stride_tricks.as_strided(
            flat, shape, [s * step for s in strides], writeable=False)
        if tensor.dtype == "bfloat16":
            wide = out.astype(np.uint32)
            wide <<= 16
            out = wide.view(np.float32)
        return -out if tensor.negative else out

    def _raw(self, storage: Storage, place: str) -> memoryview:
        if storage.raw is not None:
            return storage.raw
        if storage.key not in self._raws:
            if self.archive is None or storage.key not in self.archive:
                refuse("X003", f"{self.path} is damaged: the storage of {place}, "
                               f"{printable(storage.key[:100])}, is not in it", self.path)
            self._raws[storage.key] = memoryview(self.archive.read(storage.key))
        return self._raws[storage.key]

    def _folder(self, archive: Archive) -> str:
        """Where in the archive the checkpoint is, "" or with a slash at its end."""
        names = archive.entries
        found = [n for n in names if n.rpartition("/")[2] == PICKLE]
        if found:
            return min(found, key=len).removesuffix(PICKLE)
        first = printable(next(iter(names), "nothing")[:100])
        if any(n.endswith(".npy") for n in names):
            self._no("it is a NumPy archive: give --from npz")
        if any(n.endswith(("models/model.json", "exported_program.json")) for n in names):
            self._no("it is an exported program of torch.export, which is not read: save "
                     f"the weights, {SAVE}, or export the network to ONNX")
        if any(n.endswith("/model.json") for n in names):
            self._no("it is a TorchScript archive of PyTorch 1.0 to 1.3, which is not read: "
                     "torch.jit.load it, and save it with a newer PyTorch")
        self._no(f"it is an archive of {first}, without a {PICKLE}: unpack it, and convert the "
                 "file in it")

    def _machine(self, data: bytes, at: int = 0) -> Weights:
        machine = Weights(data, at)
        machine.nested = self._nested
        return machine

    def _run(self, machine: Weights) -> Any:
        try:
            return machine.run()
        except Runs as e:
            refuse("X004", f"{e}. Save the state_dict alone: {SAVE}", self.path)
        except Refused as e:
            self._no(f"it is no PyTorch checkpoint, or is damaged: {e}")

    def _stream(self, data: bytes) -> Any:
        """A file of torch.save before PyTorch 1.6, or a plain pickle."""
        machine = self._machine(data)
        root = self._run(machine)
        return self._legacy(machine) if root == MAGIC else root

    def _legacy(self, first: Weights) -> Any:
        """The pickles of version, system and value, the storages' names, and then the storages."""
        machine, values = first, []
        for _ in range(4):
            before, machine = machine, self._machine(first.raw, machine.at)
            machine.room = before.room
            values.append(self._run(machine))
        system, root, names = values[1:]
        big = getattr(system, "texts", {}).get("little_endian") is False
        known = {s.key: s for s in before.storages}
        at, raws = machine.at, {}
        for name in names if isinstance(names, list) else ():
            size = SIZES.get(known[name].dtype) if isinstance(name, str) and name in known else None
            if size is None or at + 8 > len(first.raw):
                self._no("it is damaged: its storages are not those that it states")
            count = int.from_bytes(first.raw[at:at + 8], "big" if big else "little")
            at += 8
            if count * size > len(first.raw) - at:
                self._no(f"it ends at byte {len(first.raw):,}, inside a storage of {count:,} "
                         "values")
            raws[name] = first.data[at:at + count * size]
            at += count * size
        for storage in before.storages:
            storage.raw, storage.swapped = raws.get(storage.key), big
        return root

    def _nested(self, data: bytes) -> Any:
        """A storage that plain pickle keeps as a stream of its own."""
        machine = Weights(data)
        if self._run(machine) != MAGIC:
            self._no("it is damaged: a storage in it is none")
        return self._legacy(machine)

    def _no(self, why: str) -> NoReturn:
        refuse("X003", f"{self.path}: {why}", self.path)
