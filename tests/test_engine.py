# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""efm3.Engine: the C engine against the numpy network, its inputs, and its misuse."""

import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import engine as engines
from efm3 import reference
from efm3.conformance import sample
from efm3.precision import PRECISIONS
from tests.systems import posix

ROOT = Path(__file__).resolve().parent.parent
BUDGET = 1e-5

needs_engine = pytest.mark.skipif(not engines.available(), reason=engines.MISSING)
pytestmark = needs_engine


def have():
    return [k for k, ok in engines.isas().items() if ok] if engines.available() else ["none"]


@pytest.fixture(scope="module")
def nano():
    return efm3.Engine(ROOT / "spec/vectors/nano.bin")


def faces(count, seed=5):
    return np.random.default_rng(seed).integers(0, 256, (count, 112, 112, 3), np.uint8)


@pytest.mark.parametrize("isa", have())
def test_embeddings_equal_the_originals(vector, isa):
    want = np.load(vector.with_suffix(".npz"))
    with efm3.Engine(vector, isa=isa) as e:
        got = e.embed(want["x"].astype(np.float32))
        assert e.isa == isa
    assert got.dtype == np.float32
    assert np.abs(got - want["embedding"]).max() <= BUDGET


@pytest.mark.parametrize("isa", have())
def test_every_activation_equals_the_reference(vector, isa):
    x = reference.prepare(faces(1))
    want = reference.activations(efm3.load(vector), x)
    got = efm3.Engine(vector, isa=isa).activations(x[0])
    assert list(got) == list(want)
    for name, a in want.items():
        assert got[name].shape == a.shape[1:]
        assert np.abs(got[name] - a[0]).max() <= 2e-5 * max(1.0, np.abs(a).max()), name


def arch_of(**changes):
    values = {"stem_channels": 5, "block_channels": 7, "final_channels": 9, "embedding_dim": 3,
              "stages": (efm3.Stage(1, 1, 2),), "stem_kernel": 3, "stem_stride": 2} | changes
    from types import SimpleNamespace

    from efm3.arch import last_side
    values["gdc_kernel"] = last_side(SimpleNamespace(**values))
    return efm3.Arch("t", 1.0, **values)


ARCHS = [
    arch_of(), arch_of(stem_kernel=1, stem_stride=4), arch_of(stem_kernel=15, stem_stride=1),
    arch_of(stem_kernel=5, stem_stride=3, stages=(efm3.Stage(3, 2, 3), efm3.Stage(1, 1, 4))),
    arch_of(stages=(efm3.Stage(2, 2, 4), efm3.Stage(3, 1, 4), efm3.Stage(2, 2, 4))),
    arch_of(stem_channels=17, block_channels=33, final_channels=41, embedding_dim=131,
            stages=(efm3.Stage(3, 2, 2), efm3.Stage(2, 2, 1))),
    arch_of(stem_channels=1, block_channels=1, final_channels=1, embedding_dim=1,
            stages=(efm3.Stage(1, 1, 1),)),
    arch_of(stem_channels=16, block_channels=8, stages=tuple([efm3.Stage(1, 1, 1)] * 8)),
    arch_of(stem_channels=23, block_channels=23, stages=(efm3.Stage(5, 2, 1), efm3.Stage(1, 2, 2),
                                                         efm3.Stage(2, 2, 3))),
]


@pytest.mark.parametrize("isa", have())
@pytest.mark.parametrize("arch", ARCHS, ids=range(len(ARCHS)))
def test_any_arch_runs(arch, isa):
    model = efm3.load(sample.build(arch), level="structure")
    x = np.random.default_rng(8).normal(size=(2, 3, 112, 112)).astype(np.float32)
    want = reference.forward(model, x)
    e = efm3.Engine(model, isa=isa)
    assert np.abs(e.embed(x) - want).max() <= BUDGET
    trace = e.activations(x[0])
    for name, a in reference.activations(model, x[:1]).items():
        assert np.abs(trace[name] - a[0]).max() <= 2e-5 * max(1.0, np.abs(a).max()), name


def test_introspection_equals_the_walk(vector):
    model = efm3.load(vector)
    e = efm3.Engine(model)
    assert e.arch == efm3.Engine(vector).arch
    assert e.arch.stages == model.arch.stages and e.embedding_dim == model.arch.embedding_dim
    walk = efm3.layers(model.arch)
    assert len(e.layers) == len(walk)
    for a, b in zip(e.layers, walk, strict=True):
        assert (a.name, a.in_channels, a.out_channels, a.kernel, a.stride, a.padding, a.groups) == (
            b.name, b.in_channels, b.out_channels, b.kernel, b.stride, b.padding, b.groups)
        assert (a.in_side, a.out_side, a.act, a.residual, a.macs) == (
            b.in_side, b.out_side, b.act, bool(b.residual), b.macs)
    assert e.macs == sum(x.macs for x in walk)
    assert 0 < e.scratch_bytes <= 2 << 20


