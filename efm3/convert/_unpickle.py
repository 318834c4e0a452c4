# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint's pickle states, without PyTorch and without running anything of it.

Tensors are noted, not made: their storage's name, shape and strides. A name that is not known,
and what it would have made, becomes a `Thing` that nothing looks into: options and schedulers
beside the weights do not matter. A call that no checkpoint needs and that could run code is
refused all the same, so that its owner hears of it.
"""

from __future__ import annotations

import math
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from efm3.pickles import COMMON, Damaged, Forbidden, Machine

ROOM = 32 << 20
"""Bytes that the pickle's values may take, beside twice the pickle's size."""
COST, ENTRY = 72, 120
"""About what a value takes, and a table's or the memo's entry."""
MOST_SIDES = 64
"""Sides of a tensor; the same long list could stand for any number of them."""
MOST_TEXT = 4 << 20
"""Longer texts are not decoded; the longest that is of use is a mirror's."""

RUNS = frozenset({
    "os", "posix", "nt", "io", "_io", "sys", "subprocess", "_posixsubprocess", "shutil", "socket",
    "runpy", "importlib", "pty", "ctypes", "code", "codeop", "webbrowser", "urllib", "http",
    "pickle", "_pickle", "marshal", "commands", "platform", "multiprocessing", "asyncio", "timeit",
    "pdb", "bdb", "trace", "pip", "site", "types", "cProfile", "profile"})
"""Modules of which a checkpoint needs no function."""
RUNNERS = frozenset({
    "eval", "exec", "execfile", "compile", "open", "__import__", "input", "breakpoint", "exit",
    "quit", "globals", "locals", "vars", "setattr", "delattr", "apply"})
"""And the builtin functions."""


@dataclass(frozen=True)
class Global:
    """A name, which was not looked up."""

    module: str
    name: str

    @property
    def text(self) -> str:
        """With a dot."""
        return f"{self.module}.{self.name}"

    @property
    def runs(self) -> bool:
        """True where a call of it could run code."""
        if self.module in ("builtins", "__builtin__"):
            return self.name in RUNNERS
        return self.module.partition(".")[0] in RUNS


@dataclass(eq=False)
class Table:
    """A dict: its texts' values, and the other keys' pairs, which are not hashed.

    `state` is what the pickle set on the object: attributes.
    """

    texts: dict[str, Any] = field(default_factory=dict)
    others: list[tuple[Any, Any]] = field(default_factory=list)
    state: Any = None

    def put(self, key: Any, value: Any) -> None:
        """Set an item."""
        if isinstance(key, str):
            self.texts[key] = value
        else:
            self.others.append((key, value))


@dataclass(eq=False)
class Thing(Table):
    """What a name that is not known would have made."""

    made_by: str = ""
    items: list[Any] = field(default_factory=list)

    @property
    def module(self) -> bool:
        """True for a pickled torch.nn.Module."""
        return isinstance(self.state, Table) and "_modules" in self.state.texts


@dataclass(eq=False)
class Storage:
    """Values in a row: their type, and how many are stated. `raw` has them, where the pickle
    itself holds them; else `key` says where they are. `first` counts values before its own."""

    dtype: str
    count: int
    key: str = ""
    raw: memoryview | None = None
    first: int = 0
    swapped: bool = False


@dataclass(eq=False)
class Tensor:
    """A view of a storage. `odd` says why it is not a plain one."""

    storage: Storage
    offset: int = 0
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    dtype: str = ""
    negative: bool = False
    odd: str = ""


@dataclass
class Dtype:
    """A numpy type, as `f4`."""

    word: str
    swapped: bool = False


STORAGES = {
    "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
    "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128",
    "QInt8": "qint8", "QUInt8": "quint8", "QInt32": "qint32", "Untyped": "uint8"}
"""The type of a storage by its class's name, less `Storage`."""
NUMPY = {"f2": "float16", "f4": "float32", "f8": "float64", "i8": "int64", "i4": "int32",
         "i2": "int16", "i1": "int8", "u1": "uint8", "b1": "bool", "c8": "complex64",
         "c16": "complex128"}


