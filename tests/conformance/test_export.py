# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The exported set is what the cases say, and one changed byte changes its digest."""

import hashlib
import json

import numpy as np

from efm3.conformance import cases, export, weights
from efm3.conformance.document import document

CHOSEN = cases.select(cases.corpus(), ["smoke"])


def exported(folder):
    return export.export(folder, CHOSEN)


def test_each_case_is_a_pair_and_the_index_knows_its_bytes(tmp_path):
    index = exported(tmp_path)
    assert index == json.loads((tmp_path / "index.json").read_text())
    assert index["count"] == len(CHOSEN) and index["negative"] > 10
    by_id = {c.id: c for c in CHOSEN}
    for entry in index["cases"]:
        home = tmp_path / entry["kind"]
        told = json.loads((home / f"{entry['id']}.json").read_text())
        assert told["id"] == entry["id"] and told["about"] == by_id[entry["id"]].about
        for name, digest in entry["files"].items():
            assert hashlib.sha256((home / name).read_bytes()).hexdigest() == digest
        if entry["kind"] == "reader":
            data = (home / f"{entry['id']}.bin").read_bytes()
            if told["expect"]["valid"]["structure"]:
                level = "coherence" if told["expect"]["valid"]["coherence"] else "structure"
                have = {k: v for k, v in told["document"].items() if level == "coherence"
                        or k != "json"}
                assert have == document(data, level)


def test_engine_and_writer_cases_bring_their_inputs(tmp_path):
    exported(tmp_path)
    engine = tmp_path / "engine"
    told = json.loads((engine / "run-plain.json").read_text())
    assert len(told["inputs"]) == 2 and len(told["inputs"][0]["embedding"]) == 8
    x = np.fromfile(engine / told["inputs"][1]["file"], "<f4").reshape(3, 112, 112)
    assert np.array_equal(x, weights.picture(told["inputs"][1]["input"]))
    stem = np.load(tmp_path / "writer" / "write-plain.tensors" / "stem.conv.w.npy")
    assert stem.shape == (4, 3, 3, 3) and stem.dtype == "<f4"
    told = json.loads((tmp_path / "writer" / "write-refuse-gdc-kernel.json").read_text())
    assert told["refuse"] and json.loads(told["arch"])["gdc_kernel"] == 7
    assert not (tmp_path / "writer" / "write-refuse-gdc-kernel.bin").exists()
    told = json.loads((tmp_path / "editor" / "edit-meta.json").read_text())
    assert json.loads(told["edit"])["meta"] == {"description": "edited"}
    assert (tmp_path / "editor" / "edit-meta.edit.json").read_text() == told["edit"]


def test_exporting_twice_gives_the_same_bytes(tmp_path):
    assert exported(tmp_path / "a") == exported(tmp_path / "b")
    for path in (tmp_path / "a").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")
                                         ).read_bytes()


def test_the_digest_covers_bytes_and_expectations():
    case = CHOSEN[0]
    one = export._entry(case, {f"{case.id}.bin": b"a"})
    two = export._entry(case, {f"{case.id}.bin": b"b"})
    assert cases.digest_of([one]) != cases.digest_of([two])
    fields = {k: getattr(case, k) for k in case.__dataclass_fields__}
    other = cases.Case(**fields | {"about": "another"})
    assert export._entry(other, {})["expect"] != export._entry(case, {})["expect"]
