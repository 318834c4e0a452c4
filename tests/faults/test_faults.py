# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls that fail, processes that are killed, odd files: the short form of `make evidence`."""

import gc
import json
import mmap
import os
import shutil
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import engine
from efm3.conformance import sample
from tests.faults.bench import ATTRIBUTE

ROOT = Path(__file__).resolve().parent.parent.parent
DRIVER = "tests.faults.syscalls"
TERABYTE = 1 << 40

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux calls")
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


def driver(*words):
    done = subprocess.run([sys.executable, "-m", DRIVER, *map(str, words)], capture_output=True,
                          text=True, check=False, timeout=900, cwd=ROOT)
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


@needs_cc
def test_every_failing_call_leaves_the_old_file_or_the_new(tmp_path):
    figures, code = driver("sweep", "--step", 25)
    assert (figures["bad"], code) == ([], 0)
    assert figures["faults"] > 500 and figures["calls"]["save"] > 100
    kept = {"fchmod"} | ({"fchown"} if os.geteuid() == 0 else set())
    probe = tmp_path / "probe"
    probe.touch()
    try:
        os.setxattr(probe, ATTRIBUTE, b"kept")
        kept |= {"listxattr", "getxattr", "fsetxattr"}
    except OSError:  # a file system without attributes
        pass
    assert kept | {"write", "fsync", "close", "rename", "read"} <= set(figures["spoilt"])


@needs_cc
def test_a_kill_at_each_call_leaves_the_old_file_or_the_new():
    figures, code = driver("kills", "--step", 25)
    assert (figures["bad"], code) == ([], 0)
    assert figures["killed"] > 50 and min(figures["states"].values()) > 0


@needs_cc
def test_kills_at_random_moments():
    figures, code = driver("storm", "--count", 250)
    assert (figures["bad"], code) == ([], 0)
    assert figures["temporary files left"] > 0, "no kill came within a save"


@needs_cc
def test_two_writers_to_one_path():
    figures, code = driver("writers", "--count", 60)
    assert (figures["bad"], code) == ([], 0)
    assert figures["seen"] == ["new", "old"]


def test_an_allocation_of_the_interpreter_that_fails():
    done = subprocess.run([sys.executable, "-m", "tests.faults.nomemory", "--step", "173"],
                          cwd=ROOT, timeout=900, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this interpreter has no such hook")
    assert done.stdout, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["bad"], done.returncode) == ([], 0)
    assert figures["load"]["MemoryError"] > 10 < figures["save"]["MemoryError"]