class Runs(Forbidden):
    """A call that could run code."""


class Weights(Machine):
    """Reads a checkpoint's pickle; `storages` are those that it names, each as often as it does.

    `room` is what its values may still take, in bytes. `nested` reads a storage that was pickled
    as bytes.
    """

    nested: Callable[[bytes], Any] | None = None
    most = 700_000

    def __init__(self, data: bytes, at: int = 0) -> None:
        super().__init__(data, at)
        self.room = ROOM + 2 * (len(data) - at)
        self.storages: list[Storage] = []

    # What is made is counted, so that a short pickle cannot make much.

    def push(self, value: Any) -> None:
        """Put a value on the stack, and count it."""
        self.room -= COST
        if self.room < 0:
            self._use(0)
        self.stack.append(value)

    def put(self, key: int) -> None:
        """Remember a value, and count it."""
        self._use(ENTRY)
        super().put(key)

    def _use(self, cost: int) -> None:
        self.room -= cost
        if self.room < 0:
            raise Damaged("its pickle holds more values than a checkpoint has")

    def text_of(self, count: int) -> None:
        """A text; one that is far too long for a name stays bytes."""
        if count > MOST_TEXT:
            self.bytes_of(count)
            return
        self._use(4 * count)
        super().text_of(count)

    def string_of(self, count: int) -> None:
        """A text of Python 2."""
        self.text_of(count)

    # Containers.

    def extend(self, values: list[Any]) -> None:
        """Append to a list, or to a thing that would be one."""
        target = self.stack[-1] if self.stack else None
        if isinstance(target, Thing):
            target.items.extend(values)
        else:
            super().extend(values)

    def table(self) -> None:
        """A dict of the values since the mark."""
        pairs = self.since_mark()
        self._use(COST)
        self.push(Table())
        self.update(pairs)

    def update(self, pairs: list[Any]) -> None:
        """Set items of the table on the stack."""
        target = self.stack[-1] if self.stack else None
        if not isinstance(target, Table) or len(pairs) % 2:
            raise Damaged("items to set, and no dict")
        self._use(ENTRY * len(pairs) // 2)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            target.put(key, value)

    # Names, calls, states.

    def name(self, module: str, name: str) -> Global:
        """The name itself."""
        self._use(len(module) + len(name))
        return Global(module, name)

    def call(self, what: Any, args: Any) -> Any:
        """A tensor, a table, or a Thing. Raises Runs."""
        self._use(8 * COST)
        if not isinstance(what, Global):
            return Thing()
        if what.runs:
            raise Runs(f"its pickle calls {what.text[:100]}, which could run code")
        make = CALLS.get(what.text)
        made = make(self, args) if make is not None and isinstance(args, tuple) else None
        return Thing(made_by=what.text) if made is None else made

    def new(self) -> None:
        """An object of a class."""
        self.reduce()

    def new_by_keywords(self) -> None:
        """An object of a class, with named arguments."""
        self.pop()
        self.reduce()

    def new_since_mark(self) -> None:
        """An object of a class, which is the first value since the mark."""
        what, *args = self.since_mark() or [None]
        self.push(self.call(what, tuple(args)))

    def new_by_lines(self) -> None:
        """An object of a class that is named in two lines."""
        self.global_line()
        what = self.pop()
        self.push(self.call(what, tuple(self.since_mark())))

    def state(self, target: Any, state: Any) -> Any:
        """The target, with its attributes noted."""
        match (target, state):
            case (Dtype(), (_, "<" | ">" as order, *_)):
                target.swapped = order == ">"
            case (Tensor(odd="empty"), (int(), tuple(shape), Dtype() as kind, fortran,
                                        memoryview() as data)):
                _fill(target, shape, kind, bool(fortran), data)
            case (Table(), _):
                # A pair is what a class with slots has.
                target.state = state[0] if isinstance(state, tuple) and state else state
        return target

    def persistent(self) -> None:
        """A storage, which is kept elsewhere."""
        match self.pop():
            case ("storage", Global() as kind, str() as key, _, int() as count, *view):
                storage = Storage(_stored(kind), count, key)
                if view and isinstance(view[0], tuple) and len(view[0]) == 3:
                    _, first, size = view[0]
                    if not isinstance(first, int) or not isinstance(size, int):
                        raise Damaged("a view of a storage that states no numbers")
                    storage.first, storage.count = first, size
                self._use(4 * COST)
                self.storages.append(storage)
                self.push(storage)
            case other:
                raise Damaged(f"a {type(other).__name__} where a storage's name should be")


def _stored(kind: Global) -> str:
    word = kind.name.removesuffix("Storage")
    return STORAGES.get(word, word.lower())


def _whole(value: Any) -> tuple[int, ...] | None:
    """Whole numbers, of which PyTorch takes a list too; None for what is none, or no tensor's."""
    fits = isinstance(value, (tuple, list)) and len(value) <= MOST_SIDES
    return tuple(map(int, value)) if fits and all(isinstance(v, int) for v in value) else None


def _steps(shape: tuple[int, ...], value: Any) -> tuple[int, ...] | None:
    """Strides; where none are stated PyTorch has the values in a row."""
    if value is not None and value not in ((), []):
        found = _whole(value)
        return found if found and len(found) == len(shape) else None
    return tuple(math.prod(shape[k:]) for k in range(1, len(shape) + 1))


def _tensor(machine: Weights, args: tuple[Any, ...]) -> Any:
    """_rebuild_tensor, _v2 and _v3: storage, offset, shape, strides, ...; the bits at the end."""
    match args:
        case (Storage() as storage, int() as offset, sides, stated, *rest) if (
                (shape := _whole(sides)) is not None
                and (strides := _steps(shape, stated)) is not None):
            dtype = storage.dtype
            bits: Any = rest[2] if len(rest) > 2 else None
            if len(rest) > 2 and isinstance(rest[2], Global):
                dtype, bits = rest[2].name, rest[3] if len(rest) > 3 else None
            has = bits.texts if isinstance(bits, Table) else {}
            return Tensor(storage, offset, shape, strides, dtype, bool(has.get("neg")),
                          "conjugated" if has.get("conj") else "")
    return None


def _odd(word: str) -> Callable[[Weights, tuple[Any, ...]], Any]:
    return lambda machine, args: Tensor(Storage("", 0), odd=word)


def _first(machine: Weights, args: tuple[Any, ...]) -> Any:
    return args[0] if args else None


TYPED = "torch._tensor._rebuild_from_type_v2"


def _typed(machine: Weights, args: tuple[Any, ...]) -> Any:
    """_rebuild_from_type_v2: function, class, arguments, state."""
    plain = len(args) > 2 and isinstance(args[0], Global) and args[0].text != TYPED
    return machine.call(args[0], args[2]) if plain else None


def _table(machine: Weights, args: tuple[Any, ...]) -> Table:
    out = Table()
    for pair in args[0] if args and isinstance(args[0], list) else ():
        # Python 2 gives an OrderedDict its items at once.
        if isinstance(pair, (list, tuple)) and len(pair) == 2:
            out.put(pair[0], pair[1])
    return out


def _encoded(machine: Weights, args: tuple[Any, ...]) -> Any:
    """Python 3's way to write bytes in protocols 0 to 2."""
    match args:
        case (str() as text, "latin1" | "latin-1"):
            machine.spend(len(text))
            return memoryview(machine.decoded(lambda: text.encode("latin1")))
    return None


def _dtype(machine: Weights, args: tuple[Any, ...]) -> Any:
    return Dtype(args[0]) if args and isinstance(args[0], str) else None


def _buffer(machine: Weights, args: tuple[Any, ...]) -> Any:
    """numpy's _frombuffer: bytes, type, shape, order."""
    match args:
        case (memoryview() as data, Dtype() as kind, tuple(shape), str() as order):
            out = Tensor(Storage("", 0), odd="empty")
            _fill(out, shape, kind, order == "F", data)
            return out
    return None


def _fill(target: Tensor, shape: tuple[Any, ...], kind: Dtype, fortran: bool,
          data: memoryview) -> None:
    """Makes a numpy array's tensor, of which the pickle holds the values."""
    dtype = NUMPY.get(kind.word, kind.word)
    size = int(kind.word[1:]) if kind.word[1:].isdecimal() and len(kind.word) < 4 else 0
    sides = _whole(shape)
    if sides is None or not size:
        raise Damaged(f"a numpy array of {kind.word[:40]} without a shape")
    target.storage = Storage(dtype, len(data) // size, raw=data, swapped=kind.swapped)
    strides, step = [], 1
    for side in sides if fortran else reversed(sides):
        strides.append(step)
        step *= max(side, 1)
    target.strides = tuple(strides if fortran else reversed(strides))
    target.shape, target.dtype, target.odd = sides, dtype, ""


def _nested(machine: Weights, args: tuple[Any, ...]) -> Any:
    """A storage that plain pickle wrote: the bytes of a file of its own."""
    if machine.nested is None or not args or not isinstance(args[0], memoryview):
        return None
    return machine.nested(bytes(args[0]))


CALLS: dict[str, Callable[[Weights, tuple[Any, ...]], Any]] = {
    **{f"torch._utils._rebuild_tensor{v}": _tensor for v in ("", "_v2", "_v3")},
    **{f"torch._utils._rebuild_{name}": _odd(word) for name, word in (
        ("qtensor", "quantized"), ("sparse_tensor", "sparse"), ("sparse_csr_tensor", "sparse"),
        ("nested_tensor", "nested"), ("meta_tensor_no_storage", "meta"),
        ("device_tensor_from_numpy", "device"), ("wrapper_subclass", "wrapped"))},
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    TYPED: _typed,
    "torch.storage._load_from_bytes": _nested,
    "torch.Size": _first,
    **{f"torch.jit._pickle.{name}": _first for name in (
        "build_intlist", "build_doublelist", "build_boollist", "build_tensorlist",
        "restore_type_tag")},
    "collections.OrderedDict": _table, "collections.defaultdict": lambda m, a: Table(),
    **{f"{module}.dict": _table for module in ("builtins", "__builtin__")},
    "_codecs.encode": _encoded,
    "numpy.dtype": _dtype,
    **{f"numpy.{core}.multiarray._reconstruct": _odd("empty") for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _buffer for core in ("core", "_core")},
}
"""The calls that make something of use."""


def _binary_float(m: Weights) -> None:
    m.push(struct.unpack(">d", m.take(8))[0])


def _text_float(m: Weights) -> None:
    line = m.line(64)
    m.push(m.decoded(lambda: float(line)))


_ACTIONS: dict[bytes, Callable[[Any], Any]] = {
    pickle.EMPTY_DICT: lambda m: (m._use(2 * COST), m.push(Table())),
    pickle.DICT: Weights.table,
    pickle.SETITEM: lambda m: m.update([m.pop(), m.pop()][::-1]),
    pickle.SETITEMS: lambda m: m.update(m.since_mark()),
    pickle.EMPTY_SET: lambda m: m.push([]),
    pickle.ADDITEMS: lambda m: m.extend(m.since_mark()),
    pickle.FROZENSET: lambda m: m.push(tuple(m.since_mark())),
    pickle.BINFLOAT: _binary_float,
    pickle.FLOAT: _text_float,
    pickle.LONG4: lambda m: m.push(m.number(m.number(4), signed=True)),
    pickle.POP_MARK: lambda m: m.since_mark(),
    pickle.DUP: lambda m: m.push(m.stack[-1] if m.stack else m.pop()),
    pickle.NEWOBJ: Weights.new,
    pickle.NEWOBJ_EX: Weights.new_by_keywords,
    pickle.OBJ: Weights.new_since_mark,
    pickle.INST: Weights.new_by_lines,
    pickle.BINPERSID: Weights.persistent,
}
Weights.codes = COMMON | {ord(code): action for code, action in _ACTIONS.items()}
