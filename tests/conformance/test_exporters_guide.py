# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""spec/exporters.md: its code runs and writes one file, its mistakes give the findings it says."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3.conformance import examples, sample
from efm3.conformance import scaffold as scaffolds

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = (ROOT / "spec" / "exporters.md").read_text(encoding="utf-8")
ARCH = {k: getattr(sample.ARCH, k) for k in sample.ARCH.__dataclass_fields__} | {
    "stages": [vars(s) for s in sample.ARCH.stages]}
TENSORS = {k: np.array(v) for k, v in efm3.load(sample.base()).tensors.items()}


def code_lines(text, lang):
    """Lines that are neither blank nor a comment nor a docstring."""
    docs = set()
    if lang == "python":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                first = node.body[0]
                if ast.get_docstring(node):
                    docs.update(range(first.lineno, first.end_lineno + 1))
    mark = "#" if lang == "python" else "//"
    return [line for n, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.strip().startswith(mark) and n not in docs]


@pytest.mark.parametrize("lang,most", [("python", 64), ("c", 60)])
def test_the_guide_shows_an_exporter_of_60_lines(lang, most):
    text = scaffolds.core(scaffolds.source("exporter", lang))
    assert len(code_lines(text, lang)) <= most
    shown = "\n".join(line for line in text.splitlines() if "SPDX-" not in line)
    assert f"```{lang}\n{shown}\n```" in GUIDE


def blocks(lang):
    return re.findall(rf"```{lang}\n(.*?)```", GUIDE, re.DOTALL)


def written_by_c(folder):
    """The file that the guide's C writes for the sample, with the scaffold's command around it."""
    if not shutil.which("cc"):
        pytest.skip("cc is not on this machine: the C exporter cannot be built")
    source = scaffolds.source("exporter", "c").read_text(encoding="utf-8")
    shown = blocks("c")[0]
    tail = source[len(scaffolds.core(scaffolds.source("exporter", "c"))):]
    (folder / "exporter.c").write_text(shown + tail, encoding="utf-8")
    subprocess.run(["cc", "-std=c11", "-o", folder / "exporter", folder / "exporter.c"], check=True)
    (folder / "arch.json").write_text(json.dumps(ARCH))
    (folder / "t").mkdir()
    for name, value in TENSORS.items():
        np.save(folder / "t" / f"{name}.npy", value)
    subprocess.run([folder / "exporter", folder / "arch.json", folder / "t", folder / "c.bin"],
                   check=True)
    return (folder / "c.bin").read_bytes()


def test_the_guides_exporters_write_one_file(tmp_path):
    """With the library, in Python, in C: the same bytes."""
    arch, want = sample.ARCH, efm3.dumps(sample.ARCH, TENSORS)
    library, plain = ({}, {})
    exec(blocks("python")[0], library)
    exec(blocks("python")[1], plain)
    order = [f"stage{i}.block{j}" for i, s in enumerate(arch.stages, 1) for j in range(s.n)]
    state = {}
    for name, value in TENSORS.items():
        block, layer = re.match(r"(stage\d+\.block\d+\.)?(.*)", name).groups()
        theirs = f"stages.{order.index(block[:-1])}.{layer}" if block else layer
        for a, b in ((".w", ".weight"), (".b", ".bias"), (".mean", ".running_mean"),
                     (".var", ".running_var")):
            theirs = re.sub(re.escape(a) + "$", b, theirs)
        state[theirs] = value
        state[theirs.rsplit(".", 1)[0] + ".num_batches_tracked"] = np.array(7)
    library["export"](state, arch, tmp_path / "library.bin")
    assert (tmp_path / "library.bin").read_bytes() == want
    assert plain["write"](ARCH, TENSORS) == want
    assert written_by_c(tmp_path) == want


def recoded(dtype):
    return sample.payload("", lambda d: np.frombuffer(d, "<f4").astype(dtype).tobytes())


