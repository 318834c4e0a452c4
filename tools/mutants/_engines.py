# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wrong engines: the engine scaffold with one mistake.

`symptom` is what the report must end with: the true cause, alone. "either A or B" where the two
give the same numbers for the case, so that no test of the answer can tell them apart.
"""

from __future__ import annotations

from tools.mutants._engine_text import (
    ADDS,
    APPLY,
    BIAS,
    CONV,
    DIVIDE,
    FOLD,
    INPUT,
    NORM,
    PRELU,
    READ,
    SCALE,
    SLOPE,
    Row,
)
from tools.mutants._mutant import Mutant
from tools.mutants._placed import GEOMETRY, RESIDUAL


def _view(change: str) -> str:
    return f"{INPUT}{change}"


def _after(change: str) -> str:
    """The layer's output changed, before a residual is added."""
    return f"{APPLY}            {change}\n"


def _slope(change: str) -> str:
    return f"{SLOPE}; slope = {change}"


def _weights(change: str) -> str:
    return f"{FOLD}; w = {change}"


def _raw(change: str) -> str:
    """The weights changed before they are folded."""
    return f"w = {change}; {FOLD}"


# Name, requirement, case, text, new text, symptom.
_INPUT: tuple[Row, ...] = (
    ("reads NHWC", "E003", "run-plain", INPUT,
     _view(".reshape(112, 112, 3).transpose(2, 0, 1)"),
     "the input is read as [112, 112, 3] (NHWC), not as planes (NCHW)"),
    ("reads BGR", "E003", "run-input-planes", INPUT, _view("[::-1]"),
     "the input's planes are taken as BGR"),
    ("exchanges rows and columns of the input", "E003", "run-plain", INPUT,
     _view(".transpose(0, 2, 1)"), "rows and columns of the input are exchanged"),
    ("mirrors its input", "E003", "run-input-corners", INPUT, _view("[:, :, ::-1]"),
     "the input is mirrored left to right"),
    ("has its input upside down", "E003", "run-plain", INPUT, _view("[:, ::-1]"),
     "the input is upside down"),
    ("takes the input for 0..255", "E003", "run-plain", INPUT, "a = (np.asarray(x) - 127.5) / 128",
     "the input is taken as 0..255 and normalised again"),
    ("divides the input by 255", "E003", "run-plain", INPUT, _view(" / 255"),
     "the input is taken as 0..255 and divided by 255"),
    ("maps the input by 127.5", "E003", "run-plain", INPUT, "a = (np.asarray(x) - 127.5) / 127.5",
     "the input is taken as 0..255 and mapped by (x - 127.5) / 127.5"),
    ("undoes the normalisation", "E003", "run-plain", INPUT, _view(" * 128 + 127.5"),
     "the input is scaled back to 0..255"),
    ("divides pixels by 127.5", "E003", "run-plain", INPUT, _view(" * 128 / 127.5"),
     "pixels are mapped by (p - 127.5) / 127.5"),
    ("subtracts 128 of pixels", "E003", "run-plain", INPUT, _view(" - 0.5 / 128"),
     "pixels are mapped by (p - 128) / 128"),
    ("normalises as ImageNet", "E003", "run-plain", INPUT,
     _view("; a = ((a * 128 + 127.5) / 255 - np.array([[[0.485]], [[0.456]], [[0.406]]]))"
           " / np.array([[[0.229]], [[0.224]], [[0.225]]])"),
     "pixels are normalised by ImageNet's mean and deviation"),
    ("clips its input", "E003", "run-input-two", INPUT, "a = np.clip(np.asarray(x), -1.0, 1.0)",
     "the input is clipped to -1..1"),
    ("drops NaN", "E010", "run-input-nan", INPUT, "a = np.nan_to_num(np.asarray(x, np.float64))",
     "NaN of the input is replaced by 0"),
    ("turns its input where the mirror says so of pictures", "E014", "run-picture-turned", INPUT,
     _view("\n    if b'turned-180' in bytes(model.tensors['stem.conv.w'].base.base):\n"
           "        a = a[:, ::-1, ::-1]"), "the input is turned by 180 degrees"),
)

