# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wrong engines, of place: residuals, padding, strides, layers left out. See `_engines`."""

from __future__ import annotations

from tools.mutants._engine_text import (
    ADDS,
    APPLY,
    EXPAND,
    PAD,
    STRIDE,
    Row,
)

RESIDUAL: tuple[Row, ...] = (
    ("misses the residual", "E006", "run-residuals", "a = a + block_input",
     "a = a + 0", "the residual is missing"),
    ("adds from a stage's second block on", "E006", "run-stride-1-same-channels",
     "adds = stride == 1 and c == out", "adds = j > 0 and stride == 1 and c == out",
     "the first block of a stage never adds its input"),
    ("adds from a stage's third block on", "E006", "run-residuals",
     "adds = stride == 1 and c == out", "adds = j > 1 and stride == 1 and c == out",
     "the first two blocks of a stage never add their input"),
    *((f"adds nothing in {where}", "E006", "run-residuals", "adds = stride == 1 and c == out",
       f"adds = stride == 1 and c == out and {rest}", symptom)
      for where, rest, symptom in (
          ("stage 1", "i > 1", "no block of stage 1 adds its input"),
          ("a stage's second block", "j != 1", "the second block of a stage never adds its input"),
          ("a stage's last block", "j < n - 1", "the last block of a stage never adds its input"),
          ("stages with t = 1", "t > 1", "no block of a stage with t = 1 adds its input"),
          ("stages that stride", "s == 1",
           "no block of a stage whose stride is over 1 adds its input"))),
    ("adds the residual twice", "E006", "run-plain", "a = a + block_input",
     "a = a + 2 * block_input", "the residual is added twice"),
    ("subtracts the residual", "E006", "run-plain", "a = a + block_input", "a = a - block_input",
     "the residual is subtracted"),
    ("averages with the residual", "E006", "run-plain", "a = a + block_input",
     "a = (a + block_input) / 2", "the residual is halved, as in an average"),
    ("adds project's input", "E006", "run-plain", APPLY + ADDS,
     "            project_input = a\n" + APPLY
     + ADDS.replace("block_input", "project_input[:len(a)]"),
     "the residual is project's input, not the block's"),
    ("adds the stage's input", "E006", "run-deep",
     "                block_input = a\n" + APPLY + ADDS,
     "                block_input = a if '.block0.' in layer.name else block_input\n" + APPLY
     + ADDS.replace("block_input\n", "block_input[:, ::k, ::k]\n").replace(
         "                a", "                k = -(-block_input.shape[1] // a.shape[1])\n"
         "                a"), "the residual is the stage's input, not the block's"),
    ("adds where the stride is 2", "E006", "run-stride-2-same-channels", ADDS,
     "            if layer.name.endswith('project') and len(block_input) == len(a):\n"
     "                k = -(-block_input.shape[1] // a.shape[1])\n"
     "                a = a + block_input[:, ::k, ::k]\n",
     "a residual is added where the stride is not 1"),
    ("adds where the channels differ", "E006", "run-stride-1-other-channels", ADDS,
     "            if layer.name.endswith('project') and block_input.shape[1:] == a.shape[1:]:\n"
     "                n = min(len(a), len(block_input))\n"
     "                a = np.concatenate([a[:n] + block_input[:n], a[n:]])\n",
     "a residual is added where the channels differ, cut or filled with zeros"),
    ("has an activation after the residual", "E006", "run-plain", "a = a + block_input",
     "a = np.maximum(a + block_input, 0)",
     "an activation follows the residual where one is added"),
)

