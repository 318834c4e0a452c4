# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What storing a network in fewer bits costs: the figures behind spec/EFM3.md, section 13.

Folds BatchNorm in float64, rounds weights and slopes (and feature maps, where a row says so),
computes in float32, and compares with the float64 reference on every engine case of the kit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from efm3 import Model, layers, load, reference
from efm3 import format as fmt
from efm3.conformance import weights as kit
from efm3.conformance.cases import corpus

Round = Callable[[Any], Any]


def f32(a: Any) -> Any:
    """float32."""
    return np.asarray(a, np.float32)


def f16(a: Any) -> Any:
    """binary16, ties to even."""
    return np.asarray(a, np.float16).astype(np.float32)


def bf16(a: Any) -> Any:
    """bfloat16, ties to even."""
    bits = f32(a).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32)


def int8(a: Any) -> Any:
    """Symmetric 8 bits, one scale for each index of the first axis; vectors stay float32."""
    if a.ndim < 2:
        return f32(a)
    scale = np.abs(a).max(axis=tuple(range(1, a.ndim)), keepdims=True) / 127
    scale[scale == 0] = 1
    return f32(np.rint(a / scale) * scale)


def int8_map(a: Any) -> Any:
    """Symmetric 8 bits, one scale for each image."""
    return int8(np.asarray(a))


ROWS: tuple[tuple[str, Round, Round], ...] = (
    ("fp32", f32, f32), ("fp16", f16, f32), ("fp16, maps too", f16, f16),
    ("bf16", bf16, f32), ("bf16, maps too", bf16, bf16),
    ("int8", int8, f32), ("int8, maps too", int8, int8_map))


def embed(model: Model, x: Any, weights: Round, maps: Round) -> Any:
    """Embeddings in float32 arithmetic with weights and feature maps rounded."""
    a, inputs = f32(x), {}
    for layer in layers(model.arch):
        a = f32(maps(a))
        inputs[layer.name] = a
        t = {k: model.tensors[f"{layer.name}.{k}"].astype(np.float64)
             for k in ("conv.w", "bn.w", "bn.b", "bn.mean", "bn.var")}
        inv = t["bn.w"] / np.sqrt(t["bn.var"] + fmt.BN_EPS)
        w = weights(t["conv.w"] * inv[:, None, None, None])
        a = reference.convolve(layer, w, a) + f32(t["bn.b"] - t["bn.mean"] * inv)[:, None, None]
        if layer.act:
            slope = weights(model.tensors[f"{layer.name}.act.w"])[:, None, None]
            a = np.where(a > 0, a, slope * a)
        if layer.residual:
            a = a + inputs[layer.residual]
    flat = a[:, :, 0, 0].astype(np.float64)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), fmt.L2_EPS)


def main() -> None:
    """Print each row's worst cases."""
    worst: dict[str, list[tuple[float, str]]] = {name: [] for name, _, _ in ROWS}
    for case in corpus():
        words = case.recipe.get("inputs", ())
        if not words:
            continue
        model = load(case.data(), "structure")
        x = np.stack([kit.picture(word) for word in words])
        want = reference.forward(model, x)
        if not np.isfinite(want).all() or not want.any():
            continue  # NaN and the zero vector have no cosine
        for name, weights, maps in ROWS:
            with np.errstate(all="ignore"):
                cosine = float((embed(model, x, weights, maps) * want).sum(axis=1).min())
            worst[name].append((2.0 if np.isnan(cosine) else 1 - cosine, case.id))
    for name, rows in worst.items():
        print(f"{name:15} 1 - cosine  " + "  ".join(
            f"{gap:.1e} {case}" for gap, case in sorted(rows, reverse=True)[:4]))


if __name__ == "__main__":
    main()