def resized(form, unit=1):
    """The sample file with size fields in another form."""
    data, start = sample.base(), sample.spans(sample.base()).table_offset
    rows = [data[t.data_offset:t.data_offset + t.size] for t in sample.spans(data).tensors]
    return data[:start] + b"".join((len(r) // unit).to_bytes(4, form) + r for r in rows)


def rows(change):
    return sample.with_table(lambda table: [new for row in table for new in change(*row)])


def swapped(table):
    return [table[i + 1] if n.endswith("bn.mean") else table[i - 1] if n.endswith("bn.var")
            else (n, d) for i, (n, d) in enumerate(table)]


def after(name, size):
    return rows(lambda n, d: [(n, d), ("new", bytes(size))] if n.endswith(name) else [(n, d)])


def short_by_one(data):
    longer = sample.text(lambda t: t.replace(b"sample", "samplé".encode()))(data)
    length = int.from_bytes(longer[88:92], "little")
    return sample.put(88, (length - 1).to_bytes(4, "little"))(longer)


def identity(data):
    for part, value in (("bn.w", 1), ("bn.b", 0), ("bn.mean", 0), ("bn.var", 1)):
        data = sample.fill(part, value)(data)
    return data


MISTAKES = {
    "a size field counts values instead of bytes": lambda d: resized("little", 4),
    "a size field is big-endian": lambda d: resized("big"),
    "no size fields at all": lambda d: d[:sample.spans(d).table_offset] + b"".join(
        d[t.data_offset:t.data_offset + t.size] for t in sample.spans(d).tensors),
    "the weights are FP16 or BF16": recoded("<f2"),
    "the weights are FP64": recoded("<f8"),
    "the floats are big-endian": recoded(">f4"),
    "every integer is big-endian": sample.put(4, b"\0\0\0\3"),
    "the magic is written as a big-endian integer": sample.put(0, b"3MFE"),
    "running_var stands before running_mean": sample.with_table(swapped),
    "no expand layer where t is 1": rows(
        lambda n, d: [] if re.match(r"stage2\.block.\.expand", n) else [(n, d)]),
    "num_batches_tracked is exported": after("bn.var", 8),
    "the convolutions have biases": after("conv.w", 32),
    "one bias slipped in": sample.with_table(lambda t: [t[0], ("bias", bytes(32)), *t[1:]]),
    "the ArcFace head is exported": after("embed_proj.bn.var", 64),
    "one PReLU slope per layer instead of one per channel":
        sample.payload("act.w", lambda d: d[:4]),
    "the tensors are sorted by name": sample.with_table(sorted),
    "n_tensors counts something else": lambda d: sample.put(
        sample.spans(d).table_offset - 4, b"\1\0\0\0")(d),
    "BatchNorm was folded, and its tensors filled with 0 and 1": identity,
    "json_len counts characters, and the name has an é": short_by_one,
    "the mirror ends with a NUL": sample.text(bytes(sample.spans(sample.base()).mirror) + b"\0"),
    "the mirror states other numbers than the header": sample.with_mirror(
        lambda m: m | {"embedding_dim": 512}),
    "gdc_kernel is not the last map's side": sample.field("arch.gdc_kernel", 6),
    "a pad byte was never set": sample.field("arch.pad", b"\xcc\0\0"),
    "stages past n_stages keep old values": sample.field("arch.stages[3].t", 2),
    "the file was opened in text mode on Windows": lambda _: examples.example("C024")[1],
    "a newline after the last tensor": lambda d: d + b"\n",
}


def test_the_guides_mistakes_give_the_findings_that_it_says():
    table = dict(re.findall(r"^\| ([^|]+?) \| \[([A-Z]\d{3})\]\(rules\.md#", GUIDE, re.MULTILINE))
    assert set(table) == set(MISTAKES)
    for what, code in table.items():
        found = sorted(efm3.validate(MISTAKES[what](sample.base())).findings,
                       key=lambda f: f.severity != "error")
        assert next(f.code for f in found if f.code[0] != "P") == code, what


def test_the_guides_links_lead_somewhere():
    rules = (ROOT / "spec" / "rules.md").read_text(encoding="utf-8")
    for page, anchor in re.findall(r"\]\(([\w.]+)(?:#(\w+))?\)", GUIDE):
        assert (ROOT / "spec" / page).is_file(), page
        assert not anchor or f"### {anchor.upper()}\n" in rules, anchor


def test_the_guides_commands_are_real(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.bin").write_bytes(sample.base())
    scaffolds.write("exporter", "python", tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for line in "\n".join(blocks("sh")).splitlines():
        if not line or line.endswith("'python3 exporter.py'"):
            continue  # all cases, not only the few of --select smoke
        result = cli(*shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}\n{result.output}"
