# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the page is put together from; `make test-page` opens it in a browser."""

import gzip
import hashlib
import io
import json
import re
import zipfile

import pytest

from efm3 import format as fmt
from tools import ROOT
from tools.page import build, declared, packed

SCRIPTS = sorted((ROOT / "page").glob("*.js"))


def test_the_first_load_is_small():
    packed_size = sum(len(gzip.compress(data)) for data in build.own_files().values())
    assert 10_000 < packed_size <= 60 * 1024


def test_the_policy_lets_nothing_in():
    rules = dict(rule.strip().split(" ", 1) for rule in build.policy().split(";"))
    assert rules["default-src"] == "'none'" and rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert rules["connect-src"] == rules["worker-src"] == rules["style-src"] == "'self'"
    assert not re.search(r"unsafe-inline|'unsafe-eval'|https?:|\*", build.policy())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_texts_become_text_nodes(path):
    """No program of the page makes HTML of a text, or code; styles come from the sheet alone."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|"
                         r"\beval\(|new Function|parseFromString|createContextualFragment", text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert max(map(len, text.splitlines())) <= 140


def test_a_script_is_loaded_by_another_or_by_the_page():
    texts = "".join(p.read_text("utf-8") for p in [*SCRIPTS, ROOT / "page/index.html"])
    for path in SCRIPTS:
        assert re.search(rf"[\"'](\./)?{re.escape(path.name)}[\"']", texts), path.name


def test_the_declarations_are_the_formats():
    text = declared.module()
    made = json.loads(text[text.index("{"):text.rindex(";")])
    assert [f["path"] for f in made["fields"]] == list(fmt.FIELDS)
    assert made["consts"]["prefixSize"] == 92 and made["template"][0] == [38.2946, 51.6963]
    assert {"E_MAGIC", "E_HEADER"} <= made["engine"].keys()
    assert all((ROOT / "examples" / name).is_file() for name in made["examples"])


def test_python_is_packed_unchanged_and_the_same_each_time():
    parts = packed.members()
    one = packed.archive(parts)
    assert one == packed.archive(dict(reversed(parts.items())))
    with zipfile.ZipFile(io.BytesIO(one)) as z:
        assert z.read("efm3/validator.py") == (ROOT / "efm3/validator.py").read_bytes()
        names = z.namelist()
    assert {"efm3/rules/values.py", "efm3/cli/explain.py", "glue.py"} <= {*names}
    # Without it a folder is no package, and Jinja finds no templates beside it.
    folders = {name.rpartition("/")[0] for name in names if re.match(r"efm3/.*\.py$", name)}
    assert {f"{folder}/__init__.py" for folder in folders} <= {*names}
    assert "construct/core.py" in names
    assert any("construct" in n and "LICENSE" in n for n in names)
    assert not [n for n in names if n.startswith(("tools/", "tests/", "efm3/train"))]


def test_the_worker_has_the_digest_of_each_file():
    files = {"a.js": b"1", "pyodide/README.md": b"2"}
    worker = build._with_list((ROOT / "page/service-worker.js").read_bytes(), files).decode()
    assert hashlib.sha256(b"1").hexdigest() in worker and "README" not in worker
    with pytest.raises(ValueError, match="has no const FILES"):
        build._with_list(b"", files)


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "PYODIDE", tmp_path)
    with pytest.raises(build.Missing, match="install_page"):
        build.build(tmp_path / "out")
    monkeypatch.setattr(build, "ENGINE", tmp_path)
    with pytest.raises(build.Missing, match="make wasm"):
        build.engine_files()