_BATCHNORM: tuple[Row, ...] = (
    ("misses BatchNorm's epsilon", "E007", "run-variance-small", SCALE,
     "scale = gamma / np.sqrt(var)", "BatchNorm's epsilon is missing"),
    ("has TensorFlow's epsilon", "E007", "run-variance-zero", SCALE,
     "scale = gamma / np.sqrt(var + 1e-3)", "BatchNorm's epsilon is 1e-3"),
    ("has an epsilon of 1e-4", "E007", "run-variance-small", SCALE,
     "scale = gamma / np.sqrt(var + 1e-4)", "BatchNorm's epsilon is 1e-4"),
    ("has an epsilon of 1e-6", "E007", "run-variance-zero", SCALE,
     "scale = gamma / np.sqrt(var + 1e-6)", "BatchNorm's epsilon is 1e-6"),
    ("has MXNet's epsilon", "E007", "run-variance-small", SCALE,
     "scale = gamma / np.sqrt(var + 2e-5)", "BatchNorm's epsilon is 2e-5"),
    ("adds the epsilon outside the root", "E007", "run-variance-small", SCALE,
     "scale = gamma / (np.sqrt(var) + 1e-5)", "BatchNorm's epsilon is added outside the root"),
    ("divides by the variance", "E007", "run-plain", SCALE, "scale = gamma / (var + 1e-5)",
     "BatchNorm divides by the variance, without a root"),
    ("takes the magnitude of a variance", "E007", "run-variance-negative", SCALE,
     "scale = gamma / np.sqrt(abs(var) + 1e-5)", "a negative variance is taken as its magnitude"),
    ("takes the magnitude of variance and epsilon", "E007", "run-variance-negative", SCALE,
     "scale = gamma / np.sqrt(abs(var + 1e-5))",
     "the magnitude of variance plus epsilon is taken"),
    ("clips variances at 0", "E007", "run-variance-below-zero", SCALE,
     "scale = gamma / np.sqrt(np.maximum(var, 0) + 1e-5)",
     # var + eps lies between 0 and eps there, where both clip to eps.
     "either a negative variance is taken as 0 or variance plus epsilon is at least the epsilon"),
    ("has the unbiased variance", "E007", "run-plain", SCALE,
     "n = ((x.shape[1] + 2 * layer.pad - layer.kernel) // layer.stride + 1) ** 2\n"
     "    scale = gamma / np.sqrt(var * n / max(n - 1, 1) + 1e-5)",
     "the variance is multiplied by n / (n - 1)"),
    ("folds BatchNorm twice", "E007", "run-plain", FOLD,
     "w = w * scale[:, None, None, None] ** 2", "BatchNorm is folded twice into the weights"),
    ("folds embed_proj twice", "E007", "run-plain", FOLD,
     f"{FOLD}; w = w * (scale[:, None, None, None] if layer.name == 'embed_proj' else 1)",
     "BatchNorm is folded twice into embed_proj"),
    ("applies BatchNorm twice", "E007", "run-plain", CONV,
     f"{CONV}; y = y * scale[:, None, None] + bias[:, None, None]", "BatchNorm is applied twice"),
    ("has no BatchNorm", "E007", "run-plain", SCALE,
     "scale, mean, beta = np.ones_like(var), 0 * mean, 0 * beta", "BatchNorm is left out"),
    ("has no BatchNorm in gdconv", "E007", "run-plain", SCALE,
     f"{SCALE}\n    if layer.name == 'gdconv': scale, mean, beta = 1 + 0 * var, 0 * mean, 0 * beta",
     "BatchNorm is left out in gdconv"),
    ("has no BatchNorm in embed_proj", "E007", "run-plain", SCALE,
     f"{SCALE}\n    if layer.name == 'embed_proj':\n"
     "        scale, mean, beta = 1 + 0 * var, 0 * mean, 0 * beta",
     "BatchNorm is left out in embed_proj"),
    ("exchanges bn.w and bn.b", "E007", "run-plain", READ,
     READ.replace("gamma, beta", "beta, gamma"),
     "BatchNorm's weight and bias are exchanged"),
    ("exchanges mean and variance", "E007", "run-plain", SCALE,
     "mean, var = var, abs(mean); " + SCALE, "BatchNorm's mean and variance are exchanged"),
    ("adds the mean", "E007", "run-plain", BIAS, "bias = beta + mean * scale",
     "BatchNorm's mean is added, not subtracted"),
    ("forgets the mean", "E007", "run-plain", BIAS, "bias = beta",
     "BatchNorm's mean is left out"),
    ("does not scale the mean", "E007", "run-means-large", BIAS, "bias = beta - mean",
     "BatchNorm's mean is subtracted without its scale"),
    ("forgets bn.b", "E007", "run-plain", BIAS, "bias = -mean * scale",
     "BatchNorm's bias is left out"),
    ("forgets bn.w", "E007", "run-scale-mixed", SCALE, "scale = 1 / np.sqrt(var + 1e-5)",
     "BatchNorm's weight is left out"),
    ("takes the magnitude of bn.w", "E007", "run-scale-mixed", SCALE,
     "scale = abs(gamma) / np.sqrt(var + 1e-5)", "the magnitude of BatchNorm's weight is taken"),
    ("folds the weights alone", "E007", "run-plain", CONV, "y = convolve(layer, w, x)",
     "BatchNorm is folded into the weights, but its bias and mean are left out"),
)

