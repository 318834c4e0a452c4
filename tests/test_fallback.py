# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Without the C engine: numpy computes what the engine computes, and that is said."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import efm3
from efm3 import bulk, fallback, mirror, reference, untrained
from efm3.arithmetic import TOLERANCE
from efm3.conformance import sample
from efm3.engine import EngineMissing

TURNED = dict(mirror_extra=mirror.as_turned({}))
ROOT = Path(__file__).resolve().parent.parent
PICTURES = untrained.images(4, 11)


@pytest.fixture
def bare(monkeypatch):
    """An installation of the wheel for any platform."""
    monkeypatch.setitem(sys.modules, "efm3._engine", None)


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "w.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    for i, picture in enumerate(PICTURES[:3]):
        np.save(tmp_path / f"{i}.npy", picture)
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    (tmp_path / "pairs.txt").write_text("0.png 0.png 1\n0.png 1.png 0\n" * 10)
    return tmp_path


@pytest.mark.parametrize("extra", [{}, TURNED], ids=["upright", "turned"])
def test_numpy_computes_what_the_engine_computes(extra, tmp_path):
    tensors = efm3.load(untrained.dumps(sample.ARCH, 1)).tensors
    efm3.save(tmp_path / "w.bin", sample.ARCH, tensors, **extra)
    with efm3.Engine(tmp_path / "w.bin") as engine, fallback.Numpy(tmp_path / "w.bin") as numpy:
        assert numpy.turned == engine.turned == bool(extra)
        assert (numpy.embedding_dim, numpy.arithmetic) == (engine.embedding_dim, engine.arithmetic)
        want = engine.embed(PICTURES)
        for given in (PICTURES, reference.prepare(PICTURES), list(PICTURES)):
            got = numpy.embed(given)
            assert got.dtype == np.float32 and got.shape == want.shape
            assert np.abs(got - want).max() <= TOLERANCE
        assert np.array_equal(numpy.embed(PICTURES[3]), got[3])  # whatever stands beside it
        assert numpy.embed(PICTURES[:0]).shape == (0, engine.embedding_dim)
        assert np.array_equal(fallback.Numpy(tmp_path / "w.bin", threads=3).embed(PICTURES), got)


@pytest.mark.parametrize("images,error", [
    (PICTURES.astype(np.float64), TypeError), (PICTURES[..., :2], ValueError),
    (np.ma.masked_array(PICTURES), TypeError), (PICTURES[None], ValueError),
    (np.zeros((112, 112, 3), np.float32), ValueError)])
def test_what_the_engine_refuses_numpy_refuses_in_the_same_words(images, error):
    data = untrained.dumps(sample.ARCH, 1)
    with pytest.raises(error) as one:
        efm3.Engine(data).embed(images)
    with pytest.raises(error) as two:
        fallback.Numpy(data).embed(images)
    assert str(one.value) == str(two.value)


def test_a_program_has_one_path(bare, scene):
    with pytest.warns(fallback.NoEngine, match="numpy computes.*install the wheel for this"):
        network = efm3.embedder(scene / "w.bin", threads=2)
    assert fallback.engine_of(network) == "numpy" and network.isa is None
    assert "no C engine" in fallback.note() and "[]" not in fallback.note()
    network.close()
    for use in (lambda: network.embed(PICTURES), network.__enter__, lambda: network.turned):
        with pytest.raises(ValueError, match="closed"):
            use()
    assert "closed" in repr(network)


def test_with_the_engine_it_is_the_engine(scene):
    with efm3.embedder(scene / "w.bin", isa="scalar", precision="high") as network:
        assert isinstance(network, efm3.Engine) and network.isa == "scalar"
        assert fallback.engine_of(network) == "c" and fallback.missing() == ""


@pytest.mark.parametrize("asked,error,said", [
    ({"precision": "high"}, EngineMissing, "precision high needs the C engine"),
    ({"precision": "fast"}, EngineMissing, "precision fast needs the C engine"),
    ({"isa": "scalar"}, EngineMissing, "an instruction set needs the C engine"),
    ({"precision": "f64"}, ValueError, "not one of f32, high, fast"),
    ({"threads": 0}, ValueError, "not 1..64"), ({"threads": 65}, ValueError, "not 1..64"),
    ({"threads": True}, TypeError, "not an integer")])
