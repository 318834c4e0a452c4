# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A run: workers and their deaths, order, resuming; the table that comes of it."""

import hashlib
import itertools
import json

import numpy as np
import pytest

import efm3
from efm3 import Efm3Error, bulk, mirror, untrained
from efm3.bulk import _frames, _pool, run
from efm3.bulk.inputs import Inputs, Item
from efm3.bulk.output import open_output
from efm3.bulk.row import Job, Row
from efm3.bulk.rows import Maker, Plan
from efm3.bulk.tables import open_table
from efm3.conformance import sample
from efm3.findings import error

MODEL = untrained.dumps(sample.ARCH, 1)
DIM = sample.ARCH.embedding_dim
PICTURES = untrained.images(4, 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty pictures, and one that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    for i, pixels in enumerate(PICTURES):
        np.save(folder / f"{i:02}.npy", pixels)
    (folder / "20.jpg").write_bytes(b"junk")
    return folder


@pytest.fixture(scope="module")
def want(folder):
    return Maker(MODEL, Plan()).made([(i.name, i.source) for i in Inputs([folder]).pictures()])


def same(found, want):
    """Names, codes, and every bit of the embeddings."""
    def plain(made):
        return [(m.name, m.notes, [r._replace(embedding=None) for r in m.rows],
                 [None if r.embedding is None else r.embedding.tobytes() for r in m.rows])
                for m in made]
    return plain(found) == plain(want)


def test_workers_give_what_this_process_does(folder, want):
    """In order, of any number, and with questions of any size; archives' bytes too."""
    finding = error("B012", "cut", "x").finding
    with run.Run(MODEL, jobs=2) as r:
        assert same(r.rows(Inputs([folder]).pictures()), want)
        # The same workers, now by bytes, beside what cannot be had, a few at a time.
        r._pool._most = 3
        items = [Item(m.name, (folder / m.name).read_bytes()) for m in want]
        found = list(r.rows([*items[:5], Item("x", finding), *items[5:]]))
        assert same([*found[:5], *found[6:]], want) and found[5].rows[0].error == "B012"
        processes = [w.process for w in r._pool._workers]
    assert len(processes) == 2 and all(p.returncode is not None for p in processes)


def test_few_pictures_start_no_process(folder, want, monkeypatch):
    monkeypatch.setattr(run, "Pool", lambda *_: pytest.fail("a process was started"))
    with run.Run(MODEL) as r:
        items = list(Inputs([folder]).pictures())
        assert same(r.rows(items[:run.FEW]), want[:run.FEW])
        assert not list(r.rows([]))
        with pytest.raises(pytest.fail.Exception):
            list(r.rows(items))
        # Few, but of many bytes: they are not all held.
        monkeypatch.setattr(run, "HELD", 5)
        with pytest.raises(pytest.fail.Exception):
            list(r.rows([Item("a", b"123"), Item("b", b"456")]))


def pool(jobs=1, module="tests.bulk.dying"):
    return _pool.Pool(MODEL, Plan(), DIM, jobs, module)


def test_a_picture_that_kills_its_worker_is_a_row(folder, want):
    """Its neighbours are not lost, and of what is behind it nothing is doubled."""
    names = {3: "kill", 17: "raise", 30: "garble", 40: "kill too"}
    items = [Item(names.get(i, m.name), m.name) for i, m in enumerate(want)]
    killers = pool()
    try:
        killers._size = killers._most = 8
        killers.start()
        found = list(killers.rows(iter(items)))
    finally:
        killers.close()
    assert [m.name for m in found] == [i.name for i in items]
    assert same([m for i, m in enumerate(found) if i not in names],
                [m for i, m in enumerate(want) if i not in names])
    rows = {i: found[i].rows[0] for i in names}
    assert {r.error for r in rows.values()} == {"B013"}
    assert "SIGKILL" in rows[3].reason and "a fault of ours" in rows[17].reason
    assert "cannot be read" in rows[30].reason


def test_workers_that_do_not_start_end_the_run():
    found = pool(module="tests.bulk.missing")
    try:
        with pytest.raises(Efm3Error, match=r"B013 .*before they can work: exit code 1"):
            found.start()
    finally:
        found.close()


def test_what_the_workers_refuse_is_told(tmp_path, folder):
    (tmp_path / "d.onnx").write_bytes(b"no network")
    for detector, code in ((tmp_path / "d.onnx", ("F015", "X002")), ("nobody", ("F015",))):
        for jobs in (1, None):
            with pytest.raises(Efm3Error) as e:
                bulk.embed(MODEL, [folder / "01.npy"], tmp_path / "x.npz", align=True, jobs=jobs,
                           detector=str(detector))
            assert e.value.code in code


def test_only_so_much_is_on_its_way(folder):
    """However slow the first picture is: the bytes and the questions ahead of it are bounded."""
    pulled = []

    def items():
        for i in itertools.count():
            pulled.append(i)
            yield Item(f"{i}.npy", bytes(1 << 20))

    found = pool(module=_pool.CHILD)
    try:
        found.start()
        rows = found.rows(items())
        next(rows)
        assert len(pulled) <= _pool.BYTES // (1 << 20) + 2 * _pool.BYTES // 4 // (1 << 20)
    finally:
        found.close()


def test_frames_that_are_none(want):
    head = _frames.HEAD
    for data, raised in ((b"", EOFError), (b"\0" * 9, EOFError),
                         (head.pack(5, 0) + b"{}", EOFError),
                         (head.pack(1 << 60, 0), _frames.Garbled),
                         (head.pack(2, 0) + b"[]", _frames.Garbled),
                         (head.pack(2, 0) + b"{]", _frames.Garbled),
                         (head.pack(99999, 0) + b"[" * 99999, _frames.Garbled)):
        left = memoryview(data)

        def read(count):
            nonlocal left
            piece, left = bytes(left[:count]), left[count:]
            return piece
        with pytest.raises(raised):
            _frames.read_frame(read)
    for words in ({}, {"pictures": [0, 0]}, {"pictures": [{}]}, {"pictures": [5]},
                  {"pictures": [{"notes": [], "rows": []}]}, {"refused": {"x": 1}},
                  {"pictures": [{"notes": [], "rows": [[None, None, None, "F010"]]}]}):
        with pytest.raises(_frames.Garbled):
            _frames.answered(words, b"", ["a"], DIM)
    with pytest.raises(_frames.Garbled):
        _frames.answered({"pictures": [0]}, bytes(8 * DIM), ["a"], DIM)


def test_a_table(folder, want, tmp_path):
    told = []
    manifest = bulk.embed(MODEL, str(folder), tmp_path / "x.npz", told=told.append, jobs=1)
    assert [m.name for m in told] == [m.name for m in want]
    assert (manifest["pictures"], manifest["faces"], manifest["errors"], manifest["codes"]) == (
        41, 40, 1, {"F009": 1})
    assert manifest["complete"] and manifest["skipped"] == {}
    with open_table(str(tmp_path / "x.npz")) as table:
        (block,) = table.blocks()
    assert block.path == [m.name for m in want] and block.error[20] == block.error[20]
    assert [e for e in block.error if e] == ["F009"]
    good = np.stack([m.rows[0].embedding for m in want if m.rows[0].error is None])
    assert np.array_equal(block.embedding[[e is None for e in block.error]], good)


def test_a_run_that_was_cut_goes_on(folder, want, tmp_path):
    """Also in a folder that changed meanwhile; what is done is not read again."""
    def cut(made):
        if made.name.endswith("05.npy"):
            raise KeyboardInterrupt

    out = tmp_path / "x.jsonl"
    paths = [folder / "01.npy", folder / "05.npy", folder / "07.npy", folder / "20.jpg"]
    with pytest.raises(KeyboardInterrupt):
        bulk.embed(MODEL, paths, out, told=cut)
    with pytest.raises(Efm3Error, match=r"B001"):
        bulk.embed(MODEL, paths, out)
    with pytest.raises(Efm3Error, match=r"B004"):
        bulk.embed(MODEL, paths, out, resume=True, resize=True)
    told = []
    bulk.embed(MODEL, [folder / "00.npy", *paths], out, resume=True, told=told.append)
    assert [m.name[-6:] for m in told] == ["00.npy", "07.npy", "20.jpg"]
    manifest = bulk.embed(MODEL, paths, out, resume=True, told=pytest.fail)
    assert manifest["pictures"] == 5 and manifest["faces"] == 4
    with open_table(str(out)) as table:
        (block,) = table.blocks()
    assert [p[-6:] for p in block.path] == ["01.npy", "05.npy", "00.npy", "07.npy", "20.jpg"]


def test_strict_ends_at_the_first_fault(folder, tmp_path):
    paths = [folder / "01.npy", folder / "20.jpg", folder / "02.npy"]
    told = []
    with pytest.raises(Efm3Error, match=r"F009 .*20.jpg"):
        bulk.embed(MODEL, paths, tmp_path / "x.csv", strict=True, told=told.append)
    assert [m.name for m in told] == [str(paths[0])]
    assert not (tmp_path / "x.csv").exists()
    bulk.embed(MODEL, paths, tmp_path / "x.csv", resume=True)
    assert (tmp_path / "x.csv").read_text().count("\n") == 4


def test_nothing_leaves_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    for resume in (False, True):
        with pytest.raises(Efm3Error, match=r"B010 .*empty: .*other files 1"):
            bulk.embed(MODEL, tmp_path / "empty", tmp_path / "x.npz", resume=resume)
    assert not (tmp_path / "x.npz").exists()
    with pytest.raises(ValueError, match="one of them"):
        bulk.embed(MODEL, tmp_path, tmp_path / "x.npz", align=True, resize=True)


def test_names_of_which_nothing_is_there_leave_no_table(folder, tmp_path, monkeypatch):
    """A mistyped path would else leave a table that is in the way of the next run."""
    out = tmp_path / "x.npz"
    typos = [tmp_path / "typo", tmp_path / "typo.tar", tmp_path / "typo" / "*.jpg"]
    for resume, force in ((False, False), (True, False), (False, True)):
        told = []
        with pytest.raises(Efm3Error, match=r"IO001 .*typo.tar.*no table is written"):
            bulk.embed(MODEL, typos, out, told=told.append, resume=resume, force=force)
        assert [m.rows[0].error for m in told] == ["IO001"] * 3 and not list(tmp_path.iterdir())
    with pytest.raises(Efm3Error, match=r"IO001 .*typo: No such"):
        bulk.embed(MODEL, typos, out, strict=True)
    # Beside one that is there they are rows; then nothing new is no fault.
    manifest = bulk.embed(MODEL, [*typos, folder / "01.npy"], out)
    assert (manifest["faces"], manifest["codes"], manifest["unread"]) == (1, {"IO001": 3}, 2)
    bulk.embed(MODEL, typos, out, resume=True, told=pytest.fail)
    before = out.read_bytes()
    for words in ({"resume": True}, {"force": True}):
        with pytest.raises(Efm3Error, match="IO001"):
            bulk.embed(MODEL, tmp_path / "other", out, **words)
        assert out.read_bytes() == before
    # What is there and refused keeps its table; so do names that are too many to be held.
    assert bulk.embed(MODEL, folder / "20.jpg", tmp_path / "y.csv")["errors"] == 1
    monkeypatch.setattr(run, "MISSING", 2)
    assert bulk.embed(MODEL, typos, tmp_path / "z.csv")["errors"] == 3


def test_the_job(tmp_path):
    """The digest is that of the tensor table: what the mirror says does not change it."""
    model = efm3.load(MODEL)
    stated = efm3.load(efm3.dumps(model.arch, model.tensors, seal=True)).mirror["meta"]["sha256"]
    job = run.Run(MODEL).job
    assert job.model == stated and job.dim == DIM
    assert job.options == {"align": False, "face": None, "detector": None, "resize": False,
                           "turned": False, "precision": "f32"}
    assert run.Run(MODEL, Plan(precision="fast")).job.options["precision"] == "fast"
    turned = efm3.dumps(model.arch, model.tensors, mirror_extra=mirror.as_turned({}))
    other = run.Run(turned, Plan(face="all")).job
    assert other.model == job.model and other.options == job.options | {"turned": True}
    (tmp_path / "Y.ONNX").write_bytes(b"123")
    options = run.Run(MODEL, Plan(True, "all", str(tmp_path / "Y.ONNX"))).job.options
    assert options["face"] == "all" and options["detector"] == {
        "name": "Y.ONNX", "sha256": hashlib.sha256(b"123").hexdigest()}
    with pytest.raises(Efm3Error, match=r"^E_MAGIC <bytes>"):
        run.Run(b"no model")
    (tmp_path / "bad.bin").write_bytes(MODEL[:-4])
    with pytest.raises(Efm3Error) as e:
        run.Run(str(tmp_path / "bad.bin"))
    assert e.value.path == str(tmp_path / "bad.bin")
    with pytest.raises(Efm3Error, match="IO001"):
        run.Run(str(tmp_path / "none"))


def test_a_table_is_of_one_precision(folder, tmp_path):
    """Another one is not resumed; a table from before there were any is of f32."""
    pictures = [folder / "01.npy", folder / "02.npy"]
    out = tmp_path / "x.npz"
    manifest = bulk.embed(MODEL, pictures[:1], out, precision="high", isa="scalar")
    assert manifest["options"]["precision"] == "high"
    with open_table(out) as table, efm3.Engine(MODEL, isa="scalar", precision="high") as engine:
        (found,) = table.columns(("embedding",), 8)
        assert np.array_equal(found["embedding"], engine.embed(PICTURES[1:2]))
    for other in ("f32", "fast"):
        with pytest.raises(Efm3Error, match=rf"B004.*precision: 'high' there, '{other}' now"):
            bulk.embed(MODEL, pictures, out, precision=other, resume=True)
    assert bulk.embed(MODEL, pictures, out, precision="high", resume=True)["faces"] == 2
    older = {k: v for k, v in run.Run(MODEL).job.options.items() if k != "precision"}
    with open_output(str(tmp_path / "y.npz"), Job(run.Run(MODEL).job.model, DIM, older)) as made:
        made.finish({})
    assert bulk.embed(MODEL, pictures, tmp_path / "y.npz", resume=True)["faces"] == 2
    with pytest.raises(Efm3Error, match=r"B004.*precision: 'f32' there, 'fast' now"):
        bulk.embed(MODEL, pictures, tmp_path / "y.npz", resume=True, precision="fast")


def test_rows_as_lines(want):
    lines = run.json_lines([r for m in want[19:22] for r in m.rows], DIM).decode().splitlines()
    assert len(lines) == 3 and '"F009"' in lines[1]


@pytest.mark.parametrize("text,told", [
    ("\udcff\ud83d", "\\udcff\\ud83d"), ("\ud83d\ude00", "\U0001f600"), ("\\udcff", "\\udcff"),
    ("\0\x1b\u2028\n\"\\", None)])
def test_texts_of_lines_are_json_and_come_back(text, told):
    """Also what is written to standard output before a table has cleaned it."""
    (line,) = run.json_lines([Row(text, error="F010", reason=text)], DIM).splitlines()
    value = json.loads(line.decode("ascii"))
    assert value["path"] == value["reason"] == (text if told is None else told)
    value["path"].encode()
