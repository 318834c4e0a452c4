# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Drawn pictures as text: `synth:SEED:IDENTITIES:COUNT[:FIRST[:SETTING]]`, synth.json, a sentence.

COUNT is the number of pictures of each identity for training data, of pairs for an evaluation.
This module needs no PyTorch.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from efm3.findings import refuse
from efm3.source import Unreadable, open_regular
from efm3.texts import cut

PREFIX = "synth:"
PICTURES = "synth:SEED:IDENTITIES:SHOTS[:FIRST[:SETTING]]"
PAIRS = "synth:SEED:IDENTITIES:PAIRS[:FIRST[:SETTING]]"
PLAIN = "plain"
SETTINGS = (PLAIN, "hard", "cameras")
"""How shots are taken: of all kinds; hard poses and light with more in the way; other cameras."""
HELD_OUT = 1_000_000
"""First identity of pairs that name none: training sets of ordinary size end below it."""
FACTS = "synth.json"
"""The file in which `efm3 draw` says what a folder holds."""

MOST_IDENTITIES = 1 << 22
"""Most identities of one set: their vectors alone take 1.7 GB."""
_MOST = {"SEED": 1 << 63, "IDENTITIES": MOST_IDENTITIES + 1, "COUNT": 1 << 31, "FIRST": 1 << 62}
_KEYS = ("format", "seed", "first", "classes", "shots", "spread", "setting", "dim", "side", "kind",
         "pairs")
_MAX_BYTES = 1 << 16

Facts = dict[str, Any]
"""All that is needed to draw the same pictures again: `Faces.describe`, with `kind` and `pairs`."""


class Spec(NamedTuple):
    """The numbers of a spec; `amount` is shots of each identity, or pairs."""

    seed: int
    identities: int
    amount: int
    first: int
    setting: str = PLAIN


def is_spec(words: object) -> bool:
    """True for text that begins like a spec, whether or not it is valid."""
    return isinstance(words, str) and words.startswith(PREFIX)


def pictures(words: str) -> Spec:
    """The numbers of PICTURES; the first identity is number 0 by default. Raises Efm3Error F020."""
    return _parsed(words, PICTURES, 0)


def pairs(words: str) -> Spec:
    """The numbers of PAIRS; the first identity is HELD_OUT by default. Raises Efm3Error F020."""
    return _parsed(words, PAIRS, HELD_OUT)


def _parsed(words: str, form: str, first: int) -> Spec:
    parts = words.removeprefix(PREFIX).split(":")
    setting = parts.pop() if len(parts) == 5 else PLAIN
    # 20 digits hold every number that is allowed; int() refuses some thousands of them itself.
    if not is_spec(words) or len(parts) not in (3, 4) or not all(
            p.isascii() and p.isdigit() and len(p) <= 20 for p in parts):
        refuse("F020", path=words, found="another form",
               expected=f"{form}, integers but for the last")
    if setting not in SETTINGS:
        refuse("F020", path=words, found=f"SETTING is {cut(setting, 40)}",
               expected=f"{form}, SETTING one of {', '.join(SETTINGS)}")
    values = [int(p) for p in (*parts, str(first))][:4]
    numbers = Spec(values[0], values[1], values[2], values[3], setting)
    amount = form.split(":")[3].partition("[")[0]  # SHOTS or PAIRS
    for (key, most), value in zip(_MOST.items(), values, strict=True):
        name = amount if key == "COUNT" else key
        least = 1 if key in ("IDENTITIES", "COUNT") else 0
        if not least <= value < most:
            refuse("F020", path=words, found=f"{name} is {value}",
                   expected=f"{form}, {name} from {least} to {most - 1}")
    return numbers


def read_facts(folder: str) -> Facts | None:
    """What synth.json in a folder says; None where there is none of the form of `efm3 draw`.

    Only numbers under the known keys, and the kind, are used: the file is untrusted.
    """
    try:
        with open_regular(os.path.join(folder, FACTS)) as f:
            value = json.loads(f.read(_MAX_BYTES))
    except (Unreadable, OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    found = {k: value[k] for k in _KEYS if k in value and _plain(k, value[k])}
    return found if "seed" in found else None


def _plain(key: str, value: object) -> bool:
    if key in ("kind", "setting"):
        return value in (("images", "pairs") if key == "kind" else SETTINGS)
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and abs(value) < _MOST["SEED"])


def sentence(facts: Facts) -> str:
    """The facts as `meta` holds them: `efm3 draw: format 1, seed 1, ...`."""
    return "efm3 draw: " + ", ".join(f"{k} {v}" for k, v in facts.items())


def in_common(one: Facts, two: Facts) -> int | None:
    """How many identities two drawn sets share; None where their facts do not say."""
    if not all(isinstance(f.get(k), int) for f in (one, two) for k in ("seed", "first", "classes")):
        return None
    if one["seed"] != two["seed"]:
        return 0
    ends = min(one["first"] + one["classes"], two["first"] + two["classes"])
    return int(max(0, ends - max(one["first"], two["first"])))
