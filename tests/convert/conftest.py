# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Small networks, and what every refusal owes: a code, the place, and no file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import efm3
from efm3 import reference, untrained, verification
from efm3.convert import _state_dict
from efm3.convert.checked import convert

if TYPE_CHECKING:
    import onnx

PUBLISHED = efm3.Arch("small", 0.125, 8, 16, 24, 12, 7, efm3.ARCHS["nano"].stages)
"""The published stages on few channels."""


@pytest.fixture(scope="session")
def small() -> efm3.Model:
    """A Model with the published stages, aligned, with meta."""
    return efm3.load(untrained.dumps(PUBLISHED, 3))


@pytest.fixture(scope="session")
def pictures() -> NDArray[np.float32]:
    return verification.inputs()


@pytest.fixture(scope="session")
def small_embeddings(small: efm3.Model, pictures: NDArray[np.float32]) -> NDArray[np.floating]:
    return reference.forward(small, pictures)


@pytest.fixture
def state(small: efm3.Model) -> dict[str, NDArray[np.generic]]:
    """`small` as a state_dict in the original naming, in numpy."""
    return {k: np.array(v) if v is not None else np.array(0)
            for k, v in _state_dict.original(small.arch, small.tensors)}


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., efm3.Efm3Error]:
    """refused(source, code, *words): convert raises that and leaves nothing behind."""
    def check(source: Path, code: str, *words: str, to: str = "x.bin",
              **options: Any) -> efm3.Efm3Error:
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
def round_trip(tmp_path: Path) -> Callable[..., Path]:
    """round_trip(bin, suffix): bin -> X -> bin gives the same bytes; returns X's path."""
    def check(path: Path, suffix: str, **options: Any) -> Path:
        there, back = tmp_path / f"there{suffix}", tmp_path / "back.bin"
        convert(path, there, **options)
        convert(there, back)
        assert back.read_bytes() == path.read_bytes()
        return there
    return check


@pytest.fixture
def odd_text(tmp_path: Path) -> Path:
    """A file whose mirror is neither canonical nor padded as the writer would, with a seal."""
    from efm3.conformance import sample
    path = tmp_path / "odd.bin"
    path.write_bytes(sample.with_mirror(
        lambda m: m | {"author": "ü", "meta": {"x": [1, None], "licence": "MIT"}})(sample.base()))
    efm3.load(path)
    return path


@pytest.fixture
def graph(small: efm3.Model) -> onnx.ModelProto:
    """The graph of `small`, BatchNorm not folded, to be changed."""
    from tests.convert import graphs

    return graphs.proto(small)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def make(p: onnx.ModelProto, name: str = "g.onnx") -> Path:
        (tmp_path / name).write_bytes(p.SerializeToString())
        return tmp_path / name
    return make
