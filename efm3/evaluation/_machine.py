# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The machine of `pickles`: the six names that a set of pairs may ask for, and what they do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from efm3.pickles import COMMON, Forbidden, Machine

NAMES = {
    **{(module, name): name for module in ("numpy.core.multiarray", "numpy._core.multiarray")
       for name in ("scalar", "_reconstruct")},
    **{(module, "_frombuffer"): "_frombuffer"
       for module in ("numpy.core.numeric", "numpy._core.numeric")},
    ("_codecs", "encode"): "encode",
    ("numpy", "dtype"): "dtype",
    ("numpy", "ndarray"): "ndarray",
}
"""Python 3's way to write bytes in protocols 0 to 2, and numpy's to write arrays of one axis, by
another name in protocol 5."""
SIZES = {"b1": 1, **{f"{sign}{size}": size for sign in "iu" for size in (1, 2, 4, 8)}}
"""Bytes of a value, of numpy's types of truth values and whole numbers."""


@dataclass(frozen=True)
class Name:
    """A name that was looked up in NAMES."""

    word: str


@dataclass
class Dtype:
    """A type of SIZES; its state says in which order the bytes are."""

    word: str
    order: str = "<"

    def values(self, data: memoryview) -> list[bool] | list[int]:
        """The values in the data, whose length fits."""
        if self.word == "b1":
            return [b != 0 for b in data]
        size, signed = SIZES[self.word], self.word[0] == "i"
        order: Any = "big" if self.order == ">" else "little"
        return [int.from_bytes(data[at:at + size], order, signed=signed)
                for at in range(0, len(data), size)]


@dataclass
class Array:
    """A numpy array; `value` is a list of bools or numbers, bytes for uint8, or None before its
    state came."""

    value: Any = None


class Pairs(Machine):
    """Reads a set of pairs."""

    codes = COMMON

    def name(self, module: str, name: str) -> Name:
        """One of the five names. Raises Forbidden."""
        word = NAMES.get((module, name))
        if word is None:
            raise Forbidden(f"asks for {module[:100]}.{name[:100]}, which could run code")
        return Name(word)

    def call(self, what: Any, args: Any) -> Any:
        """Bytes, a dtype, a truth value or an array. Raises Forbidden."""
        word = what.word if isinstance(what, Name) else type(what).__name__
        match (word, args):
            case ("encode", (str() as text, "latin1" | "latin-1")):
                self.spend(len(text))
                return memoryview(self.decoded(lambda: text.encode("latin1")))
            case ("dtype", (str() | memoryview() as kind, *_)) if _word(kind) in SIZES:
                return Dtype(_word(kind))
            case ("scalar", (Dtype() as kind, memoryview() as value)
                  ) if len(value) == SIZES[kind.word]:
                return kind.values(value)[0]
            case ("_frombuffer", (memoryview() as value, Dtype() as kind, tuple() as shape, str())
                  ) if _fits(value, kind, shape):
                return self.array(Array(), kind, value)
            case ("_reconstruct", (Name("ndarray"), *_)):
                return Array()
        raise Forbidden(f"calls {word} in a way that no set of pairs needs")

    def state(self, target: Any, state: Any) -> Any:
        """A dtype's, or an array's values. Raises Forbidden."""
        match (target, state):
            case (Dtype(), (int(), str() | memoryview() as order, *_)):
                target.order = _word(order)
                return target
            case (Array(), (int(), tuple() as shape, Dtype() as kind, _, memoryview() as value)
                  ) if _fits(value, kind, shape):
                return self.array(target, kind, value)
        raise Forbidden("sets the state of something, which no set of pairs needs")


    def array(self, target: Array, kind: Dtype, value: memoryview) -> Array:
        """`target` with these values. Raises Damaged."""
        if kind.word == "u1":
            target.value = value
        else:
            self.spend(len(value))
            target.value = kind.values(value)
        return target


def _fits(value: memoryview, kind: Dtype, shape: tuple[Any, ...]) -> bool:
    """True for an array of one axis, or of more whose other axes are 1, as OpenCV makes them."""
    # A length below 0 makes the product so.
    return (len(shape) <= 4 and all(isinstance(n, int) for n in shape)
            and sum(n != 1 for n in shape) <= 1
            and math.prod(shape) * SIZES[kind.word] == len(value))


def _word(value: str | memoryview) -> str:
    """Python 2 writes text as bytes."""
    return value if isinstance(value, str) else bytes(value[:8]).decode("latin1")
