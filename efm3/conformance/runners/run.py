#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs the kit on a program, which gets its paths appended and answers by its exit code.

    python3 run.py [-l LEVEL] [-p PRECISION] [-s PATTERN] reader|writer|editor|engine COMMAND...

Exit code 0: it conforms, 1: a MUST case failed, 2: usage, 3: the program is broken.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def same_number(want: str, have: str) -> bool:
    """An integer of 64 bits is compared exactly, every other number as a binary64."""
    try:
        if want.lstrip("-").isdigit() and -1 << 63 <= int(want) < 1 << 64:
            return Decimal(have) == int(want)
        a, b = float(want), float(have)
    except (ValueError, InvalidOperation):
        return False
    return a == b and math.copysign(1, a) == math.copysign(1, b)


def difference(want: Any, have: Any, path: str = "") -> str:
    """The first difference of two documents, or ""; every leaf is {"type", "value"}."""
    numbers = ("integer", "number")
    if type(want) is type(have) is dict and not (
            want.get("type") in numbers and have.get("type") in numbers
            and same_number(str(want.get("value")), str(have.get("value")))):
        if want.keys() != have.keys():
            return f"{path}: {sorted(want.keys() ^ have.keys())[0]!r} is missing or too much"
        return next(filter(None, (difference(v, have[k], f"{path}.{k}") for k, v in want.items())),
                    "")
    if type(want) is type(have) is list and len(want) == len(have):
        return next(filter(None, (difference(v, have[i], f"{path}[{i}]")
                                  for i, v in enumerate(want))), "")
    same = want == have or (type(want) is type(have) is dict)
    return "" if same else f"{path}: found {str(have)[:60]!r}, expected {str(want)[:60]!r}"


def tagged(value: Any) -> Any:
    """A parsed mirror with every leaf tagged; numbers come as ("integer" or "number", text)."""
    if isinstance(value, dict):
        return {k: tagged(v) for k, v in value.items()}
    if isinstance(value, list):
        return [tagged(v) for v in value]
    kind, text = value if isinstance(value, tuple) else (type(value).__name__, str(value))
    return {"type": kind, "value": text}


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys differ."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def constant(word: str) -> None:
    """NaN and infinities are no JSON."""
    raise ValueError(f"{word} in the mirror")


def parts(data: bytes) -> tuple[bytes, bytes, Any]:
    """Header, tensor table and tagged mirror of a file; a right digest is taken out."""
    end = 92 + struct.unpack_from("<I", data, 88)[0]
    table = data[end:]
    mirror = json.loads(data[92:end].decode(), object_pairs_hook=unique, parse_constant=constant,
                        parse_int=lambda s: ("integer", s), parse_float=lambda s: ("number", s))
    meta = mirror.get("meta", {})
    if meta.get("sha256") == hashlib.sha256(table[4:]).hexdigest():
        del meta["sha256"]
    if meta == {}:
        mirror.pop("meta", None)
    return data[:88], table, tagged(mirror)


def apart(have: tuple[float, ...], want: tuple[float, ...], most: float) -> str:
    """What is wrong with an embedding whose 1 - cosine may be `most`, or ""."""
    length, right = math.hypot(*have), math.hypot(*want)
    room = 1.01e-5 if abs(right - 1) <= 1e-5 else math.sqrt(2 * most)
    if not abs(length / right - 1) <= room:
        return f"the norm is {length:.7g}, not {right:.7g}"
    gap = 1 - sum(a * b for a, b in zip(have, want)) / (length * right)  # noqa: B905
    return "" if gap <= most * 1.01 else f"1 - cosine is {gap:.2e}, allowed {most:g}"


