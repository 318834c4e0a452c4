# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""NumPy archives: round trips, foreign names, and archives that lie."""

import io
import json
import zipfile
from dataclasses import asdict

import numpy as np
import pytest

import efm3
from efm3.convert import FORMATS, Wanted, module_of, read, read_network, write
from efm3.convert._meta import ARCH_KEY, MIRROR_KEY, texts


@pytest.fixture
def archive(tmp_path):
    """archive(tensors, **more) writes an .npz of them."""
    def make(tensors, **more):
        path = tmp_path / "a.npz"
        np.savez(path, **tensors, **more)
        return path
    return make


def test_round_trip(vector, odd_text, round_trip):
    for path in (vector, odd_text):
        with np.load(round_trip(path, ".npz")) as z:
            assert set(z) == set(efm3.load(path).tensors) | {ARCH_KEY, MIRROR_KEY}


def test_our_names_without_metadata(small, archive):
    network = read_network(archive(dict(small.tensors)))
    model = network.model
    # The names are EFM3's, and so is all but the strides, which no tensor shows.
    assert [a[:11] for a in network.assumed] == ["strides are"]
    assert model.arch.stages == small.arch.stages and model.arch.name == "custom"
    assert all((model.tensors[k] == v).all() for k, v in small.tensors.items())


def test_a_key_into_our_own_file(small, archive, refused):
    refused(archive(dict(small.tensors), **texts(small)), "X018", "no EFM3 network under stem",
            wanted=Wanted(key="stem"))
    inside = archive({f"net.{k}": v for k, v in small.tensors.items()}, **texts(small))
    model = read_network(inside, Wanted(key="net")).model
    assert model.arch == small.arch
    assert all((model.tensors[k] == v).all() for k, v in small.tensors.items())


def test_a_state_dict_of_another_naming(small, state, archive):
    renamed = {k.rpartition(".")[0].replace(".", "_") + "." + k.rpartition(".")[2]: v
               for k, v in state.items()}
    model = read(archive(renamed))
    assert all((model.tensors[k] == v).all() for k, v in small.tensors.items())


def test_gluons_words(small, state, archive):
    words = {".bn.weight": ".bn.gamma", ".bn.bias": ".bn.beta", ".act.weight": ".act.alpha"}
    for old, new in words.items():
        state = {k.replace(old, new): v for k, v in state.items()}
    model = read(archive(state))
    assert all((model.tensors[k] == v).all() for k, v in small.tensors.items())


def test_a_prefix_is_chosen(small, state, archive, refused):
    path = archive({f"{name}.{k}": v for name in ("a", "b") for k, v in state.items()})
    refused(path, "X018", "2 networks: a, b", "--key")
    model = read_network(path, Wanted(key="b")).model
    assert all((model.tensors[k] == v).all() for k, v in small.tensors.items())
    refused(path, "X018", "nothing under c", "a, b", wanted=Wanted(key="c"))


def test_float64_that_rounds_is_an_assumption(state, archive, refused):
    path = archive(state | {"stem.bn.weight": np.full(8, 0.1)})
    assert read(path).tensors["stem.bn.w"][0] == np.float32(0.1)
    refused(path, "X014", "stem.bn.weight was rounded from float64 to float32", strict=True)
    more = archive(state | {f"stem.bn.{k}": np.full(8, 0.1) for k in ("weight", "bias")})
    assert any("and 1 more tensors" in a for a in read_network(more).assumed)
    exact = archive(state | {"stem.bn.weight": np.full(8, 0.5)})
    assert not any("rounded" in a for a in read_network(exact).assumed)


