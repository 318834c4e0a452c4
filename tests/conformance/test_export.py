# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The exported set is what the cases say, and one changed byte changes its digest."""

import hashlib
import json
from io import BytesIO

import numpy as np

from efm3.conformance import cases, editing, export, judge, weights
from efm3.conformance.document import document

CHOSEN = cases.select(cases.corpus(), ["smoke"])


FILES = dict(export.files(CHOSEN))


def told_of(kind, case):
    return json.loads(FILES[f"{kind}/{case}.json"])


def test_each_case_is_a_pair_and_the_index_knows_its_bytes():
    index = json.loads(FILES["index.json"])
    assert index["count"] == len(CHOSEN) and index["negative"] > 10
    by_id = {c.id: c for c in CHOSEN}
    for entry in index["cases"]:
        told = told_of(entry["kind"], entry["id"])
        assert told["id"] == entry["id"] and told["about"] == by_id[entry["id"]].about
        for name, digest in entry["files"].items():
            assert hashlib.sha256(FILES[f"{entry['kind']}/{name}"]).hexdigest() == digest
        if entry["kind"] == "reader":
            data = FILES[f"reader/{entry['id']}.bin"]
            assert list(told["documents"]) == [
                lv for lv in export.DOCUMENTS if told["expect"]["valid"][lv] is True]
            for level, name in told["documents"].items():
                want = json.dumps(document(data, level), sort_keys=True, separators=(",", ":"))
                assert FILES[f"reader/{name}"].decode() == want + "\n"


def test_engine_and_writer_cases_bring_their_inputs_and_what_is_expected():
    told = told_of("engine", "run-plain")
    assert len(told["inputs"]) == 2 and len(told["inputs"][0]["embedding"]) == 8
    x = np.frombuffer(FILES[f"engine/{told['inputs'][1]['file']}"], "<f4").reshape(3, 112, 112)
    assert np.array_equal(x, weights.picture(told["inputs"][1]["input"]))
    for row, name in zip(told["inputs"], told["expected"], strict=True):
        assert np.array_equal(np.frombuffer(FILES[f"engine/{name}"], "<f4"),
                              np.array(row["embedding"], np.float32))
    told = told_of("writer", "write-plain")
    stem = np.load(BytesIO(FILES[f"writer/{told['tensors']}/stem.conv.w.npy"]))
    assert stem.shape == (4, 3, 3, 3) and stem.dtype == "<f4"
    assert told["expected"] == "write-plain.bin"
    told = told_of("writer", "write-refuse-gdc-kernel")
    assert told["refuse"] and json.loads(told["arch"])["gdc_kernel"] == 7
    assert told["arch"].encode() == FILES["writer/write-refuse-gdc-kernel.arch.json"]
    assert "expected" not in told and "writer/write-refuse-gdc-kernel.bin" not in FILES


def test_an_editor_case_brings_one_right_file():
    told = told_of("editor", "edit-meta")
    assert json.loads(told["edit"])["meta"] == {"description": "edited"}
    data, new = FILES["editor/edit-meta.bin"], FILES[f"editor/{told['expected']}"]
    assert new == editing.edited(data, told["edit"])
    assert judge.edited_wrongly(data, new, told["edit"]) == ""
    refused = cases.select(cases.corpus(), ["edit-refuse-trailing"])[0]
    assert export.expected_name(refused) == ""


def test_exporting_twice_gives_the_same_bytes():
    assert dict(export.files(CHOSEN)) == FILES


def test_the_digest_covers_bytes_and_expectations():
    case = CHOSEN[0]
    one = export._entry(case, {f"{case.id}.bin": b"a"})
    two = export._entry(case, {f"{case.id}.bin": b"b"})
    assert cases.digest_of([one]) != cases.digest_of([two])
    fields = {k: getattr(case, k) for k in case.__dataclass_fields__}
    other = cases.Case(**fields | {"about": "another"})
    assert export._entry(other, {})["expect"] != export._entry(case, {})["expect"]


def test_the_digest_covers_large_cases_by_their_recipes(monkeypatch):
    index = json.loads(FILES["index.json"])
    assert [e["id"] for e in index["large"]] == [c.id for c in cases.named(["large"])]
    assert all(e["recipe"] and "files" not in e for e in index["large"])
    assert index["digest"] == cases.digest_of([*index["cases"], *index["large"]])
    large = cases.named(["large"])[0]
    other = cases.Case(**{k: getattr(large, k) for k in large.__dataclass_fields__} | {
        "recipe": large.recipe | {"base": "empty"}})
    assert export._entry(large, {})["recipe"] != export._entry(other, {})["recipe"]
    monkeypatch.setattr(export, "_files", lambda case, full: {f"{case.id}.bin": b"x"})
    alone = dict(export.files([large]))
    assert alone[f"reader/{large.id}.bin"] == b"x"
    assert json.loads(alone["index.json"])["count"] == 0
