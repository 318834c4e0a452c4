# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The process that runs TFLite files, with a runtime of our own in it: it answers, fails, dies."""

import gc
import os
import sys

import numpy as np
import pytest

import efm3
from efm3.convert import _tflite_run
from efm3.convert._tflite_child import real, whole
from efm3.convert._tflite_file import File
from tests.convert.tflite_checks import SHAPE, X, begin, source
from tests.systems import CRASHED, WINDOWS

FAKE = '''
import os, signal, sys
import numpy as np
print("a runtime that talks")

class Interpreter:
    def __init__(self, model_content, num_threads):
        open({seen!r}, "wb").write(model_content)
        self.kind = {kind!r}
        if self.kind == "no start":
            raise ValueError("Model provided has model identifier \\x1b[2J")

    def get_input_details(self):
        return [dict(index=5, shape=np.array([1, 4, 5, 3]), dtype=np.{dtype},
                     quantization={scale})]

    def get_output_details(self):
        return [dict(index=7, quantization={scale})]

    def resize_tensor_input(self, index, shape):
        assert index == 5
        self.size = shape

    def allocate_tensors(self):
        pass

    def set_tensor(self, index, value):
        assert index == 5 and [*value.shape] == self.size and value.dtype == np.{dtype}
        self.x = value

    def invoke(self):
        if self.kind == "fails":
            raise RuntimeError("node 3 failed")
        if self.kind == "dies":
            signal.raise_signal(signal.SIGSEGV)
        if self.kind == "leaves":
            sys.exit(3)
        while self.kind == "loops":
            pass

    def get_tensor(self, index):
        assert index == 7
        return -self.x
'''


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """fake(kind): a runtime of this kind is installed; returns where it leaves the file."""
    def install(kind="answers", dtype="float32", scale=(0.0, 0)):
        package = tmp_path / "fake_runtime"
        package.mkdir()
        seen = tmp_path / "seen"
        (package / "__init__.py").touch()
        (package / "interpreter.py").write_text(
            FAKE.format(kind=kind, dtype=dtype, scale=scale, seen=str(seen)))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(_tflite_run, "MODULES", ("not_there", "fake_runtime"))
        return seen
    return install


def negated():
    w, x = begin()
    return w, w.op("NEG", [x], SHAPE, "end")


def started(data, **wanted):
    return source(data, **wanted).runtime.start()


def test_batch_after_batch(fake):
    fake()
    w, y = negated()
    f = started(w.data([y]))
    for u in (X, X * 2, np.asfortranarray(X)):
        np.testing.assert_array_equal(f(u), -u)
    with pytest.raises(ValueError, match=r"\(1, 4, 5, 3\)"):
        f(X[:1])


def test_8_bits_in_and_out(fake):
    fake(dtype="int8", scale=(0.05, 3))
    w, y = negated()
    want = -np.clip(np.rint(X / np.float32(0.05) + 3), -128, 127)
    np.testing.assert_allclose(started(w.data([y]))(X), (want - 3) * 0.05, rtol=1e-6)


def test_whole_and_real_numbers():
    x = np.array([-9, -0.26, 0.25, 9], np.float32)
    assert whole(x, np.uint8, 0.0, 0).tolist() == [0, 0, 0, 9]
    assert whole(x, np.int8, 0.01, 0).tolist() == [-128, -26, 25, 127]
    assert whole(x, np.float32, 0.0, 0).tolist() == x.tolist()
    assert real(np.array([-128, 127], np.int8), 0.5, -128).tolist() == [0, 127.5]


def test_the_process_gets_what_was_judged_and_nothing_else(fake):
    seen = fake()
    w, x = begin()
    w.op("WHILE", [x], SHAPE)
    a = w.op("NEG", [x], SHAPE, "a")
    w.op("EvilOp", [a], SHAPE, custom=True)
    b = w.op("RELU", [a], SHAPE, "b")
    w.input(SHAPE, "other")
    data = w.data([a, b], signature={"a": a, "b": b})
    started(data, output="b")
    judged = seen.read_bytes()
    assert len(judged) == len(data)
    file = File(judged, "x")
    assert [op.name for op in file.operators] == ["NEG", "RELU"]
    assert (file.inputs, file.outputs, file.signatures()) == ((x,), (b,), {})
    assert len(file.subgraphs) == 1


@pytest.mark.parametrize("kind,words", [
    ("no start", r"ValueError: .*\\x1b\[2J"), ("fails", "RuntimeError: node 3 failed"),
    ("dies", f"ended with {CRASHED}" if WINDOWS else "ended by SIGSEGV"),
    ("leaves", "ended with 3"), ("loops", "no answer in 0.1 s")])
def test_what_goes_wrong_there_is_one_refusal(kind, words, fake, monkeypatch):
    fake(kind)
    monkeypatch.setattr(_tflite_run, "LIMIT", 0.1 if kind == "loops" else 60)
    w, y = negated()
    with pytest.raises(efm3.Efm3Error, match=f"X013.*LiteRT cannot run it: .*{words}"):
        if kind == "loops":
            # Importing numpy alone takes longer than the limit.
            monkeypatch.setattr(_tflite_run, "LIMIT", 60)
            f = started(w.data([y]))
            monkeypatch.setattr(_tflite_run, "LIMIT", 0.1)
            f(X)
        started(w.data([y]))(X)


def test_the_process_ends_with_its_function(fake):
    fake()
    w, y = negated()
    f = started(w.data([y]))
    child, = (c.cell_contents for c in f.__closure__ if hasattr(c.cell_contents, "ask"))
    process = child._process
    del f, child
    gc.collect()
    assert process.returncode is not None


def test_no_runtime_no_run(monkeypatch):
    monkeypatch.setattr(_tflite_run, "MODULES", ("not_there",))
    w, y = negated()
    with pytest.raises(efm3.Efm3Error, match=r"X002.*`litert`"):
        started(w.data([y]))


def test_what_may_do_anything_is_not_started(fake):
    fake()
    for code, custom in (("WHILE", False), ("CALL_ONCE", False), ("FlexReadFile", True)):
        w, x = begin()
        y = w.op("NEG", [w.op(code, [x], SHAPE, custom=custom)], SHAPE)
        with pytest.raises(efm3.Efm3Error, match=f"X008.*not started: {code} may do anything"):
            started(w.data([y]))
    w, x = begin()
    for _ in range(6):
        x = w.op("PAD", [x, w.const([[0, 0], [0, 8000], [0, 8000], [0, 0]])], SHAPE)
    with pytest.raises(efm3.Efm3Error, match=r"X008.*not started: its maps have"):
        started(w.data([x]))


def test_the_child_sees_the_parent_s_path_and_no_other(fake, tmp_path, monkeypatch):
    """A numpy.py in the current folder is not taken for numpy."""
    fake()
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "numpy.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", os.getcwd())])
    w, y = negated()
    np.testing.assert_array_equal(started(w.data([y]))(X), -X)
