# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What decoding takes of the memory, each time in a process of its own: the largest pictures that
are decoded, and files that are small and claim far more."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.encodings import writes

NEEDS = ("PIL",)

MOST = 256 << 20
CHILD = """
import sys
from efm3.pictures import BadPicture, face, read
data = open(sys.argv[1], "rb").read()
for way in (lambda: read(data), lambda: face(data, resize=True)):
    try:
        print(*way().pixels.shape[:2], end=" ")
    except BadPicture as e:
        print(e.code, end=" ")
with open("/proc/self/status") as f:
    print(next(line.split()[1] for line in f if line.startswith("VmHWM")))
"""


def taken(tmp_path, data):
    """What came of both ways to read, and the most bytes that the process had in memory."""
    if not Path("/proc/self/status").exists():
        pytest.skip("this system has no /proc")
    path = tmp_path / "picture"
    path.write_bytes(data)
    done = subprocess.run([sys.executable, "-c", CHILD, path], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    *words, peak = done.stdout.split()
    return words, int(peak) << 10


def flat(mode, width, height, form, **kw):
    buffer = io.BytesIO()
    colour = 7 if mode in ("L", "P") else (90, 120, 30, 40)[:len(mode)]
    Image.new(mode, (width, height), colour).save(buffer, form, **kw)
    return buffer.getvalue()


LARGEST = [
    ("RGB", 5400, 5500, "PNG", {"compress_level": 1}),
    ("RGBA", 5400, 5500, "PNG", {"compress_level": 1}),
    ("L", 65000, 450, "PNG", {}),
    ("RGB", 5400, 5500, "TIFF", {"compression": "tiff_lzw"}), ("RGB", 4032, 3024, "WEBP", {}),
    ("RGBA", 4000, 3000, "WEBP", {"method": 0, "lossless": True}), ("P", 5400, 5500, "GIF", {}),
    ("RGB", 5400, 5500, "JPEG", {}), ("CMYK", 5400, 5500, "JPEG", {}),
    ("RGB", 4000, 3900, "JPEG", {"progressive": True, "subsampling": 0}),
    ("RGB", 2900, 3000, "JPEG2000", {}), ("RGB", 4000, 3900, "AVIF", {"speed": 10}),
]


@pytest.mark.parametrize("mode,width,height,form,kw", LARGEST)
def test_the_largest(tmp_path, mode, width, height, form, kw):
    library = {"AVIF": "avif", "JPEG2000": "jpg_2000"}.get(form)
    if library and not writes(library):
        pytest.skip(f"this Pillow does not write {form}")
    words, peak = taken(tmp_path, flat(mode, width, height, form, **kw))
    assert words == [str(height), str(width), "112", "112"] and peak <= MOST


@pytest.mark.parametrize("width,height", [(8064, 6048), (12000, 9000), (16000, 12500)])
@pytest.mark.parametrize("kw", [{}, {"progressive": True}])
def test_photographs_of_any_camera(tmp_path, width, height, kw):
    """JPEGs are decoded at a fraction; a progressive one is kept whole, to a size."""
    words, peak = taken(tmp_path, flat("RGB", width, height, "JPEG", **kw))
    assert peak <= MOST
    assert words == ["F011"] * 2 if kw and width > 8064 else words[-2:] == ["112", "112"]


def png_of(width, height):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(
            ">I", zlib.crc32(name + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99)))
            + chunk(b"IEND", b""))


def lie(data, true, told):
    """The data with one size written over the other, wherever it stands."""
    assert true in data
    return data.replace(true, told)


def avif_lie():
    if not writes("avif"):
        pytest.skip("this Pillow does not write AVIF")
    return lie(flat("RGB", 5000, 5000, "AVIF", speed=10), struct.pack(">II", 5000, 5000),
               struct.pack(">II", 112, 112))


BOMBS = {
    "WebP": lambda: flat("RGB", 9000, 9000, "WEBP", lossless=True, method=0),
    "PNG": lambda: png_of(1, 67_000_000), "wide PNG": lambda: png_of(1 << 30, 1),
    "GIF": lambda: lie(flat("P", 301, 302, "GIF"), b",\0\0\0\0\x2d\x01\x2e\x01",
                       b",\0\0\0\0\xff\xff\xff\xff"),
    "TIFF": lambda: lie(flat("RGB", 301, 302, "TIFF", compression="tiff_lzw"),
                        struct.pack("<HHIH", 256, 3, 1, 301),
                        struct.pack("<HHIH", 256, 3, 1, 60000)).replace(
        struct.pack("<HHIH", 257, 3, 1, 302), struct.pack("<HHIH", 257, 3, 1, 60000)),
    "JPEG": lambda: lie(flat("RGB", 301, 302, "JPEG", progressive=True),
                        struct.pack(">HH", 302, 301), struct.pack(">HH", 60000, 60000)),
    "AVIF": avif_lie,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(tmp_path, name):
    data = BOMBS[name]()
    assert len(data) < 12 << 20
    words, peak = taken(tmp_path, data)
    assert words == ["F011", "F011"] and peak <= 64 << 20