_PRELU: tuple[Row, ...] = (
    ("has one PReLU slope a tensor", "E008", "run-slopes-differ", PRELU,
     "np.where(y > 0, y, slope[0] * y)", "the first PReLU slope is used for all channels"),
    ("takes the larger of x and slope*x", "E008", "run-slopes-mixed", PRELU,
     "np.maximum(y, slope[:, None, None] * y)", "PReLU is max(x, slope*x)"),
    ("has ReLU for PReLU", "E008", "run-input-large", PRELU, "np.maximum(y, 0)", "PReLU is ReLU"),
    ("has LeakyReLU for PReLU", "E008", "run-plain", PRELU, "np.where(y > 0, y, 0.01 * y)",
     "PReLU is LeakyReLU with 0.01"),
    ("has PyTorch's first slope", "E008", "run-slopes-differ", PRELU,
     "np.where(y > 0, y, 0.25 * y)", "PReLU's slope is 0.25 everywhere"),
    ("has the slopes of the channel before", "E008", "run-slopes-differ", SLOPE,
     _slope("np.roll(slope, 1)"), "PReLU's slopes are those of the channel before"),
    ("has the slopes of the next channel", "E008", "run-slopes-differ", SLOPE,
     _slope("np.roll(slope, -1)"), "PReLU's slopes are those of the next channel"),
    ("has the slopes in reverse", "E008", "run-slopes-differ", SLOPE, _slope("slope[::-1]"),
     "PReLU's slopes are in reverse order"),
    ("has a slope for each row", "E008", "run-plain", PRELU,
     "np.where(y > 0, y, np.resize(slope, y.shape[1])[None, :, None] * y)",
     "PReLU's slopes are those of the row"),
    ("has a slope for each column", "E008", "run-plain", PRELU,
     "np.where(y > 0, y, np.resize(slope, y.shape[2]) * y)",
     "PReLU's slopes are those of the column"),
    ("takes the magnitude of slopes", "E008", "run-slopes-mixed", SLOPE, _slope("abs(slope)"),
     "the magnitude of PReLU's slope is taken"),
    ("clips slopes to 0..1", "E008", "run-slopes-mixed", SLOPE, _slope("np.clip(slope, 0, 1)"),
     "PReLU's slopes are clipped to 0..1"),
    ("clips slopes at 0", "E008", "run-slopes-mixed", SLOPE, _slope("np.maximum(slope, 0)"),
     "PReLU's slopes are at least 0"),
    ("has no PReLU", "E008", "run-plain", PRELU, "y", "the activation is left out"),
    *((f"has no PReLU in {name}", "E008", "run-plain", PRELU,
       f"(y if layer.name.endswith({end!r}) else {PRELU})",
       f"the activation is left out in {name}")
      for name, end in (("stem", "stem"), ("dw_stem", "dw_stem"), ("expand", ".expand"),
                        ("dw", ".dw"), ("final_conv", "final_conv")) if name != "stem"),
    ("has no PReLU in the stem", "E008", "run-plain", PRELU,
     f"(y if layer.name == 'stem' else {PRELU})", "the activation is left out in stem"),
    ("has PReLU on positive values", "E008", "run-plain", PRELU,
     "np.where(y > 0, slope[:, None, None] * y, y)", "the slope is applied to positive values"),
    ("has PReLU before BatchNorm", "E007", "run-plain", CONV,
     "y = convolve(layer, tensors[f'{layer.name}.conv.w'].astype(np.float64), x)\n"
     "    if layer.act:\n"
     "        y = np.where(y > 0, y, tensors[f'{layer.name}.act.w'][:, None, None] * y)\n"
     "    y = y * scale[:, None, None] + bias[:, None, None]\n"
     "    return y", "PReLU precedes BatchNorm"),
    ("has PReLU after project", "E012", "run-plain", ADDS,
     "            if layer.name.endswith('project'):\n"
     "                a = np.where(a > 0, a, np.resize(slope, len(a))[:, None, None] * a)\n"
     "            if layer.act:\n"
     "                slope = model.tensors[f'{layer.name}.act.w'].astype(np.float64)\n" + ADDS,
     "PReLU follows project, with the slopes of dw"),
    ("has an activation after project", "E012", "run-plain", ADDS,
     "            if layer.name.endswith('project'):\n"
     "                a = np.maximum(a, 0)\n" + ADDS, "an activation follows project"),
    ("has an activation after gdconv", "E012", "run-plain", ADDS,
     "            if layer.name == 'gdconv':\n                a = np.maximum(a, 0)\n" + ADDS,
     "an activation follows gdconv"),
    ("has an activation after embed_proj", "E012", "run-plain", ADDS,
     "            if layer.name == 'embed_proj':\n                a = np.maximum(a, 0)\n" + ADDS,
     "an activation follows embed_proj"),
)

