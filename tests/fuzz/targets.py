# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The targets of fuzz_python.py.

`check(data)` gives the verdict, a short word ("" where there is none), and raises for anything
but the documented errors.
"""

from __future__ import annotations

import importlib.util
import os
import random
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import efm3
from efm3 import convert
from efm3 import mirror as mirrors
from efm3.arch import Arch, Stage
from efm3.bulk import tables
from efm3.codes import LEVELS
from efm3.conformance import sample
from efm3.conformance.examples import EXAMPLES, example
from efm3.convert import _meta
from efm3.rules import load_rules
from efm3.scan import scan
from efm3.source import Unreadable
from tests import damaged
from tests.fuzz import (
    checkpoints,
    kit_texts,
    mutators,
    ncnn_files,
    onnx_graphs,
    packs,
    paired_files,
    picture_files,
    project_files,
    table_files,
    tflite_files,
    training_files,
)

TINY = Arch("tiny", 0.25, 1, 1, 2, 1, 14, (Stage(1, 1, 2), Stage(1, 1, 2)))
# Structure is what every load begins with; the other levels build on it.
TURN = ("structure", "coherence", "structure", "values")


class Kind(NamedTuple):
    """Inputs: the first ones, how to make another, and in which rounds there is one."""

    name: str
    seeds: Callable[[], list[bytes]]
    mutate: Callable[[random.Random, bytes], bytes]
    every: int = 1


class Target(NamedTuple):
    """A check of inputs of one kind; `prepare` imports what it needs."""

    kind: Kind
    check: Callable[[bytes], str]
    prepare: Callable[[], object] = load_rules


def small() -> list[bytes]:
    """Whole files of a few KiB at most, and damaged ones."""
    rng = random.Random(1)
    out = [sample.build(TINY)]
    out += [data for _ in range(400)
            if len(data := sample.build(damaged.arch(rng))) < mutators.MOST // 2]
    return out + [d for c in EXAMPLES if len(d := example(c)[1]) < mutators.MOST]


def texts() -> list[bytes]:
    """Mirrors, and what an arch looks like in other formats."""
    return [mirrors.canonical(TINY), mirrors.canonical(sample.ARCH, {"meta": {"sha256": "0" * 64}}),
            _meta.texts(_model())["efm3.arch"].encode(), b"{}", b'{"a":[1,2,{"b":null}]}']


@lru_cache(maxsize=1)
def _model() -> efm3.Model:
    return efm3.load(sample.build(TINY))


def written(name: str, folds: tuple[bool, ...] = (False,)) -> Callable[[], list[bytes]]:
    """A function that gives TINY in one format."""
    def make() -> list[bytes]:
        module = convert.module_of(convert.FORMATS[name])
        out = []
        for fold in folds:
            out.append(b"".join(module.parts(_model(), f"x.{name}", fold)))
        return out
    return make


def check_scan(data: bytes) -> str:
    """The spans tile the file."""
    s = scan(data)
    at = 0
    for span in s.spans():
        assert span.offset == at and span.length >= 0, span
        at += span.length
    assert at == len(data), (at, len(data))
    return ""


def turn(data: bytes) -> str:
    """The level of this input, by its bytes."""
    return TURN[(sum(data[-9:]) + len(data)) % len(TURN)]


def check_validate(data: bytes) -> str:
    """Findings lie in the file; a lower level's are the higher's."""
    report = efm3.validate(data, turn(data))
    for f in report.findings:
        assert f.offset is None or 0 <= f.offset <= len(data), f
        assert f.offset is None or f.offset + (f.length or 0) <= len(data), f
    report.to_json()
    return ""


def check_load(data: bytes) -> str:
    """A model that is written as it was read, or the first error."""
    level = turn(data)
    try:
        model = efm3.load(data, level)
    except efm3.Efm3Error as e:
        rule = load_rules().get(e.code)
        assert rule is not None and LEVELS.index(rule.level) <= LEVELS.index(level), e
        return e.code
    if level != "structure":
        assert b"".join(model.parts(finite=False)) == data
    assert all(t.shape for t in model.tensors.values())
    return f"{level} {len(model.arch.stages)}"


def check_mirror(data: bytes) -> str:
    """A dict that parses to itself again, or MirrorProblem."""
    try:
        value = mirrors.parse(data)
    except mirrors.MirrorProblem as e:
        assert 0 <= e.offset <= len(data), e.offset
        return e.kind
    try:
        arch = mirrors.arch_of(value)
    except mirrors.MirrorProblem:
        return "schema"
    except efm3.Efm3Error as e:
        return e.code
    assert mirrors.arch_of(mirrors.parse(mirrors.canonical(arch))) == arch
    return "mirror"


@lru_cache(maxsize=1)
def _memory() -> tuple[int, str]:
    # A file that is nowhere on a disk, and can be opened by a path all the same.
    fd = os.memfd_create("fuzz")
    return fd, f"/proc/self/fd/{fd}"


def reader(name: str) -> Callable[[bytes], str]:
    """A check of a converter's reader: a model, Efm3Error or Unreadable."""
    def check(data: bytes) -> str:
        fd, path = _memory()
        os.ftruncate(fd, 0)
        os.pwrite(fd, data, 0)
        try:
            network = convert.read_network(path, format=name)
        except efm3.Efm3Error as e:
            return e.code
        except Unreadable:
            return "unreadable"
        data = b"".join(network.model.parts(finite=False))
        assert efm3.validate(data, "structure").ok
        return "network"
    return check