def test_pixels_and_floats_agree(nano):
    u8 = faces(3)
    assert np.array_equal(nano.embed(u8), nano.embed(reference.prepare(u8)))


def test_shapes_and_norms(nano):
    u8 = faces(2)
    one, many = nano.embed(u8[0]), nano.embed(u8)
    assert one.shape == (256,) and many.shape == (2, 256)
    assert np.array_equal(one, many[0])
    assert np.allclose(np.linalg.norm(many, axis=1), 1, atol=1e-6)
    assert nano.embed(u8[:0]).shape == (0, 256)
    assert nano.embed(list(u8)).shape == (2, 256)


@pytest.mark.parametrize("view", [
    lambda a: a[::2], lambda a: a[:, ::-1], lambda a: a[..., ::-1],
    lambda a: np.asfortranarray(a), lambda a: a[1:], lambda a: np.broadcast_to(a[:1], (1, *HWC))])
def test_views_are_right(nano, view):
    a = view(faces(4))
    assert np.array_equal(nano.embed(a), nano.embed(a.copy(order="C")))


HWC = (112, 112, 3)


def test_unaligned_and_read_only_memory(nano):
    x = reference.prepare(faces(1))
    raw = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:]
    odd = np.ndarray(x.shape, np.float32, raw.data)
    assert odd.ctypes.data % 4 and not odd.flags.writeable
    assert np.array_equal(nano.embed(odd), nano.embed(x))


@pytest.mark.parametrize("bad", [
    np.zeros((1, 3, 112, 112)), np.zeros((1, 3, 112, 112), np.float16),
    np.zeros((1, 3, 112, 112), ">f4"), np.zeros((1, 112, 112, 3), np.int64),
    np.zeros((1, 112, 112, 3), bool), np.zeros((1, 3, 112, 112), np.complex64),
    np.zeros((1, 112, 112, 3), object), np.ma.zeros((1, 112, 112, 3), np.uint8), "face.png", None])
def test_refused_types(nano, bad):
    with pytest.raises(TypeError, match="images are"):
        nano.embed(bad)


@pytest.mark.parametrize("bad", [
    np.zeros((112, 112), np.uint8), np.zeros((3, 112, 112), np.uint8), np.zeros(HWC, np.float32),
    np.zeros((1, 1, 112, 112, 3), np.uint8), np.zeros((1, 111, 112, 3), np.uint8),
    np.zeros((), np.uint8), np.zeros(0, np.float32),
    np.broadcast_to(np.zeros(HWC, np.uint8), (1 << 40, *HWC))],
    ids=lambda a: "x".join(map(str, a.shape)))
def test_refused_shapes(nano, bad):
    with pytest.raises(ValueError, match=r"shape|stride 0"):
        nano.embed(bad)


@pytest.mark.parametrize("none", [np.zeros((0, *HWC), np.uint8),
                                  np.zeros((0, 3, 112, 112), np.float32)])
def test_no_pictures_give_no_embeddings(nano, none):
    got = nano.embed(none)
    assert got.shape == (0, nano.embedding_dim) and got.dtype == np.float32


def test_nan_reaches_the_embedding(nano):
    x = reference.prepare(faces(1))
    x[0, 1, 60, 60] = np.nan
    for isa in have():
        assert np.isnan(efm3.Engine(ROOT / "spec/vectors/nano.bin", isa=isa).embed(x)).all()


def test_zero_vector_stays_zero():
    data = sample.fill("embed_proj.bn.w", 0.0)(sample.fill("embed_proj.bn.b", 0.0)(sample.base()))
    assert not efm3.Engine(data).embed(faces(1)).any()


def test_denormal_weights_cost_nothing_and_state_is_kept():
    """The engine treats denormals as zero; numpy's own arithmetic after it does not."""
    tiny = np.float32(1e-40)
    efm3.Engine(sample.base()).embed(faces(1))
    assert np.array([tiny], np.float32)[0] * np.float32(0.5) > 0


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_give_the_same_bits(vector, threads):
    u8 = faces(9)
    assert np.array_equal(efm3.Engine(vector, threads=threads).embed(u8),
                          efm3.Engine(vector).embed(u8))


