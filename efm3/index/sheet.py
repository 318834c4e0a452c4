# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Clusters to look at: one HTML file without a script that loads nothing, its pictures inside."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from efm3.arrays import Floats, Pixels
from efm3.bulk.row import path_of
from efm3.findings import Efm3Error
from efm3.index.clusters import Clusters
from efm3.index.library import Library, Name
from efm3.source import Unreadable
from efm3.texts import cut, safe

CLUSTERS, TILES = 100, 12
"""Clusters on a page, and faces shown of each."""
SIDE = 96
"""Pixels of a face on the page."""
LONGEST = 200
"""Most characters of a name."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #59626e; --page: #fff; --card: #eceff2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a4adb8; --page: #15181c;
  --card: #262b32; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 1.5rem 1rem 4rem; background: var(--page);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
p, small { color: var(--soft); }
h2 small { font-weight: 400; }
.faces { display: flex; flex-wrap: wrap; gap: .75rem; }
figure { margin: 0; width: 96px; }
figcaption { font-size: 11px; line-height: 1.3; color: var(--soft); overflow-wrap: anywhere;
  max-height: 5.2em; overflow: hidden; }
figcaption b { color: var(--ink); }
img, .none { display: block; width: 96px; height: 96px; border-radius: 6px; }
.none { background: var(--card); color: var(--soft); font-size: 11px; line-height: 1.3;
  padding: .5rem; overflow: hidden; overflow-wrap: anywhere; }
"""


class _Tile(NamedTuple):
    """A face of a cluster: its name, how near it is to the centre, and its row in the table."""

    name: Name
    similarity: float
    points: Floats
    aligned: bool


def page(library: Library, found: Clusters, threshold: str) -> Iterator[bytes]:
    """The file's bytes, piece by piece. The largest clusters are shown, and of each the faces
    nearest to its centre; a picture that cannot be shown is a grey tile that says why.

    Raises Efm3Error X002 without Pillow.
    """
    from efm3.pictures import pillow

    pillow()
    sizes = found.sizes.tolist()
    shown = min(len(sizes), CLUSTERS)
    tiles = _tiles(library, found, shown)
    yield _head(len(sizes), shown, found, threshold).encode()
    for number in range(shown):
        more = sizes[number] - len(tiles[number])
        note = f", the {len(tiles[number])} nearest to the centre" if more else ""
        yield (f'<h2>Cluster {number} <small>{sizes[number]:,} faces{note}</small></h2>\n'
               '<div class="faces">\n').encode()
        for tile in tiles[number]:
            yield _figure(tile).encode()
        yield b"</div>\n"
    yield b"</body>\n</html>\n"


def _head(count: int, shown: int, found: Clusters, threshold: str) -> str:
    alone, missing = found.alone, found.missing
    left = f"{alone:,} face{'s' * (alone != 1)} like no other"
    if missing:
        left += f"; {missing:,} row{'s' * (missing != 1)} without an embedding"
    some = f", the {shown} largest are shown" if shown < count else ""
    return "\n".join((
        '<!doctype html>', '<html lang="en">', '<head>', '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Whatever an escape forgot: the page may load and run nothing.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        'style-src \'unsafe-inline\'; img-src data:">',
        f'<title>Clusters of faces</title>\n<style>{STYLE}</style>', '</head>', '<body>',
        '<h1>Clusters of faces</h1>',
        f'<p>{count:,} cluster{"s" * (count != 1)}{some}; {left}. Threshold '
        f'{safe(threshold, "xml")}. Under each face: its cosine to the centre, and its picture.'
        '</p>\n'))


def _tiles(library: Library, found: Clusters, shown: int) -> list[list[_Tile]]:
    """Of each cluster that is shown the faces nearest to its centre."""
    order = np.lexsort((-found.similarity, found.cluster))
    first = np.searchsorted(found.cluster[order], np.arange(shown))
    rows = [order[a:a + min(n, TILES)].tolist()
            for a, n in zip(first, found.sizes[:shown], strict=True)]
    wanted = {row for some in rows for row in some}
    tiles: dict[int, _Tile] = {}
    aligned = [t.options.get("align") is True for t in library.tables]
    ends = np.cumsum([t.count for t in library.tables])
    for at, block in library.columns("path", "face", "points"):
        for i, path in enumerate(block["path"]):
            if (row := at + i) in wanted:
                table = int(np.searchsorted(ends, row, side="right"))
                tiles[row] = _Tile(Name(path, int(block["face"][i])),
                                   float(found.similarity[row]), block["points"][i],
                                   aligned[table])
    return [[tiles[row] for row in some] for some in rows]


def _figure(tile: _Tile) -> str:
    name = _named(tile.name.path) + (f", face {tile.name.face}" if tile.name.face else "")
    try:
        picture = f'<img alt="" src="data:image/jpeg;base64,{_jpeg(_crop(tile))}">'
    except Unreadable as e:
        why = "inside an archive" if "::" in tile.name.path else \
            str(e).removeprefix(f"{path_of(tile.name.path)}: ")
        picture = f'<div class="none">{_named(why)}</div>'
    except Efm3Error as e:
        picture = f'<div class="none">{_named(e.finding.message)}</div>'
    return (f"<figure>{picture}<figcaption><b>{tile.similarity:.3f}</b> <bdi>{name}</bdi>"
            "</figcaption></figure>\n")


def _named(text: str) -> str:
    """A foreign text: short, visible, and nothing but text."""
    return safe(cut(text, LONGEST), "xml")


def _crop(tile: _Tile) -> Pixels:
    """The face out of its picture, as the network had it. Raises Efm3Error, Unreadable."""
    from efm3.photos.align import aligned
    from efm3.pictures import read
    from efm3.pictures.load import crop

    path = path_of(tile.name.path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if tile.aligned and np.isfinite(tile.points).all():
            return aligned(read(path).pixels, tile.points.astype(np.float64).reshape(5, 2))
        return crop(path, True).pixels


def _jpeg(pixels: Pixels) -> str:
    from efm3.pictures import pillow

    image = pillow()
    buffer = io.BytesIO()
    small = image.fromarray(pixels).resize((SIDE, SIDE), image.Resampling.BILINEAR)
    small.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()
