# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What an Inspection says, as rows of words: the label, the sizes, header beside mirror and table.

The terminal and the page show the same rows; foreign text in them is `printable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from efm3 import format as fmt
from efm3.coherence import Coherence
from efm3.inspection import Inspection, Sizes
from efm3.texts import cut, dumps, printable

# Labels on the card, and the keys of the mirror's meta that they show.
CARD_KEYS = {"about": "description", "source": "source", "licence": "licence",
             "training": "training_data", "created": "created", "seed": "seed"}
PICTURES = {fmt.TURNED: "TURNED by 180° before the network: efm3 does it, an engine that skips "
            "the mirror does not", "": "UNKNOWN: see meta.picture"}
"""What the card says first where the network does not take its picture upright."""
LONGEST = 300
"""Most characters of a value of the mirror."""


class Row(NamedTuple):
    """A line of a card: `tone` is bad, warn, name or faint, or "" for what is as it should be."""

    label: str
    text: str
    tone: str = ""


class Size(NamedTuple):
    """A number of bytes or MACs, and what it is of; `wrong` where the file's length is another."""

    label: str
    value: int
    note: str = ""
    wrong: bool = False


class Fact(NamedTuple):
    """What header, mirror and table say of one thing: one value each, or three, t, n and s of a
    stage. None is not stated."""

    name: str
    header: Sequence[Any]
    mirror: Sequence[Any]
    table: Sequence[Any]
    agree: bool


def label(i: Inspection) -> Iterator[Row]:
    """The card without its verdict."""
    c, meta = i["card"], i["card"]["meta"]
    if c["picture"] != fmt.UPRIGHT:
        yield Row("picture", PICTURES[c["picture"]], "bad")
    if c["size"]:
        own = f" (calls itself {printable(c['name'])})" if c["name"] not in ("", c["size"]) else ""
        yield Row("size", c["size"] + own, "name")
        guess = ", by its mirror: the header is broken" if c["arch_from"] == "mirror" else ""
        yield Row("is", f"MobileFaceNet: 3×112×112 RGB face → {c['output']} values{guess}")
    for word, key in CARD_KEYS.items():
        if key in meta:
            yield Row(word, said(meta[key]))
        elif key in ("source", "licence") and c["size"]:
            yield Row(word, "not stated", "faint")
    if meta.get("trained") is False:
        yield Row("trained", "no: these weights never saw a face", "warn")
    if "sha256" in meta:
        broken = any(f["code"] in ("M041", "M042") for f in i["findings"])
        yield Row("sealed", ("does NOT match " if broken else "") + said(meta["sha256"])[:64],
                  "bad" if broken else "")


def said(value: Any) -> str:
    """A value of the mirror, but a text as JSON has it: one line of at most LONGEST characters."""
    return cut(value if isinstance(value, str) else dumps(value, ensure_ascii=False), LONGEST)


def sizes(s: Sizes) -> Iterator[Size]:
    """Bytes on disk and at one byte per parameter, parameters, MACs."""
    yield Size("file", s["file"], human(s["file"]))
    if s["expected"] is not None and s["expected"] != s["file"]:
        off = s["file"] - s["expected"]
        word = "too many" if off > 0 else "missing"
        yield Size("by its header", s["expected"], f"{abs(off):,} {word}", True)
    if s["mirror"] is not None:
        yield Size("JSON mirror", s["mirror"])
    if s["parameters"] is not None and s["macs"] is not None:
        assert s["fp32"] is not None and s["int8"] is not None
        yield Size("FP32 values", s["fp32"],
                   f"{s['parameters']:,} parameters + {s['statistics']:,} BatchNorm statistics")
        yield Size("INT8 equivalent", s["int8"],
                   f"{human(s['parameters'])}, one byte per parameter")
        yield Size("MACs per image", s["macs"], f"{s['macs'] / 1e6:.2f} M")


def human(n: int) -> str:
    """A number of bytes in thousands or millions."""
    return f"{n / 1e6:.2f} MB" if n >= 1e6 else f"{n / 1e3:.1f} kB"


def facts(found: Sequence[Coherence]) -> Iterator[Fact]:
    """Header, mirror and tensor table side by side; a stage's t, n and s are one fact."""
    at = 0
    while at < len(found):
        step = 3 if found[at]["path"].endswith("].t") else 1
        group = found[at:at + step]
        name = group[0]["path"].removeprefix("arch.")
        if step == 3:
            name = f"stage {int(name[7]) + 1}: t n s"
        yield Fact(name, [g["header"] for g in group], [g["mirror"] for g in group],
                   [g["table"] for g in group], all(g["agree"] for g in group))
        at += step


def fact(value: Any) -> str:
    """What a part of the file says of something; a point where it says nothing."""
    if value is None:
        return "·"
    whole = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if whole else said(value)


def number(value: float | None) -> str:
    """A statistic in three digits, "" for none."""
    return "" if value is None else f"{value:.3g}"
