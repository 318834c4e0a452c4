# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures drawn in parts are those of one drawing, wherever it was stopped."""

import pytest

from efm3.drawn.faces import Faces, Occupied, cache
from tools.weights import pictures

NEEDS = ("torch",)


def test_parts_become_one_cache_and_a_stopped_drawing_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "PART", 2)
    said = []

    def stop(text):
        said.append(text)
        if len(said) == 2:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        pictures.draw(tmp_path / "faces", 1, 5, 2, "cpu", stop)
    assert not (tmp_path / "faces").exists()
    pictures.draw(tmp_path / "faces", 1, 5, 2, "cpu", said.append)
    assert said == ["2 of 5 identities drawn", "4 of 5 identities drawn",
                    "5 of 5 identities drawn"]
    whole = cache(tmp_path / "whole", Faces(1, 0, 5, 2))
    names = {p.name for p in whole.iterdir()}
    assert {p.name for p in (tmp_path / "faces").iterdir()} == names
    assert all((tmp_path / "faces" / n).read_bytes() == (whole / n).read_bytes() for n in names)
    assert {p.name for p in tmp_path.iterdir()} == {"faces", "whole"}
    pictures.draw(tmp_path / "faces", 1, 5, 2, "cpu", said.append)
    assert len(said) == 3, "nothing is drawn again"
    with pytest.raises(Occupied, match="other pictures"):
        pictures.draw(tmp_path / "faces", 2, 5, 2, "cpu", said.append)


def test_a_cpus_pictures_are_its_own():
    assert pictures.differ("cpu") == 0
