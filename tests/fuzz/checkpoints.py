# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's files for fuzz_python.py: checkpoints, new and old, and TorchScript archives.

The mutator changes an entry of the archive and writes the archive again, with its checksums
right: opcodes of the pickle, words of the program, weights. Old files are damaged as they are.
"""

from __future__ import annotations

import io
import random
import re
import warnings
import zipfile
from typing import Any

import numpy as np

import efm3
from efm3.arch import Arch, Stage
from efm3.conformance import sample
from efm3.convert import _state_dict
from efm3.convert._checkpoint import CODES, Checkpoint
from efm3.convert._unpickle import Table, Tensor, Thing
from tests.convert import checkpoint_files as files
from tests.fuzz.mutators import entries_of, raw

ARCH = Arch("small", 0.25, 2, 2, 4, 3, 14, (Stage(2, 1, 2), Stage(2, 1, 2)))
OPCODES = b"().}]cRQbuet0012NqhKJX\x81\x85\x86\x87\x88\x89\x8a\x8f\x90\x93\x94\x95ioPS"
WORDS = ("0", "1", "-1", "2", "None", "True", "x", "y", "[1]", "[]", "[1, -1]", "1e38", '"same"',
         "torch.relu(x)", "torch.view(x, [1, -1])", "torch.size(x)", "self", "(self).forward(x, )",
         "CONSTANTS.c0", "CONSTANTS.c99", "99999999999", "inf", "range(9)", "torch.add_(x, 1)")
STATEMENTS = ("while True:", "if torch.eq(1, 1):", "else:", "for i in range(3):", "pass",
              "return x", "x = torch.relu_(x)", "y = torch.chunk(x, 3, 1)", "return (x, x)",
              "y = torch.permute(x, [0, 2, 3, 1])", "y = torch.flip(x, [1])", "a, b = [1, 2]",
              "y = (")
ATTRIBUTES = {"epoch": 3, "loss": [0.5, 1 << 70], "args": files.New("a.Namespace", {"b": None}),
              "size": files.Call("torch.Size", ((1, 2),))}


def seeds() -> list[bytes]:
    """A small network in each form."""
    model = efm3.load(sample.build(ARCH))
    state = {k: np.array(0) if v is None else np.array(v)
             for k, v in _state_dict.original(model.arch, model.tensors)}
    halves = {k: files.bfloat16(v) if v.ndim else v for k, v in state.items()}
    lines, constants = files.program(model)
    head = {"head.weight": np.zeros((9, 3), np.float32)}
    return [files.archive(state), files.archive({"model": halves, **ATTRIBUTES}),
            files.archive({"a": state, "b": {**state, **head}}), files.stream(state),
            files.scripted([*lines, "return y"], constants)]


def change(rng: random.Random, data: bytes) -> bytes:
    """Another file, with one entry changed."""
    if not data.startswith(b"PK") or rng.randrange(6) == 0:
        return _stream(rng, data) if rng.randrange(2) else raw(rng, data)
    entries = entries_of(data)
    if not entries:
        return raw(rng, data)
    # The pickles and the programs, rather than the many storages.
    known = [i for i, (n, _) in enumerate(entries) if n.endswith((".pkl", ".py"))]
    at = rng.choice(known) if known and rng.randrange(4) else rng.randrange(len(entries))
    name, body = entries[at]
    if rng.randrange(8) == 0:
        entries[at] = rng.choice(((name, b""), (f"{name}x", body), rng.choice(entries),
                                  (name, body + body)))
    elif name.endswith(".py"):
        entries[at] = name, _program(rng, body)
    elif name.endswith(".pkl"):
        entries[at] = name, _stream(rng, body)
    else:
        entries[at] = name, raw(rng, body)
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as z:
        warnings.simplefilter("ignore")
        for name, body in entries:
            z.writestr(zipfile.ZipInfo(name), body)
    return out.getvalue()


def _stream(rng: random.Random, data: bytes) -> bytes:
    """A pickle with an opcode for another, or a number changed."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        if not out:
            break
        at = rng.randrange(min(len(out), 1 << 14))
        kind = rng.randrange(4)
        if kind == 0:
            out[at] = rng.choice(OPCODES)
        elif kind == 1:
            out[at:at] = bytes(rng.choice(OPCODES) for _ in range(rng.randint(1, 3)))
        elif kind == 2:
            out[at] = rng.choice((0, 1, 2, 255, out[at] ^ 1))
        else:
            del out[at:at + rng.choice((1, 1, 2, 5))]
    return bytes(out)


