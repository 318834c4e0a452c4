# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The machine of `pickles`: the five names that a set of pairs may ask for, and what they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from efm3.pickles import COMMON, Forbidden, Machine

NAMES = {
    **{(module, name): name for module in ("numpy.core.multiarray", "numpy._core.multiarray")
       for name in ("scalar", "_reconstruct")},
    ("_codecs", "encode"): "encode",
    ("numpy", "dtype"): "dtype",
    ("numpy", "ndarray"): "ndarray",
}
"""Python 3's way to write bytes in protocols 0 to 2, and numpy's to write bools and bytes."""


@dataclass(frozen=True)
class Name:
    """A name that was looked up in NAMES."""

    word: str


@dataclass(frozen=True)
class Dtype:
    """numpy's bool, `b1`, or uint8, `u1`."""

    word: str


@dataclass
class Array:
    """A numpy array; `value` is a list of bools, or bytes, or None before its state came."""

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
            case ("dtype", (str() | memoryview() as kind, *_)) if _word(kind) in ("b1", "u1"):
                return Dtype(_word(kind))
            case ("scalar", (Dtype("b1"), memoryview() as value)) if len(value) == 1:
                return value[0] != 0
            case ("_reconstruct", (Name("ndarray"), *_)):
                return Array()
        raise Forbidden(f"calls {word} in a way that no set of pairs needs")

    def state(self, target: Any, state: Any) -> Any:
        """A dtype's, or an array's values. Raises Forbidden."""
        match (target, state):
            case (Dtype(), tuple()):
                return target
            case (Array(), (int(), (int() as count,), Dtype() as kind, _, memoryview() as value)
                  ) if len(value) == count:
                if kind.word == "b1":
                    self.spend(count)
                    target.value = [b != 0 for b in value]
                else:
                    target.value = value
                return target
        raise Forbidden("sets the state of something, which no set of pairs needs")


def _word(value: str | memoryview) -> str:
    """Python 2 writes text as bytes."""
    return value if isinstance(value, str) else bytes(value[:8]).decode("latin1")
