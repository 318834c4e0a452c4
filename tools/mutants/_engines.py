# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wrong engines: the engine scaffold with one mistake."""

from __future__ import annotations

from tools.mutants._mutant import Mutant


def _e(name: str, breaks: str, case: str, old: str, new: str, symptom: str = "") -> Mutant:
    return Mutant(name, "engine", breaks, case, old, new, symptom)


ENGINES = (
    _e("reads NHWC", "E003", "run-plain", "a = np.asarray(x, np.float64)",
       "a = np.asarray(x, np.float64).reshape(112, 112, 3).transpose(2, 0, 1)", "NHWC"),
    _e("reads BGR", "E003", "run-input-planes", "a = np.asarray(x, np.float64)",
       "a = np.asarray(x, np.float64)[::-1]", "BGR"),
    _e("takes the input for 0..255", "E003", "run-plain", "a = np.asarray(x, np.float64)",
       "a = (np.asarray(x, np.float64) - 127.5) / 128", "0..255"),
    _e("misses BatchNorm's epsilon", "E007", "run-variance-small", "np.sqrt(var + 1e-5)",
       "np.sqrt(var)", "epsilon is missing"),
    _e("has TensorFlow's epsilon", "E007", "run-variance-zero", "np.sqrt(var + 1e-5)",
       "np.sqrt(var + 1e-3)", "1e-3"),
    _e("folds BatchNorm twice", "E007", "run-plain", "w = w * scale[:, None, None, None]",
       "w = w * scale[:, None, None, None] ** 2", "folded twice"),
    _e("has one PReLU slope a tensor", "E008", "run-slopes-differ", "slope[:, None, None] * y",
       "slope[0] * y", "first PReLU slope"),
    _e("takes the larger of x and slope*x", "E008", "run-slopes-above-1",
       "np.where(y > 0, y, slope[:, None, None] * y)",
       "np.maximum(y, slope[:, None, None] * y)", "max(x, slope*x)"),
    _e("has ReLU for PReLU", "E008", "run-plain", "np.where(y > 0, y, slope[:, None, None] * y)",
       "np.maximum(y, 0)", "PReLU is ReLU"),
    _e("misses the residual", "E006", "run-plain", "a = a + block_input", "a = a + 0", "missing"),
    _e("adds from a stage's second block on", "E006", "run-stride-1-same-channels",
       "adds = stride == 1 and c == out", "adds = j > 0 and stride == 1 and c == out",
       "first block"),
    _e("adds where the stride is 2", "E006", "run-stride-2-same-channels",
       "            if layer.adds:\n                a = a + block_input\n",
       "            if layer.name.endswith('project') and len(block_input) == len(a):\n"
       "                k = -(-block_input.shape[1] // a.shape[1])\n"
       "                a = a + block_input[:, ::k, ::k]\n", "stride is not 1"),
    _e("has an activation after the residual", "E006", "run-plain", "a = a + block_input",
       "a = np.maximum(a + block_input, 0)"),
    _e("has an activation after project", "E012", "run-plain",
       "            if layer.adds:", "            if layer.name.endswith('project'):\n"
       "                a = np.maximum(a, 0)\n            if layer.adds:", "follows project"),
    _e("pads on the right alone", "E004", "run-plain",
       "np.pad(x, ((0, 0), (p, p), (p, p)))",
       "np.pad(x, ((0, 0), (0, 2 * p), (0, 2 * p)) if s > 1 else ((0, 0), (p, p), (p, p)))",
       "right and the bottom"),
    _e("pads with the border's values", "E004", "run-input-constant",
       "np.pad(x, ((0, 0), (p, p), (p, p)))", "np.pad(x, ((0, 0), (p, p), (p, p)), 'edge')"),
    _e("has the stride on every block", "E005", "run-plain", "stride = s if j == 0 else 1",
       "stride = s"),
    _e("has the stride on the last block", "E005", "run-plain", "stride = s if j == 0 else 1",
       "stride = s if j == n - 1 else 1", "last block"),
    _e("has the stride on expand", "E005", "run-plain",
       '            layer(f"stage{i}.block{j}.expand", c, wide)\n'
       '            layer(f"stage{i}.block{j}.dw", wide, wide, 3, stride, 1, depthwise=True)\n',
       '            layer(f"stage{i}.block{j}.expand", c, wide, 1, stride)\n'
       '            layer(f"stage{i}.block{j}.dw", wide, wide, 3, 1, 1, depthwise=True)\n',
       "on expand"),
    _e("does not normalise", "E009", "run-plain",
       "embedding = embedding / np.maximum(norm, 1e-12)", "pass", "no L2"),
    _e("divides by zero", "E009", "run-zero-vector", "np.maximum(norm, 1e-12)", "norm", "guard"),
    _e("adds 1e-6 to the norm", "E009", "run-tiny-norm", "np.maximum(norm, 1e-12)",
       "(norm + 1e-6)"),
    _e("drops NaN", "E010", "run-input-nan", "a = np.asarray(x, np.float64)",
       "a = np.nan_to_num(np.asarray(x, np.float64))"),
    _e("skips expand where t is 1", "E011", "run-t-1",
       "            a = apply(layer, model.tensors, a)\n",
       "            if not (layer.name.endswith('expand') and layer.cin == layer.cout):\n"
       "                a = apply(layer, model.tensors, a)\n", "left out where t is 1"),
    _e("gives stage 1 block_channels", "E013", "run-channels-5-7-11-3",
       "out = stem if i == 1 else block", "out = block"),
    _e("turns its input where the mirror says so of pictures", "E014", "run-picture-turned",
       "a = np.asarray(x, np.float64)", "a = np.asarray(x, np.float64)\n"
       "    if b'turned-180' in bytes(model.tensors['stem.conv.w'].base.base):\n"
       "        a = a[:, ::-1, ::-1]", "input is turned"),
    _e("turns kernels round", "E001", "run-plain", "w[:, 0, i, j][:, None, None] * tap",
       "w[:, 0, k - 1 - i, k - 1 - j][:, None, None] * tap"),
    _e("computes with 11 bits", "E001", "run-plain", "a = apply(layer, model.tensors, a)",
       "a = apply(layer, model.tensors, a).astype(np.float16).astype(np.float64)"),
    _e("loads a file with a tail", "E002", "bad-t014-zero", "need(at == len(data),", "need(True,"),
    _e("reads past the end", "E002", "bad-t012-last-4-bytes", "need(size <= len(data) - at,",
       "need(True,"),
    _e("loads another version", "E002", "bad-c003-version-4", "need(version == 3,", "need(True,"),
)
