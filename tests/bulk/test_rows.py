# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures to rows: faults are rows, and a row depends on its picture alone."""

import io

import numpy as np
import pytest

import efm3
from efm3 import Efm3Error, reference, untrained
from efm3.bulk.rows import AT_ONCE, Maker, Plan, failed
from efm3.conformance import sample
from efm3.findings import error

MODEL = untrained.dumps(sample.ARCH, 1)
PICTURES = untrained.images(4, 9)


def npy(value):
    buffer = io.BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()


ITEMS = [(f"{i}.npy", npy(p)) for i, p in enumerate(PICTURES)]


@pytest.fixture(scope="module")
def maker():
    return Maker(MODEL, Plan())


def test_embeddings_are_the_references(maker):
    want = reference.forward(efm3.load(MODEL), reference.prepare(PICTURES))
    found = maker.made(ITEMS)
    assert [m.name for m in found] == [n for n, _ in ITEMS]
    assert np.abs(np.stack([m.rows[0].embedding for m in found]) - want).max() < 1e-5


def test_neighbours_and_batches_do_not_matter(maker):
    """Bit by bit, in batches of any size, beside pictures that fail, across a call's most."""
    alone = {name: maker.rows_of(name, data).rows[0].embedding.tobytes() for name, data in ITEMS}
    many = (ITEMS * AT_ONCE)[:2 * AT_ONCE + 3]
    for pictures in (ITEMS, ITEMS[3:5], [*ITEMS[:2], ("bad", b"junk"), *ITEMS[2:]], many):
        found = maker.made(pictures)
        assert len(found) == len(pictures)
        for made in found:
            assert made.name == "bad" or made.rows[0].embedding.tobytes() == alone[made.name]


def test_faults_are_rows(maker, tmp_path):
    found = maker.made([
        ("a", npy(np.zeros((5, 5, 3), np.uint8))), ("b", ITEMS[0][1][:99]), ("c", b""),
        (str(tmp_path / "none"), str(tmp_path / "none")), (str(tmp_path), str(tmp_path)),
        ("e", error("B012", "cut", "e").finding), ("f", "a\0b")])
    rows = [r for m in found for r in m.rows]
    assert [r.error for r in rows] == ["F012", "F010", "F009", "IO001", "IO001", "B012", "IO001"]
    assert all(r.embedding is None and r.reason for r in rows)
    assert [r.reason for r in rows[3:6]] == ["No such file or directory", "is a directory", "cut"]
    assert failed("e", error("B012", "cut", "e").finding) == found[5]


def test_an_embedding_that_is_not_finite_is_an_error(maker, monkeypatch):
    embed = maker.engine.embed

    class Engine:
        """Gives a NaN for the second crop."""

        def embed(self, crops):
            out = embed(crops)
            out[1, 3] = np.nan
            return out
    monkeypatch.setattr(maker, "engine", Engine())
    (first, second, third) = [m.rows[0] for m in maker.made(ITEMS[:3])]
    assert (first.error, second.error, third.error) == (None, "F008", None)
    assert second.embedding is None and "not finite" in second.reason


def test_memory_that_runs_out_is_a_row(maker, monkeypatch):
    def none(*_, **__):
        raise MemoryError
    monkeypatch.setattr("efm3.bulk.rows.crop", none)
    assert maker.rows_of(*ITEMS[0]).rows[0].error == "IO001"


def test_a_library_that_is_missing_ends_the_run(maker, monkeypatch):
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)

    def missing():
        raise error("X002", "this needs Pillow", "PIL")
    monkeypatch.setattr("efm3.pictures.pillow", missing)
    with pytest.raises(Efm3Error, match="X002"):
        maker.rows_of("a.png", png)


class Detector:
    """Finds as many faces as the first byte of the picture says."""

    name = "made"

    def detect(self, rgb):
        from efm3.photos import Face
        from efm3.photos.align import TEMPLATE

        if rgb[0, 0, 0] == 99:
            raise error("F015", "its network fails", "made")
        points = np.array(TEMPLATE)
        return [Face(np.array([20.0, 20, 90, 90]) + 25 * i, points + 25 * i, 0.9375)
                for i in range(int(rgb[0, 0, 0]))]


def photograph(count):
    image = pytest.importorskip("PIL.Image", reason="Pillow is an extra")
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[40:160, 40:160] = np.random.default_rng(count).integers(0, 256, (120, 120, 1))
    pixels[0, 0] = count
    buffer = io.BytesIO()
    image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_faces(monkeypatch):
    monkeypatch.setattr("efm3.photos.open_detector", lambda word: Detector())
    photos = [(str(n), photograph(n)) for n in (0, 1, 3)]
    for which, counts in (("one", [0, 1, 0]), ("largest", [0, 1, 1]), ("all", [0, 1, 3])):
        maker = Maker(MODEL, Plan(align=True, face=which))
        found = maker.made([*photos, ITEMS[0]])
        assert [sum(r.error is None for r in m.rows) for m in found] == [*counts, 1]
        assert found[0].rows[0].error == "F013"
        assert found[2].rows[0].error == ("F014" if which == "one" else None)
        assert found[3].rows[0].box is None  # an array is a crop already
    rows = found[2].rows
    assert [r.face for r in rows] == [0, 1, 2] and [r.path for r in rows] == ["3"] * 3
    assert [r.box for r in rows] == [(20 + d, 20 + d, 90 + d, 90 + d) for d in (0, 25, 50)]
    assert len(rows[0].points) == 10 and rows[0].score == 0.9375
    assert len({r.embedding.tobytes() for r in rows}) == 3
    with pytest.raises(Efm3Error, match="F015"):
        maker.rows_of("99", photograph(99))


def test_what_is_to_be_known_is_told(monkeypatch):
    image = pytest.importorskip("PIL.Image", reason="Pillow is an extra")
    buffer = io.BytesIO()
    image.fromarray(PICTURES[0]).resize((300, 200)).save(buffer, "PNG")
    made = Maker(MODEL, Plan(resize=True)).rows_of("a", buffer.getvalue())
    assert made.notes == ("it is not square, and was squashed into 112x112 pixels",)
    assert made.rows[0].embedding is not None
