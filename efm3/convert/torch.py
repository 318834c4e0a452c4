# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's files: state_dicts of any naming and TorchScript archives in, without PyTorch; a
state_dict of the original project's naming out."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from efm3.convert import _meta, _named, _state_dict
from efm3.convert._base import Source, Wanted, spooled
from efm3.convert._checkpoint import SAVE, Checkpoint
from efm3.convert._unpickle import Table, Tensor, Thing
from efm3.extras import need
from efm3.findings import printable, refuse
from efm3.model import Model
from efm3.source import open_regular

ATTRIBUTE = "efm3"
"""Attribute of the state_dict that carries the arch and the mirror; PyTorch ignores it."""
NAMES = ("weight", "bias", "running_mean", "running_var")
"""What must be a tensor: other values beside the weights do not matter."""
MOST_DEPTH, MOST_STEPS, MOST_NUMBER = 12, 10_000, 1 << 53


def read(path: str, wanted: Wanted) -> Source:
    """The network in a checkpoint. Raises Efm3Error."""
    with open_regular(path) as f:
        checkpoint = Checkpoint(f, path)
        if checkpoint.script:
            from efm3.convert import _torchscript

            return _torchscript.source_of(checkpoint, wanted)
        table, prefix = _chosen(checkpoint.root, wanted.key, path)
        tensors = dict(_tensors(table))
        if prefix:
            tensors = _named.below(tensors, prefix, path)
        own = table.state.texts.get(ATTRIBUTE) if isinstance(table.state, Table) else None
        texts = own.texts if isinstance(own, Table) else {}
        if _meta.ARCH_KEY not in texts:
            texts = {}
        return _state_dict.source_of(
            {k: t.shape for k, t in tensors.items()},
            lambda k: checkpoint.array(k, tensors[k]), checkpoint.size, wanted, texts)


class Found(NamedTuple):
    """A dict and the keys that lead to it: the last one, and the dict around it."""

    value: Any
    key: str = ""
    around: Found | None = None
    depth: int = 0

    @property
    def path(self) -> str:
        """The keys with dots between them."""
        keys, at = [], self
        while at.around is not None:
            keys.append(at.key)
            at = at.around
        return ".".join(reversed(keys))


def _chosen(root: Any, key: str | None, path: str) -> tuple[Table, str]:
    """The state_dict that `key` names, and what is left of `key`: a prefix of its names; the only
    one where `key` is None. Raises X004, X015, X018."""
    every = list(_found(root))
    found = [f for f in every if not _module(f.value)]
    if key is not None:
        return _reached(root, key, found, path)
    if found and (found[0].value is root or len({_contents(f.value) for f in found}) == 1):
        return found[0].value, ""
    if found:
        _state_dict.several([f.path for f in found[:9]], len(found), "state_dicts")
    if every:
        made_by = every[0].value.made_by
        refuse("X004", f"it is a whole pickled module ({printable(made_by[:100])}), whose code is "
                       "not in the file: load it where the code is, and save the state_dict "
                       f"alone: {SAVE}", path, made_by)
    kind = root.made_by if isinstance(root, Thing) else type(root).__name__
    refuse("X015", f"it holds a {'dict' if kind == 'Table' else printable(kind[:100])}, not a "
                   "state_dict with convolutions", path)


def _module(value: Any) -> bool:
    return isinstance(value, Thing) and value.module


def _found(root: Any) -> Iterator[Found]:
    """Every dict with a convolution's weight, and every pickled module; the outer ones first."""
    todo = deque([Found(root)])
    seen: set[int] = set()
    while todo:
        at = todo.popleft()
        if id(at.value) in seen or at.depth > MOST_DEPTH:
            continue
        seen.add(id(at.value))
        if _module(at.value):
            yield at
            continue
        if isinstance(at.value, Table) and any(
                isinstance(t, Tensor) and len(t.shape) == 4 and k.rpartition(".")[2] == "weight"
                for k, t in at.value.texts.items()):
            yield at
        todo.extend(Found(v, k, at, at.depth + 1) for k, v in _inside(at.value))


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    """What may hold a state_dict, by its key or number."""
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Table):
        pairs = (*value.texts.items(), *value.others)
        if isinstance(value.state, Table):
            pairs = (*pairs, *value.state.texts.items())
    elif isinstance(value, (list, tuple)):
        pairs = enumerate(value)
    for key, inner in pairs:
        if isinstance(inner, (Table, list, tuple)):
            if isinstance(key, str):
                yield key, inner
            elif isinstance(key, int) and abs(key) < MOST_NUMBER:
                yield str(key), inner


def _contents(table: Table) -> tuple[Any, ...]:
    """Equal for two dicts of the same tensors."""
    return tuple((k, t.storage.key or id(t.storage), t.offset, t.shape)
                 for k, t in table.texts.items() if isinstance(t, Tensor))


def _reached(root: Any, key: str, known: list[Found], path: str) -> tuple[Table, str]:
    """What `key` leads to. Keys may have dots themselves: the longest that fits goes first."""
    todo: list[tuple[Any, str]] = [(root, key)]
    for _ in range(MOST_STEPS):
        if not todo:
            break
        value, rest = todo.pop()
        if isinstance(value, Table) and any(isinstance(t, Tensor) for t in value.texts.values()):
            start = f"{rest}." if rest else ""
            if any(k.startswith(start) and isinstance(t, Tensor) for k, t in value.texts.items()):
                return value, rest
        below = [(v, rest[len(k) + 1:]) for k, v in _inside(value)
                 if rest == k or rest.startswith(f"{k}.")]
        todo += sorted(below, key=lambda vr: -len(vr[1]))
    shown = ", ".join(f.path or "the whole" for f in known[:8]) or "none"
    refuse("X018", f"it has no tensors under {key}; its state_dicts with convolutions: {shown}",
           path, key)


def _tensors(table: Table) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a state_dict. Raises X006, X015 where a parameter is none."""
    for key, _ in table.others:
        shown = str(key) if isinstance(key, (int, float)) and abs(key) < MOST_NUMBER else ""
        refuse("X015", f"a key of the state_dict is {shown or type(key).__name__}, not text", shown)
    for key, value in table.texts.items():
        if isinstance(value, Tensor):
            yield key, value
        elif key.rpartition(".")[2] in NAMES and value is not None:
            refuse("X006", f"{key} is a {type(value).__name__}, not a tensor", key)


def parts(model: Model, path: str, fold: bool) -> Iterable[bytes]:
    """A state_dict as a module of the original project loads it, with `strict=True` too."""
    torch = need("torch", "torch")
    state: OrderedDict[str, Any] = OrderedDict()
    for key, value in _state_dict.original(model.arch, model.tensors):
        state[key] = (torch.tensor(0) if value is None
                      else torch.from_numpy(np.array(value, np.float32)))
    setattr(state, ATTRIBUTE, _meta.texts(model))
    yield from spooled(lambda to: torch.save(state, to))
