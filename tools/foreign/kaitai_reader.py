# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An EFM3 reader at level `structure` that is all spec/efm3.ksy, compiled by Kaitai Struct.

    python -m tools.foreign.kaitai_reader [FILE | --lines]

With FILE, or else for standard input, it prints the document, and its exit code is 1 where the file
is refused. With --lines it answers the lines protocol (spec/conformance.md).

It imports nothing of efm3. The parser is compiled once into build/kaitai and kept by
content; tools/foreign/install_kaitai.sh installs the compiler.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from tools import ROOT

KSY = ROOT / "spec" / "efm3.ksy"
DRIVER = ROOT / "tools" / "foreign" / "kaitai_compile.js"
BUILD = ROOT / "build" / "kaitai"
COMPILER = BUILD / "node_modules" / "kaitai-struct-compiler" / "package.json"
BROKEN = 70


class Unavailable(Exception):
    """The compiler or the runtime is not there; the text says which, and how to get it."""


class Refused(Exception):
    """The parser refuses the file."""


def compiled() -> Path:
    """The parser's module, compiled if this description was not compiled before."""
    key = hashlib.sha256()
    for path in (KSY, DRIVER):
        key.update(path.read_bytes())
    target = BUILD / "parsers" / key.hexdigest()[:16]
    if not target.is_dir():
        node = shutil.which("node")
        if node is None:
            raise Unavailable("node is not there, which runs the Kaitai Struct compiler")
        if not COMPILER.is_file():
            raise Unavailable("the Kaitai Struct compiler is not in build/kaitai: "
                              "run tools/foreign/install_kaitai.sh")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            made = Path(folder) / "made"
            subprocess.run([node, DRIVER, "python", KSY, made, "debug"], check=True)
            try:
                made.rename(target)
            except OSError:
                if not target.is_dir():  # else another process was faster
                    raise
    return target / "efm3.py"


@lru_cache(maxsize=1)
def parser() -> Any:
    """The compiled class Efm3. Raises Unavailable."""
    if importlib.util.find_spec("kaitaistruct") is None:
        raise Unavailable("the Kaitai Struct runtime is not there: pip install kaitaistruct")
    spec = importlib.util.spec_from_file_location("efm3_kaitai", compiled())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Efm3


def stream(data: bytes) -> Any:
    """The bytes as the runtime takes them."""
    from kaitaistruct import KaitaiStream

    return KaitaiStream(io.BytesIO(data))


def parse(data: bytes) -> Any:
    """The parsed tree. Raises Refused where the description does not fit, Unavailable."""
    root = parser()(stream(data))
    from kaitaistruct import ValidationFailedError

    try:
        root._read()
    except (ValidationFailedError, EOFError) as e:
        raise Refused(str(e)) from None
    return root


def tensors(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every tensor below `node` in stored order, with its name."""
    for field in node.SEQ_FIELDS:
        child = getattr(node, field, None)  # absent where its condition does not hold
        if isinstance(child, list):
            first = 1 if field == "stages" else 0
            for i, part in enumerate(child, start=first):
                yield from tensors(part, f"{name}{field.removesuffix('s')}{i}.")
        elif hasattr(child, "data"):
            yield name + field.replace("_", ".", 1), child
        elif child is not None:
            yield from tensors(child, f"{name}{field}.")


def document(root: Any) -> dict[str, Any]:
    """The document of a parsed file."""
    arch = root.arch
    return {
        "version": number(root, "version"),
        "arch": {k: number(arch, k) for k in arch.SEQ_FIELDS if isinstance(getattr(arch, k), int)}
                | {"stages": [{k: number(s, k) for k in "tns"} for s in arch.stages]},
        "mirror": {"offset": tag("u32", start(root, "json")), "length": tag("u32", len(root.json)),
                   "crc32": crc32(root.json)},
        "tensors": [{
            "name": tag("string", name),
            "shape": [tag("u32", n) for n in shape(tensor)],
            "offset": tag("u64", start(tensor, "data")),
            "first": tag("f32", tensor.data[3::-1].hex()),
            "last": tag("f32", tensor.data[:-5:-1].hex()),
            "crc32": crc32(tensor.data)} for name, tensor in tensors(root.tensors)]}


def shape(tensor: Any) -> list[int]:
    """The sizes of a tensor's dimensions."""
    if hasattr(tensor, "kernel"):
        return [tensor.num_out, tensor.fan_in, tensor.kernel, tensor.kernel]
    return [tensor.num_values]


def start(node: Any, field: str) -> int:
    """Where a field starts in the file, as the parser noted it."""
    return int(node._debug[field]["start"])


def number(node: Any, field: str) -> dict[str, str]:
    """An unsigned integer, tagged with the width that the parser read."""
    width = node._debug[field]["end"] - start(node, field)
    return tag(f"u{8 * width}", getattr(node, field))


def crc32(data: bytes) -> dict[str, str]:
    """The tagged CRC-32 of `data`."""
    return tag("crc32", f"{zlib.crc32(data):08x}")


def tag(kind: str, value: object) -> dict[str, str]:
    """A tagged leaf."""
    return {"type": kind, "value": str(value)}


def hello() -> dict[str, Any]:
    """The answer to the lines protocol's start."""
    import kaitaistruct

    return {"version": 1, "ready": True, "implementation": {
        "name": "efm3.ksy", "version": kaitaistruct.__version__,
        "language": "Kaitai Struct, Python", "classes": ["reader"], "levels": ["structure"]}}


def answer(ask: dict[str, Any]) -> dict[str, Any]:
    """The answer to a line of the lines protocol."""
    if ask["cmd"] == "start":
        return hello()
    seq = {"seq": ask["seq"]}
    if ask["cmd"] != "read" or ask["level"] != "structure":
        return seq | {"error": "a reader at level structure"}
    try:
        return seq | {"ok": True, "document": document(parse(Path(ask["file"]).read_bytes()))}
    except Refused as e:
        return seq | {"ok": False, "reason": str(e)}
    except Exception as e:
        return seq | {"error": f"{type(e).__name__}: {e}"}


def main(args: list[str]) -> int:
    """The command; the exit code."""
    try:
        parser()
        if args == ["--lines"]:
            for line in sys.stdin:
                ask = json.loads(line)
                if ask["cmd"] == "stop":
                    break
                print(json.dumps(answer(ask)), flush=True)
            return 0
        level = os.environ.get("EFM3_LEVEL", "structure")
        if level != "structure":
            print(f"level {level}: a reader at level structure", file=sys.stderr)
            return BROKEN
        data = Path(args[0]).read_bytes() if args else sys.stdin.buffer.read()
        print(json.dumps(document(parse(data))))
        return 0
    except Refused as e:
        print(e, file=sys.stderr)
        return 1
    except (Unavailable, OSError) as e:
        print(e, file=sys.stderr)
        return BROKEN
    except Exception:  # Python ends with 1 on its own, and 1 would say refused
        traceback.print_exc()
        return BROKEN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