def wrong(kind: str, answer: bytes, want: bytes, gap: str) -> str:
    """What is wrong with the bytes of an answer, or ""; `gap` is an embedding's bound or "-"."""
    if kind == "reader":
        return difference(json.loads(want), json.loads(answer), "document")
    if kind == "writer":
        at = next((i for i, (a, b) in enumerate(zip(answer, want)) if a != b),  # noqa: B905
                  min(len(answer), len(want)))
        return "" if answer == want else f"another file, from byte {at} on"
    if kind == "editor":
        (head, table, mirror), (head2, table2, mirror2) = parts(want), parts(answer)
        return ("the header changed" if head != head2 else "another table of tensors"
                if table != table2 else difference(mirror, mirror2, "mirror"))
    if len(answer) != len(want):
        return f"{len(answer)} bytes, not {len(want)}"
    have, right = (struct.unpack(f"<{len(want) // 4}f", v) for v in (answer, want))
    if gap != "-":
        return apart(have, right, float(gap))
    values = zip(have, right)  # noqa: B905
    return next((f"value {i} is {a:.7g}, not {b:.7g}" for i, (a, b) in enumerate(values)
                 if (not math.isnan(a) if math.isnan(b) else not abs(a - b) <= 1.01e-5)), "")


def verdict(row: list[str], command: list[str], precision: str) -> str:
    """Empty, or what is wrong; it begins with "broken" where there is no answer."""
    kind, _, _, level, want, file, second, expected, high, fast = row
    gap = {"high": high, "fast": fast}.get(precision, "-")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        paths = [HERE / file] if kind == "reader" else [HERE / file, HERE / second, out]
        try:
            done = subprocess.run([*command, *map(str, paths)], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=10, check=False,
                                  env=os.environ | {"EFM3_LEVEL": level})
            said = ascii(done.stderr[-200:].decode("utf-8", "replace"))
            if done.returncode == 1:
                return (f"refused, but it is right: {said}" if want == "accept" else
                        "refused, but a file was left" if kind != "engine" and out.exists() else "")
            if done.returncode != 0:
                return f"broken: exit code {done.returncode}: {said}"
            answer = done.stdout if kind == "reader" else out.read_bytes()
            if kind == "reader" and not isinstance(json.loads(answer), dict):
                return "broken: the answer is not a JSON object"
        except (OSError, ValueError, RecursionError, subprocess.TimeoutExpired) as e:
            return f"broken: {ascii(str(e))[:300]}"
        if want == "refuse":
            return "accepted, but it must be refused"
        try:
            return "" if expected == "-" else wrong(
                kind, answer, (HERE / expected).read_bytes(), gap)
        except (ValueError, RecursionError, AttributeError, struct.error) as e:
            return f"the answer cannot be read: {ascii(str(e))[:200]}"


def main() -> int:
    """The command; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("-l", dest="level", default="structure",
                        choices=["structure", "coherence", "values"])
    parser.add_argument("-p", dest="precision", default="f32", choices=["f32", "high", "fast"],
                        help="what an engine claims")
    parser.add_argument("-s", dest="only", default="*", metavar="PATTERN", help="names of cases")
    parser.add_argument("kind", choices=["reader", "writer", "editor", "engine"])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    level = args.level if args.kind == "reader" else "-"
    index = (HERE / "index.tsv").read_text(encoding="utf-8")
    table = [line.split("\t") for line in index.splitlines()]
    chosen = [row for row in table if row[0] == args.kind and row[3] == level
              and fnmatch.fnmatchcase(row[1], args.only)]
    if not args.command or not chosen:
        parser.error("no command" if chosen else f"nothing is named {args.only}")
    counts = dict.fromkeys(("passed", "failed", "broken", "SHOULD failed"), 0)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for row, said in zip(chosen, pool.map(
                lambda r: verdict(r, args.command, args.precision), chosen), strict=True):
            counts["passed" if not said else "broken" if said.startswith("broken") else
                   "failed" if row[2] == "MUST" else "SHOULD failed"] += 1
            if said:
                print(f"{row[1]} ({row[2]}): {said}")
    print(f"{args.kind}: " + ", ".join(f"{n} {word}" for word, n in counts.items()))
    return 1 if counts["failed"] else 3 if counts["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
