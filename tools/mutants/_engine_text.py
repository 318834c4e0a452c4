# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Texts of the engine scaffold that a mistake replaces."""

from __future__ import annotations

Row = tuple[str, str, str, str, str, str]
"""Name, requirement, case, text, new text, symptom."""

INPUT = "a = np.asarray(x, np.float64)"
SCALE = "scale = gamma / np.sqrt(var + 1e-5)"
BIAS = "bias = beta - mean * scale"
ADDS = "            if layer.adds:\n                a = a + block_input\n"
PRELU = "np.where(y > 0, y, slope[:, None, None] * y)"
SLOPE = "slope = tensors[f\"{layer.name}.act.w\"].astype(np.float64)"
PAD = "x = np.pad(x, ((0, 0), (p, p), (p, p)))"
READ = "w, gamma, beta, mean, var = (tensors"
FOLD = "w = w * scale[:, None, None, None]"
CONV = "y = convolve(layer, w, x) + bias[:, None, None]"
APPLY = "            a = apply(layer, model.tensors, a)\n"
NORM = "norm = np.sqrt(np.sum(embedding * embedding))"
DIVIDE = "embedding = embedding / np.maximum(norm, 1e-12)"
STRIDE = "stride = s if j == 0 else 1"
EXPAND = ('            layer(f"stage{i}.block{j}.expand", c, wide)\n'
          '            layer(f"stage{i}.block{j}.dw", wide, wide, 3, stride, 1, depthwise=True)\n')
