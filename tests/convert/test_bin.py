# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""EFM3 to EFM3: the same bytes, or a new mirror on the same weights."""

import efm3
from efm3.conformance import sample
from efm3.convert.checked import convert


def test_the_same_bytes(vector, odd_text, tmp_path):
    for path in (vector, odd_text):
        convert(path, tmp_path / "b.bin")
        assert (tmp_path / "b.bin").read_bytes() == path.read_bytes()


def test_name_and_meta_change_the_mirror_alone(vector, tmp_path):
    out = tmp_path / "b.bin"
    convert(vector, out, name="other", meta={"licence": "MIT", "trained": False})
    model, old = efm3.load(out), efm3.load(vector)
    assert model.arch.name == model.mirror["name"] == "other"
    assert model.mirror["meta"] == {"licence": "MIT", "trained": False}
    assert all((model.tensors[k] == old.tensors[k]).all() for k in old.tensors)


def test_meta_is_added_to_what_is_there(tmp_path):
    (tmp_path / "a.bin").write_bytes(sample.sealed())
    convert(tmp_path / "a.bin", tmp_path / "b.bin", meta={"licence": "MIT"})
    assert set(efm3.load(tmp_path / "b.bin").mirror["meta"]) == {"sha256", "licence"}


def test_another_arch_is_refused(vector, refused):
    refused(vector, "X011", arch=efm3.ARCHS["xs"])


def test_damage_is_refused_by_its_own_rule(vector, tmp_path, refused):
    (tmp_path / "a.bin").write_bytes(vector.read_bytes()[:-1])
    refused(tmp_path / "a.bin", "T012")
