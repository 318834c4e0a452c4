# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Bills of materials, CycloneDX 1.7 as JSON: what is in the wheel and what it asks for, and what is
in the kit. They state no time but the release's, and their serial numbers are digests."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from efm3.conformance import export
from tools.release import pack

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCHEMA = SchemaVersion.V1_7

NAME = "efm3.cdx.json"
"""The document's name in a wheel, in its folder sboms/ (PEP 770)."""

_NAMES = uuid.UUID("6f1d8c1e-2d0b-5f3a-9d5c-0e1f6a4b7c33")
"""The namespace of our serial numbers; drawn once."""


def _licence() -> Any:
    return [DisjunctiveLicense(id="Apache-2.0")]


def _sha256(data: bytes) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(data).hexdigest())


def _engine(root: Path, version: str) -> Component:
    """The C library that is compiled into the extension, with a digest of its sources."""
    sources = sorted(p for part in ("include", "src") for p in (root / "engine" / part).rglob("*")
                     if p.suffix in (".c", ".h", ".def"))
    listing = "".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  "
                      f"{p.relative_to(root).as_posix()}\n" for p in sources)
    return Component(
        name="facex_mfn", version=version, type=ComponentType.LIBRARY, bom_ref="facex_mfn",
        licenses=_licence(), description="the C engine, compiled into efm3._engine",
        properties=[Property(name="efm3:sources", value=str(len(sources))),
                    Property(name="efm3:sources:sha256",
                             value=hashlib.sha256(listing.encode()).hexdigest())])


def requirements(project: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Library to {extra: what is asked for}, of pyproject.toml's [project]; the extra "" is what
    every installation needs."""
    out: dict[str, dict[str, str]] = {}
    groups = {"": project["dependencies"]} | project.get("optional-dependencies", {})
    for extra, lines in groups.items():
        for line in lines:
            found = re.match(r"([\w.-]+)(\[[\w,-]+\])?", line)
            assert found is not None, line
            name = re.sub(r"[-_.]+", "-", found[1]).lower()
            out.setdefault(name, {})[extra] = (found[2] or "") + line[found.end():].strip()
    return out


def _required(name: str, asked: dict[str, str]) -> Component:
    """A library that is installed beside the wheel: its version is the installer's choice."""
    return Component(
        name=name, type=ComponentType.LIBRARY, bom_ref=name, is_external=True,
        purl=PackageURL("pypi", name=name),
        scope=ComponentScope.REQUIRED if "" in asked else ComponentScope.OPTIONAL,
        properties=[Property(name=f"efm3:requires:{extra}" if extra else "efm3:requires",
                             value=text or "any") for extra, text in asked.items()])


def _text(name: str, main: Component, parts: list[Component], epoch: int) -> str:
    """The document of `main` with what it consists of and asks for; ends with a newline."""
    bom = Bom(components=parts, metadata=BomMetaData(
        component=main, timestamp=datetime.fromtimestamp(epoch, timezone.utc)))
    bom.register_dependency(main, parts)
    bom.serial_number = uuid.UUID(int=0)
    out = make_outputter(bom, OutputFormat.JSON, SCHEMA)
    bom.serial_number = uuid.uuid5(_NAMES, f"{name}\n{out.output_as_string(indent=1)}")
    out.generate(force_regeneration=True)
    return f"{out.output_as_string(indent=1)}\n"


def wheel(root: Path, version: str, epoch: int, engine: bool = True) -> str:
    """The document of a wheel built from the project in `root`, with or without the engine."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    main = Component(name="efm3", version=version, type=ComponentType.LIBRARY, bom_ref="efm3",
                     licenses=_licence(), purl=PackageURL("pypi", name="efm3", version=version))
    parts = [_required(name, asked)
             for name, asked in requirements(tomllib.loads(text)["project"]).items()]
    return _text("wheel", main, ([_engine(root, version)] if engine else []) + parts, epoch)


def kit(archive: Path, version: str, epoch: int) -> str:
    """The document of the kit, read from one of its archives: each runner and text with its digest;
    the index stands for the cases, whose digests it holds."""
    files = {name.partition("/")[2]: data for name, data in pack.members(archive).items()}
    main = Component(name="efm3-kit", version=version, type=ComponentType.DATA, bom_ref="efm3-kit",
                     licenses=_licence(), description="cases, expectations and runners")
    texts = [name for name in sorted(files) if "/" not in name or name.startswith("spec/")]
    parts = [Component(name=name, type=ComponentType.FILE, bom_ref=name,
                       hashes=[_sha256(files[name])]) for name in texts]
    index = next(part for part in parts if part.name == export.INDEX)
    index.properties.add(Property(name="efm3:files", value=str(len(files) - len(texts))))
    return _text("kit", main, parts, epoch)


def problems(text: str) -> list[str]:
    """What the standard's own schema finds wrong with a document, as a line; none where valid."""
    error = JsonStrictValidator(SCHEMA).validate_str(text)
    if error is not None:
        return [str(error).splitlines()[0]]
    # The schema of each version takes the name of any.
    stated = json.loads(text).get("specVersion")
    return [] if stated == SCHEMA.to_version() else [f"specVersion is {stated}"]
