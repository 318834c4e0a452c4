# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""hypothesis strategies for whole models: archs, tensors, mirrors, files, and damage."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import efm3
from efm3 import format as fmt
from efm3.arch import last_side
from efm3.conformance import sample
from efm3.mirror import schema
from efm3.network import tensor_layout
from efm3.scan import scan

FINITE = (0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff,
          0x3f800000, 0x33d6bf95)
"""Zeros of both signs, subnormals, the smallest and largest normals, 1, 1e-7."""
OTHERS = (0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0x7fffffff)
"""Infinities; quiet and signalling NaNs."""

words = st.text("abcxyz 019_.\"\\/\n\x7f\xe9\u202e\u2028\U0001f600", max_size=8)
scalars = (st.none() | st.booleans() | st.integers(-10**19, 10**19) | words
           | st.floats(allow_nan=False, allow_infinity=False))
json_values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3)
                           | st.dictionaries(words, inner, max_size=3), max_leaves=6)
channels = st.integers(1, 9) | st.sampled_from((15, 16, 17))


@st.composite
def archs(draw: st.DrawFn, most_stages: int = fmt.STAGE_SLOTS) -> efm3.Arch:
    """An Arch of any legal form, with few channels."""
    stages = draw(st.lists(st.builds(efm3.Stage, st.sampled_from((1, 2, 3, 6)), st.integers(1, 2),
                                     st.integers(1, 4)), min_size=1, max_size=most_stages))
    own: dict[str, Any] = {
        "stem_kernel": draw(st.sampled_from(range(1, 16, 2))),
        "stem_stride": draw(st.integers(1, 4)), "stages": tuple(stages)}
    own |= {k: draw(channels) for k in (
        "stem_channels", "block_channels", "final_channels", "embedding_dim")}
    width = draw(st.floats(0.001, 100) | st.sampled_from((1.0, 5e-324, 1e308)))
    own["gdc_kernel"] = last_side(SimpleNamespace(**own))
    return efm3.Arch(draw(words.filter(str.strip)), width, **own)


@st.composite
def tensors(draw: st.DrawFn, arch: efm3.Arch, specials: tuple[int, ...] = (*FINITE, *OTHERS),
            ) -> dict[str, NDArray[np.float32]]:
    """The sample's plausible weights by name; single values are replaced by special ones."""
    out = {name: np.frombuffer(sample.values(name, math.prod(shape)), "<f4").reshape(shape).copy()
           for name, shape in tensor_layout(arch)}
    names = list(out)
    places = st.tuples(st.sampled_from(names), st.integers(0, 10**6), st.sampled_from(specials))
    for name, at, bits in draw(st.lists(places, max_size=8)) if specials else ():
        flat = out[name].reshape(-1)
        flat.view(np.uint32)[at % flat.size] = bits
    return out


@st.composite
def extras(draw: st.DrawFn) -> dict[str, object]:
    """What a mirror may hold beside its own keys."""
    own = set(schema()["properties"])
    out: dict[str, object] = dict(draw(st.dictionaries(
        words.filter(lambda k: k not in own), json_values, max_size=3)))
    if draw(st.booleans()):
        meta = draw(st.dictionaries(words.filter(lambda k: k != "sha256"), json_values,
                                    max_size=2))
        out["meta"] = meta
    return out


@st.composite
def files(draw: st.DrawFn, specials: tuple[int, ...] = (*FINITE, *OTHERS),
          most_stages: int = 3) -> bytes:
    """A whole file as `efm3.dumps` writes it."""
    arch = draw(archs(most_stages))
    return efm3.dumps(arch, draw(tensors(arch, specials)), mirror_extra=draw(extras()),
                      align=draw(st.booleans()), finite=False, seal=draw(st.booleans()))


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """A file of the strategy `whole` with one to four short patches, often in what is believed."""
    data = draw(whole)
    sizes = [t.offset for t in scan(data).tensors]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, min(120, len(data) - 1)) | st.integers(0, len(data) - 1)
                  | st.sampled_from(sizes))
        new = draw(st.binary(min_size=1, max_size=4))
        data = (data[:at] + new + data[at + len(new):])[:len(data)]
    return data