def available() -> dict[str, Target]:
    """The targets whose libraries are there, by name."""
    container = mutators.Container()
    files = Kind("file", small, container)
    archives = Kind("npz", written("npz"), mutators.archive, 40)
    out = {
        "scan": Target(files, check_scan),
        "validate": Target(files, check_validate),
        "load": Target(files, check_load),
        "mirror": Target(Kind("text", texts, mutators.text), check_mirror),
        "c_array": Target(Kind("c_array", written("c_array"), mutators.listed(container), 8),
                          reader("c_array")),
        "npz": Target(archives, reader("npz")),
        "ncnn": Target(Kind("ncnn", ncnn_files.seeds, ncnn_files.pair, 8), ncnn_files.check),
        "tflite": Target(Kind("tflite", tflite_files.seeds, tflite_files.change, 8),
                         tflite_files.check),
        "mxnet": Target(Kind("mxnet", paired_files.symbols, paired_files.symbol, 8),
                        paired_files.check_mxnet),
        "caffe": Target(Kind("caffe", paired_files.texts, paired_files.text, 8),
                        paired_files.check_caffe),
        "torch": Target(Kind("torch", checkpoints.seeds, checkpoints.change, 8), reader("torch")),
    }
    more = {"safetensors": Kind("safetensors", written("safetensors"), mutators.headed, 8),
            "onnx": Kind("onnx", lambda: onnx_graphs.seeds() + written("onnx", (False, True))(),
                         onnx_graphs.graph, 8)}
    out |= {name: Target(kind, reader(name)) for name, kind in more.items() if _has(name)}
    return out | _of_the_kit() | _of_a_project() | _of_bulk() | _of_pictures() | _of_torch()


def _has(*libraries: str) -> bool:
    return all(importlib.util.find_spec(name) for name in libraries)


def _of_the_kit() -> dict[str, Target]:
    """What the kit reads, and what names a file of any kind."""
    edit = Kind("edit", kit_texts.edits, lambda rng, data: (
        kit_texts.nested if rng.randrange(2) else mutators.text)(rng, data), 8)
    return {
        "statement": Target(Kind("statement", kit_texts.statements, kit_texts.nested, 16),
                            kit_texts.check_statement),
        "results": Target(Kind("results", kit_texts.runs, kit_texts.nested, 16),
                          kit_texts.check_results),
        "edit": Target(edit, kit_texts.check_edit),
        "answer": Target(Kind("answer", kit_texts.said, kit_texts.say), kit_texts.check_answer),
        "sniff": Target(Kind("any", anything, mutators.raw, 2), kit_texts.check_sniff)}


def _of_a_project() -> dict[str, Target]:
    """What a folder of weight files tells `efm3 validate`."""
    p = project_files
    return {
        "settings": Target(Kind("settings", p.configurations, packs.lines(p.WORDS, b" "), 8),
                           p.check_settings),
        "gitignore": Target(Kind("gitignore", p.ignored, packs.lines(p.PATTERNS, b"/"), 8),
                            p.check_patterns)}


