# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wrong engines below float32: the engine scaffold with pointwise layers in integers and a mistake.

Without a mistake they are those of `BASE`, which conform.
"""

from __future__ import annotations

from tools.mutants._engine_text import CONV
from tools.mutants._mutant import Mutant

_BEFORE = (CONV, "def convolve(")
_CALL = "y = product(layer, w, x) + bias[:, None, None]"
_STEM = "        return convolve(layer, w, x)\n"
_LOW = "    lo = np.minimum(x.min(axis=(0, 2)), 0)[None, :, None]\n"
_HIGH = "    hi = np.maximum(x.max(axis=(0, 2)), 0)[None, :, None]\n"
_TOP = "np.abs(w).max(axis=1, keepdims=True)"
_SCALE = "np.where(top > 0, top, 1) / 127"
_STEP = "    step = np.where(hi > lo, hi - lo, 1) / 255\n"
_LEVELS = "levels = np.rint(x / step) + zero"
_TOTAL = "total = convolve(layer, q, levels)"
_OWN = "own = q.sum(axis=(1, 2, 3))[:, None, None]"
_RESULT = "(total - zero * own) * step * scale[:, 0]"
_PRODUCT = f'''def product(layer, w, x):
    if layer.depthwise or layer.name == "stem":
{_STEM}    top = {_TOP}
    scale = {_SCALE}
    q = np.rint(w / scale)
{_LOW}{_HIGH}{_STEP}    zero = np.rint(-lo / step)
    {_LEVELS}
    {_TOTAL}
    {_OWN}
    return {_RESULT}


'''

Texts = str | tuple[str, ...]


def _sixteen(total: str) -> tuple[Texts, Texts]:
    """What makes the product one of 16 bits, with other sums: the old texts and the new ones."""
    return (_SCALE, _STEP, _TOTAL), (
        _SCALE.replace("127", "2047"),
        "    step = np.maximum(hi, -lo) / 1023\n    step = np.where(step > 0, step, 1)\n"
        "    lo = 0 * lo\n", total)


Row = tuple[str, str, str, str, Texts, Texts, str]
"""Name, requirement, precision, case, text of the product, new text, symptom."""

_ROWS: tuple[Row, ...] = (
    ("leaves the zero point in its sums", "E001", "fast", "run-plain", _RESULT,
     "total * step * scale[:, 0]", "the zero point is not taken out of the sums"),
    ("adds the zero point", "E001", "fast", "run-plain", "total - zero", "total + zero",
     "the zero point is added to the sums"),
    ("takes the zero point out twice", "E001", "fast", "run-plain", "total - zero",
     "total - 2 * zero", "the zero point is taken out of the sums twice"),
    ("has a zero point that is off by one", "E001", "fast", "run-sums-aligned", "total - zero",
     "total - (zero + 1)", "the zero point is off by one"),
    ("has the sums of the channel before", "E001", "fast", "run-plain", _OWN,
     f"{_OWN}; own = np.roll(own, 1, axis=0)",
     "the zero point meets the sum of another channel's weights"),
    ("cuts levels off", "E001", "fast", "run-sums-aligned", _LEVELS,
     _LEVELS.replace("rint", "floor"),
     "levels are cut off, not rounded"),
    ("cuts levels off towards zero", "E001", "fast", "run-sums-aligned", _LEVELS,
     _LEVELS.replace("rint", "trunc"), "levels are cut off, not rounded"),
    ("has the scale of the row before", "E001", "fast", "run-plain", _RESULT,
     "(total - zero * own) * np.roll(step, 1, axis=1) * scale[:, 0]",
     "a row of pixels has the scale of the row before"),
    ("has one scale for a layer's weights", "E001", "fast", "run-scale-channels", _TOP,
     "np.abs(w).max(keepdims=True) + 0 * w[:, :1]", "all weights of a layer have one scale"),
    ("saturates sums of two products", "E001", "fast", "run-sums-aligned", _TOTAL,
     "total = sum(np.clip(np.einsum('oc,chw->ohw', q[:, k:k + 2, 0, 0], levels[k:k + 2]), -32768, "
     "32767) for k in range(0, len(x), 2))", "sums of two products saturate at 16 bits"),
    ("saturates sums at 16 bits", "E001", "fast", "run-plain", _TOTAL,
     f"{_TOTAL}; total = np.clip(total, -32768, 32767)", "sums saturate at 16 bits"),
    ("has sums of 16 bits that wrap", "E001", "fast", "run-plain", _TOTAL,
     f"{_TOTAL}; total = (total + 32768) % 65536 - 32768", "sums wrap at 16 bits"),
    ("pads the stem with its least level", "E001", "fast", "run-plain", _STEM,
     "        lo = min(x.min(), 0) if layer.name == 'stem' else 0\n"
     "        return convolve(layer, w, x - lo) + lo * w.sum(axis=(1, 2, 3))[:, None, None]\n",
     "padding is the least level, not zero"),
    ("sums to a multiple of 4 levels", "E001", "fast", "run-channels-15-17-31-33", _TOTAL,
     "q[:, len(x) // 4 * 4:] = 0; " + _TOTAL,
     "input channels beyond a multiple of 4 are not summed"),
    ("has weights of 4 bits", "E001", "fast", "run-plain", _SCALE, _SCALE.replace("127", "7"),
     "first differing layer: stage1.block0.expand"),
    ("has 8 bits for high", "E001", "high", "run-final-channels-5000", "", "",
     "as of arithmetic with about"),
    ("has sums of 32 bits that wrap", "E001", "high", "run-sums-aligned", *_sixteen(
        f"{_TOTAL}; total = (total + 2**31) % 2**32 - 2**31"), "sums wrap at 32 bits"),
    ("keeps the ranges that it has seen", "E016", "fast", "run-alone", _STEP,
     "    kept = globals().setdefault('KEPT', {})\n"
     "    lo, hi = kept[layer.name] = (np.minimum(lo, kept.get(layer.name, (lo, hi))[0]),\n"
     "                                 np.maximum(hi, kept.get(layer.name, (lo, hi))[1]))\n"
     + _STEP, "another embedding after other inputs than before them"),
    ("drops NaN with its ranges", "E010", "fast", "run-input-nan", _LOW,
     "    x = np.nan_to_num(x)\n" + _LOW, "a value where NaN is expected"),
)


def _product(old: Texts, new: Texts) -> str:
    """The product with texts replaced. Raises LookupError."""
    text = _PRODUCT
    olds, news = ((t,) if isinstance(t, str) else t for t in (old, new))
    for before, after in zip(olds, news, strict=True):
        if before not in text:
            raise LookupError(f"the product holds no {before!r}")
        text = text.replace(before, after, 1) if before else text
    return text


def _mutant(name: str, breaks: str, precision: str, case: str, old: Texts, new: Texts,
            symptom: str) -> Mutant:
    return Mutant(name, "engine", breaks, case, _BEFORE,
                  (_CALL, _product(old, new) + "def convolve("), symptom, precision=precision)


BASE = (_mutant("in 8 bits", "", "fast", "", "", "", ""),
        _mutant("in 16 bits", "", "high", "", *_sixteen(_TOTAL), ""))
"""The scaffold in integers, without a mistake."""

LOWER = tuple(_mutant(*row) for row in _ROWS)