@needs_cc
@pytest.mark.parametrize("words,said", [
    (("sweep", "--step", 25, "--plant", "in-place"), "torn"),
    (("sweep", "--step", 25, "--plant", "no-unlink"), "left"),
    pytest.param(("sweep", "--step", 25, "--plant", "setuid"), "of another owner",
                 marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root may chown")),
    (("kills", "--plant", "in-place"), "torn"),
    (("storm", "--count", 60, "--plant", "in-place"), "torn")])
def test_the_driver_sees_a_wrong_writer(words, said):
    figures, code = driver(*words)
    assert code == 1 and any(said in line for line in figures["bad"])


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "w.bin"
    path.write_bytes(sample.base())
    return path


def other():
    return efm3.load(sample.with_mirror(lambda m: m | {"meta": {"note": "new"}})(sample.base()))


def test_saving_over_a_file_that_is_loaded_mapped_and_open(target):
    model = efm3.load(target)
    before = {k: v.copy() for k, v in model.tensors.items()}
    with open(target, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        model.mirror["meta"] = {"note": "x" * 500}
        model.save(target)
        assert mapped[:] == sample.base()
    assert all(np.array_equal(v, before[k]) for k, v in model.tensors.items())
    assert efm3.load(target).mirror["meta"] == {"note": "x" * 500}


def test_a_file_cut_while_its_model_lives(target):
    model = efm3.load(target)
    os.truncate(target, 10)
    assert efm3.dumps(model.arch, model.tensors, align=True) == sample.base()


SPECIAL_LOADS = {
    "regular file": ["loaded", "OK"], "symbolic link": ["loaded", "OK"],
    "empty file": ["C001", "E_TRUNCATED"], "no such file": ["IO001", "E_OPEN"],
    "folder": ["IO001", "E_NOT_REGULAR"], "empty path": ["IO001", "E_OPEN"],
    "path of 5,000 characters": ["IO001", "E_OPEN"],
    "FIFO without a writer": ["IO001", "E_NOT_REGULAR"], "socket": ["IO001", "E_OPEN"],
    "terminal": ["IO001", "E_NOT_REGULAR"], "/dev/zero": ["IO001", "E_NOT_REGULAR"],
    "/dev/full": ["IO001", "E_NOT_REGULAR"], "/proc/self/mem": ["IO001", "E_READ"],
    "link to itself": ["IO001", "E_OPEN"], "dangling link": ["IO001", "E_OPEN"],
    "no permission": ["IO001", "E_OPEN"], "folder without permission": ["IO001", "E_OPEN"],
    "sparse terabyte": ["T014", "E_TRAILING"]}
SPECIAL_SAVES = {
    "over the mapped file": "saved, new, map whole", "through a link": "saved, new",
    "through a dangling link": "saved, new", "link to itself": "ELOOP, no file",
    "folder": "EISDIR, still no regular file", "FIFO": "EINVAL, still no regular file",
    "folder that is gone": "ENOENT, no file", "folder without permission": "EACCES, old",
    "limit of a file's size": "EFBIG, old", "full disk": "ENOSPC, old",
    "read-only file system": "EROFS, old"}
ABSENT = "not possible here"


@pytest.mark.skipif(not engine.available(), reason=engine.MISSING)
def test_special_files_and_full_disks():
    done = subprocess.run([sys.executable, "-m", "tests.faults.special"], cwd=ROOT, timeout=600,
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    for case, want in SPECIAL_LOADS.items():
        assert found["load"][case] in (want, [ABSENT] * 2), case
    for case, said in SPECIAL_SAVES.items():
        assert found["save"][case] in (said, ABSENT), case
    assert list(found["load"]) == list(SPECIAL_LOADS)
    assert list(found["save"]) == list(SPECIAL_SAVES)


def sparse(tmp_path):
    path = tmp_path / "tera.bin"
    path.write_bytes(sample.base())
    try:
        os.truncate(path, TERABYTE)
    except OSError:
        pytest.skip("this file system holds no sparse terabyte")
    return path


@pytest.mark.parametrize("size", [3 << 30, TERABYTE])
def test_a_sparse_file_is_refused_at_once(tmp_path, size):
    """One that memory would hold too: with no room for it, no more than the header allows is read.
    """
    path = sparse(tmp_path)
    os.truncate(path, size)
    code = ("import resource, sys, efm3\n"
            "good = sys.argv[2]\n"
            "efm3.load(good, 'values'), efm3.validate(good), efm3.Engine(good)\n"
            "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
            "resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 20),) * 2)\n"
            "print([f.code for f in efm3.validate(sys.argv[1]).findings])\n"
            "for use in (efm3.load, efm3.Engine):\n"
            "    try: use(sys.argv[1])\n"
            "    except efm3.Efm3Error as e: print(e.code)\n")
    good = tmp_path / "good"
    good.write_bytes(sample.base())
    done = subprocess.run([sys.executable, "-c", code, path, good], capture_output=True, text=True,
                          check=False)
    assert done.stdout.split() == ["['T014']", "T014", "E_TRAILING"], done.stderr


def engine_status(path):
    ext = engine._extension()
    handle, error = ext.ffi.new("MfnEngine *"), ext.ffi.new("MfnError *")
    status = ext.lib.mfn_engine_init_file(os.fsencode(path), ext.ffi.NULL, handle, error)
    if status == 0:
        ext.lib.mfn_engine_free(handle)
    return ext.ffi.string(ext.lib.mfn_status_name(status)).decode()


def test_a_file_that_shrinks_and_grows_while_it_is_read(target):
    """Whatever the moment: the file of before, or one error."""
    data, stop, loaded, refused = sample.base(), threading.Event(), 0, set()

    def shake():
        while not stop.is_set():
            os.truncate(target, 4000)
            os.truncate(target, len(data) + 7)
            target.write_bytes(data)
    worker = threading.Thread(target=shake)
    worker.start()
    try:
        end = time.monotonic() + 10
        for i in count():
            # Which moments are met depends on the scheduler: repeat until both were, for a while.
            if (i > 400 and loaded and refused) or time.monotonic() > end:
                break
            try:
                model = efm3.load(target)
                loaded += 1
                # A tail that was cut off and grown again reads as zeros: valid, but not ours.
                assert len(efm3.dumps(model.arch, model.tensors, align=True)) == len(data)
            except efm3.Efm3Error as e:
                refused.add(e.code)
            if engine.available():
                assert engine_status(target) in {
                    "OK", "E_READ", "E_TRUNCATED", "E_TRAILING", "E_TENSOR_SIZE"}
    finally:
        stop.set()
        worker.join()
    gc.collect()
    assert loaded or refused
