# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A Model as HTML for a notebook: what it is, what its mirror says, its layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.arch import ARCHS, Arch
from efm3.findings import shown
from efm3.network import Layer, layers, macs, parameters, stored_values
from efm3.notebook import badge, details, escaped, faint, frame, table

MOST_LAYERS, LAST_LAYERS = 120, 4
"""Layers that are shown of a network of more: the first ones, and of these the last."""


def html(arch: Arch, mirror: Mapping[str, Any]) -> str:
    """A fragment of at most some 100 kB. No weight is looked at."""
    known = _size(arch)
    return frame(f"MobileFaceNet {known or arch.name or 'of its own size'}",
                 _parts(arch, mirror, known))


def _size(arch: Arch) -> str:
    """The name of the published size that this is, or ""."""
    return next((n for n, a in ARCHS.items() if a.header() == arch.header()), "")


def _parts(arch: Arch, mirror: Mapping[str, Any], known: str) -> Iterator[str]:
    side, values = fmt.INPUT_SIDE, stored_values(arch)
    yield (f"<div>{fmt.INPUT_CHANNELS}×{side}×{side} RGB face → {arch.embedding_dim:,} values; "
           f"{parameters(arch):,} parameters, {4 * values:,} bytes of float32, "
           f"{macs(arch):,} MACs a picture</div>")
    if mirrors.picture(mirror) != fmt.UPRIGHT:
        turned = mirrors.picture(mirror) == fmt.TURNED
        word = "takes its picture turned by 180°" if turned else "unknown picture: see meta.picture"
        yield f'<div>{badge(word, "warning")}</div>'
    if rows := list(_stated(arch, mirror, known)):
        yield table(rows)
    walk = layers(arch)
    yield details(f"{len(walk):,} layers", table(
        _layers(walk), ("layer", "kind", "channels", "kernel", "side", "parameters", "MACs"), 2))


def _stated(arch: Arch, mirror: Mapping[str, Any], known: str) -> Iterator[list[str]]:
    """What the mirror says, and beside the registered keys how many there are."""
    if known and arch.name not in ("", known):
        yield ["calls itself", escaped(arch.name)]
    meta = mirrors.meta_of(mirror)
    for key in fmt.META_KEYS:
        if key in meta:
            value = meta[key]
            yield [key, escaped(value if isinstance(value, str) else shown(value))]
    if others := len(meta.keys() - fmt.META_KEYS.keys()):
        yield [f"{others:,}&nbsp;more", faint("see <code>mirror</code>")]


def _layers(walk: tuple[Layer, ...]) -> Iterator[list[str]]:
    over = len(walk) - MOST_LAYERS
    for i, x in enumerate(walk):
        if over > 0 and i == MOST_LAYERS - LAST_LAYERS:
            yield [f"… {over:,} more"]
        if over > 0 and MOST_LAYERS - LAST_LAYERS <= i < len(walk) - LAST_LAYERS:
            continue
        kind = x.kind + (" + input" if x.residual else "")
        sides = f"{x.in_side} → {x.out_side}" if x.in_side != x.out_side else f"{x.in_side}"
        yield [x.name, kind, f"{x.in_channels:,} → {x.out_channels:,}",
               f"{x.kernel}×{x.kernel}" + (f" / {x.stride}" if x.stride > 1 else ""), sides,
               f"{x.parameters:,}", f"{x.macs:,}"]
