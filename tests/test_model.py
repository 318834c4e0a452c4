# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Load and save: same bytes back, any array in, nothing half done."""

import copy
import hashlib
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

import efm3
from efm3 import mirror, model_html
from efm3.conformance import sample
from efm3.conformance.examples import example

ARCH = sample.ARCH
DIGEST = efm3.load(sample.sealed()).mirror["meta"]["sha256"]


@pytest.fixture
def model():
    return efm3.load(sample.base())


def as_dict(model):
    return {n: t.copy() for n, t in model.tensors.items()}


def test_load_and_save_gives_the_same_bytes(vector, tmp_path):
    model = efm3.load(vector)
    out = tmp_path / "out.bin"
    model.save(out)
    assert out.read_bytes() == vector.read_bytes()
    efm3.save(out, model.arch, model.tensors)
    assert out.read_bytes() == vector.read_bytes()
    assert efm3.dumps(model.arch, model.tensors) == vector.read_bytes()


def test_tensors_are_lazy_read_only_views(vector):
    model = efm3.load(vector)
    assert isinstance(model.tensors, Mapping)
    assert [(n, t.shape) for n, t in model.tensors.items()] == list(
        efm3.tensor_layout(model.arch))
    t = model.tensors["stem.conv.w"]
    assert t.dtype == np.float32 and not t.flags.writeable and not t.flags.owndata
    with pytest.raises(ValueError):
        t[0] = 1
    with pytest.raises(ValueError):
        t.flags.writeable = True
    with pytest.raises(KeyError):
        model.tensors["stem.conv.bias"]


def test_changing_the_callers_buffer_does_not_change_the_model():
    data = bytearray(sample.base())
    model = efm3.load(data)
    before = model.tensors["stem.conv.w"].copy()
    data[:] = bytes(len(data))
    assert np.array_equal(model.tensors["stem.conv.w"], before)


@pytest.mark.parametrize("dtype", [np.float64, ">f4", np.longdouble])
def test_wider_types_that_lose_nothing(model, dtype):
    tensors = {n: t.astype(dtype) for n, t in model.tensors.items()}
    assert efm3.dumps(model.arch, tensors, align=True) == sample.base()


def test_any_memory_order(model):
    tensors = as_dict(model)
    fortran = {n: np.asfortranarray(t) for n, t in tensors.items()}
    assert efm3.dumps(model.arch, fortran, align=True) == sample.base()
    strided = {n: np.repeat(t, 2, axis=0)[::2] for n, t in tensors.items()}
    assert efm3.dumps(model.arch, strided, align=True) == sample.base()
    lists = {n: t.tolist() for n, t in reversed(tensors.items())}
    assert efm3.dumps(model.arch, lists, align=True) == sample.base()


def test_integers_and_bools_that_float32_holds(model):
    tensors = as_dict(model)
    tensors["stem.bn.b"] = np.arange(8, dtype=np.int64)
    tensors["stem.act.w"] = np.ones(8, bool)
    back = efm3.load(efm3.dumps(model.arch, tensors))
    assert back.tensors["stem.bn.b"].tolist() == list(range(8))
    assert back.tensors["stem.act.w"].tolist() == [1.0] * 8


@pytest.mark.parametrize("name,value,code", [
    ("stem.bn.b", np.zeros(9, np.float32), "W003"),
    ("stem.bn.b", np.zeros((8, 1), np.float32), "W003"),
    ("stem.bn.b", np.full(8, 0.1), "W004"),
    ("stem.bn.b", np.full(8, 1e300), "W004"),
    ("stem.bn.b", np.full(8, 2**24 + 1), "W004"),
    ("stem.bn.b", np.zeros(8, complex), "W004"),
    ("stem.bn.b", np.array(["x"] * 8), "W004"),
    ("stem.bn.b", np.array([None] * 8), "W004"),
    ("stem.bn.b", np.full(8, np.nan), "W005"),
    ("stem.bn.b", np.full(8, np.inf, np.float32), "W005"),
    ("stem.bn.b", [[1], [2, 3]], "W004"),
])
def test_refused_tensors(model, tmp_path, name, value, code):
    tensors = as_dict(model) | {name: value}
    with pytest.raises(efm3.Efm3Error) as e:
        efm3.save(tmp_path / "x.bin", model.arch, tensors)
    assert e.value.code == code and e.value.path == name
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_largest_integers_are_refused_without_a_conversion_that_processors_differ_in(
        model, monkeypatch, dtype):
    strict = np.errstate(all="raise")
    monkeypatch.setattr(np, "errstate", lambda **_: strict)
    with pytest.raises(efm3.Efm3Error, match="W004"):
        efm3.dumps(model.arch, as_dict(model) | {"stem.bn.b": np.full(8, np.iinfo(dtype).max)})