def test_one_engine_serves_many_python_threads(nano):
    u8 = faces(4)
    want = nano.embed(u8)
    wrong = []

    def work():
        for _ in range(8):
            if not np.array_equal(nano.embed(u8), want):
                wrong.append(1)
    workers = [threading.Thread(target=work) for _ in range(6)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong


def test_close_while_another_thread_works():
    e = efm3.Engine(ROOT / "spec/vectors/nano.bin", threads=2)
    u8 = faces(8)
    results = []
    worker = threading.Thread(target=lambda: results.append(e.embed(u8)))
    worker.start()
    e.close()
    gc.collect()
    worker.join()
    assert len(results) <= 1


def test_closed_engine():
    e = efm3.Engine(sample.base())
    with e:
        pass
    e.close()
    for call in (lambda: e.embed(faces(1)), lambda: e.layers, e.__enter__,
                 lambda: e.activations(reference.prepare(faces(1))[0])):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert "closed" in repr(e)


def test_no_copies(nano):
    for act in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied"):
            act(nano)


def test_failed_init_leaves_a_harmless_object():
    e = efm3.Engine.__new__(efm3.Engine)
    with pytest.raises(efm3.Efm3Error):
        e.__init__(b"EFM3")
    with pytest.raises(ValueError, match="closed"):
        e.embed(faces(1))


@posix
def test_fork_after_use():
    code = """if True:
        import os, sys, numpy as np, efm3
        e = efm3.Engine('spec/vectors/nano.bin', threads=2)
        x = np.zeros((4, 112, 112, 3), np.uint8)
        want = e.embed(x)
        pid = os.fork()
        same = np.array_equal(e.embed(x), want)
        if pid == 0:
            os._exit(0 if same else 1)
        sys.exit(os.waitpid(pid, 0)[1] or not same)
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=600, check=False)
    assert done.returncode == 0


def test_exit_with_a_live_engine():
    code = "import efm3; e = efm3.Engine('spec/vectors/nano.bin', threads=2); e.loop = e"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, timeout=600,
                          capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_sources(tmp_path):
    path = ROOT / "spec/vectors/odd_b.bin"
    data = path.read_bytes()
    u8 = faces(1)
    want = efm3.Engine(path).embed(u8)
    for source in (str(path), data, bytearray(data), memoryview(data), efm3.load(path)):
        assert np.array_equal(efm3.Engine(source).embed(u8), want)
    for bad in (None, 7, object()):
        with pytest.raises(TypeError, match="source is"):
            efm3.Engine(bad)
    with pytest.raises(ValueError, match="NUL"):
        efm3.Engine("a\0b")


def test_unreadable_paths(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "none", tmp_path, tmp_path / "fifo", tmp_path / "loop", "/dev/zero",
                 "x" * 5000, ""):
        with pytest.raises(efm3.Efm3Error) as e:
            efm3.Engine(path)
        assert e.value.code == "IO001"


def test_error_says_where():
    data = bytearray(sample.base())
    data[12:14] = b"\0\0"
    with pytest.raises(efm3.Efm3Error, match="stem_channels") as e:
        efm3.Engine(bytes(data))
    assert (e.value.code, e.value.offset) == ("E_HEADER", 12)


@pytest.mark.parametrize("options,error", [
    ({"threads": 0}, ValueError), ({"threads": 65}, ValueError), ({"threads": True}, TypeError),
    ({"threads": "2"}, TypeError), ({"isa": "sse9"}, ValueError), ({"isa": 3}, TypeError)])
def test_refused_options(options, error):
    with pytest.raises(error):
        efm3.Engine(sample.base(), **options)


@pytest.mark.parametrize("name", ["scalar\0x", "\0", "scalar\0", "scal\ud800ar"])
def test_a_name_that_c_would_cut_is_no_instruction_set(name):
    with pytest.raises(efm3.Efm3Error) as e:
        efm3.Engine(sample.base(), isa=name)
    assert e.value.code == "E_ISA"
    if "\0" in name:
        with pytest.raises(efm3.Efm3Error, match="NUL"):
            engines.fma_peak(name)


def test_environment_forces_an_isa(monkeypatch):
    monkeypatch.setenv("MFN_ISA", "scalar")
    assert efm3.Engine(sample.base()).isa == "scalar"
    monkeypatch.setenv("MFN_ISA", "abacus")
    with pytest.raises(ValueError, match="instruction set"):
        efm3.Engine(sample.base())
    assert efm3.Engine(sample.base(), isa="scalar").isa == "scalar"


def test_profile_and_peak(nano):
    times = nano.profile(reference.prepare(faces(1))[0], repeats=2)
    assert list(times) == [x.name for x in nano.layers] and min(times.values()) > 0
    assert engines.fma_peak("scalar") > 0 and engines.fma_peak("abacus") == 0
    # xs runs in bands of rows; nothing of a profile stays behind.
    x = reference.prepare(faces(1))
    for precision in PRECISIONS:
        with efm3.Engine(ROOT / "weights/facex_xs.bin", precision=precision) as e:
            before = e.embed(x)
            assert min(e.profile(x[0], repeats=1).values()) > 0
            np.testing.assert_array_equal(e.embed(x), before)


def test_similarity(nano):
    a, b = nano.embed(faces(2))
    ext = engines._extension()
    c = ext.lib.mfn_similarity(ext.ffi.from_buffer("float[]", a), ext.ffi.from_buffer("float[]", b),
                               len(a))
    assert efm3.similarity(a, b) == pytest.approx(c, abs=1e-7)
    assert efm3.similarity(a, a) == pytest.approx(1, abs=1e-6)
    for x, y in ((a, b[:-1]), (a[:0], b[:0]), (nano.embed(faces(2)), a)):
        with pytest.raises(ValueError, match="shapes"):
            efm3.similarity(x, y)
