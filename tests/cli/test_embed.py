# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 embed`: pictures from files, and what comes out."""

import csv
import io
import json
import os
import re
import signal
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

import efm3
from efm3 import mirror, reference, untrained
from efm3.bulk import Inputs
from efm3.bulk.row import Row
from efm3.bulk.rows import Made, failed
from efm3.cli.embed import _document
from efm3.conformance import sample
from efm3.findings import error


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "w.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    for i, picture in enumerate(untrained.images(4, 2)):
        np.save(tmp_path / f"{i}.npy", picture)
    return tmp_path


def test_forms_agree_with_the_reference(cli, scene):
    pictures = [scene / "0.npy", scene / "1.npy"]
    want = reference.forward(efm3.load(scene / "w.bin"), reference.prepare(untrained.images(4, 2)))
    rows = json.loads(cli("embed", scene / "w.bin", *pictures).stdout)["embeddings"]
    assert np.abs(np.array([r["embedding"] for r in rows]) - want).max() < 1e-5
    for form in ("npy", "json", "csv", "jsonl", "npz"):
        result = cli("embed", scene / "w.bin", *pictures, "-o", scene / f"x.{form}")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "efm3: 2 embeddings of 2 pictures\n"
    assert np.abs(np.load(scene / "x.npy") - want).max() < 1e-5
    assert json.loads((scene / "x.json").read_text())["embeddings"] == rows
    with open(scene / "x.csv", newline="") as f:
        names, *lines = csv.reader(f)
    assert names[:4] == ["path", "face", "error", "reason"]
    first = names.index("e0")
    assert names[first:] == [f"e{i}" for i in range(len(want[0]))]
    assert [x[0] for x in lines] == [str(p) for p in pictures]
    assert np.abs(np.array([[float(v) for v in x[first:]] for x in lines]) - want).max() < 1e-5
    result = cli("embed", scene / "w.bin", *pictures, "-o", "-")
    assert result.stdout == (scene / "x.jsonl").read_text() and result.exit_code == 0


def test_refusals(cli, scene):
    weights = scene / "w.bin"
    np.save(scene / "small.npy", np.zeros((10, 10, 3), np.uint8))
    np.save(scene / "float.npy", np.zeros((112, 112, 3)))
    np.save(scene / "objects.npy", np.array([{}], object), allow_pickle=True)
    (scene / "cut.npy").write_bytes((scene / "0.npy").read_bytes()[:100])
    (scene / "header.npy").write_bytes(b"\x93NUMPY\1\0\x20\0" + b"(" * 32)
    for name, code in (("small", "F012"), ("float", "F012"), ("objects", "F012"), ("cut", "F010"),
                       ("header", "F010")):
        result = cli("embed", weights, scene / f"{name}.npy")
        assert result.exit_code == 1 and result.stderr.startswith(f"efm3: {code} "), name
        assert f"{name}.npy: " in result.stderr and result.stderr.count("\n") == 1
        (row,) = json.loads(result.stdout)["embeddings"]
        assert row["embedding"] is None and row["error"] == code and row["reason"], name
    result = cli("embed", weights, scene / "none.npy")
    assert result.exit_code == 3
    assert result.stderr == f"efm3: {scene / 'none.npy'}: No such file or directory\n"
    assert cli("embed", scene / "none.bin", scene / "0.npy").exit_code == 3
    for words in ((scene / "0.npy", "-o", "x.txt"), (), (scene / "0.npy", "--null"),
                  (scene / "0.npy", "--resume"), (scene / "0.npy", "-o", "x.json", "--resume"),
                  (scene / "0.npy", "-o", "x.npz", "--resume", "--force"),
                  (scene / "0.npy", "--align", "--resize")):
        assert cli("embed", weights, *words).exit_code == 2, words
    assert cli("embed", weights, scene / "0.npy", "--isa", "mmx").exit_code == 1
    result = cli("embed", weights, "s3://b/a.jpg", "-o", scene / "x.npz")
    assert result.exit_code == 1 and result.stderr.startswith("efm3: B011 s3://b/a.jpg: ")
    (scene / "empty").mkdir()
    result = cli("embed", weights, scene / "empty", "-o", scene / "x.npz")
    assert result.exit_code == 1 and result.stderr.startswith("efm3: B010 ")
    assert not (scene / "x.npz").exists()