GEOMETRY: tuple[Row, ...] = (
    ("pads on the right where it strides", "E004", "run-stem-kernel-7", PAD,
     f"{PAD} if s == 1 else np.pad(x, ((0, 0), (0, 2 * p), (0, 2 * p)))",
     "all padding is on the right and the bottom where a layer strides"),
    ("pads on the left where it strides", "E004", "run-plain", PAD,
     f"{PAD} if s == 1 else np.pad(x, ((0, 0), (2 * p, 0), (2 * p, 0)))",
     "all padding is on the left and the top where a layer strides"),
    ("pads on the right alone", "E004", "run-plain", PAD,
     "x = np.pad(x, ((0, 0), (0, 2 * p), (0, 2 * p)))",
     "all padding is on the right and the bottom"),
    ("pads on the left alone", "E004", "run-plain", PAD,
     "x = np.pad(x, ((0, 0), (2 * p, 0), (2 * p, 0)))", "all padding is on the left and the top"),
    *((f"pads {where} alone", "E004", "run-plain", PAD, f"x = np.pad(x, ((0, 0), {edges}))",
       symptom)
      for where, edges, symptom in (
          ("rows at the top", "(2 * p, 0), (p, p)", "all padding of rows is at the top"),
          ("rows at the bottom", "(0, 2 * p), (p, p)", "all padding of rows is at the bottom"),
          ("columns on the left", "(p, p), (2 * p, 0)", "all padding of columns is on the left"),
          ("rows at the top where it strides", "(p + p * (s > 1), p - p * (s > 1)), (p, p)",
           "all padding of rows is at the top where a layer strides"))),
    ("starts a stride at 1", "E005", "run-odd-sides", PAD,
     f"{PAD} if s == 1 or p == 0 else "
     "np.pad(x, ((0, 0), (p - 1, p + 1), (p - 1, p + 1)))",
     # Under a kernel of 3x3 the two are the same: nothing on one side, two pixels on the other.
     "either all padding is on the right and the bottom where a layer strides or where a layer "
     "strides its outputs start one pixel further right and down"),
    ("pads as TensorFlow", "E004", "run-odd-sides", PAD,
     "side = x.shape[1]; n = max((-(-side // s) - 1) * s + k - side, 0) if p else 0\n"
     "    x = np.pad(x, ((0, 0), (n // 2, n - n // 2), (n // 2, n - n // 2)))\n"
     "    side = (x.shape[1] - k) // s + 1",
     "padding is SAME as TensorFlow has it: the lesser half on the left and the top"),
    ("pads with the border's values", "E004", "run-input-constant", PAD,
     "x = np.pad(x, ((0, 0), (p, p), (p, p)), 'edge')",
     # A constant input: whatever pixel is repeated is the same.
     "one of these: padding repeats the border's pixels; padding mirrors the map at its border; "
     "padding takes the pixels of the other side"),
    ("pads with the border's pixels", "E004", "run-plain", PAD,
     "x = np.pad(x, ((0, 0), (p, p), (p, p)), 'edge')", "padding repeats the border's pixels"),
    ("pads with a mirror", "E004", "run-plain", PAD,
     "x = np.pad(x, ((0, 0), (p, p), (p, p)), 'reflect')",
     "padding mirrors the map at its border"),
    ("pads a 5x5 stem by 1", "E004", "run-stem-kernel-5", "stem_kernel // 2)\n", "1)\n",
     "first differing layer: stem, [8, 55, 55] for [8, 56, 56]: padding 1 under a 5×5 kernel; "
     "looks as if padding is 1 under every kernel"),
    ("does not pad the stem", "E004", "run-plain", "stem_kernel // 2)\n", "0)\n",
     "first differing layer: stem, [8, 55, 55] for [8, 56, 56]: padding 0 under a 3×3 kernel; "
     "looks as if the stem is not padded"),
    ("pads gdconv", "E004", "run-plain", PAD,
     f"p = k // 2 if layer.name == 'gdconv' else p\n    side = (x.shape[1] + 2 * p - k) // s + 1\n"
     f"    {PAD}", "gdconv, [16, 7, 7] for [16, 1, 1]: padding 3 under a 7×7 kernel; "
     "looks as if gdconv is padded"),
    ("has the stride on every block", "E005", "run-gdc-1-blocks", STRIDE, "stride = s",
     "stage1.block1.dw, [16, 7, 7] for [16, 28, 28]: a stride of 4, not 1; "
     "looks as if the stride is on every block of a stage"),
    ("has the stride on the last block", "E005", "run-plain", STRIDE,
     "stride = s if j == n - 1 else 1", "the stride is on a stage's last block"),
    ("has the stride on expand", "E005", "run-plain", EXPAND,
     '            layer(f"stage{i}.block{j}.expand", c, wide, 1, stride)\n'
     '            layer(f"stage{i}.block{j}.dw", wide, wide, 3, 1, 1, depthwise=True)\n',
     "the stride is on expand"),
    ("ignores the first stage's stride", "E005", "run-plain", STRIDE,
     "stride = s if j == 0 and i > 1 else 1",
     "stage1.block0.dw, [16, 56, 56] for [16, 28, 28]: a stride of 1, not 2; "
     "looks as if the first stage's stride is ignored"),
    ("has a stem of stride 2 always", "E005", "run-gdc-1-blocks",
     "layer(\"stem\", 3, stem, stem_kernel, stem_stride,",
     "layer(\"stem\", 3, stem, stem_kernel, 2,",
     "stem, [8, 56, 56] for [8, 112, 112]: a stride of 2, not 1; "
     "looks as if the stem's stride is always 2"),
    ("skips expand where t is 1", "E011", "run-t-1", APPLY,
     "            if not (layer.name.endswith('expand') and layer.cin == layer.cout):\n"
     "                a = apply(layer, model.tensors, a)\n",
     "expand is left out where t is 1"),
    ("skips dw_stem", "E004", "run-plain", APPLY,
     "            if layer.name == 'dw_stem': continue\n" + APPLY, "dw_stem is left out"),
    ("runs a block less", "E006", "run-plain", APPLY,
     "            if '.block1.' in layer.name: continue\n" + APPLY,
     # Of a block that adds its input nothing but this is left.
     "either the residual replaces the block's output or a stage's last block is left out"),
    ("gives stage 1 block_channels", "E013", "run-channels-5-7-11-3",
     "out = stem if i == 1 else block", "out = block",
     "refused, but it is right: T002: stage1.block0.project.conv.w"),
)
