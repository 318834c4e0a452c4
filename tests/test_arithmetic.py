# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers with one home, and those that stand elsewhere too, compared."""

import re
from pathlib import Path

import numpy as np
import pytest

from efm3 import arithmetic, reference, untrained
from efm3.codes import LEVELS, STRENGTH
from efm3.conformance import judge
from efm3.conformance.requirements import CLASSES
from efm3.reporting import schema
from efm3.version import __version__

ROOT = Path(__file__).resolve().parent.parent


def test_splitmix_is_the_published_one():
    """The first outputs of the reference program for the seed 1234567."""
    state, out = 1234567, []
    for _ in range(3):
        state = (state + arithmetic.STEP) % 2**64
        out.append(arithmetic.splitmix(state))
    assert out == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_numpys_form_gives_the_same(seed):
    have = untrained.Random(seed).integers(5).tolist()
    assert have == [arithmetic.splitmix((seed + (i + 1) * arithmetic.STEP) % 2**64)
                    for i in range(5)]


def test_the_input_is_scaled_alike_everywhere():
    pixels = np.arange(256, dtype=np.float32)
    want = (np.arange(256) - 127.5) / 128
    assert np.array_equal(arithmetic.pixels_scaled(pixels), want)
    image = np.zeros((112, 112, 3), np.uint8)
    image.flat[:256] = range(256)
    assert np.array_equal(np.moveaxis(reference.prepare(image)[0], 0, -1).ravel()[:256], want)


def test_the_tolerance_is_the_specs():
    spec = (ROOT / "spec" / "EFM3.md").read_text(encoding="utf-8")
    said = re.search(r"\| f32 \| f32 \| no component differs by more than (\S+) \|", spec)
    assert float(said[1]) == arithmetic.TOLERANCE


def test_the_version_stands_in_c_too():
    header = (ROOT / "engine/include/facex_mfn.h").read_text(encoding="utf-8")
    assert re.findall(r'MFN_VERSION_STRING "(.+)"', header) == [__version__]


def test_levels_and_classes_stand_once():
    report = schema()["properties"]["reports"]["items"]["properties"]
    assert report["level"]["enum"] == list(LEVELS)
    assert CLASSES == ("reader", "writer", "editor", "engine")
    assert set(STRENGTH.values()) == {"MUST", "SHOULD", "advice"} and judge.LEVELS is LEVELS
    for path in (ROOT / "efm3").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "short_help" not in text, f"{path}: a verb's line is in VERBS"
        if path.name != "arithmetic.py":
            assert "0x9E3779B97F4A7C15" not in text, path
            code = re.sub(r'"""(.|\n)*?"""|#.*|"[^"\n]*"', "", text)
            assert "127.5" not in code or path.parent.name in ("scaffolds", "codes"), path
            assert not re.search(r"TOLERANCE = \d", code), path