def test_missing_and_unknown_tensors(model):
    tensors = as_dict(model)
    del tensors["stem.act.w"]
    with pytest.raises(efm3.Efm3Error, match=r"W001.*stem\.act\.w"):
        efm3.dumps(model.arch, tensors)
    with pytest.raises(efm3.Efm3Error, match=r"W002.*head\.w"):
        efm3.dumps(model.arch, as_dict(model) | {"head.w": 0})


def test_non_finite_by_choice_keeps_every_bit(model):
    tensors = as_dict(model)
    tensors["stem.bn.b"] = np.array([0x7fc00001, 0xffc12345, 0x7f800000, 0x80000000, 1, 2, 3, 4],
                                    np.uint32).view(np.float32)
    data = efm3.dumps(model.arch, tensors, finite=False)
    back = efm3.load(data, level="structure").tensors["stem.bn.b"]
    assert np.array_equal(back.view(np.uint32), tensors["stem.bn.b"].view(np.uint32))


def test_align_and_extra(model, tmp_path):
    path = tmp_path / "x.bin"
    extra = {"meta": {"licence": "CC0-1.0", "note": "ünïcode"}}
    for name in ("a", "ab", "abc", "abcd"):
        arch = efm3.Arch(**{**vars(ARCH), "name": name})
        efm3.save(path, arch, model.tensors, mirror_extra=extra, align=True)
        back = efm3.load(path)
        assert back.aligned and back.mirror["meta"] == extra["meta"]
        assert back.arch == arch
        assert {f.code for f in efm3.validate(path).findings} <= {"P008"}


@pytest.mark.parametrize("extra,code", [
    ({"name": "x"}, "W006"), ({"meta": {"a": float("nan")}}, "W007"),
    ({"meta": {"a": object()}}, "W007"), ({"meta": "text"}, "W007"),
    ({"meta": {"sha256": "beef"}}, "W007"), ({"meta": {"a": "\0"}}, "W007"),
    ({"meta": {"a": "x" * (1 << 20)}}, "C005"),
    ({"meta": {"a": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}}, "W007"),
])
def test_refused_mirrors(model, extra, code):
    with pytest.raises(efm3.Efm3Error) as e:
        efm3.dumps(model.arch, model.tensors, mirror_extra=extra)
    assert e.value.code == code


def test_seal(model):
    data = efm3.dumps(model.arch, model.tensors, seal=True, align=True)
    back = efm3.load(data)
    start = len(data) - sum(4 + t.nbytes for t in back.tensors.values())
    assert back.mirror["meta"]["sha256"] == hashlib.sha256(data[start:]).hexdigest()
    assert data == sample.sealed()


