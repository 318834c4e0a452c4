# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine without Python: the page's snippet, the command, its own checks."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import mirror, reference, untrained
from efm3.conformance import sample
from efm3.sniff import KINDS, MAGICS
from tests.kinds import SAMPLES
from tools.cc import SRC, WRAP
from tools.mutants import c as loader
from tools.mutants import engine as mutated

ROOT = Path(__file__).resolve().parent.parent
CC = shutil.which("cc")
pytestmark = pytest.mark.skipif(CC is None, reason="no C compiler")
README = (ROOT / "README.md").read_text(encoding="utf-8")
NANO = ROOT / "weights" / "facex_nano.bin"


def compile_(out, *files, flags=("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")):
    command = [CC, *flags, "-I", ROOT / "engine/include", "-o", out, *files, "-lm", "-lpthread"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(out)


def run(*command, code=0, **kw):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=600, **kw)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def command(objects, tmp_path_factory):
    return compile_(tmp_path_factory.mktemp("cli") / "mfn-cli", ROOT / "engine/cli/mfn_cli.c",
                    *objects)


def test_every_misuse_has_its_status_and_nothing_leaks(objects, command, tmp_path):
    """The calls by which tools/mutants/engine.py kills: options, handles, counts, dispatch, the
    pool's locks, plans, packed weights, the stem from pixels, mirrors."""
    flags = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror")
    compile_(tmp_path / "check_engine", ROOT / "engine/tests/check_engine.c", *objects,
             flags=(*flags, WRAP))
    compile_(tmp_path / "check_pool", ROOT / "engine/tests/check_pool.c", SRC / "pool.c",
             flags=(*flags, *mutated.WRAPPED["check_pool"]))
    shutil.copy(command, tmp_path / "mfn")
    assert mutated.killer(tmp_path, mutated.inputs(tmp_path)) == ""


def test_every_bound_and_every_failing_call_of_the_loader(tmp_path):
    """check_loader's verbs cursor and file; its corpus is in tests/test_checks_see.py."""
    wrong = loader.build(SRC, tmp_path / "check", loader.FLAGS)
    if wrong:  # a compiler that does not know these options
        wrong = loader.build(SRC, tmp_path / "check", ["-O1"])
    assert wrong == ""
    assert loader.killer(tmp_path / "check", loader.files(tmp_path)) == ""


def test_the_pages_snippet_compiles_as_it_stands_and_runs(objects, tmp_path):
    block = re.search(r"```c\n(.*?)```", README, re.DOTALL)[1]
    include, body = block.split("\n", 1)
    assert include == '#include "facex_mfn.h"'
    text = (f"{include}\n#include <stdio.h>\nstatic float input_chw[3 * 112 * 112];\n"
            "static float emb_a[512] = {1}, emb_b[512] = {1};\nint main(void) {\n" + body +
            'printf("%d %g %g\\n", D, (double)sim, (double)emb[0]);\nreturn 0;\n}\n')
    (tmp_path / "page.c").write_text(text)
    program = compile_(tmp_path / "page", tmp_path / "page.c", *objects)
    dim, sim, first = run(program, cwd=ROOT).stdout.split()
    want = reference.forward(efm3.load(ROOT / "weights/facex_standard.bin"),
                             np.zeros((1, 3, 112, 112)))
    assert (dim, sim) == ("512", "1") and abs(float(first) - want[0, 0]) < 1e-5


def test_exported_symbols_are_ours_and_the_library_is_small(objects, tmp_path):
    """At most 260,000 bytes without its symbols."""
    library = compile_(tmp_path / "libmfn.so", *objects, flags=("-shared",))
    if shutil.which("nm") is None:
        pytest.skip("no nm")
    lines = run("nm", "-D", "--defined-only", library).stdout.splitlines()
    names = [x.split()[-1] for x in lines]
    assert names and all(n.startswith("mfn_") for n in names), names
    if shutil.which("strip") is None:
        pytest.skip("no strip: the size was not looked at")
    run("strip", library)
    assert Path(library).stat().st_size <= 260_000


def test_command_verbs(command):
    assert "multiply-adds" in run(command, "header", NANO).stdout
    lines = run(command, "layers", NANO).stdout.splitlines()
    assert [x.split()[0] for x in lines] == [
        layer.name for layer in efm3.layers(efm3.ARCHS["nano"])]
    check = run(command, "check", NANO).stdout
    assert "FAIL" not in check and "scalar" in check
    assert "G multiply-adds a second" in run(command, "time", NANO).stdout


def test_command_embeds(command, tmp_path):
    x = reference.prepare(untrained.images(3, 1))
    x.tofile(tmp_path / "x.raw")
    lines = run(command, "--isa", "scalar", "embed", NANO, tmp_path / "x.raw").stdout.split()
    want = reference.forward(efm3.load(NANO), x)[0]
    assert np.abs(np.array(lines, float) - want).max() < 1e-5
    (tmp_path / "x.raw").write_bytes(b"short")
    run(command, "embed", NANO, tmp_path / "x.raw", code=1)


