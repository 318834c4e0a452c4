# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Bills of materials: valid, the same each time, and what they say is so."""

import hashlib
import io
import json
import tarfile

import pytest

from tests.release import small
from tools.release import sbom

NEEDS = ("cyclonedx",)


@pytest.fixture
def wheel(release):
    return sbom.wheel(release.root, "1.2.3", small.EPOCH)


@pytest.fixture
def kit(tmp_path):
    files = {"index.json": b"{}", "run.sh": b"#!/bin/sh\n", "spec/EFM3.md": b"# The format\n",
             "reader/a.bin": b"a", "reader/b.bin": b"b"}
    with tarfile.open(tmp_path / "kit.tar.gz", "w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"efm3-kit-1.2.3/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return sbom.kit(tmp_path / "kit.tar.gz", "1.2.3", small.EPOCH)


def test_both_are_valid(wheel, kit):
    assert sbom.problems(wheel) == sbom.problems(kit) == []


@pytest.mark.parametrize("old,new", [
    ('"type": "library"', '"type": "librarian"'), ('"specVersion": "1.7"', '"specVersion": "x"'),
    ('"urn:uuid:', '"urn:'), ('"bom-ref": "numpy"', '"bom-reference": "numpy"')])
def test_what_is_not_valid_is_seen(wheel, old, new):
    assert old in wheel and len(sbom.problems(wheel.replace(old, new))) == 1


def test_a_wheels_document_says_what_is_in_it_and_what_it_asks_for(wheel, release):
    found = json.loads(wheel)
    assert found["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert found["metadata"]["component"]["purl"] == "pkg:pypi/efm3@1.2.3"
    parts = {c["name"]: c for c in found["components"]}
    assert parts.keys() == {"facex_mfn", "numpy", "pillow"}
    assert [(c["scope"], c["isExternal"], c["properties"][0]["value"])
            for c in (parts["numpy"], parts["pillow"])] == [
        ("required", True, ">=1.24"), ("optional", True, ">=10.3")]
    header = (release.root / "engine/include/facex_mfn.h").read_bytes()
    line = f"{hashlib.sha256(header).hexdigest()}  engine/include/facex_mfn.h\n"
    assert {"name": "efm3:sources:sha256", "value": hashlib.sha256(line.encode()).hexdigest()} in (
        parts["facex_mfn"]["properties"])
    (of,) = [d for d in found["dependencies"] if d["ref"] == "efm3"]
    assert sorted(of["dependsOn"]) == sorted(parts)


def test_without_the_engine_it_is_not_named(release):
    text = sbom.wheel(release.root, "1.2.3", small.EPOCH, engine=False)
    assert "facex_mfn" not in text and sbom.problems(text) == []


def test_the_serial_number_and_the_text_depend_on_the_content_alone(release, wheel):
    assert sbom.wheel(release.root, "1.2.3", small.EPOCH) == wheel
    others = [sbom.wheel(release.root, "1.2.4", small.EPOCH),
              sbom.wheel(release.root, "1.2.3", small.EPOCH + 1)]
    assert len({json.loads(t)["serialNumber"] for t in [wheel, *others]}) == 3


def test_the_kits_document_has_the_digest_of_each_text_and_of_the_index(kit):
    found = json.loads(kit)["components"]
    assert {c["name"]: c["hashes"][0]["content"] for c in found} == {
        name: hashlib.sha256(data).hexdigest() for name, data in (
            ("index.json", b"{}"), ("run.sh", b"#!/bin/sh\n"),
            ("spec/EFM3.md", b"# The format\n"))}
    assert [c["properties"] for c in found if c["name"] == "index.json"] == [
        [{"name": "efm3:files", "value": "2"}]]


def test_a_requirement_is_split_into_name_and_the_rest():
    found = sbom.requirements({"dependencies": ["Tomli>=2; python_version < '3.11'"],
                               "optional-dependencies": {"d": ["a_b[ray]>=0.7"], "e": ["a.b"]}})
    assert found == {"tomli": {"": ">=2; python_version < '3.11'"},
                     "a-b": {"d": "[ray]>=0.7", "e": ""}}
