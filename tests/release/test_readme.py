# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""README as an index shows it."""

import subprocess
import sys

import pytest

from tools import ROOT
from tools.release import readme, sources


@pytest.mark.parametrize("text,wanted", [
    ("![a b](docs/a.svg)", "![a b](https://f.org/r/raw/v1.2/docs/a.svg)"),
    ("[a](spec/A.md#b) [c](d/)", "[a](https://f.org/r/blob/v1.2/spec/A.md#b) "
                                 "[c](https://f.org/r/blob/v1.2/d/)"),
    ("[a](https://x.org/y)", "[a](https://x.org/y)"), ("[a](#b)", "[a](#b)"),
    ("f(x) [1](2)", "f(x) [1](https://f.org/r/blob/v1.2/2)"), ("a[1] (b)", "a[1] (b)"),
])
def test_links(text, wanted):
    assert readme.absolute(text, "https://f.org/r/", "1.2") == wanted


def test_every_link_of_ours_is_made_absolute():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = readme.relative(text)
    assert {"docs/inspect.svg", "spec/EFM3.md", "LICENSE"} <= {*names}
    made = readme.absolute(text, "https://f.org/r", "1.2")
    assert not readme.relative(made) and made.count("https://f.org/r/") == len(names)


@pytest.mark.parametrize("source", ["", "https://forge.efm3.org/efm3"])
def test_what_is_built_says_where_its_links_lead_once_that_is_known(source, tmp_path):
    for name in sources.names(ROOT):
        if name in ("setup.py", "README.md", "LICENSE", "pyproject.toml") or name.startswith((
                "efm3/", "engine/", "tools/__init__", "tools/release/")):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    path = tmp_path / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    if source:
        text = text.replace("[project.urls]\n", f"[project.urls]\nSource = '{source}'\n")
    path.write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, "setup.py", "-q", "--name", "--long-description"],
                          cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    link = f"]({source}/raw/v" if source else "](docs/inspect.svg)"
    assert link in done.stdout and bool(readme.relative(done.stdout)) != bool(source)