def test_faults_are_rows(cli, scene):
    """Told on standard error, twenty at most; one is enough of --strict."""
    weights = scene / "w.bin"
    bad = [scene / f"bad{i:02}.npy" for i in range(25)]
    for path in bad:
        path.write_bytes(b"junk")
    result = cli("embed", weights, scene, "-o", scene / "x.csv")
    assert result.exit_code == 0
    *told, more, last = result.stderr.splitlines()
    assert [line.split(": ")[:2] for line in told] == [["efm3", f"F009 {p}"] for p in bad[:20]]
    assert more == "efm3: 5 more pictures with errors or notes"
    assert last == ("efm3: 2 embeddings of 27 pictures, 25 errors (F009 25); "
                    "left out: other files 1")
    with open(scene / "x.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [r["error"] for r in rows] == ["", "", *["F009"] * 25]
    again = cli("embed", weights, scene, "-o", scene / "x.csv", "--resume")
    assert again.exit_code == 0
    assert again.stderr.startswith("efm3: nothing new: the table has 2 embeddings; left out: ")
    quiet = cli("embed", weights, scene / "0.npy", "-o", scene / "x.csv", "--force", "-q")
    assert (quiet.exit_code, quiet.output) == (0, "")
    for out in ("-", "y.npz", "y.json"):
        out = out if out == "-" else scene / out
        result = cli("embed", weights, scene / "0.npy", bad[0], scene / "1.npy", "-o", out,
                     "--strict")
        assert result.exit_code == 1 and result.stderr.startswith(f"efm3: F009 {bad[0]}: ")
        assert result.stderr.count("\n") == 1
    assert not (scene / "y.json").exists() and not (scene / "y.npz").exists()


def test_lists_patterns_archives(cli, scene, monkeypatch):
    monkeypatch.chdir(scene)
    with zipfile.ZipFile(scene / "a.zip", "w") as z:
        z.write(scene / "0.npy", "in.npy")
    for words, data in (((scene / "[01].npy",), None), (("--files-from", "-"), "0.npy\n1.npy\r\n"),
                        (("--files-from", "-", "--null"), "0.npy\0001.npy"),
                        (("a.zip", "1.npy"), None)):
        result = cli("embed", "w.bin", *words, input=data)
        rows = json.loads(result.stdout)["embeddings"]
        assert [os.path.basename(r["path"]) for r in rows][1:] == ["1.npy"], words
        assert all(r["embedding"] for r in rows)


@pytest.mark.parametrize("stopped,code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_keeps_what_is_done(cli, scene, monkeypatch, stopped, code):
    from efm3.bulk.output import Output
    from efm3.bulk.run import Run

    rows, flush = Run.rows, Output._flush

    def cut(self, items):
        for made in rows(self, items):
            yield made
            signal.raise_signal(stopped)

    def again(self):
        signal.raise_signal(stopped)  # while what is done is written
        flush(self)
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(n) for n in numbers]
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Run, "rows", cut)
            patch.setattr(Output, "_flush", again)
            result = cli("embed", scene / "w.bin", scene, "-o", scene / "x.npz")
        # One more while the interpreter goes changes nothing.
        assert [signal.getsignal(n) for n in numbers] == [signal.SIG_IGN] * 2
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    assert result.exit_code == code
    assert result.stderr == "efm3: stopped; what is done is kept, --resume goes on\n"
    result = cli("embed", scene / "w.bin", scene, "-o", scene / "x.npz", "--resume")
    assert result.stderr.startswith("efm3: 1 embedding of 1 picture; ") and result.exit_code == 0
    assert [signal.getsignal(n) for n in numbers] == before
    result = cli("embed", scene / "w.bin", scene, "-o", scene / "x.npz")
    assert result.exit_code == 1 and result.stderr.startswith("efm3: B001 ")


def test_what_is_not_read_to_its_end_is_no_whole_table(cli, scene):
    """A cut archive, a folder that cannot be listed: what was read is there, the exit code is 1."""
    with zipfile.ZipFile(scene / "a.zip", "w") as z:
        z.write(scene / "0.npy", "in.npy")
    (scene / "cut.zip").write_bytes((scene / "a.zip").read_bytes()[:-30])
    assert cli("embed", scene / "w.bin", scene / "a.zip", "-o", scene / "x.csv").exit_code == 0
    for out in ("y.csv", "y.json", "-"):
        for more in ((), ("--resume",)) if out == "y.csv" else ((),):
            result = cli("embed", scene / "w.bin", scene / "a.zip", scene / "cut.zip", "-o",
                         out if out == "-" else scene / out, *more)
            assert result.exit_code == 1, (out, more)
            assert result.stderr.splitlines()[-1] == (
                "efm3: not all was read: 1 of the archives and folders could not be read to the "
                "end; what was read is written")
    with open(scene / "y.csv", newline="") as f:
        assert [r["error"] for r in csv.DictReader(f)] == ["", "B012"]
    assert json.loads((scene / "y.csv.manifest.json").read_text())["unread"] == 1


