# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The checks of what is built: each passes on what is right and sees what is not."""

import pytest

from tests.release import small
from tools.release import BuildFailed, built, sbom

NEEDS = ("cyclonedx", "twine", "pyroma", "pypi_attestations")


@pytest.fixture
def ready(release, monkeypatch):
    """A release with all that is built for it."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(small.EPOCH))
    text = sbom.wheel(release.root, "1.2.3", small.EPOCH)
    path = small.make_wheel(release, bom=text.encode())
    small.make_sdist(release)
    path.with_suffix(".cdx.json").write_text(text, encoding="utf-8")
    (release.out / "efm3-kit-1.2.3.cdx.json").write_text(text, encoding="utf-8")
    return release


@pytest.mark.parametrize("name", ["contents", "boms", "metadata", "attestable"])
def test_what_is_right_passes(ready, name):
    assert built.CHECKS[name](ready) == []


def test_no_wheel_is_seen(ready):
    next(ready.out.glob("*.whl")).unlink()
    assert built.contents(ready) == [f"no wheel was built in {ready.out}"]


def test_a_foreign_file_is_seen(ready):
    small.make_wheel(ready, small.members(ready) | {"tests/a.py": b""})
    small.make_sdist(ready, {"stale.py": b""})
    assert len(built.contents(ready)) == 2


def test_a_bom_of_other_sources_or_another_beside_is_seen(ready):
    (path,) = ready.out.glob("*.whl")
    beside = path.with_suffix(".cdx.json")
    beside.write_text(beside.read_text().replace("1.24", "1.25"))
    assert built.boms(ready) == [f"{path.name}: the SBOM beside it is not the one in it"]
    (ready.root / "pyproject.toml").write_text('[project]\ndependencies = []\n')
    assert f"{path.name}: its SBOM is not that of these sources" in built.boms(ready)


def test_a_bom_that_is_not_valid_or_lacks_is_seen(ready):
    kit = ready.out / "efm3-kit-1.2.3.cdx.json"
    kit.write_text("{}")
    assert built.boms(ready)[0].startswith("efm3-kit-1.2.3.cdx.json: ")
    kit.unlink()
    assert built.boms(ready) == ["the kit has no SBOM"]


def test_metadata_that_no_index_takes_is_seen(ready):
    folder = "efm3-1.2.3.dist-info"
    small.make_wheel(ready, small.members(ready) | {
        f"{folder}/METADATA": b"Metadata-Version: 2.4\nName: efm3\nVersion: 1.2.3\n\n"})
    assert any("long_description" in line for line in built.metadata(ready))


def test_a_description_whose_links_lead_nowhere_is_seen(ready):
    folder = "efm3-1.2.3.dist-info"
    text = small.METADATA + "![x](docs/x.svg) and [here](spec/EFM3.md), [there](https://a.org)\n"
    path = small.make_wheel(ready, small.members(ready) | {f"{folder}/METADATA": text.encode()})
    assert built.metadata(ready) == [
        f"{path.name}: the description names {name}, which an index has not"
        for name in ("docs/x.svg", "spec/EFM3.md")]
    pyproject = ready.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("Source", "Homepage"))
    assert built.metadata(ready) == []  # where they would lead is not known yet


def test_what_pyroma_would_better_is_seen(ready):
    small.make_sdist(ready, {
        "setup.py": b"from setuptools import setup\nsetup()\n",
        "pyproject.toml": b'[project]\nname = "efm3"\nversion = "1.2.3"\n'
                          b'[tool.setuptools]\npackages = []\n'})
    assert "Your package does not have keywords data." in built.rating(ready)


def test_a_name_that_no_attestation_takes_is_seen(ready):
    (path,) = ready.out.glob("*.whl")
    path.rename(ready.out / "efm3-1.2.3-linux.whl")
    assert "efm3-1.2.3-linux.whl cannot be attested" in built.attestable(ready)[0]
    next(ready.out.glob("*.tar.gz")).unlink()
    assert "tar.gz cannot be attested" in built.attestable(ready)[1]


def test_two_builds_are_compared_in_the_folder_of_what_is_built(ready, monkeypatch):
    asked = []
    monkeypatch.setattr(built, "twice", lambda *words: asked.append(words) or ["a differs"])
    assert built.reproducible(ready) == ["a differs"]
    assert asked == [(ready.out, small.EPOCH)]


def test_the_build_comes_first():
    assert next(iter(built.CHECKS)) == "reproducible" and issubclass(BuildFailed, RuntimeError)
