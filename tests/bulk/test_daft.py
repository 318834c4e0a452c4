# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A run on Daft, on this machine: the table of the default engine, whatever happens meanwhile."""

import functools
import http.server
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter

import numpy as np
import pytest

from efm3 import Efm3Error, bulk, untrained
from efm3.bulk import _daft, daft
from efm3.bulk._table import rows_of
from efm3.bulk.daft import DaftRun, Places
from efm3.bulk.rows import Plan
from efm3.bulk.tables import open_table
from efm3.conformance import sample
from tests.bulk import failing

NEEDS = ("daft", "ray", "pyarrow")
# Daft leaves the pipes of its processes open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning",
                                        "ignore::ResourceWarning")
MODEL = untrained.dumps(sample.ARCH, 1)
PIXELS = untrained.images(3, 30)
ODD = ("a b", "\N{LATIN SMALL LETTER U WITH DIAERESIS}", "100%", "a%20b", "a#1", "q?x=1", "st*r",
       "br[a]", "new\nline", "l\udce4tin")


@pytest.fixture
def folder(tmp_path):
    """Thirty pictures, some of odd names, and what is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, pixels in enumerate(PIXELS):
        np.save(folder / f"{ODD[i] if i < len(ODD) else i}.npy", pixels)
    (folder / "broken.jpg").write_bytes(b"junk")
    (folder / "empty.png").write_bytes(b"")
    os.mkfifo(folder / "fifo.jpg")
    (folder / "link.jpg").symlink_to("nowhere")
    return folder


def rows(path):
    """Every row of a table, its embedding as bytes."""
    with open_table(str(path)) as table:
        return [(r.path, r.face, r.error, r.reason, None if r.embedding is None else
                 np.asarray(r.embedding).tobytes()) for b in table.blocks() for r in rows_of(b)]


def test_the_table_is_that_of_the_default_engine(folder, tmp_path, monkeypatch):
    """Odd names, what is no picture, archives, several queries; resumed, with a new picture."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numpy.py").write_text("raise SystemExit('a module of the current folder')")
    with tarfile.open(tmp_path / "x.tar", "w") as t:
        for name in ("11.npy", "12.npy"):
            t.add(folder / name, f"in/{name}")
    monkeypatch.setattr(daft, "SLICE", 20)
    monkeypatch.setattr(daft, "LARGEST_SLICE", 20)
    inputs = ["pictures", "x.tar", "none.jpg"]
    told = []
    found = daft.embed(MODEL, inputs, "daft.npz", jobs=2, told=told.append)
    want = bulk.embed(MODEL, inputs, "default.npz", jobs=1)
    assert found == want and found["errors"] == 5 and len(told) == found["pictures"] == 37
    assert rows("daft.npz") == rows("default.npz")

    np.save(folder / "added.npy", PIXELS[0])
    both = [e(MODEL, inputs, f"{name}.npz", resume=True)
            for name, e in (("daft", daft.embed), ("default", bulk.embed))]
    assert both[0] == both[1] and both[0]["pictures"] == 38
    assert rows("daft.npz") == rows("default.npz")
    with pytest.raises(Efm3Error, match="B004"):
        daft.embed(untrained.dumps(sample.ARCH, 2), inputs, "daft.npz", resume=True)


def made(items, actor, jobs=2):
    with DaftRun(MODEL, Plan(), jobs, actor=actor) as run:
        return list(run.rows(Places(items).pictures()))


@pytest.mark.parametrize("what,why", [("kill", "closed the connection"), ("silent", "cut")])
def test_a_picture_that_ends_its_worker(folder, monkeypatch, what, why):
    """It has a row, and the others their embeddings; a worker may end before the first answer."""
    monkeypatch.setattr(daft, "CROPS", 2)
    for path in [*folder.glob("*.*g"), *folder.glob("2*")]:
        path.unlink()
    (folder / "17.npy").rename(folder / f"17{what}.npy")
    found = made([folder], failing.Dying, 1)
    assert [m.name for m in found] == [i.name for i in Places([folder]).pictures()]
    bad = {m.name: m.rows[0] for m in found if m.rows[0].error}
    assert [*bad] == [str(folder / f"17{what}.npy")] and len(found) == 20
    (row,) = bad.values()
    assert row.error == "B013" and why in row.reason


@pytest.mark.parametrize("actor,match", [
    (failing.Stillborn, "B016 .*Daft's workers fail before they can work"),
    (failing.Faulty, "B016 .*a worker fails: RuntimeError: a fault of ours")])
def test_workers_that_cannot_work(folder, actor, match):
    with pytest.raises(Efm3Error, match=match):
        made([folder], actor)


RUN = """
import sys
from efm3.bulk import daft, output
opened = output.open_output
output.open_output = lambda *a, **k: opened(*a, **k, part_rows=64)
def told(made):
    print(made.name, flush=True)
print(daft.embed(sys.argv[1], daft.Places((), sys.argv[2]), sys.argv[3], resume=True, jobs=1,
                 told=told))
"""