def test_a_mistyped_path_writes_no_table(cli, scene):
    result = cli("embed", scene / "w.bin", scene / "typo", "-o", scene / "x.npz")
    assert result.exit_code == 3 and not [p for p in scene.iterdir() if p.name.startswith("x")]
    assert result.stderr == (f"efm3: {scene}/typo: No such file or directory\n"
                             "efm3: nothing that is named is there, so no table is written\n")
    result = cli("embed", scene / "w.bin", scene / "typo", "-o", scene / "x.npz", "--strict")
    assert result.stderr == f"efm3: {scene}/typo: No such file or directory\n"
    result = cli("embed", scene / "w.bin", scene / "typo.tar", scene / "typo" / "*", "-o", "-")
    assert result.stderr.splitlines()[:2] == [f"efm3: {scene}/typo.tar: No such file or directory",
                                              f"efm3: {scene}/typo/: No such file or directory"]
    assert cli("embed", scene / "w.bin", scene / "0.npy", "-o", scene / "x.npz").exit_code == 0


def test_json_says_what_was_written(cli, scene):
    """One object on standard output, whether OUT is a table or a document; never beside it."""
    for name in ("said.npz", "said.json"):
        words = ("embed", scene / "w.bin", scene / "0.npy", scene / "gone.npy", "-o", scene / name)
        done = cli(*words, "--json", "-q")
        told = json.loads(done.stdout)
        assert done.exit_code == 0 and (scene / name).is_file()
        assert (told["pictures"], told["faces"], told["errors"]) == (2, 1, {"IO001": 1})
        assert (told["manifest"] is None) == name.endswith(".json")
    both = cli("embed", scene / "w.bin", scene / "0.npy", "-o", "-", "--json")
    assert both.exit_code == 2 and not both.stdout and "--json and -o -" in both.stderr


def test_places_are_pixels_of_two_decimals():
    """As `faces --json` has them; and a picture is called as in a table."""
    row = Row("a.jpg", 0, np.ones(2, np.float32), (1.23456,) * 4, (2.0, 1 / 3) * 5, 0.5)
    run = SimpleNamespace(engine="c", isa="scalar", precision="f32")
    (value,) = json.loads(b"".join(_document([Made("a.jpg", (row,))], "w.bin", run, True))
                          )["embeddings"]
    assert value == {"path": "a.jpg", "embedding": [1, 1], "notes": [], "face": 0,
                     "box": [1.23] * 4, "points": [2.0, 0.33] * 5, "score": 0.5}


def test_progress(cli, scene, monkeypatch):
    """A line now and then where there is no terminal; a bar, with the errors above it, on one."""
    from efm3.cli import _progress

    class AtOnce:
        """Counts before the first line or bar, not beside the run, which may end first."""

        def __init__(self, target, daemon):
            self.start = target

    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0)
    monkeypatch.setattr(_progress, "EVERY", 0)
    (scene / "bad.jpg").write_bytes(b"junk")
    words = ("embed", scene / "w.bin", scene, "-o", scene / "x.npz", "--force")
    monkeypatch.setattr(_progress, "threading", SimpleNamespace(Thread=AtOnce))
    first, second, _, third, _ = cli(*words).stderr.splitlines()
    cli("embed", scene / "w.bin", scene / "0.npy", "-o", scene / "x.npz", "--force")
    (resumed, *_) = cli(*words[:-1], "--resume").stderr.splitlines()
    assert "pictures," not in cli(*words, "-q").stderr
    for line, done in ((first, 1), (second, 2), (third, 3), (resumed, 2)):
        assert re.fullmatch(rf"efm3: {done} of 3 pictures, [\d,]+ a second, 0:00:0\d left", line)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(_progress, "RATE_SECONDS", 1e9)
    inputs = Inputs([scene])
    with _progress.Progress(inputs, False) as progress:
        for item in inputs.pictures():
            progress(failed(item.name, error("F010", "odd \x1b[31m", item.name).finding))
        text = sys.stderr.getvalue()
    assert "3/3 pictures" in sys.stderr.getvalue() and text.count("F010") == 3
    assert "/s" not in sys.stderr.getvalue()  # a rate of a moment is none
    monkeypatch.setattr(_progress, "RATE_SECONDS", 0)
    with _progress.Progress(inputs, False) as progress:
        for item in inputs.pictures():
            progress(failed(item.name, error("F010", "odd", item.name).finding))
    assert re.search(r"3/3 pictures  [\d,]+/s", sys.stderr.getvalue())
    assert "\\x1b[31m" in text and "odd \x1b[31m" not in text
    assert progress.counts() == "0 embeddings of 3 pictures, 3 errors (F010 3)"