_WEIGHTS: tuple[Row, ...] = (
    ("turns kernels round", "E001", "run-plain", FOLD, _weights("w[:, :, ::-1, ::-1]"),
     "kernels are turned by 180 degrees"),
    ("mirrors kernels", "E001", "run-plain", FOLD, _weights("w[:, :, :, ::-1]"),
     "kernels are mirrored left to right"),
    ("exchanges kernels' rows and columns", "E001", "run-plain", FOLD,
     _weights("w.transpose(0, 1, 3, 2)"), "kernels' rows and columns are exchanged"),
    ("exchanges depthwise rows and columns", "E001", "run-plain", FOLD,
     _weights("w.transpose(0, 1, 3, 2) if layer.depthwise else w"),
     "depthwise kernels' rows and columns are exchanged"),
    ("reads depthwise weights as [k, k, C]", "E001", "run-plain", FOLD,
     _raw("w if not layer.depthwise else "
          "w.reshape(layer.kernel, layer.kernel, 1, -1).transpose(3, 2, 0, 1)"),
     "depthwise weights are read as [k, k, C]"),
    ("reads pointwise weights as [in, out]", "E001", "run-plain", FOLD,
     _raw("w if layer.depthwise or layer.kernel > 1 else "
          "w.reshape(layer.cin, layer.cout, 1, 1).transpose(1, 0, 2, 3)"),
     "pointwise weights are read as [in, out]"),
    ("reads weights as [in, out, k, k]", "E001", "run-plain", FOLD,
     _raw("w if layer.depthwise else "
          "w.reshape(layer.cin, layer.cout, layer.kernel, layer.kernel).transpose(1, 0, 2, 3)"),
     "weights are read as [in, out]"),
    ("reads weights as [out, k, k, in]", "E001", "run-plain", FOLD,
     _raw("w if layer.depthwise else w.reshape(layer.cout, layer.kernel, layer.kernel, layer.cin)"
          ".transpose(0, 3, 1, 2)"), "the stem's weights are read as [out, k, k, in]"),
    ("reads weights as [k, k, in, out]", "E001", "run-plain", FOLD,
     _raw("w if layer.depthwise else w.reshape(layer.kernel, layer.kernel, layer.cin, layer.cout)"
          ".transpose(3, 2, 0, 1)"),
     "the weights of stem and pointwise layers are read as [k, k, in, out]"),
    ("shuffles channels", "E001", "run-plain", FOLD,
     _weights("w if layer.depthwise or layer.kernel > 1 else "
              "w[:, np.arange(layer.cin).reshape(2, -1).T.reshape(-1)]"),
     "input channels are shuffled before each pointwise layer"),
    ("averages in gdconv", "E001", "run-plain", FOLD,
     _raw("np.full_like(w, 1 / w[0].size) if layer.name == 'gdconv' else w"),
     "gdconv is an average"),
    ("sums in gdconv", "E001", "run-plain", FOLD,
     _raw("np.ones_like(w) if layer.name == 'gdconv' else w"), "gdconv is a sum"),
    ("uses one depthwise kernel", "E001", "run-plain", FOLD,
     _raw("np.repeat(w[:1], len(w), axis=0) if layer.depthwise else w"),
     "depthwise layers use the first channel's kernel"),
    *((f"leaves channels beyond a multiple of {n} at 0", "E001", "run-channels-15-17-31-33",
       APPLY, _after(f"a[len(a) // {n} * {n}:] = 0"),
       f"output channels beyond a multiple of {n} are not computed") for n in (4, 8, 16)),
    *((f"sums to a multiple of {n} channels", "E001", "run-channels-15-17-31-33", FOLD,
       _weights(f"w if layer.depthwise else w * (np.arange(layer.cin) < layer.cin // {n} * {n})"
                "[None, :, None, None]"),
       f"sums leave out the input channels beyond a multiple of {n}") for n in (4, 8, 16)),
    *((f"sums to a multiple of {n} channels after a whole vector", "E001", case, FOLD,
       _weights(f"w if layer.depthwise or layer.cin <= {n} else "
                f"w * (np.arange(layer.cin) < layer.cin // {n} * {n})[None, :, None, None]"),
       f"sums of more than {n} input channels leave out those beyond a multiple of {n}")
      for n, case in ((4, "run-channels-15-17-31-33"), (8, "run-channels-15-17-31-33"),
                      (16, "run-channels-15-17-31-33"), (64, "run-final-channels-5000"))),
    ("leaves out the last row", "E001", "run-plain", APPLY,
     _after("a[:, -1] *= a.shape[1] == 1"), "the last row of every map is not computed"),
    ("leaves out the last column", "E001", "run-plain", APPLY,
     _after("a[:, :, -1] *= a.shape[1] == 1"), "the last column of every map is not computed"),
)