def test_extra_keys_survive(tmp_path):
    data = sample.with_mirror(lambda m: m | {"author": "me", "meta": {"x": [1, None]}})(
        sample.base())
    model = efm3.load(data)
    model.save(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == data
    model.mirror["author"] = "you"
    model.save(tmp_path / "x")
    back = efm3.load(tmp_path / "x")
    assert back.mirror["author"] == "you" and back.mirror["meta"] == {"x": [1, None]}


def test_save_over_the_file_that_is_read(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(sample.base())
    model = efm3.load(path)
    model.tensors = as_dict(model) | {"stem.bn.b": np.ones(8, np.float32)}
    model.save(path)
    assert efm3.load(path).tensors["stem.bn.b"].tolist() == [1.0] * 8
    lazy = efm3.load(path)
    lazy.save(path, align=True)
    assert efm3.load(path).tensors["stem.bn.b"].tolist() == [1.0] * 8


@pytest.mark.parametrize("level,code,fine", [
    ("structure", "T014", None), ("coherence", "M022", "structure"),
    ("values", "V002", "coherence")])
def test_load_raises_at_its_level(level, code, fine):
    data = example(code)[1]
    with pytest.raises(efm3.Efm3Error) as e:
        efm3.load(data, level=level)
    assert e.value.code == code
    if code != "V002":
        assert e.value.offset is not None
    if fine:
        efm3.load(data, level=fine)


def test_level_structure_takes_a_mirror_that_is_no_json():
    model = efm3.load(sample.text(b"\xff\xfe")(sample.base()), level="structure")
    assert model.mirror == {} and model.arch.name == ""
    assert len(model.tensors) == len(efm3.tensor_layout(ARCH))


def test_unknown_level():
    with pytest.raises(ValueError, match="level"):
        efm3.load(sample.base(), level="deep")


def test_a_source_that_cannot_be_read_is_the_one_error(tmp_path):
    with pytest.raises(efm3.Efm3Error, match="IO001"):
        efm3.load(tmp_path / "none.bin")


def test_a_tensor_beyond_its_size_field_is_refused_before_it_is_looked_at():
    arch = replace(ARCH, final_channels=32768, embedding_dim=32768)
    tensors = {n: np.broadcast_to(np.float32(0.5), s) for n, s in efm3.tensor_layout(arch)}
    with pytest.raises(efm3.Efm3Error, match=r"T002 embed_proj\.conv\.w"):
        efm3.dumps(arch, tensors | {"embed_proj.conv.w": None})


def test_width_and_meta_that_cannot_be_written(model):
    with pytest.raises(efm3.Efm3Error, match=r"W007 json\.width_mult"):
        efm3.dumps(replace(ARCH, width_mult=0.0), model.tensors)
    with pytest.raises(efm3.Efm3Error, match=r"W007 json\.meta"):
        efm3.dumps(ARCH, model.tensors, mirror_extra={"meta": 3}, seal=True)


def test_a_models_own_mirror_is_written_where_it_differs_from_the_files(model, tmp_path):
    path = tmp_path / "x.bin"
    meta = {"meta": {"source": "here"}}
    efm3.Model(ARCH, model.tensors, model.mirror | meta).save(path)
    assert efm3.load(path).mirror["meta"] == meta["meta"]
    model.arch = replace(ARCH, name="other")
    model.save(path)
    assert efm3.load(path).arch.name == "other"
    again = efm3.load(path)
    again.save(path, seal=True)
    assert "sha256" in efm3.load(path).mirror["meta"]


def test_the_mirrors_text_is_the_files_own_until_the_mirror_changes(model):
    text = b'{ "meta": {"note": "as read"}}'
    own = efm3.Model(ARCH, model.tensors, json.loads(text), text)
    assert own.mirror_text() == text
    own.mirror["meta"]["note"] = "changed"
    assert own.mirror_text() == mirror.canonical(ARCH, {"meta": {"note": "changed"}})


def test_loading_opens_the_path_and_does_nothing_else(tmp_path):
    """By the interpreter's own audit events, with a mirror full of tempting keys."""
    keys = {"__class__": "os.system", "__reduce__": ["os.system", "true"], "{0.__class__}": "%n",
            "../../etc/passwd": "file:///etc/passwd", "import": "antigravity"}
    path = tmp_path / "x.bin"
    path.write_bytes(sample.with_mirror(lambda m: m | {"meta": keys})(sample.base()))
    code = ("import sys, efm3\n"
            "efm3.load(sys.argv[1], level='values'); efm3.validate(sys.argv[1])\n"
            "seen = []\n"
            "sys.addaudithook(lambda name, args: seen.append((name, args)))\n"
            "model = efm3.load(sys.argv[1], level='values'); efm3.validate(sys.argv[1])\n"
            "seen = list(seen)\n"
            "[print(n, a[0] if n == 'open' else '') for n, a in seen]\n")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True,
                          check=True)
    told = [line.split(" ", 1) for line in done.stdout.splitlines()]
    harmless = ("object.__getattr__", "sys._getframe", "_thread.start_new_thread", "builtins.id",
                "array.__new__")
    assert {n for n, _ in told} - set(harmless) == {"open"}
    # A file object is opened upon the number that the path's own open gave.
    assert {a for n, a in told if n == "open" and not a.isdigit()} == {str(path)}


def test_a_turned_picture_is_kept_and_known(tmp_path):
    model = efm3.load(sample.base())
    assert not model.turned
    model.mirror = mirror.as_turned(model.mirror)
    model.save(tmp_path / "t.bin", seal=True)
    back = efm3.load(tmp_path / "t.bin")
    assert back.turned and set(back.mirror["meta"]) == {"picture", "sha256"}
    back.mirror = back.mirror | {"meta": {"picture": "upside down"}}
    with pytest.raises(efm3.Efm3Error, match=r"M043 json\.meta\.picture"):
        _ = back.turned
    with pytest.raises(efm3.Efm3Error, match="W007"):
        back.save(tmp_path / "t.bin")


def doubled(model):
    """In another process: a model comes, and a model goes."""
    tensors = {n: 2 * t for n, t in model.tensors.items()}
    return model, efm3.Model(model.arch, tensors, model.mirror)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_models_go_to_other_processes(method, model, tmp_path):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    with multiprocessing.get_context(method).Pool(1) as pool:
        same, twice = pool.apply(doubled, (model,))
    assert same.parts() == model.parts() and same.mirror == model.mirror
    name = "embed_proj.bn.b"
    assert np.array_equal(twice.tensors[name], 2 * model.tensors[name])


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy,
                                   *(lambda m, p=p: pickle.loads(pickle.dumps(m, p))
                                     for p in range(2, pickle.HIGHEST_PROTOCOL + 1))])
