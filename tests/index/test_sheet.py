# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of clusters: whole, bounded, its pictures inside, and foreign names nothing but text."""

import base64
import io
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from efm3 import untrained
from efm3.bulk.row import Row, path_text
from efm3.index import sheet
from efm3.index.clusters import Clusters
from efm3.index.library import Library
from efm3.photos.align import TEMPLATE
from tests.indexed import OPTIONS, directions, rows, table

NEEDS = ("PIL",)
VOID = {"meta", "img"}


class Checked(HTMLParser):
    """Every tag closed in order; tags, attributes and text are kept."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def made(path, cluster):
    cluster = np.array(cluster)
    found = Clusters(cluster, np.where(cluster < 0, np.nan, np.linspace(0.9, 0.5, len(cluster))))
    with Library([str(path)]) as library:
        text = b"".join(sheet.page(library, found, "0.4, as <given>")).decode()
    return text, Checked(text)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i, picture in enumerate(untrained.images(4, 3)):
        # Smooth, so that JPEG keeps it.
        Image.fromarray(picture).resize((6, 6)).resize((112, 112)).save(f"{i}.png")
    return tmp_path


def pictures(page):
    found = [dict([a])["src"] for a in page.attributes if a[0] == "src"]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(
        src.removeprefix("data:image/jpeg;base64,"))))) for src in found]


def test_faces_are_shown_by_cluster_the_nearest_first(scene):
    names = ["1.png", "0.png", "2.png", "0.png"]
    path = table("x.npz", rows(directions(4), names))
    text, page = made(path, [0, 1, -1, 0])
    shown = pictures(page)
    assert [p.shape for p in shown] == [(sheet.SIDE, sheet.SIDE, 3)] * 3
    for picture, name in zip(shown, ("1.png", "0.png", "0.png"), strict=True):
        want = Image.open(name).resize((sheet.SIDE, sheet.SIDE), Image.Resampling.BILINEAR)
        assert abs(picture.astype(int) - np.asarray(want)).mean() < 6
    assert re.findall(r"Cluster (\d) <small>(\d) faces", text) == [("0", "2"), ("1", "1")]
    assert "2 clusters; 1 face like no other. T" in text and "0.4, as &lt;given&gt;" in text
    assert "script" not in page.tags
    policy = [v for k, v in page.attributes if k == "content" and "default-src" in v]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert not re.search(r"(src|href)=(?!\"data:)|url\(|@import", text)


def test_an_aligned_face_is_cut_out_of_its_photograph(scene):
    photo = np.full((300, 400, 3), 40, np.uint8)
    crop = np.asarray(Image.open("0.png"))
    photo[100:212, 200:312] = crop
    Image.fromarray(photo).save("photo.png")
    points = tuple(float(v) for p in TEMPLATE for v in (p[0] + 200, p[1] + 100))
    some = [Row("photo.png", 0, v, (200.0, 100.0, 312.0, 212.0), points, 0.9)
            for v in directions(1)]
    path = table("x.npz", some, options={**OPTIONS, "align": True, "face": "one",
                                         "detector": {"name": "centerface"}})
    _, page = made(path, [0])
    want = Image.fromarray(crop).resize((sheet.SIDE, sheet.SIDE), Image.Resampling.BILINEAR)
    assert abs(pictures(page)[0].astype(int) - np.asarray(want)).mean() < 6


def test_a_picture_whose_name_is_no_utf_8_is_shown(scene):
    raw = os.fsdecode(b"\xff.png")
    try:
        os.link("0.png", raw)
    except OSError as e:
        pytest.skip(f"this file system takes no such names: {e}")
    _, page = made(table("x.npz", rows(directions(1), [path_text(raw)])), [0])
    assert len(pictures(page)) == 1


def test_what_cannot_be_shown_says_why(scene):
    os.mkfifo("fifo.png")
    (scene / "text.png").write_text("no picture")
    (scene / "dir.png").mkdir()
    names = ["gone.png", "fifo.png", "text.png", "dir.png", "a.tar::b.png", "0.png"]
    _, page = made(table("x.npz", rows(directions(6), names)), [0] * 6)
    text = " ".join(page.text)
    for why in ("No such file", "not a regular file", "not a picture", "is a directory",
                "inside an archive"):
        assert why in text
    assert len(pictures(page)) == 1


def test_names_are_text(scene):
    names = ["<script>alert(1)</script>", '"><img src=x onerror=y>', "&amp;\n\x1b[31m", "a" * 5000,
             "‮gnp.exe"]
    text, page = made(table("x.npz", rows(directions(5), names)), [0] * 5)
    assert {*page.tags} <= {"html", "head", "meta", "title", "style", "body", "h1", "p", "h2",
                            "small", "div", "figure", "img", "figcaption", "b", "bdi"}
    assert {k for k, _ in page.attributes} <= {"lang", "charset", "name", "content", "http-equiv",
                                               "class", "alt", "src"}
    assert "<script>alert(1)</script>" in " ".join(page.text)
    assert "\x1b" not in text and "‮" not in text and "a" * (sheet.LONGEST + 1) not in text


def test_a_page_is_bounded(scene, monkeypatch):
    monkeypatch.setattr(sheet, "CLUSTERS", 2)
    monkeypatch.setattr(sheet, "TILES", 3)
    path = table("x.npz", rows(directions(9)))
    text, page = made(path, [0, 0, 0, 0, 1, 1, 2, 2, -1])
    assert page.tags.count("figure") == 5 and "the 3 nearest to the centre" in text
    assert "3 clusters, the 2 largest are shown" in text


def test_no_clusters(scene):
    text, _ = made(table("x.npz", rows(directions(3))), [-1, -1, -2])
    assert "0 clusters; 2 faces like no other; 1 row without an embedding. T" in text