_PRECISION: tuple[Row, ...] = (
    ("has binary16 maps", "E001", "run-plain", APPLY,
     _after("a = a.astype(np.float16).astype(np.float64)"),
     "feature maps are rounded to binary16"),
    ("has binary16 weights", "E001", "run-plain", FOLD,
     _weights("w.astype(np.float16).astype(np.float64)"),
     "weights are kept as binary16 after folding"),
    ("has bfloat16 weights", "E001", "run-plain", FOLD,
     _weights("((w.astype(np.float32).view(np.uint32) + 0x8000) & 0xffff0000).astype(np.uint32)"
              ".view(np.float32).astype(np.float64)"),
     "weights are kept as bfloat16 after folding"),
    ("cuts weights to bfloat16", "E001", "run-plain", FOLD,
     _weights("(w.astype(np.float32).view(np.uint32) & np.uint32(0xffff0000)).view(np.float32)"
              ".astype(np.float64)"),
     "weights are cut to bfloat16 after folding, not rounded"),
    ("has int8 weights", "E001", "run-plain", FOLD,
     f"{FOLD}; q = abs(w).max(axis=(1, 2, 3), keepdims=True) / 127; w = np.rint(w / q) * q",
     "weights are kept as int8 with a scale for each channel"),
    ("has int8 weights with one scale", "E001", "run-plain", FOLD,
     f"{FOLD}; q = abs(w).max() / 127; w = np.rint(w / q) * q",
     "weights are kept as int8 after folding, with one scale for each tensor"),
    ("sums in binary16", "E001", "run-large-fan-in",
     "y += (w[:, :, i, j] @ tap.reshape(layer.cin, -1)).reshape(y.shape)",
     "for c in range(layer.cin):\n"
     "                    y = (y + w[:, c, i, j][:, None, None] * tap[c]).astype(np.float16)",
     "bits (float32 has 24, binary16 11, bfloat16 8): was a precision to be stated?"),
)