def _of_bulk() -> dict[str, Target]:
    """What a bulk run, a detector of faces and a search read."""
    out = {f"table_{end[1:]}": Target(
        Kind(f"table{end}", table_files.seeds(end), table_files.change(end), 16),
        table_files.check(end)) for end in tables.FORMS if end != ".parquet" or _has("pyarrow")}
    paths = packs.lines((b"a.png", b"", b"x" * 5000, b"http://a/b", b"\0", b"*", b"\xff"), b"/")
    if _has("onnx"):
        from tests.fuzz import detector_files as d

        faces = Kind("detector", d.seeds, packs.one_of(onnx_graphs.graph, mutators.raw), 16)
        out |= {"detector": Target(faces, d.check),
                "near": Target(Kind("near", d.statements, kit_texts.nested, 16), d.check_near)}
    return out | {
        "archive": Target(Kind("archive", table_files.archives, table_files.archive, 8),
                          table_files.check_archive),
        "list": Target(Kind("list", table_files.lists, paths, 8), table_files.check_list)}


def _of_pictures() -> dict[str, Target]:
    """Pictures, and what holds some; all of it is decoded by Pillow."""
    if not _has("PIL"):
        return {}
    t = training_files
    return {
        "picture": Target(Kind("picture", picture_files.seeds, picture_files.change, 4),
                          picture_files.check),
        "pairs_bin": Target(Kind("pairs.bin", t.pickles, t.pickled, 8), t.check_pairs("pairs.bin")),
        "pairs_txt": Target(Kind("pairs.txt", t.pairs, packs.lines(t.PAIR_WORDS, b"\t"), 8),
                            t.check_pairs("pairs.txt"))}


def _of_torch() -> dict[str, Target]:
    """PyTorch's own reader beside ours, and what training reads."""
    if not _has("torch", "PIL"):
        return {}
    t = training_files
    return {
        "torch_load": Target(Kind("torch_load", checkpoints.seeds, checkpoints.change, 8),
                             checkpoints.check_torch),
        "records": Target(Kind("records", t.records, t.record, 8), t.check_records),
        "shards": Target(Kind("shards", t.shards, t.change_shards, 16), t.check_shards),
        "cache": Target(Kind("cache", t.caches, t.change_cache, 16), t.check_cache)}


READERS: dict[str, tuple[str, ...] | str] = {
    "bulk._lines": ("table_csv", "table_jsonl"), "bulk._manifest": ("table_csv",),
    "bulk._npy": ("table_npy",), "bulk._npz": ("table_npz",), "bulk._parquet": ("table_parquet",),
    "bulk._tar": ("archive",), "bulk._zip": ("archive",), "bulk.inputs": ("list",),
    "bulk._wrote": "what this very run wrote before",
    "bulk.run": "the model and the picture of a row, as below",
    "conformance.statement": ("statement",), "convert._damage": ("torch", "onnx"),
    "convert._onnx_external": ("onnx",), "convert._unread": ("mxnet", "caffe"),
    "convert.c_array": ("c_array",), "convert.checked": "the digest of a source that was read",
    "convert.ncnn": ("ncnn",), "convert.npz": ("npz",), "convert.safetensors": ("safetensors",),
    "convert.tflite": ("tflite",), "convert.torch": ("torch", "torch_load"),
    "drawn.spec": ("cache",), "engine": ("load",), "evaluation.sets": ("pairs_bin", "pairs_txt"),
    "index._seal": "this user's own key", "index.approximate": ("near",),
    "index.vectors": ("table_npy", "table_npz"), "model": ("load",),
    "photos.detectors": ("detector",), "pictures": ("picture",), "reading": ("load", "validate"),
    "selection": ("gitignore",), "settings": ("settings",),
    "shipped": "what the package itself holds", "sniff": ("sniff",),
    "train.data._cache": ("cache",),
    "train.data._folder": "pictures alone, as above", "train.data._rec": ("records",),
    "train.data._shards": ("shards",), "train.teacher": ("load",), "validator": ("validate",)}
"""What reads the bytes of strangers: modules below efm3, and their targets or why there is none. A
verb of efm3.cli reads by these, but for results of a run (`results`) and pictures in memory."""


def anything() -> list[bytes]:
    """The beginnings of files of every kind that there is a target for."""
    each = [*kit_texts.said(), *texts(), *small()[:3], *tflite_files.seeds()[:1],
            *ncnn_files.seeds()[:1], *checkpoints.seeds(), *table_files.archives()]
    if _has("PIL"):
        each += [*picture_files.seeds(), *training_files.pickles()]
    return [data[:1 << 12] for data in each]
