# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""EFM3 metadata in other formats beside the weights: the arch and the mirror's exact text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from efm3 import mirror as mirrors
from efm3.arch import Arch, Stage
from efm3.findings import Efm3Error, refuse
from efm3.model import Model

ARCH_KEY, MIRROR_KEY = "efm3.arch", "efm3.mirror"
MAX_TEXT = 1 << 20


def texts(model: Model) -> dict[str, str]:
    """Two texts by key: the arch as JSON, and the mirror as it is or would be in a file."""
    arch = json.dumps(asdict(model.arch), separators=(",", ":"))
    return {ARCH_KEY: arch, MIRROR_KEY: model.mirror_text().decode("utf-8")}


def model_of(tensors: Mapping[str, Any], found: Mapping[str, Any]) -> Model | None:
    """A Model from the two texts and its tensors; None where the arch's text is missing.

    Raises X012 for texts that are not an arch and a mirror, or that contradict each other.
    """
    if ARCH_KEY not in found:
        return None
    arch = _arch(_text(found, ARCH_KEY))
    if MIRROR_KEY not in found:
        return Model(arch, tensors)
    raw = _text(found, MIRROR_KEY).encode("utf-8", "surrogatepass")
    try:
        mirror = mirrors.parse(raw)
    except mirrors.MirrorProblem as e:
        refuse("X012", f"{MIRROR_KEY}: {e.message}", MIRROR_KEY)
    for key, value in mirrors.values(arch).items():
        if not _alike(mirror.get(key), value):
            refuse("X012", f"{MIRROR_KEY} has {key} {mirrors.shown(mirror.get(key))}, {ARCH_KEY} "
                           f"{mirrors.shown(value)}", MIRROR_KEY, mirror.get(key), value)
    return Model(arch, tensors, mirror, raw)


def _alike(said: Any, value: Any) -> bool:
    """Whether the mirror says this value. Python takes 1.0 and true for 1; the format does not, but
    for the width, its one real number."""
    if isinstance(value, float):
        return said == value and not isinstance(said, bool)
    return bool(said == value) and json.dumps(said, sort_keys=True) == json.dumps(
        value, sort_keys=True)


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found[key]
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        refuse("X012", f"{key} is not a text of at most {MAX_TEXT} characters", key)
    return value


def _arch(text: str) -> Arch:
    try:
        value = mirrors.parse(text.encode("utf-8", "surrogatepass"))
        stages = tuple(Stage(**s) for s in value.pop("stages"))
        name, width = value["name"], value["width_mult"]
        if not mirrors.is_kind(name, "string") or not mirrors.is_kind(width, "number"):
            raise TypeError("name is not a string or width_mult not a number")
        if not width > 0:
            raise TypeError(f"width_mult is {width}, not above 0")
        return Arch(**value, stages=stages)
    except mirrors.MirrorProblem as e:
        refuse("X012", f"{ARCH_KEY}: {e.message}", ARCH_KEY)
    except Efm3Error as e:
        refuse("X012", f"{ARCH_KEY}: {e.finding.message} ({e.code})", ARCH_KEY)
    except (TypeError, KeyError, AttributeError) as e:
        refuse("X012", f"{ARCH_KEY} is not an arch: {e}", ARCH_KEY)