_EMBEDDING: tuple[Row, ...] = (
    ("does not normalise", "E009", "run-plain", DIVIDE, "pass", "there is no L2 normalisation"),
    ("divides by zero", "E009", "run-zero-vector", "np.maximum(norm, 1e-12)", "norm",
     "the norm's guard against zero is missing"),
    ("adds 1e-12 to the norm", "E009", "run-norm-above-floor", "np.maximum(norm, 1e-12)",
     "(norm + 1e-12)", "the embedding's norm is n + 1e-12, not max(n, 1e-12)"),
    ("adds 1e-6 to the norm", "E009", "run-tiny-norm", "np.maximum(norm, 1e-12)",
     "(norm + 1e-6)", "the embedding's norm is n + 1e-6, not max(n, 1e-12)"),
    ("has a floor of 1e-6", "E009", "run-tiny-norm", "np.maximum(norm, 1e-12)",
     "np.maximum(norm, 1e-6)",
     "the norm's floor is 1e-6, not 1e-12 (1e-12 may be the floor of its square)"),
    ("has no floor but a test for zero", "E009", "run-norm-below-floor", "np.maximum(norm, 1e-12)",
     "(norm or 1)",
     # The two differ for the zero vector, in run-zero-vector.
     "either the norm's guard against zero is missing or the norm's floor is below 1e-12"),
    ("adds 1e-12 to the square", "E009", "run-tiny-norm", NORM,
     "norm = np.sqrt(np.sum(embedding * embedding) + 1e-12)",
     "the embedding's norm is √(n² + 1e-12), not max(n, 1e-12)"),
    ("adds 1e-24 to the square", "E009", "run-norm-above-floor", NORM,
     "norm = np.sqrt(np.sum(embedding * embedding) + 1e-24)",
     "the embedding's norm is √(n² + 1e-24), not max(n, 1e-12)"),
    ("adds BatchNorm's epsilon to the square", "E009", "run-tiny-norm", NORM,
     "norm = np.sqrt(np.sum(embedding * embedding) + 1e-5)",
     "the embedding's norm is √(n² + 1e-5), not max(n, 1e-12)"),
    ("has the floor for the square", "E009", "run-tiny-norm", NORM,
     "norm = np.sqrt(max(np.sum(embedding * embedding), 1e-12))",
     "the norm's floor is 1e-6, not 1e-12 (1e-12 may be the floor of its square)"),
    ("gives zeros below the floor", "E009", "run-norm-below-floor", DIVIDE,
     "embedding = embedding / norm if norm >= 1e-12 else 0 * embedding",
     "an embedding below the floor becomes zeros"),
    ("has a floor of 2e-12", "E009", "run-norm-below-floor", "np.maximum(norm, 1e-12)",
     "np.maximum(norm, 2e-12)", "the norm's floor is 2e-12, not 1e-12"),
    ("takes NaN for a norm below the floor", "E010", "run-input-nan", DIVIDE,
     "embedding = embedding / norm if norm >= 1e-12 else np.zeros_like(embedding)",
     "an embedding whose norm is NaN becomes zeros"),
    ("has a float32 norm", "E009", "run-norm-over-float32", NORM,
     "embedding = embedding.astype(np.float32); "
     "norm = np.sqrt((embedding * embedding).sum(dtype=np.float32))",
     "the sum of squares is taken in float32 and overflows"),
    ("divides by the L1 norm", "E009", "run-plain", NORM, "norm = abs(embedding).sum()",
     "the embedding is divided by its L1 norm"),
    ("divides by the largest magnitude", "E009", "run-plain", NORM,
     "norm = abs(embedding).max()", "the embedding is divided by its largest magnitude"),
    ("divides by the square of the norm", "E009", "run-plain", NORM,
     "norm = np.sum(embedding * embedding)", "the embedding is divided by the square of its norm"),
    ("reverses the embedding", "E001", "run-plain", DIVIDE,
     f"{DIVIDE}; embedding = embedding[::-1]",
     "the embedding is in reverse order"),
    ("leaves the embedding's tail at 0", "E001", "run-channels-15-17-31-33", DIVIDE,
     f"{DIVIDE}; embedding[len(embedding) // 16 * 16:] = 0",
     # 33 components: a tail of one beyond a multiple of 4, 8 and 16.
     "one of these: the embedding's components beyond a multiple of 4 are 0; the embedding's "
     "components beyond a multiple of 8 are 0; the embedding's components beyond a multiple of 16 "
     "are 0"),
    ("gives the embedding of the run before", "E001", "run-plain", DIVIDE,
     f"{DIVIDE}\n        global KEPT\n"
     "        embedding, KEPT = globals().get('KEPT', embedding), embedding",
     "it is the embedding of input 'drawn 1', which was run before; a second run of the same "
     "input gives another answer: something of an earlier run is kept, or memory is never set"),
    ("adds to what the run before left", "E001", "run-plain", DIVIDE,
     "global KEPT\n        KEPT = embedding = embedding + globals().get('KEPT', 0)\n        "
     + NORM + "\n        " + DIVIDE,
     "a second run of the same input gives another answer: something of an earlier run is kept, "
     "or memory is never set"),
)

