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

import numpy as np

import efm3
from efm3.arch import Arch, Stage
from efm3.conformance import sample
from efm3.convert import _state_dict
from tests.convert import checkpoint_files as files
from tests.fuzz.mutators import raw

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
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            entries = [(i.filename, z.read(i)) for i in z.infolist()]
    except Exception:
        return raw(rng, data)
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
