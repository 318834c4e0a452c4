# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""From file to file: named, checked before it takes its place, public as efm3.convert.convert."""

import numpy as np
import pytest

import efm3
from efm3.conformance import sample
from efm3.convert import checked


def test_it_is_public_and_says_what_was_done(tmp_path):
    assert efm3.convert.convert is checked.convert
    (tmp_path / "a.bin").write_bytes(sample.sealed())
    done = efm3.convert.convert(tmp_path / "a.bin", tmp_path / "b.npz", name="mine",
                                meta={"licence": "MIT"})
    assert (done.from_format, done.to_format, done.size) == (
        "bin", "npz", (tmp_path / "b.npz").stat().st_size)
    assert done.check.max_error == 0 and done.to_json()["check"]["min_cosine"] > 0.999
    back = efm3.convert.read(tmp_path / "b.npz")
    assert back.arch.name == "mine" and back.mirror["meta"]["licence"] == "MIT"


def test_a_result_that_differs_is_not_written(tmp_path, monkeypatch):
    (tmp_path / "a.bin").write_bytes(sample.base())
    (tmp_path / "b.bin").write_bytes(b"old")
    monkeypatch.setattr(checked.Network, "run", lambda self, x: np.random.default_rng().random(
        (len(x), 8)))
    monkeypatch.setattr(checked, "_same", lambda a, b: False)
    with pytest.raises(efm3.Efm3Error, match="X013"):
        checked.convert(tmp_path / "a.bin", tmp_path / "b.bin")
    assert (tmp_path / "b.bin").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 2


def test_unchecked_says_so(tmp_path):
    (tmp_path / "a.bin").write_bytes(sample.base())
    done = checked.convert(tmp_path / "a.bin", tmp_path / "b.npz", verify=False)
    assert done.check is None and (tmp_path / "b.npz").exists()


def test_a_tensor_that_changed_is_seen():
    """Where no other program runs either side, each tensor's bytes are compared: -0 is not 0."""
    a = efm3.load(sample.base())
    changed = {k: np.array(v) for k, v in a.tensors.items()}
    assert checked._same(a, efm3.load(efm3.dumps(a.arch, changed)))
    zero = {**changed, "stem.bn.b": changed["stem.bn.b"] * np.float32(0)}
    minus = {**changed, "stem.bn.b": -zero["stem.bn.b"]}
    assert not checked._same(*(efm3.load(efm3.dumps(a.arch, t)) for t in (zero, minus)))


def test_two_files_take_their_places_after_the_check(tmp_path, monkeypatch):
    (tmp_path / "a.bin").write_bytes(sample.base())
    (tmp_path / "n.param").write_bytes(b"old graph")
    (tmp_path / "n.bin").write_bytes(b"old weights")
    monkeypatch.setattr(checked.Network, "run", lambda self, x: np.random.default_rng().random(
        (len(x), 8)))
    with pytest.raises(efm3.Efm3Error, match="X013"):
        checked.convert(tmp_path / "a.bin", tmp_path / "n.param")
    assert (tmp_path / "n.param").read_bytes() == b"old graph"
    assert (tmp_path / "n.bin").read_bytes() == b"old weights"
    monkeypatch.undo()
    done = checked.convert(tmp_path / "a.bin", tmp_path / "n.param")
    assert done.size == sum((tmp_path / f"n.{e}").stat().st_size for e in ("param", "bin"))
    assert len(list(tmp_path.iterdir())) == 3


def test_a_source_is_never_replaced(tmp_path):
    """Its own file, or the one beside it, under any spelling; an EFM3 file may be, by itself."""
    (tmp_path / "a.bin").write_bytes(sample.base())
    checked.convert(tmp_path / "a.bin", tmp_path / "n.param")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    (tmp_path / "link.bin").symlink_to(tmp_path / "n.bin")
    for source, target in (("n.param", "n.bin"), ("n.bin", "n.bin"), ("n.param", "link.bin"),
                           ("n.param", "n.param")):
        with pytest.raises(efm3.Efm3Error, match="X019"):
            checked.convert(tmp_path / source, tmp_path / target)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.name != "link.bin"} == before
    checked.convert(tmp_path / "a.bin", tmp_path / "a.bin", name="new")
    assert efm3.load(tmp_path / "a.bin").arch.name == "new"


def test_meta_does_not_say_how_the_picture_is_taken(tmp_path):
    (tmp_path / "a.bin").write_bytes(sample.base())
    with pytest.raises(efm3.Efm3Error, match=r"X012.*--turned"):
        checked.convert(tmp_path / "a.bin", tmp_path / "b.bin", meta={"picture": "upright"})


def test_meta_does_not_say_what_it_was_made_from(tmp_path):
    (tmp_path / "a.bin").write_bytes(sample.base())
    with pytest.raises(efm3.Efm3Error, match=r"X012.*efm3\.source_sha256"):
        checked.convert(tmp_path / "a.bin", tmp_path / "b.bin", meta={"efm3.source_sha256": "0"})


def test_what_lies_beside_a_new_graph_is_not_replaced(tmp_path):
    (tmp_path / "a.bin").write_bytes(sample.base())
    (tmp_path / "n.bin").write_bytes(b"something else")
    with pytest.raises(efm3.Efm3Error, match=r"X019.*is there already"):
        checked.convert(tmp_path / "a.bin", tmp_path / "n.param")
    assert (tmp_path / "n.bin").read_bytes() == b"something else"


def test_an_error_shows_nothing_where_all_embeddings_are_one():
    from efm3 import verification
    one = np.ones((4, 8)) / 8 ** 0.5
    apart = one + np.arange(4)[:, None] * 1e-6
    assert not verification.shows(1e-7, one)
    assert verification.shows(1e-8, apart) and not verification.shows(1e-6, apart)