def test_what_numpy_does_not_do(bare, asked, error, said):
    with pytest.raises(error, match=said):
        fallback.opened(untrained.dumps(sample.ARCH, 1), **asked)


def test_a_file_that_is_refused(bare, scene):
    (scene / "bad.bin").write_bytes(b"EFM3")
    for name in ("bad.bin", "gone.bin"):
        with pytest.raises(efm3.Efm3Error):
            efm3.embedder(scene / name)


VERBS = [("embed", "w.bin", "0.npy", "1.npy"), ("compare", "--json", "w.bin", "0.npy", "1.npy"),
         ("compare", "w.bin", "0.npy", "1.npy"), ("eval", "--json", "w.bin", "pairs.txt"),
         ("embed", "-q", "-o", "x.jsonl", "--force", "w.bin", "0.npy")]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_verbs_say_it_once_and_give_the_same(words, cli, scene, monkeypatch):
    monkeypatch.chdir(scene)
    want = cli(*words)
    with monkeypatch.context() as m:
        m.setitem(sys.modules, "efm3._engine", None)
        got = cli(*words)
    assert want.exit_code == got.exit_code == 0, got.output
    assert "no C engine" not in want.stderr
    (line,) = [x for x in got.stderr.splitlines() if "no C engine" in x]
    assert line.startswith("efm3: there is no C engine here: numpy computes")
    if got.stdout.startswith("{"):
        one, two = json.loads(want.stdout), json.loads(got.stdout)
        assert (one.pop("engine"), two.pop("engine")) == ("c", "numpy")
        assert one.keys() == two.keys() and two.get("isa") is None
        for key in ("embeddings", "similarity"):
            if key in one:
                numbers = [[e["embedding"] for e in x[key]] if key == "embeddings" else x[key]
                           for x in (one, two)]
                assert np.abs(np.subtract(*numbers)).max() <= TOLERANCE
    elif words[0] == "compare":
        assert got.stdout == want.stdout


@pytest.mark.parametrize("words,said", [
    ("compare --precision fast w.bin 0.npy 1.npy", "precision fast needs the C engine"),
    ("embed --isa scalar w.bin 0.npy", "an instruction set needs the C engine"),
    ("embed --precision high -o x.npz w.bin 0.npy", "precision high needs the C engine"),
    ("eval --precision all w.bin pairs.txt", "precision high needs the C engine"),
    ("verify w.bin", "this needs the C engine"), ("bench w.bin", "this needs the C engine")])
def test_what_needs_the_engine_says_how_to_get_it(bare, words, said, cli, scene, monkeypatch):
    monkeypatch.chdir(scene)
    done = cli(*words.split())
    assert done.exit_code == 1 and not done.stdout
    assert said in done.stderr.splitlines()[-1] and "install the wheel" in done.stderr
    assert not (scene / "x.npz").exists()


def test_a_bulk_run_in_its_own_processes(scene):
    """Workers that have no engine, and a table that says what made it."""
    (scene / "sitecustomize.py").write_text("import sys\nsys.modules['efm3._engine'] = None\n")
    program = ("from efm3 import bulk; m = bulk.embed('w.bin', ['0.npy', '1.npy', '2.npy'], "
               "'x.jsonl', jobs=2); print(m['engine'], m['faces'], m['options']['precision'])")
    done = subprocess.run([sys.executable, "-c", program], cwd=scene, capture_output=True,
                          text=True, check=True,
                          env={"PYTHONPATH": f"{scene}:{ROOT}", "PATH": "/usr/bin:/bin"})
    assert done.stdout.split() == ["numpy", "3", "f32"]
    assert done.stderr.count("NoEngine") == 1
    rows = [json.loads(x) for x in (scene / "x.jsonl").read_text().splitlines()]
    want = efm3.Engine(scene / "w.bin").embed(PICTURES[:3])
    assert np.abs(np.array([r["embedding"] for r in rows if "embedding" in r]) - want).max() \
        <= TOLERANCE


def test_a_table_says_which_engine_made_it(scene):
    manifest = bulk.embed(scene / "w.bin", [scene / "0.npy"], scene / "x.npz")
    assert manifest["engine"] == "c"