def test_the_help_states_the_exit_codes(cli):
    text = " ".join(cli("embed", "--help").stdout.split())
    assert "Exit codes: 0 done; 1 nothing could be embedded" in text and "--resume" in text


def test_pictures(cli, scene):
    image = pytest.importorskip("PIL.Image", reason="Pillow is an extra")
    picture = image.fromarray(untrained.images(4, 2)[0])
    picture.save(scene / "a.png")
    picture.resize((200, 150)).save(scene / "b.png")
    (scene / "c.png").write_bytes(b"\x89PNG junk")
    same = json.loads(cli("embed", scene / "w.bin", scene / "a.png", scene / "0.npy").stdout)
    a, b = (np.array(r["embedding"]) for r in same["embeddings"])
    assert np.array_equal(a, b)
    assert cli("embed", scene / "w.bin", scene / "b.png").exit_code == 1
    assert cli("embed", scene / "w.bin", scene / "b.png", "--resize").exit_code == 0
    assert cli("embed", scene / "w.bin", scene / "c.png").exit_code == 1


@pytest.mark.parametrize("name", ['a "b", c.npy', "a\nb.npy", "=1+1.npy", b"\xff.npy"])
def test_any_name_is_one_field_of_a_csv(cli, scene, name):
    path = os.path.join(scene, os.fsdecode(name))
    try:
        (scene / "0.npy").rename(path)
    except OSError as e:
        pytest.skip(f"this file system refuses the name: {e}")
    assert cli("embed", scene / "w.bin", path, "-o", scene / "x.csv").exit_code == 0
    with open(scene / "x.csv", newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    assert len(rows) == 2 and len(rows[0]) == len(rows[1])
    assert rows[1][0] == os.fsencode(path).decode("utf-8", "backslashreplace")


def test_what_was_decided_is_said(cli, scene):
    image = pytest.importorskip("PIL.Image", reason="Pillow is an extra")
    first, second = (image.fromarray(p) for p in untrained.images(4, 2))
    first.save(scene / "a.gif", save_all=True, append_images=[second])
    second.resize((300, 200)).save(scene / "wide.png")
    result = cli("embed", scene / "w.bin", scene / "a.gif", scene / "wide.png", "--resize")
    said = ["the first picture of an animation",
            "it is not square, and was squashed into 112x112 pixels"]
    assert [r["notes"] for r in json.loads(result.stdout)["embeddings"]] == [[n] for n in said]
    assert [line.split(": ")[2] for line in result.stderr.splitlines()] == said


def test_what_is_no_picture_is_named(cli, scene):
    pytest.importorskip("PIL", reason="Pillow is an extra")
    (scene / "a.txt").write_text("some lines of text\n")
    (scene / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name, code, words in (("a.txt", "F009", "this is a plain text"),
                              ("w.bin", "F009", "this is an EFM3 file"),
                              ("cut.png", "F010", "a PNG picture")):
        for verb in ("embed", "compare"):
            result = cli(verb, scene / "w.bin", scene / name, scene / name)
            assert result.exit_code == 1 and result.stderr.startswith(f"efm3: {code} "), name
            assert f"{name}: " in result.stderr and words in result.stderr
            # A line for each picture of a run; compare ends at the first.
            count = 2 if verb == "embed" else 1
            assert "0x" not in result.stderr and result.stderr.count("\n") == count


def test_a_turned_file(cli, scene):
    model = efm3.load(scene / "w.bin")
    model.mirror = mirror.as_turned(model.mirror)
    model.save(scene / "t.bin")
    want = reference.forward(efm3.load(scene / "w.bin"),
                             reference.turn(reference.prepare(untrained.images(4, 2))))[0]
    (row,) = json.loads(cli("embed", scene / "t.bin", scene / "0.npy").stdout)["embeddings"]
    assert np.abs(np.array(row["embedding"]) - want).max() < 1e-5
    model.mirror["meta"]["picture"] = "mirrored"
    data = sample.with_mirror(lambda _: model.mirror)((scene / "t.bin").read_bytes())
    (scene / "t.bin").write_bytes(data)
    result = cli("embed", scene / "t.bin", scene / "0.npy")
    assert result.exit_code == 1 and "E_PICTURE" in result.stderr
