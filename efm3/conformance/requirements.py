# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What implementations must do, beside what files must hold.

A file's requirements are the rules (`efm3.rules`). These are the requirements on behaviour: no
file breaks them, a program does. Their codes are as stable as the rules'.
"""

from __future__ import annotations

from typing import NamedTuple


class Requirement(NamedTuple):
    """A requirement on a class of implementations; `level` is MUST or SHOULD."""

    code: str
    level: str
    subject: str
    words: str


_ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("R001", "MUST", "Reader", "refuses every file that breaks a rule of its level"),
    ("R002", "MUST", "Reader", "accepts every file that breaks none"),
    ("R003", "MUST", "Reader", "takes the network's shape from the arch header, not the mirror"),
    ("R004", "MUST", "Reader", "compares each length with the bytes that remain before it uses it"),
    ("R005", "MUST", "Reader", "reads tensors at any alignment"),
    ("R006", "MUST", "Reader", "accepts unknown keys of the mirror and of meta"),
    ("R007", "MUST", "Reader", "refuses a version that it does not know"),
    ("R008", "MUST", "Reader", "gives the weights bit for bit, NaN and subnormals included"),
    ("R009", "MUST", "Reader", "knows a tensor by its place in the table"),
    ("W001", "MUST", "Writer", "refuses where a tensor of the layout is missing"),
    ("W002", "MUST", "Writer", "refuses a tensor that is not in the layout"),
    ("W003", "MUST", "Writer", "refuses a tensor of another shape"),
    ("W004", "MUST", "Writer", "refuses values that float32 does not hold exactly"),
    ("W005", "SHOULD", "Writer", "refuses NaN and infinities unless told otherwise"),
    ("W006", "MUST", "Writer", "writes the mirror's own keys from the same values as the header"),
    ("W007", "MUST", "Writer", "writes a mirror that its own grammar and schema accept"),
    ("W010", "MUST", "Writer", "writes the canonical bytes for an arch and its tensors"),
    ("W011", "MUST", "Writer", "leaves no file where it refuses"),
    ("W012", "MUST", "Writer", "refuses an arch that the header's rules forbid"),
    ("D001", "MUST", "Editor", "keeps every byte of the table that it was not asked to change"),
    ("D002", "MUST", "Editor", "keeps the arch header, and keys of the mirror that it knows not"),
    ("D003", "MUST", "Editor", "writes meta.sha256 anew, or drops it, where the table changed"),
    ("D004", "MUST", "Editor", "refuses a file that breaks a rule of level coherence"),
    ("E001", "MUST", "Engine", "gives the embedding within the stated error of the reference"),
    ("E002", "MUST", "Engine", "refuses a file that breaks a rule of level structure"),
    ("E003", "MUST", "Engine", "takes the input as RGB planes [3, 112, 112]"),
    ("E004", "MUST", "Engine", "pads with zeros, kernel/2 on every side"),
    ("E005", "MUST", "Engine", "puts a stage's stride on the dw of its first block alone"),
    ("E006", "MUST", "Engine", "adds a block's input where the stride is 1 and channels are equal, "
                               "and nowhere else, after project's BatchNorm"),
    ("E007", "MUST", "Engine", "adds 1e-5 to the variance, once"),
    ("E008", "MUST", "Engine", "has a PReLU slope a channel, applied to x <= 0"),
    ("E009", "MUST", "Engine", "divides the embedding by max(its L2 norm, 1e-12)"),
    ("E010", "SHOULD", "Engine", "lets NaN of the input reach the embedding"),
    ("E011", "MUST", "Engine", "has an expand layer where t is 1"),
    ("E012", "MUST", "Engine", "has no activation after project, gdconv and embed_proj"),
    ("E013", "MUST", "Engine", "gives stage 1 stem_channels and later stages block_channels"),
)

REQUIREMENTS: dict[str, Requirement] = {row[0]: Requirement(*row) for row in _ROWS}
"""Requirements on behaviour by code."""
