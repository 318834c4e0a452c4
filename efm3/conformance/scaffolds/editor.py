#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An EFM3 editor to start from; it checks files with `reader.py`, which stands beside it.

    python editor.py FILE EDIT.json OUT      exit code 1, and no OUT, where it refuses

Weights are moved as bytes and numbers of the mirror keep their kind, so that neither a NaN's
payload nor an integer above 2^53 is rounded. Replace `edit` by your own.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
import sys
import traceback
from typing import Any

from reader import Refused, need, parse, read


def edit(data: bytes, change: bytes) -> bytes:
    """The file `data`, changed as the JSON text `change` says. Raises Refused."""
    document = read(data, "coherence")
    asked = parse(change)
    meta, values = asked.get("meta", {}), asked.get("values", [])
    need(type(meta) is dict, "the edit's meta is not an object")
    need(type(values) is list, "the edit's values are not an array")
    end = 92 + struct.unpack_from("<I", data, 88)[0]
    new = bytearray(data)
    places = {t["name"]["value"]: t for t in document["tensors"]}
    for row in values:
        need(type(row) is dict, "an element of values is not an object")
        at = place(places, row.get("tensor"), row.get("at"))
        new[at:at + 4] = bits(row.get("value"))
    table = bytes(new[end + 4:])

    mirror = parse(data[92:end])
    own = mirror.get("meta", {}) | meta
    if own:
        mirror["meta"] = own
    if "sha256" in own:
        own["sha256"] = hashlib.sha256(table).hexdigest()
    text = json.dumps(mirror, separators=(",", ":")).encode("ascii")
    if end % 4 == 0:
        text += b" " * (-len(text) % 4)
    out = data[:88] + struct.pack("<I", len(text)) + text + data[end:end + 4] + table
    read(out, "coherence")  # no edit makes an invalid file
    return out


def place(places: dict[str, Any], name: Any, index: Any) -> int:
    """The offset of a value in the file."""
    need(type(name) is str and name in places, f"there is no tensor {name!r}")
    count = math.prod(int(n["value"]) for n in places[name]["shape"])
    need(type(index) is int, f"{index!r} is not an index")
    need(0 <= index < count, f"{name} has no value {index}")
    at: int = int(places[name]["offset"]["value"]) + 4 * index
    return at


def bits(value: Any) -> bytes:
    """The four bytes of a number that float32 holds, or of a pattern `bits:XXXXXXXX`."""
    if type(value) is str:
        need(re.fullmatch("bits:[0-9a-fA-F]{8}", value) is not None, "not bits:XXXXXXXX")
        return bytes.fromhex(value[5:])[::-1]
    need(type(value) in (int, float), f"{value!r} is not a number")
    need(abs(value) <= 3.4028234663852886e38, f"{value!r} is larger than any float32")
    packed = struct.pack("<f", value)
    need(struct.unpack("<f", packed)[0] == value, f"float32 does not hold {value!r} exactly")
    return packed


def main(args: list[str]) -> int:
    """The command; the exit code."""
    path, change, out = args
    try:
        with open(path, "rb") as f, open(change, "rb") as g:
            new = edit(f.read(), g.read())
    except Refused as e:
        print(ascii(str(e)), file=sys.stderr)
        return 1
    except Exception:  # an uncaught exception exits with 1, which would mean refused
        traceback.print_exc()
        return 70
    with open(out, "wb") as f:
        f.write(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