@pytest.mark.parametrize("key,value,code", [
    ("stem.conv.w", np.zeros((8, 3, 3), np.float32), "X006"),
    ("stem.bn.b", np.zeros(8, np.int64), "X006"), ("new", np.zeros(8, np.float32), "X015"),
    ("stem.bn.b", np.zeros((1,) * 5, np.float32), "X006"),
    ("stem.bn.b", np.array(["x"] * 8), "X006"), ("stem.bn.b", np.zeros(8, complex), "X006"),
])
def test_wrong_tensors(small, archive, tmp_path, refused, key, value, code):
    write(small, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as z:
        path = archive({**z, key: value})
    refused(path, code, key)


def test_missing_tensor(small, archive, tmp_path, refused):
    write(small, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as z:
        kept = {k: v for k, v in z.items() if k != "dw_stem.bn.var"}
    refused(archive(kept), "X015", "dw_stem.bn.var is missing")


@pytest.mark.parametrize("key,text,word", [
    (ARCH_KEY, "{}", "stages"), (ARCH_KEY, "[", ARCH_KEY),
    (ARCH_KEY, '{"stages":[{"t":1}]}', "not an arch"), (MIRROR_KEY, "x", MIRROR_KEY),
    (ARCH_KEY, np.zeros(3), "not one text"),
    *((ARCH_KEY, json.dumps(asdict(efm3.ARCHS["nano"]) | {"width_mult": w}), "not above 0")
      for w in (0, -1)),
])
def test_metadata_that_is_none(small, archive, tmp_path, refused, key, text, word):
    write(small, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as z:
        path = archive({**z, key: text if isinstance(text, np.ndarray) else np.array(text)})
    refused(path, "X012", word)


def test_arch_and_mirror_must_agree(small, archive, tmp_path, refused):
    write(small, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as z:
        text = str(z[MIRROR_KEY]).replace('"embedding_dim":12', '"embedding_dim":13')
        path = archive({**z, MIRROR_KEY: np.array(text)})
    refused(path, "X012", "embedding_dim")


@pytest.mark.parametrize("old,new", [('"embedding_dim":12', '"embedding_dim":12.0'),
                                     ('"n":1', '"n":true'), ('"n":1', '"n":1e0')])
def test_a_mirror_is_of_the_formats_own_types(small, archive, tmp_path, refused, old, new):
    write(small, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as z:
        assert old in str(z[MIRROR_KEY])
        path = archive({**z, MIRROR_KEY: np.array(str(z[MIRROR_KEY]).replace(old, new, 1))})
    refused(path, "X012", MIRROR_KEY)


def test_the_width_is_a_number():
    from efm3.convert._meta import _alike

    assert _alike(1, 1.0) and _alike(1.0, 1.0) and not _alike(True, 1.0) and not _alike(True, 1)


def test_a_false_seal_is_caught_by_the_check(small, archive, tmp_path, refused):
    write(small, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as z:
        path = archive({**z, "stem.bn.b": z["stem.bn.b"] + 1})
    refused(path, "M042")


def test_another_arch_than_the_metadata_state(small, tmp_path, refused):
    write(small, tmp_path / "b.npz")
    refused(tmp_path / "b.npz", "X011", "another arch than xs", arch=efm3.ARCHS["xs"])


def reads(path, code, *words):
    """The reader itself refuses the file, whatever its first bytes say of it."""
    with pytest.raises(efm3.Efm3Error) as e:
        module_of(FORMATS["npz"]).read(str(path), Wanted())
    assert e.value.code == code, e.value
    for word in words:
        assert word in str(e.value)


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"x" * 100, b"PK\5\6" + bytes(18)])
def test_no_archive(tmp_path, data):
    (tmp_path / "a.npz").write_bytes(data)
    reads(tmp_path / "a.npz", "X015" if data[2:4] == b"\5\6" else "X003")


def test_every_truncation_and_many_flips(small, tmp_path):
    write(small, tmp_path / "b.npz")
    data = (tmp_path / "b.npz").read_bytes()
    path = tmp_path / "a.npz"
    for n in range(0, len(data), len(data) // 25):
        path.write_bytes(data[:n])
        reads(path, "X003", "a.npz")
    rng = np.random.default_rng(1)
    for _ in range(60):
        bad = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            bad[at] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try:
            module_of(FORMATS["npz"]).read(str(path), Wanted())
        except efm3.Efm3Error as e:
            assert e.code[0] == "X"


def header(shape, dtype="<f4"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"shape": shape, "fortran_order": False, "descr": dtype})
    return stream.getvalue()


@pytest.mark.parametrize("body,code", [
    (header((1 << 40,)) + bytes(32), "X006"), (header((8,), "|O") + bytes(64), "X006"),
    (header((8,), "<V2") + bytes(16), "X006"), (header((8,)) + bytes(31), "X006"),
    (header((8,), [("a", "<f4")]) + bytes(32), "X003"),
    (header((8,)).replace(b"(8,)", b"(8,9" * 20), "X003"),
    (b"\x93NUMPY\x01\x00\xff\xff", "X003"), (header((8,)).replace(b"}", b"("), "X003"),
    (b"\x93NUMPY\x01\x00\x40\x00" + b"(" * 64, "X003"),
    (b"\x93NUMPY\x09\x00" + bytes(64), "X003"), (b"", "X003"),
])
def test_entries_that_lie(tmp_path, refused, body, code):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as z:
        z.writestr("stem.conv.w.npy", body)
    refused(tmp_path / "a.npz", code)


@pytest.mark.parametrize("make", [np.asfortranarray, lambda a: a.astype(">f4")])
def test_other_layouts(small, archive, make):
    model = read(archive({k: make(v) for k, v in small.tensors.items()}))
    assert all((model.tensors[k] == v).all() for k, v in small.tensors.items())


def test_a_text_that_is_none(small, tmp_path, archive, refused):
    """numpy itself raises SystemError where it meets such a character."""
    write(small, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as z:
        text = np.frombuffer(b"\xff\xff\xff\x7f", "<U1").reshape(())
        path = archive({k: v for k, v in z.items() if k != ARCH_KEY})
    with zipfile.ZipFile(path, "a") as z:
        z.writestr(f"{ARCH_KEY}.npy", header((), "<U1") + text.tobytes())
    refused(path, "X012", "efm3.arch is not text")


def test_a_zip_bomb_is_not_unpacked(tmp_path, refused):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("stem.conv.w.npy", header((1 << 23,)) + bytes(1 << 25))
    refused(tmp_path / "a.npz", "X003", "unpacks to")