def test_command_and_precisions(command, tmp_path):
    x = reference.prepare(untrained.images(3, 1))
    x.tofile(tmp_path / "x.raw")
    want = reference.forward(efm3.load(NANO), x)[0]
    errors = []
    for precision in ("f32", "high", "fast"):
        lines = run(command, "--isa", "scalar", "--precision", precision, "embed", NANO,
                    tmp_path / "x.raw").stdout.split()
        errors.append(np.abs(np.array(lines, float) - want).max())
    assert errors[0] < 1e-5 < errors[1] < errors[2] < 0.02
    out = run(command, "--isa", "scalar", "--precision", "fast", "time", NANO).stdout
    assert re.search(r"stage1.block0.expand +i8 ", out) and re.search(r"stem +f32 ", out)
    assert "FAIL" not in run(command, "--precision", "fast", "check", NANO).stdout
    assert "f32|high|fast" in run(command, "--precision", "half", "header", NANO, code=2).stderr
    with efm3.Engine(NANO, isa="scalar", precision="fast") as e:
        lines = run(command, "--isa", "scalar", "--precision", "fast", "layers", NANO).stdout
        assert re.findall(r" (\w+) +(\d+) bytes", lines) == [
            (x.arithmetic, str(x.weight_bytes)) for x in e.layers]


def test_command_refusals(command, tmp_path):
    run(command, code=2)
    run(command, "dance", NANO, code=2)
    assert "E_ISA" in run(command, "--isa", "mmx", "header", NANO, code=1).stderr
    (tmp_path / "cut.bin").write_bytes(NANO.read_bytes()[:-3])
    err = run(command, "header", tmp_path / "cut.bin", code=1).stderr
    assert "E_TRUNCATED" in err and "byte" in err


@pytest.mark.parametrize("kind", [k for k in SAMPLES if k not in ("efm3", "empty")])
def test_command_names_a_file_of_another_kind(command, tmp_path, kind):
    """By fixed bytes alone, with the words that efm3.sniff has for them."""
    for number, data in enumerate(SAMPLES[kind]):
        path = tmp_path / str(number)
        path.write_bytes(data)
        err = run(command, "header", path, code=1).stderr
        said = re.search(r"this is (an? .*); `efm3 validate`", err)
        proved = any(data.startswith(m, at) for k, at, m in MAGICS if k == kind)
        if said is None:
            assert not proved or "E_MAGIC" not in err
        elif proved:
            assert said[1] == KINDS[kind].title
        else:  # what its first bytes show: a zip archive of any sort
            assert said[1] in {k.title for k in KINDS.values() if k.rule == KINDS[kind].rule}


def test_every_kernel_holds_its_bound_beside_a_faulting_page(objects, tmp_path):
    program = compile_(tmp_path / "check", ROOT / "engine/tests/check_kernels.c", *objects)
    out = run(program).stdout
    slots = {"gemm", "fc", "dw3", "gdc", "widen", "u8", "pixel"}
    rows = re.findall(r"^ROW\((\w+),", (ROOT / "engine/src/isa.def").read_text(), re.MULTILINE)
    here = {line.split()[0] for line in out.splitlines()}
    assert here and here <= set(rows) and "scalar" in here
    for isa in here:
        if f"{isa} not supported" not in " ".join(out.split()):
            seen = {x.split()[1] for x in out.splitlines() if x.split()[0] == isa}
            integers = {s for s in ("i8", "i16", "bf16") if s in seen}
            stem = {"stem"} if {"i16", "bf16"} & seen else set()
            assert seen == slots | stem | integers | {f"{s}-q" for s in integers}
            assert integers == {"i8", "i16"} or isa != "scalar"


def test_each_failing_allocation_is_reported_without_a_leak(objects, tmp_path):
    """And each thread that cannot start; LeakSanitizer looks at what is left at the end."""
    sanitizer = "-fsanitize=address"
    try:
        program = compile_(tmp_path / "check", ROOT / "engine/tests/check_engine.c", *objects,
                           flags=("-std=c11", "-O1", sanitizer, WRAP))
    except AssertionError as e:
        if sanitizer in str(e) or "asan" in str(e):
            pytest.skip("this compiler has no AddressSanitizer")
        raise
    (tmp_path / "x.bin").write_bytes(sample.base())
    done = run(program, "nomem", tmp_path / "x.bin", env=os.environ | {
        "ASAN_OPTIONS": "detect_leaks=1"})
    assert done.stdout.count("failed, and all after it") == 3


def test_command_and_a_turned_picture(command, tmp_path):
    """It is said, and an upright picture is turned; --as-given takes it as it is."""
    path, picture = tmp_path / "t.bin", reference.prepare(untrained.images(3, 1))
    model = efm3.load(NANO)
    model.mirror = mirror.as_turned(model.mirror)
    model.save(path)
    picture.tofile(tmp_path / "x.raw")
    plain = reference.forward(efm3.load(NANO), np.concatenate([picture, reference.turn(picture)]))
    for words, want in (([], plain[1]), (["--as-given"], plain[0])):
        lines = run(command, *words, "embed", path, tmp_path / "x.raw").stdout.split()
        assert np.abs(np.array(lines, float) - want).max() < 1e-5
    first = run(command, "header", path).stdout.splitlines()[0]
    assert first == "picture: turned by 180 degrees"
    assert "picture" not in run(command, "header", NANO).stdout
    model.mirror["meta"]["picture"] = "askew"
    data = sample.with_mirror(lambda _: model.mirror)(path.read_bytes())
    path.write_bytes(data)
    for verb in (["embed", path, tmp_path / "x.raw"], ["check", path]):
        assert "meta.picture" in run(command, *verb, code=1).stderr
    assert run(command, "--isa", "scalar", "--as-given", "embed", path, tmp_path / "x.raw").stdout