def test_a_model_that_was_copied_or_pickled_saves_the_same_bytes(again):
    data = sample.sealed()
    for touched in (False, True):
        model = efm3.load(data)
        assert not touched or model.mirror["meta"]
        back = again(model)
        assert b"".join(back.parts()) == data and back.arch == model.arch
        assert list(back.tensors) == list(model.tensors)
        assert not back.tensors["stem.conv.w"].flags.writeable
    back.mirror["name"] = "mine"
    assert (model.mirror["name"] == "mine") == (again is copy.copy)
    made = again(efm3.Model(ARCH, as_dict(model)))
    assert made.parts() == efm3.Model(ARCH, as_dict(model)).parts()


def test_a_refusal_goes_to_other_processes_whole():
    with pytest.raises(efm3.Efm3Error) as e:
        efm3.load(b"x")
    back = pickle.loads(pickle.dumps(e.value))
    assert (back.finding, str(back), back.code) == (e.value.finding, str(e.value), e.value.code)


def test_a_mirror_is_parsed_when_it_is_asked_for(monkeypatch):
    model, calls = efm3.load(sample.sealed()), []
    real = mirror.parse
    monkeypatch.setattr(mirror, "parse", lambda text: calls.append(text) or real(text))
    assert b"".join(model.parts()) == sample.sealed() and model.arch.name == "sample"
    assert not calls and model.mirror["name"] == "sample" and len(calls) == 1
    model.mirror["meta"]["note"] = "mine"
    assert b'"note":"mine"' in b"".join(model.parts())


@pytest.mark.parametrize("extra,code,place", [
    (5, "W007", "json"), ("ab", "W007", "json"), ([("a", 1)], "W007", "json"),
    ({"meta": None}, "W007", "json.meta"), ({"meta": {"picture": "no"}}, "W007",
                                            "json.meta.picture"),
    ({"meta": {"sha256": "0" * 64}}, "M042", "json.meta.sha256"),
    ({"meta": {"sha256": DIGEST.upper()}}, "W007", "json.meta.sha256"),
    ({"meta": {"a\x1b": {1: 2}}}, "W007", "json.meta.a\\x1b"), ({"stages": []}, "W006", "stages"),
    ({3: 1}, "W007", "json")])
def test_refused_extras_say_where(model, extra, code, place):
    with pytest.raises(efm3.Efm3Error) as e:
        efm3.dumps(ARCH, model.tensors, mirror_extra=extra)
    assert (e.value.code, e.value.path) == (code, place)


@pytest.mark.parametrize("arch,change,code,place", [
    ("nano", dict, "W014", "arch"), (None, dict, "W014", "arch"),
    (ARCH, lambda tensors: None, "W001", "tensors"),
    (ARCH, lambda tensors: [*tensors.items()], "W001", "tensors"),
    (ARCH, lambda tensors: {**tensors, "a\x1b": 1}, "W002", "a\\x1b"),
    (ARCH, lambda tensors: {**tensors, 7: 1}, "W002", "7")])
def test_what_is_no_arch_and_no_mapping_of_tensors(model, arch, change, code, place):
    with pytest.raises(efm3.Efm3Error) as e:
        efm3.dumps(arch, change(model.tensors))
    assert (e.value.code, e.value.path) == (code, place)


def test_a_digest_that_was_read_does_not_outlive_its_tensors(tmp_path):
    path = tmp_path / "x.bin"
    model = efm3.load(sample.sealed())
    model.save(path)
    assert path.read_bytes() == sample.sealed()
    model.tensors = as_dict(model) | {"stem.bn.b": np.ones(8, np.float32)}
    with pytest.raises(efm3.Efm3Error, match=r"M042 json\.meta\.sha256"):
        model.save(path)
    assert path.read_bytes() == sample.sealed()
    model.save(path, seal=True)
    assert efm3.load(path).mirror["meta"]["sha256"] not in ("", DIGEST)
    del model.mirror["meta"]["sha256"]
    model.save(path)
    assert efm3.load(path).mirror["meta"] == {}


def test_a_notebook_shows_the_arch_and_the_mirror_that_the_model_has_now(model):
    before = model._repr_html_()
    model.mirror["meta"] = {"licence": "CC0-1.0"}
    now = model._repr_html_()
    assert "CC0-1.0" in now and "CC0-1.0" not in before
    assert now == model_html.html(ARCH, model.mirror)
