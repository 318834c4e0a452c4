# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 faces`: the faces in photographs, and aligned crops of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from efm3.cli import json_option, separate
from efm3.cli._kinds import FILE, FOLDER
from efm3.cli._photos import DETECTOR, Stems, free, save
from efm3.findings import Efm3Error, Finding, printable
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.arrays import Pixels
    from efm3.bulk.inputs import Item
    from efm3.photos import Detector, Face


@click.command("faces")
@click.argument("photos", nargs=-1, required=True, type=FILE, metavar="PHOTO...")
@click.option("-o", "--output", metavar="DIR", type=FOLDER,
              help="write each face there, aligned, as NAME-1.png, NAME-2.png ...")
@click.option("--draw", is_flag=True,
              help="write each photograph with boxes and points, as NAME-faces.png")
@click.option("--force", is_flag=True, help="overwrite existing files")
@DETECTOR
@json_option
@click.pass_context
def command(ctx: click.Context, photos: tuple[str, ...], output: str | None, draw: bool,
            force: bool, detector: str, as_json: bool) -> None:
    """Find the faces in photographs, the largest first.

    A PHOTO is a picture, a folder, a pattern such as 'a/**/*.jpg', or an archive (.tar, .zip). Each
    face has a box, five points (eyes, tip of the nose, corners of the mouth), a score, and facts
    of its quality. With -o each is cut out as the network takes it, 112x112 pixels, aligned by
    the points. --draw writes into DIR too, or into the current folder: points on the left are
    red, the others yellow; a photograph without a face is not drawn.

    \b
    efm3 faces party.jpg
    efm3 faces photos/ -o crops --draw

    Exit codes: 0 done, also where a photograph shows no face; 1 a photograph that is refused, a
    file that is there already, or a library that is missing; 2 usage; 3 unreadable.
    """
    from efm3.bulk.inputs import Inputs
    from efm3.bulk.run import nothing
    from efm3.photos import open_detector
    from efm3.pictures import pillow

    finder = open_detector(detector)  # first: its extra brings Pillow too
    pillow()
    inputs, stems = Inputs(photos), Stems()
    read = {os.path.realpath(p) for p in photos}
    rows, worst, found = list[dict[str, Any]](), 0, False
    for item in inputs.pictures():
        found = True
        if output:
            os.makedirs(output, exist_ok=True)
        path = item.source if isinstance(item.source, str) else item.name
        place = os.path.join(output or "", stems.of(path))
        try:
            row = _photo(item, path, finder, place if output else None, place if draw else None,
                         force, read)
        except (Efm3Error, OSError) as e:
            if isinstance(e, Efm3Error) and e.code in ("F015", "X002"):
                raise
            code = e.code if isinstance(e, Efm3Error) else "IO001"
            worst = max(worst, 3 if code == "IO001" else 1)
            named = e if isinstance(e, OSError) and e.filename else None
            said = f"{named.filename}: {named.strerror}" if named else str(e)
            row = {"photo": path, "width": None, "height": None, "notes": [], "drawn": None,
                   "error": {"code": code, "message": said}, "faces": []}
            click.echo(f"efm3: {printable(said)}", err=True)
        if as_json:
            rows.append(row)
        elif row["error"] is None:
            _tell(row)
    if not found:
        nothing(inputs)
    if as_json:
        click.echo(dumps({"detector": finder.name, "photos": rows}, indent=2))
    ctx.exit(worst)


def _photo(item: Item, path: str, detector: Detector, crops: str | None, drawn: str | None,
           force: bool, read: set[str]) -> dict[str, Any]:
    """The row of one photograph; `crops` and `drawn` are where files of it begin, `read` the real
    paths of the arguments."""
    from efm3.photos import aligned, find, photograph

    if isinstance(item.source, Finding):
        raise Efm3Error(item.source)
    pixels, notes = photograph(item.source, detector, path)
    faces = find(pixels, detector)
    cut = [aligned(pixels, f.points) for f in faces]
    names = [f"{crops}-{n}.png" if crops else None for n in range(1, len(faces) + 1)]
    picture = f"{drawn}-faces.png" if drawn and faces else None
    free(filter(None, [*names, picture]), force)
    written = [*names, picture]
    separate([path, *(n for n in written if n and os.path.realpath(n) in read)], written)
    for name, crop in zip(names, cut, strict=True):
        if name:
            save(name, crop)
    if picture:
        save(picture, _marked(pixels, faces))
    return {"photo": path, "width": pixels.shape[1], "height": pixels.shape[0],
            "notes": list(notes), "drawn": picture, "error": None,
            "faces": [{**face.to_json(pixels, crop), "crop": name}
                      for face, crop, name in zip(faces, cut, names, strict=True)]}


def _marked(pixels: Pixels, faces: list[Face]) -> Pixels:
    """The photograph with each face's box, number and points."""
    import numpy as np

    from efm3.extras import need
    from efm3.pictures import pillow

    picture = pillow().fromarray(pixels)
    pen = need("PIL.ImageDraw", "images").Draw(picture)
    width = max(1, max(pixels.shape[:2]) // 400)
    font = need("PIL.ImageFont", "images").load_default(10 + 8 * width)
    for number, face in enumerate(faces, 1):
        pen.rectangle([float(v) for v in face.box], outline=(0, 255, 0), width=width)
        pen.text((float(face.box[0]) + 2 * width, float(face.box[1]) + 2 * width), str(number),
                 fill=(0, 255, 0), font=font, stroke_width=width, stroke_fill=(0, 0, 0))
        for k, (x, y) in enumerate(face.points):
            pen.ellipse([float(x) - width, float(y) - width, float(x) + width, float(y) + width],
                        fill=(255, 0, 0) if k in (0, 3) else (255, 255, 0))
    return np.asarray(picture)


def _tell(row: dict[str, Any]) -> None:
    """A line for the photograph, and one for each face, its notes behind it."""
    name, faces = printable(row["photo"]), row["faces"]
    count = {0: "no face", 1: "1 face"}.get(len(faces), f"{len(faces)} faces")
    click.echo(f"{name}: {count}, {row['width']}x{row['height']} pixels"
               + "".join(f"; {printable(n)}" for n in row["notes"]))
    for number, face in enumerate(faces, 1):
        left, top, right, bottom = face["box"]
        click.echo(
            f"  {number}: {right - left:.0f}x{bottom - top:.0f} at {left:.0f},{top:.0f}; score "
            f"{face['score']:.2f}; eyes {face['eyes']:.0f} pixels apart; sharpness "
            f"{face['sharpness']:.0f}; roll {face['roll']:.0f}, yaw {face['yaw']:.0f}, pitch "
            f"{face['pitch']:.0f}")
        for note in face["notes"]:
            click.echo(f"     {printable(note)}")
        if face["crop"]:
            click.echo(f"     -> {printable(face['crop'])}")
    if row["drawn"]:
        click.echo(f"  drawn: {printable(row['drawn'])}")
