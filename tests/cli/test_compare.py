# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 compare`: the similarity of two faces."""

import json

import numpy as np
import pytest

from efm3 import sample, synthesis


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "w.bin").write_bytes(synthesis.dumps(sample.ARCH, 1))
    for i, picture in enumerate(synthesis.images(4, 2)):
        np.save(tmp_path / f"{i}.npy", picture)
    return tmp_path


def test_compare(cli, scene):
    args = ("compare", scene / "w.bin", scene / "0.npy")
    same = json.loads(cli(*args, scene / "0.npy", "--json").stdout)
    assert abs(same["similarity"] - 1) < 1e-6 and same["rule_of_thumb"] == 0.3
    other = json.loads(cli(*args, scene / "1.npy", "--json").stdout)
    assert other["similarity"] < 0.99
    assert "rule of thumb" in cli(*args, scene / "0.npy").stdout
    assert cli(*args, scene / "2.npy").exit_code == 3
