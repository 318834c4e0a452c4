# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every reader of foreign bytes has a fuzz target."""

import ast
import importlib.util
from pathlib import Path

import pytest

import efm3
from efm3.bulk import tables
from efm3.convert import FORMATS
from efm3.pictures import _forms
from tests.fuzz import picture_files, targets

HOME = Path(efm3.__file__).parent
LIBRARIES = {"onnx": ("onnx",), "detector": ("onnx",), "near": ("onnx",),
         "safetensors": ("safetensors",), "table_parquet": ("pyarrow",), "picture": ("PIL",),
         "pairs_bin": ("PIL",), "pairs_txt": ("PIL",),
         **dict.fromkeys(("torch_load", "records", "shards", "cache"), ("torch", "PIL"))}
OPENS = {"open_regular", "opened", "start_of", "read"}
"""What of efm3.source reads a file or a stream."""


def reads(path):
    """True for a module that takes one of OPENS, or efm3.source itself."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if "source" in text else ():
        if isinstance(node, ast.ImportFrom) and node.module in ("efm3.source", "efm3"):
            names = {a.name for a in node.names}
            if names & OPENS if node.module == "efm3.source" else "source" in names:
                return True
    return False


def test_every_module_that_reads_files_has_a_target():
    found = {".".join(p.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__")
             for p in HOME.rglob("*.py") if reads(p)}
    listed = {m for m in targets.READERS if m not in ("model", "engine", "validator")}
    assert {m for m in found if not m.startswith("cli.")} == listed
    named = {t for row in targets.READERS.values() if isinstance(row, tuple) for t in row}
    assert named <= {*targets.available(), *LIBRARIES}


def test_every_format_has_a_target():
    known = {*targets.available(), *LIBRARIES}
    assert {"load" if f.name == "bin" else f.name for f in FORMATS.values() if f.reads} <= known
    assert {f"table_{end[1:]}" for end in tables.FORMS} <= known


def test_only_targets_whose_libraries_are_missing_are_left_out():
    missing = {name for name, needs in LIBRARIES.items()
               if not all(importlib.util.find_spec(n) for n in needs)}
    assert missing == {*LIBRARIES} - {*targets.available()}


def test_there_is_a_picture_of_every_form():
    pytest.importorskip("PIL")
    from PIL import features

    kinds = {_forms.kind_of(data).name for data in picture_files.seeds()}
    built = {name for name, module in (("webp", "webp"), ("heic", "avif"), ("jp2", "jpg_2000"))
             if features.check(module)}
    # JPEG XL is read by a library that this Pillow cannot do without, and writes none.
    assert kinds == {*_forms.FORMS} - {"jxl"} - ({"webp", "heic", "jp2"} - built)
