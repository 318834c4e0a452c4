# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Small networks, and what every refusal owes: a code, the place, and no file."""

import os

import numpy as np
import pytest

import efm3
from efm3 import reference, untrained, verification
from efm3.convert import _state_dict
from efm3.convert.checked import convert

PUBLISHED = efm3.Arch("small", 0.125, 8, 16, 24, 12, 7, efm3.ARCHS["nano"].stages)
"""The published stages on few channels."""


@pytest.fixture(scope="session")
def small():
    """A Model with the published stages, aligned, with meta."""
    return efm3.load(untrained.dumps(PUBLISHED, 3))


@pytest.fixture(scope="session")
def pictures():
    return verification.inputs()


@pytest.fixture(scope="session")
def small_embeddings(small, pictures):
    return reference.forward(small, pictures)


@pytest.fixture
def state(small):
    """`small` as a state_dict in the original naming, in numpy."""
    return {k: np.array(v) if v is not None else np.array(0)
            for k, v in _state_dict.original(small.arch, small.tensors)}


@pytest.fixture
def refused(tmp_path):
    """refused(source, code, *words): convert raises that and leaves nothing behind."""
    def check(source, code, *words, to="x.bin", **options):
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        with pytest.raises(efm3.Efm3Error) as e:
            convert(source, folder / to, **options)
        assert e.value.code == code, e.value
        for word in words:
            assert word in str(e.value)
        assert os.listdir(folder) == []
        return e.value
    return check


@pytest.fixture
def round_trip(tmp_path):
    """round_trip(bin, suffix): bin -> X -> bin gives the same bytes; returns X's path."""
    def check(path, suffix, **options):
        there, back = tmp_path / f"there{suffix}", tmp_path / "back.bin"
        convert(path, there, **options)
        convert(there, back)
        assert back.read_bytes() == path.read_bytes()
        return there
    return check


@pytest.fixture
def odd_text(tmp_path):
    """A file whose mirror is neither canonical nor padded as the writer would, with a seal."""
    from efm3.conformance import sample
    path = tmp_path / "odd.bin"
    path.write_bytes(sample.with_mirror(
        lambda m: m | {"author": "ü", "meta": {"x": [1, None], "licence": "MIT"}})(sample.base()))
    efm3.load(path)
    return path


@pytest.fixture
def graph(small):
    """The graph of `small`, BatchNorm not folded, to be changed."""
    from tests.convert import graphs

    return graphs.proto(small)


@pytest.fixture
def saved(tmp_path):
    def make(p, name="g.onnx"):
        (tmp_path / name).write_bytes(p.SerializeToString())
        return tmp_path / name
    return make