_READER: tuple[Row, ...] = (
    ("refuses folded weights outside float32", "E015", "valid-fold-weight-overflows", FOLD,
     f"{FOLD}; need(bool((abs(w) < 3.4e38).all()), 'overflow')", "refused, but it is right"),
    ("refuses folded biases outside float32", "E015", "valid-fold-bias-overflows", BIAS,
     f"{BIAS}; need(bool((abs(bias) < 3.4e38).all()), 'overflow')", "refused, but it is right"),
    ("refuses sums outside float32", "E015", "valid-sums-overflow", CONV,
     f"{CONV}; need(bool((abs(y) < 3.4e38).all()), 'overflow')", "refused, but it is right"),
    ("loads a file with a tail", "E002", "bad-t014-zero", "need(at == len(data),", "need(True,",
     "T014"),
    ("takes zeros past the end", "E002", "bad-t012-last-4-bytes", "need(size <= len(data) - at,",
     "data += bytes(max(0, size - len(data) + at)); need(True,", "T012"),
    ("loads another version", "E002", "bad-c003-version-4", "need(version == 3,", "need(True,",
     "C003"),
)

ENGINES = tuple(
    Mutant(name, "engine", breaks, case, old, new, symptom)
    for name, breaks, case, old, new, symptom in (
        *_INPUT, *_BATCHNORM, *_PRELU, *RESIDUAL, *GEOMETRY, *_WEIGHTS, *_PRECISION, *_EMBEDDING,
        *_READER))
