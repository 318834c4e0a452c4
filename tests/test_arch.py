# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Arch refuses what the format cannot state, with the rule's code and the field's path."""

import decimal
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import efm3
from efm3.arch import Arch, Stage, problems
from efm3.conformance import sample

NANO = efm3.ARCHS["nano"]


@pytest.mark.parametrize("change,code,path", [
    ({"stem_kernel": 4}, "H004", "arch.stem_kernel"),
    ({"stem_kernel": 17}, "H004", "arch.stem_kernel"),
    ({"stem_stride": 0}, "H005", "arch.stem_stride"),
    ({"stem_channels": 0}, "H006", "arch.stem_channels"),
    ({"block_channels": 65536}, "H007", "arch.block_channels"),
    ({"final_channels": -1}, "H008", "arch.final_channels"),
    ({"embedding_dim": 0}, "H009", "arch.embedding_dim"),
    ({"embedding_dim": 8.0}, "H009", "arch.embedding_dim"),
    ({"embedding_dim": True}, "H009", "arch.embedding_dim"),
    ({"gdc_kernel": 6}, "H016", "arch.gdc_kernel"),
    ({"gdc_kernel": 113}, "H010", "arch.gdc_kernel"),
    ({"stages": ()}, "H003", "arch.n_stages"),
    ({"stages": (Stage(1, 1, 1),) * 9}, "H003", "arch.n_stages"),
    ({"stages": (Stage(0, 1, 1),)}, "H011", "arch.stages[0].t"),
    ({"stages": (Stage(1, 0, 1),)}, "H012", "arch.stages[0].n"),
    ({"stages": (Stage(1, 1, 1), Stage(1, 1, 5))}, "H013", "arch.stages[1].s"),
    ({"stages": (Stage(1, 200, 2), Stage(1, 57, 2), Stage(1, 1, 2))}, "H014", "arch.stages"),
    ({"stem_channels": 257, "stages": (Stage(255, 2, 2), Stage(255, 2, 2), Stage(1, 1, 2)),
      "block_channels": 300}, "H015", "arch.stages[1].t"),
])
def test_refusals(change, code, path):
    with pytest.raises(efm3.Efm3Error) as e:
        replace(sample.ARCH, **change)
    found = [(p.code, f"arch.{p.path}") for p in problems(
        type("A", (), {**vars(sample.ARCH), **change})())]
    assert (code, path) in found
    assert (e.value.code, e.value.path) == found[0]


def test_expansion_is_bounded_where_each_block_reads_its_own_input():
    # 257*255 = 65535 is the last that fits; the first block of stage 2 reads the stem's channels.
    fits = {"stem_channels": 257, "block_channels": 1,
            "stages": (Stage(255, 1, 2), Stage(255, 1, 2), Stage(1, 1, 2))}
    replace(sample.ARCH, **fits)
    with pytest.raises(efm3.Efm3Error, match="H015"):
        replace(sample.ARCH, **fits | {"stem_channels": 258})
    # One block a stage: stage 1's own output width is never expanded in it.
    replace(sample.ARCH, stem_channels=1, block_channels=65535,
            stages=(Stage(2, 1, 2), Stage(2, 1, 2), Stage(1, 2, 2)))


def test_frozen_and_hashable():
    with pytest.raises(FrozenInstanceError):
        NANO.stem_channels = 1
    assert hash(NANO) == hash(replace(NANO))
    assert replace(NANO, stages=list(NANO.stages)) == NANO


@pytest.mark.parametrize("width,channels", [
    (0.01, (8, 8, 8)), (1.0, (64, 128, 512)), (0.36, (24, 48, 184)), (1.35, (88, 176, 688))])
def test_scaled_rounds_to_eights(width, channels):
    arch = Arch.scaled("x", width, 100)
    assert (arch.stem_channels, arch.block_channels, arch.final_channels) == channels
    assert arch.embedding_dim == 100


def test_header_bytes_equal_the_original_exporters(vector):
    model = efm3.load(vector)
    from efm3 import format as fmt
    assert fmt.ARCH_HEADER.build(model.arch.header()) == vector.read_bytes()[8:88]


@pytest.mark.parametrize("key,value,code", [
    ("name", 5, "W014"), ("name", None, "W014"), ("name", b"x", "W014"),
    ("width_mult", "1", "W014"), ("width_mult", True, "W014"), ("width_mult", None, "W014"),
    ("width_mult", np.bool_(True), "W014"), ("width_mult", 1j, "W014"),
    ("width_mult", decimal.Decimal(1), "W014"), ("width_mult", 10**400, "M026"),
    ("width_mult", float("nan"), "M026"), ("width_mult", float("inf"), "M026"),
    ("width_mult", -1e-300, "M026"), ("stages", None, "W014"), ("stages", 3, "W014"),
    ("stages", "abc", "W014"), ("stages", [(2, 1, 2)], "W014"), ("stages", {"t": 1}, "W014"),
    ("stem_channels", np.float64(8), "H006"),
    ("stem_channels", "8", "H006"), ("stem_kernel", True, "H004"), ("gdc_kernel", 7.0, "H010"),
    ("stages", (Stage(True, 1, 2),), "H011"), ("stages", (Stage(1, "1", 2),), "H012")])
def test_refused_archs_say_why(key, value, code):
    with pytest.raises(efm3.Efm3Error) as e:
        replace(sample.ARCH, **{key: value})
    assert e.value.code == code and e.value.path.startswith(f"arch.{key}")
