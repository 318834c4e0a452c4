# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The package of build/wasm in Node, beside the native engine: bits, refusals, figures, memory.

`make test-wasm` makes it and runs this.
"""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from efm3 import Efm3Error, Engine
from efm3.inspection import tensor_rows
from efm3.scan import scan
from tools.bench.web import node
from tools.foreign.platforms import ZIG
from tools.web import build

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT / "tools/web/kit.mjs"
BITS = ("nano.bin", "odd_b.bin")

MISSING = not shutil.which("node") or not (build.OUT / "scalar.wasm").exists()

pytestmark = pytest.mark.skipif(MISSING, reason="no node, or no build/wasm (make wasm)")


class Asked:
    """kit.mjs, which answers each line with a line."""

    def __init__(self, row, precision="f32"):
        self.process = subprocess.Popen([*node(), str(KIT), row, precision],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, **words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The kit's files, and a trained weight."""
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, "-m", "efm3", "conformance", "export", str(folder)], cwd=ROOT,
                   check=True, capture_output=True)
    return [*sorted((folder / "reader").glob("*.bin")), ROOT / "weights/facex_nano.bin"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    shutil.copy(ROOT / "weights/facex_nano.bin", folder / "nano.bin")
    shutil.copy(ROOT / "spec/vectors/odd_b.bin", folder / "odd_b.bin")
    return folder


def _embeddings(row, folder, name):
    """A model's embeddings of one picture, as pixels and as floats, by a row's module."""
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (112, 112, 3), np.uint8)
    floats = rng.uniform(-1, 1, (3, 112, 112)).astype("<f4")
    out = []
    with Asked(row) as ask:
        for cmd, x in (("pixels", pixels), ("embed", floats)):
            (folder / "in").write_bytes(x.tobytes())
            answer = ask(cmd=cmd, seq=1, model=str(folder / name), input=str(folder / "in"),
                         output=str(folder / "out"))
            assert answer == {"seq": 1, "ok": True}
            out.append(np.frombuffer((folder / "out").read_bytes(), "<f4"))
    return out, pixels, floats


def _native(folder, name, isa, pixels, floats):
    with Engine(folder / name, isa=isa, as_given=True) as engine:
        return [engine.embed(pixels), engine.embed(floats)]


@pytest.mark.parametrize("name", BITS)
def test_simd_has_the_bits_of_plain_c(models, name):
    one, pixels, floats = _embeddings("wasmsimd", models, name)
    for other in (_embeddings("scalar", models, name)[0],
                  _native(models, name, "scalar", pixels, floats)):
        assert [a.tobytes() for a in one] == [np.asarray(b).tobytes() for b in other]


@pytest.mark.parametrize("name", BITS)
def test_relaxed_has_the_bits_of_avx2(models, name):
    try:
        Engine(models / name, isa="avx2").close()
    except Efm3Error:
        pytest.skip("a processor without AVX2 may round relaxed products otherwise")
    one, pixels, floats = _embeddings("wasmrelaxed", models, name)
    two = _native(models, name, "avx2", pixels, floats)
    assert [a.tobytes() for a in one] == [np.asarray(b).tobytes() for b in two]


