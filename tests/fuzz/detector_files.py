# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Detectors of faces as ONNX files with what they answer, and what stands beside a graph of near
embeddings, for fuzz_python.py.

ONNX Runtime is left out: SECURITY.md promises nothing of what it does with a stranger's network,
and a made up one ends its process. What is ours is what is read in the file, and what is made of
any answer: an input is the file and the numbers of the answers.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx

from efm3 import Efm3Error
from efm3.index import approximate
from efm3.photos.detectors import CenterFace, YuNet, _Onnx, open_detector
from tests.fuzz import packs
from tests.photos import networks

REFUSED = ("F015",)


class _Session:
    """Answers as a network would whose outputs are these numbers, in shapes that are mostly due."""

    def __init__(self, numbers: bytes) -> None:
        self._numbers = np.frombuffer(numbers[:len(numbers) & -4].ljust(4, b"\0"), "<f4")
        self._odd = len(numbers) % 4

    def run(self, names: list[str], given: dict[str, Any], options: Any) -> list[Any]:
        """The outputs of these names."""
        (pixels,) = given.values()
        height, width = pixels.shape[2:]
        out = []
        for at, name in enumerate(names):
            count = {**YuNet.OUTPUTS, **CenterFace.OUTPUTS}[name]
            if "_" in name:
                stride = int(name.rpartition("_")[2])
                shape: tuple[int, ...] = (1, height // stride * (width // stride), count)
            else:
                shape = (1, count, height // 4, width // 4)
            if self._odd == 1 and at == 2:
                shape = shape[1:]
            out.append(np.resize(np.roll(self._numbers, at), shape).astype(
                np.float64 if self._odd == 2 else np.float32))
        return out


def seeds() -> list[bytes]:
    """Small networks with the outputs of both detectors, and answers to them."""
    out = []
    rng = np.random.default_rng(1)
    for make in (networks.yunet, networks.centerface):
        path = Path(packs.folder(), "made.onnx")
        make(path)
        model = onnx.load_model_from_string(path.read_bytes())
        for weight in model.graph.initializer:
            weight.ClearField("raw_data")
        for numbers in (rng.random(40), rng.normal(0, 5, 300), np.array([1, np.nan, 1e38, -1])):
            out.append(packs.packed(model.SerializeToString(),
                                    numbers.astype("<f4").tobytes()))
    return out


@lru_cache(maxsize=1)
def _scene() -> Any:
    return networks.scene(64, 64, (3, 4))


def check(data: bytes) -> str:
    """Faces of finite numbers, or Efm3Error."""
    model, numbers = packs.split(data)
    path = os.path.join(packs.folder(), "detector.onnx")
    with open(path, "wb") as f:
        f.write(model)
    try:
        with patch.object(_Onnx, "_opened", lambda self, model: _Session(numbers)):
            faces = open_detector(path).detect(_scene())
    except Efm3Error as e:
        assert e.code in REFUSED, e
        return e.code
    for face in faces:
        assert np.isfinite(face.box).all() and np.isfinite(face.points).all(), face
        assert 0 <= face.score <= 1, face
    return f"{min(len(faces), 9)} faces"


def statements() -> list[bytes]:
    """What stands beside a graph; its seal is of another user."""
    return [json.dumps({"format": approximate.FORMAT, "model": "0" * 64, "dim": 4, "rows": 9,
                        "table": [1, "x"], "sha256": "0" * 64, "graph": [1, 2], "recall": 1.0,
                        "tried": 9, "seal": "0" * 64}).encode(), b"{}"]


def check_near(data: bytes) -> str:
    """B026: only this user's own graphs are opened."""
    path = os.path.join(packs.folder(), "t.usearch")
    for name, body in ((path, b""), (f"{path}.json", data)):
        with open(name, "wb") as f:
            f.write(body)
    try:
        approximate._stated(path)
    except Efm3Error as e:
        assert e.code == "B026", e
        return f"{e.code} {'read' in str(e)}"
    raise AssertionError("a stranger's graph would be opened")