def _program(rng: random.Random, body: bytes) -> bytes:
    """A program with a word or a line changed."""
    lines = body.decode("utf-8", "replace").splitlines()
    if not lines:
        return body
    at = rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        lines[at] = "    " + rng.choice(STATEMENTS)
    elif kind == 1:
        lines[at:at] = [rng.choice(("    ", "      ", "")) + rng.choice(STATEMENTS)]
    elif kind == 2:
        del lines[at]
    elif kind == 3:
        lines[at] = lines[rng.randrange(len(lines))]
    else:
        words = [m.span() for m in re.finditer(r"[\w.]+|\[[^]]*\]", lines[at])]
        if words:
            a, b = rng.choice(words)
            lines[at] = lines[at][:a] + rng.choice(WORDS) + lines[at][b:]
    return "\n".join(lines).encode("utf-8", "replace")


LOOSER = ("checksum", "two entries", "values at the end")
"""Why what PyTorch reads is refused here: it looks at no checksum, opens the first of two entries
of one name, and drops what the pickle leaves beside its value."""
ABSENT = ("is not in it", "without a data.pkl")
"""What is said of an entry that is not there. To PyTorch data/a and DATA/A are one name."""


def check_torch(data: bytes) -> str:
    """Ours against `torch.load` of the same bytes, of which nothing is run either.

    What both read is equal, bit for bit, and what PyTorch reads is read here, but for what LOOSER
    names. PyTorch refuses more: it looks up every name, reads every storage, and makes every
    tensor, where ours looks at the weights; then what ours reads can at least be read whole.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            said = ""
        except Exception as e:
            # PyTorch raises nearly every kind of exception on a file that is no checkpoint.
            theirs, said = None, f"{type(e).__name__} {e}"
    try:
        checkpoint = Checkpoint(io.BytesIO(data), "x")
        if not said:
            return f"both {min(_same(checkpoint, checkpoint.root, theirs), 9)}"
        return "script" if checkpoint.script else f"ours {_read(checkpoint, checkpoint.root)}"
    except efm3.Efm3Error as e:
        reasons = LOOSER + (ABSENT if _capitals(data) else ())
        assert said or any(s in str(e) for s in reasons), f"PyTorch reads it: {e}"
        return e.code


def _capitals(data: bytes) -> bool:
    """Whether an entry has capitals in its name, which nothing here writes."""
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile):
        return False
    return any(name != name.lower() for name in names)


def _read(checkpoint: Checkpoint, own: Any) -> int:
    """How many tensors of ours can be read. Raises Efm3Error."""
    count, todo, seen = 0, [own], set[int]()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Tensor) and one.dtype in CODES and not one.odd:
            checkpoint.array("x", one)
            count += 1
        elif isinstance(one, Table):
            todo += [*one.texts.values(), *(v for _, v in one.others)]
        elif isinstance(one, (list, tuple)):
            todo += one
    return count


def _same(checkpoint: Checkpoint, own: Any, theirs: Any, depth: int = 0) -> int:
    """How many tensors of ours are PyTorch's."""
    import torch

    if depth > 40:  # a value may hold itself
        return 0
    if isinstance(theirs, torch.Tensor):
        assert isinstance(own, Tensor), (type(own), theirs.dtype)
        if own.odd or own.dtype not in CODES:
            return 0
        values = checkpoint.array("x", own)
        assert values.shape == tuple(theirs.shape), (values.shape, theirs.shape)
        wide = theirs.float() if theirs.dtype == torch.bfloat16 else theirs
        assert values.astype(values.dtype.newbyteorder("=")).tobytes() == \
            wide.resolve_neg().contiguous().numpy().tobytes(), own
        return 1
    assert not isinstance(own, Tensor), f"PyTorch has a {type(theirs).__name__}, not a tensor"
    if type(own) is Table and isinstance(theirs, dict):
        texts = {k: v for k, v in theirs.items() if isinstance(k, str)}
        assert list(own.texts) == list(texts), (list(own.texts), list(texts))
        return sum(_same(checkpoint, own.texts[k], v, depth + 1) for k, v in texts.items())
    if isinstance(own, (list, tuple)) and isinstance(theirs, (list, tuple)):
        assert len(own) == len(theirs)
        return sum(_same(checkpoint, a, b, depth + 1) for a, b in zip(own, theirs, strict=True))
    if isinstance(theirs, (str, int, float)) and not isinstance(own, Thing):
        assert own == theirs or own != own, (own, theirs)
    return 0