@pytest.mark.parametrize("row", build.ROWS)
def test_the_kits_engine_cases(row):
    command = " ".join([*node(), str(KIT), row])
    done = subprocess.run([sys.executable, "-m", "efm3", "conformance", "run", "--protocol",
                           "lines", "--engine", command], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_what_is_refused_and_where_is_the_native_engines(files):
    refused = set()
    with Asked("scalar") as ask:
        for path in files:
            data, got = path.read_bytes(), ask(cmd="refusal", file=str(path))["error"]
            try:
                Engine(data).close()
                want = None
            except Efm3Error as e:
                want = e.finding
            if want is None:
                assert got is None, path.name
                continue
            assert (got["code"], got["offset"]) == (want.code, want.offset), path.name
            assert got["found"] is not None, path.name
            assert got["expected"] is not None or got["code"] == "E_SHAPE", path.name
            refused.add(got["code"])
    assert refused >= {"E_MAGIC", "E_VERSION", "E_TRUNCATED", "E_TRAILING", "E_HEADER",
                       "E_RESERVED", "E_SHAPE", "E_JSON_LEN", "E_TENSOR_COUNT", "E_TENSOR_SIZE"}


def _row(t):
    """A tensor of the module's scan in the words of `inspect`."""
    bins = t["histogram"]
    return {"number": t["number"], "name": t["name"], "offset": t["dataOffset"], "size": t["size"],
            "present": t["present"], "shape": t["shape"],
            **{k: t[k] for k in ("min", "max", "mean", "std", "nan", "inf")},
            "histogram": [a + b for a, b in zip(bins[::2], bins[1::2], strict=True)]}


def test_a_scan_says_what_inspect_says(files):
    with Asked("wasmsimd") as ask:
        for path in files:
            if path.stat().st_size > 1 << 20:
                continue
            got, want = ask(cmd="scan", file=str(path)), scan(path.read_bytes())
            assert [_row(t) for t in got["tensors"]] == tensor_rows(want), path.name
            assert (got["jsonLen"], got["nTensors"]) == (want.json_len, want.n_tensors), path.name
            assert got["end"] == want.end, path.name
            values = {k: v.hex() if isinstance(v, bytes) else v for k, v in want.values.items()}
            assert {f["path"]: f["value"] for f in got["fields"]} == values, path.name
            assert (got["arch"] is None) == (want.arch is None), path.name


def test_zeros_and_subnormals_are_counted(models, tmp_path):
    data = bytearray((models / "odd_b.bin").read_bytes())
    t = scan(data).tensors[0]
    values = np.array([0.0, -0.0, 1e-40, -1e-45, math.nan, math.inf], "<f4")
    data[t.data_offset:t.data_offset + values.nbytes] = values.tobytes()
    (tmp_path / "x.bin").write_bytes(data)
    with Asked("scalar") as ask:
        first = ask(cmd="scan", file=str(tmp_path / "x.bin"))["tensors"][0]
    assert (first["zero"], first["subnormal"], first["nan"], first["inf"]) == (2, 2, 1, 1)


def test_the_package_installed_alone(tmp_path):
    """npm pack, npm install of the pack in an empty folder, and the tests of package.mjs there."""
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("no npm")
    packed = subprocess.run([npm, "pack", "--silent", "--pack-destination", str(tmp_path)],
                            cwd=build.OUT, capture_output=True, text=True,
                            check=True).stdout.split()[-1]
    home = tmp_path / "empty"
    home.mkdir()
    (home / "package.json").write_text('{"type": "module"}\n', encoding="utf-8")
    subprocess.run([npm, "install", "--silent", "--offline", "--no-audit", str(tmp_path / packed)],
                   cwd=home, check=True, capture_output=True)
    shutil.copy(ROOT / "tests/web/package.mjs", home)
    done = subprocess.run([*node(), "--expose-gc", "package.mjs",
                           str(ROOT / "weights/facex_nano.bin")], cwd=home, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_types(tmp_path):
    tsc = ROOT / "build/browser/node_modules/.bin/tsc"
    if not tsc.exists():
        pytest.skip("no TypeScript (tools/foreign/install_page.sh)")
    (tmp_path / "node_modules").mkdir()
    shutil.copytree(build.OUT, tmp_path / "node_modules/efm3-engine")
    shutil.copy(ROOT / "tests/web/types.mts", tmp_path)
    done = subprocess.run([tsc, "--strict", "--noEmit", "--module", "nodenext", "--target",
                           "es2022", "--lib", "es2022,dom", "types.mts"], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not ZIG.exists(), reason="no build/zig (tools/foreign/install_zig.sh)")
def test_a_module_made_again_has_the_same_bytes(tmp_path):
    build.compile_row("scalar", tmp_path / "again.wasm")
    assert (tmp_path / "again.wasm").read_bytes() == (build.OUT / "scalar.wasm").read_bytes()


def test_the_package_in_chromium():
    if not (ROOT / "build/browser/node_modules/playwright-core").exists() or not shutil.which(
            "chromium"):
        pytest.skip("no Chromium or no Playwright (tools/foreign/install_page.sh)")
    done = subprocess.run([*node(), str(ROOT / "tests/web/chromium.mjs")], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seen, weights = json.loads(done.stdout), ROOT / "weights/facex_nano.bin"
    assert seen["isa"] == {row: row for row in build.ROWS} | {"best": "wasmrelaxed"}
    assert seen["refused"] == ["E_TRUNCATED", 5000, weights.stat().st_size]
    assert seen["faults"] == []
    bits = {}
    for row in build.ROWS:
        with Engine(weights, isa="avx2" if row == "wasmrelaxed" else "scalar") as engine:
            pixels = np.arange(37632, dtype=np.uint32) * 7919 % 256
            bits[row] = engine.embed(pixels.astype(np.uint8).reshape(112, 112, 3)).tolist()
    assert seen["embeddings"] == bits
