# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 compare`: the similarity of two faces."""

import json

import numpy as np
import pytest

import efm3
from efm3 import mirror, reference, untrained
from efm3.conformance import sample


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "w.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    for i, picture in enumerate(untrained.images(4, 2)):
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


def test_more_than_two_give_a_table(cli, scene):
    pictures = [scene / "0.npy", scene / "1.npy", scene / "0.npy"]
    found = json.loads(cli("compare", scene / "w.bin", *pictures, "--json").stdout)
    values = np.array(found["similarities"])
    assert found["pictures"] == [str(p) for p in pictures] and values.shape == (3, 3)
    assert np.allclose(values, values.T) and abs(values[0, 2] - 1) < 1e-6
    assert values[0, 1] < 0.99
    lines = cli("compare", scene / "w.bin", *pictures).stdout.splitlines()
    assert lines[0].split() == ["0", "1", "0"]
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "0"]
    assert lines[2].split()[1] == f"{values[1, 0]:.2f}" and "0.3" in lines[4]


def test_a_dozen_fit_a_terminal(cli, scene):
    lines = cli("compare", scene / "w.bin", *[scene / "0.npy", scene / "1.npy"] * 6
                ).stdout.splitlines()
    assert len(lines) == 14 and max(map(len, lines)) <= 80
    assert len(lines[1].split()) == 13


def test_one_picture_is_usage(cli, scene):
    assert cli("compare", scene / "w.bin", scene / "0.npy").exit_code == 2


def test_a_turned_file_is_given_upright_pictures(cli, scene):
    """The same weights, and pictures turned by hand, give the same number; upright ones do not."""
    model = efm3.load(scene / "w.bin")
    model.mirror = mirror.as_turned(model.mirror)
    model.save(scene / "t.bin")
    for i, picture in enumerate(untrained.images(4, 2)):
        np.save(scene / f"t{i}.npy", reference.turn(picture))

    def similarity(weights, *names):
        words = ("compare", scene / weights, *(scene / n for n in names), "--json")
        return json.loads(cli(*words).stdout)["similarity"]
    want = similarity("w.bin", "t0.npy", "t1.npy")
    assert similarity("t.bin", "0.npy", "1.npy") == want
    assert abs(similarity("w.bin", "0.npy", "1.npy") - want) > 1e-4