def test_killed_and_resumed(folder, tmp_path):
    """By SIGKILL as its rows come, twice: at last every picture has been embedded once."""
    (tmp_path / "model.bin").write_bytes(MODEL)
    names = [f"{folder}/{i}.npy" for i in range(len(ODD), 30)]
    (tmp_path / "list").write_text("".join(n + "\n" for n in names * 100))
    arguments = [sys.executable, "-c", RUN, tmp_path / "model.bin", tmp_path / "list",
                 f"{tmp_path}/out/"]
    for _ in range(2):
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as run:
            for _ in range(100):
                run.stdout.readline()
            run.kill()
    written = len(rows(f"{tmp_path}/out/"))
    assert 64 <= written < 2000
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True)
    assert len(done.stdout.splitlines()) == 2000 - written + 1
    assert Counter(r[0] for r in rows(f"{tmp_path}/out/")) == Counter(names * 100)


@pytest.mark.parametrize("number,code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped(folder, tmp_path, number, code):
    """In one line, by the exit code that says so, and nothing is left running."""
    (tmp_path / "model.bin").write_bytes(MODEL)
    (tmp_path / "list").write_text(f"{folder}/11.npy\n" * 20000)
    with subprocess.Popen(
            [sys.executable, "-m", "efm3", "embed", tmp_path / "model.bin", "--files-from",
             tmp_path / "list", "-o", "-", "--engine", "daft", "--jobs", "1"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as run:
        run.stdout.readline()
        os.killpg(run.pid, number)
        _, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (code, b"efm3: stopped\n")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            os.killpg(run.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("a worker outlives the run")


def test_the_first_bad_picture_ends_a_strict_run(folder, tmp_path, cli):
    (tmp_path / "model.bin").write_bytes(MODEL)
    result = cli("embed", tmp_path / "model.bin", folder, "-o", tmp_path / "x.csv", "--strict",
                 "--engine", "daft", "--jobs", 1)
    assert result.exit_code == 1
    assert "F009" in str(result.exception) + result.output


class Server(http.server.SimpleHTTPRequestHandler):
    """A folder, silently."""

    def log_message(self, *args):
        """Say nothing."""


def test_pictures_of_the_web(folder, tmp_path):
    """Downloaded; what is not there is a row; a path may stand among them."""
    with http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Server, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        inputs = [url + "11.npy?a=*", url + "a%20b.npy", f"{folder}/11.npy", url + "none.jpg",
                  url + "broken.jpg", "what://x/y.jpg"]
        daft.embed(MODEL, inputs, tmp_path / "x.npz", jobs=1)
        server.shutdown()
    found = rows(tmp_path / "x.npz")
    assert [r[0] for r in found] == inputs
    assert [r[2] for r in found] == [None, None, None, "B015", "F009", "B015"]
    a, b, c = (r[4] for r in found[:3])
    assert a == c != b


def test_what_cannot_be_listed_is_refused(tmp_path):
    with pytest.raises(Efm3Error, match=r"B018 s3:///.*cannot be listed"):
        daft.embed(MODEL, "s3:///", tmp_path / "x.npz")
    assert not list(tmp_path.iterdir())


def test_refused_before_anything_is_sent(monkeypatch):
    monkeypatch.setattr(daft, "MAX_MODEL", len(MODEL) - 1)
    with pytest.raises(Efm3Error, match="B017"):
        DaftRun(MODEL)
    with pytest.raises(Efm3Error, match=r"B016 127\.0\.0\.1:1: Daft cannot be started"):
        _daft.started("127.0.0.1:1")
    with pytest.raises(ValueError, match="one of them"):
        daft.embed(MODEL, "x", "y.npz", align=True, resize=True)


def test_a_query_grows_with_the_rate_and_is_bounded(monkeypatch):
    """By the numbers that may wait, and by the bytes out of archives."""
    monkeypatch.setattr(daft, "SLICE", 4)
    monkeypatch.setattr(daft, "WAITING", 10 * sample.ARCH.embedding_dim)
    monkeypatch.setattr(daft, "SLICE_BYTES", 100)
    sizes = []
    with DaftRun(MODEL, Plan(), 1) as run:
        monkeypatch.setattr(run, "_made", lambda held: sizes.append(len(held)) or iter(()))
        item = bulk.inputs.Item
        list(run.rows(item("x", "x") for _ in range(25)))
        assert sizes == [4, 10, 10, 1]
        list(run.rows(item("x", b"y" * 60) for _ in range(5)))
        assert sizes[4:] == [2, 2, 1]


def test_photographs_go_in_smaller_batches():
    with DaftRun(MODEL, Plan(resize=True), 1) as photos, DaftRun(MODEL, Plan(), 1) as crops:
        assert photos._batch == daft.PHOTOS < crops._batch == daft.CROPS
