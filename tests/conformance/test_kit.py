# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The kit as a folder and as archives: the same files, twice the same bytes, a row per question."""

import hashlib
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from efm3.codes import LEVELS
from efm3.conformance import cases, export, kit
from efm3.findings import Efm3Error
from tests.systems import WINDOWS

WORDS = ["valid-sample", "bad-h004-stem-kernel-4", "bad-m005-first-wrong", "either-long-key",
         "write-plain", "write-refuse-gdc-kernel", "edit-meta", "edit-refuse-trailing", "run-plain"]
CHOSEN = cases.select(cases.corpus(), WORDS)
FILES = dict(kit.files(CHOSEN))
ROWS = [r for c in CHOSEN for r in kit.rows(c)]


def test_every_path_of_the_table_is_a_file_or_a_folder_of_the_kit():
    folders = {str(Path(name).parent) for name in FILES}
    for row in ROWS:
        assert len(row) == len(kit.COLUMNS)
        assert all(path == "-" or path in FILES or path in folders for path in row[5:8])
        assert all(gap == "-" or (row[0] == "engine" and 0 < float(gap) < 0.2) for gap in row[8:])
    head, *lines = FILES[kit.TABLE].decode().splitlines()
    assert head == "# " + "\t".join(kit.COLUMNS) and [tuple(s.split("\t")) for s in lines] == ROWS


def test_what_is_wanted():
    want = {(r[0], r[1], r[3]): r[4] for r in ROWS}
    assert {want["reader", "valid-sample", level] for level in LEVELS} == {"accept"}
    assert [want["reader", "bad-m005-first-wrong", level] for level in LEVELS] == [
        "accept", "refuse", "refuse"]
    assert want["reader", "either-long-key", "coherence"] == "either"
    assert want["writer", "write-plain", "-"] == want["editor", "edit-meta", "-"] == "accept"
    assert want["writer", "write-refuse-gdc-kernel", "-"] == "refuse"
    engine = {r[1]: r[4] for r in ROWS if r[0] == "engine"}
    assert engine == {"valid-sample": "accept", "bad-m005-first-wrong": "accept",
                      "run-plain": "accept", "bad-h004-stem-kernel-4": "refuse",
                      "either-long-key": "accept"}


def test_a_document_is_compared_at_its_level_alone():
    shown = {r[1:4:2]: r[7] for r in ROWS if r[0] == "reader"}
    assert shown["valid-sample", "values"] == "reader/valid-sample.coherence.json"
    first = "bad-m005-first-wrong"
    assert shown[first, "structure"] == f"reader/{first}.structure.json"
    assert shown[first, "coherence"] == "-"


def test_the_kit_brings_texts_runners_and_licence():
    for name in ("LICENSE", "README.md", "run.sh", "run.py", "spec/EFM3.md", "spec/conformance.md",
                 "spec/rules.md", "spec/mirror.schema.json", "spec/decisions/0001-limits.md",
                 "index.json"):
        assert len(FILES[name]) > 400, name
    assert json.loads(FILES["index.json"])["digest"] in FILES["README.md"].decode()
    assert np.frombuffer(FILES["engine/inputs/constant_0.f32"], "<f4").tolist() == [0] * 3 * 112**2


def test_the_licence_of_an_installed_package(tmp_path, monkeypatch):
    monkeypatch.setattr(kit, "HOME", tmp_path / "spec")
    assert "Apache License" in kit.licence()

    monkeypatch.setattr(kit.importlib.metadata, "distributions", lambda name: [])
    with pytest.raises(Efm3Error, match="licence"):
        kit.licence()


def test_a_folder_and_both_archives_hold_the_same(tmp_path):
    index = kit.write(tmp_path / "kit", CHOSEN)
    assert {str(p.relative_to(tmp_path / "kit")): p.read_bytes()
            for p in (tmp_path / "kit").rglob("*") if p.is_file()} == FILES
    assert WINDOWS or (tmp_path / "kit" / "run.sh").stat().st_mode & 0o111
    for name in ("a.tar.gz", "b.tgz", "a.zip", "b.zip"):
        assert kit.archive(tmp_path / name, CHOSEN) == index
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        made = {m.name: m for m in tar.getmembers()}
        assert {f"{kit.NAME}/{name}" for name in FILES} == set(made)
        assert all(tar.extractfile(m).read() == FILES[name.partition("/")[2]]
                   for name, m in made.items())
        assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in made.values()} == {
            (0, 0, "", "", kit._TIME)}
        assert {n for n, m in made.items() if m.mode == 0o755} == {
            f"{kit.NAME}/run.sh", f"{kit.NAME}/run.py"}
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert {n.partition("/")[2]: packed.read(n) for n in packed.namelist()} == FILES
        assert packed.getinfo(f"{kit.NAME}/run.sh").external_attr >> 16 == 0o100755
    for one, two in (("a.tar.gz", "b.tgz"), ("a.zip", "b.zip")):
        assert (tmp_path / one).read_bytes() == (tmp_path / two).read_bytes()


def test_tensors_that_cases_share_are_written_once():
    plain = cases.select(cases.corpus(), ["write-plain", "write-refuse-gdc-kernel"])
    names = [export.tensors_name(c) for c in plain]
    assert all(len(n.split("/")[1]) == 12 for n in names)
    for case, name in zip(plain, names, strict=True):
        files = {p: d for p, d in FILES.items() if p.startswith(f"writer/{name}/")}
        known = hashlib.sha256()
        for p, d in files.items():
            known.update(f"{Path(p).name} {len(d)} ".encode() + d)
        assert known.hexdigest().startswith(name.split("/")[1]), case.id


def test_an_engines_rows_have_the_bounds_of_each_input():
    from efm3.conformance.engines import expected

    have = [tuple(map(float, r[8:])) for r in ROWS if r[:2] == ("engine", "run-plain")]
    assert have == [(row["gaps"]["high"], row["gaps"]["fast"])
                    for row in expected("run-plain")["inputs"]] and len(have) == 2
    assert all(r[8:] == ("-", "-") for r in ROWS if r[0] != "engine" or r[7] == "-")
