# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 spec`: every text and form is its file in the repository, from wherever efm3 is installed.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from efm3.forms import FORMS
from efm3.forms.codes_page import rows

ROOT = Path(__file__).resolve().parent.parent.parent


def test_list(cli):
    lines = cli("spec").stdout.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == list(FORMS)
    uses = [line.strip() for line in lines if line[0] == " "]
    assert uses == [f"use: {f.use}" for f in FORMS.values() if f.use]
    found = json.loads(cli("spec", "--json").stdout)["forms"]
    assert [r["name"] for r in found] == list(FORMS)
    for r, form in zip(found, FORMS.values(), strict=True):
        assert (r["path"], r["description"], r["use"]) == (form.path, form.description, form.use)
        assert (ROOT / r["path"]).is_file()


def test_every_text_of_the_spec_is_listed():
    """But for those about the repository's own files."""
    pages = {str(p.relative_to(ROOT)) for p in (ROOT / "spec").rglob("*.md")}
    assert pages - {f.path for f in FORMS.values()} == {"spec/coverage.md",
                                                        "spec/vectors/README.md"}
    assert FORMS["text"].path == "spec/EFM3.md"


@pytest.mark.parametrize("name", list(FORMS))
def test_form_is_its_file(cli, name):
    result = cli("spec", name)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (ROOT / FORMS[name].path).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(FORMS))
def test_json(cli, name):
    made = json.loads(cli("spec", name, "--json").stdout)
    if name == "rules":
        assert made == rows()
    elif name.endswith("-schema"):
        assert "$schema" in made
    else:
        assert list(made) == ["name", "path", "description", "use", "text"]
        assert made["text"] == FORMS[name].text()


@pytest.mark.parametrize("name,words", [
    ("tex", "did you mean text?"), ("exporter", "did you mean exporters?"),
    ("\x1b[2J", "`efm3 spec` lists")])
def test_unknown(cli, name, words):
    result = cli("spec", name)
    assert result.exit_code == 2 and words in result.stderr and not result.stdout
    assert "\x1b" not in result.stderr


def test_a_form_of_another_program_says_how_to_give_it_to_it():
    used = {n for n, f in FORMS.items() if f.use}
    assert used == {"ksy", "hexpat", "magic"}
    for name in used:
        assert FORMS[name].use.startswith(f"efm3 spec {name} >")


def test_a_reader_that_stops_early_is_no_error():
    done = subprocess.run(f"{sys.executable} -m efm3 spec text | head -n 3", shell=True, cwd=ROOT,
                          capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[2] == "# EFM3, version 3" and not done.stderr


def test_nothing_but_the_package_is_needed(tmp_path):
    shutil.copytree(ROOT / "efm3", tmp_path / "efm3", ignore=shutil.ignore_patterns("*.so"))
    (tmp_path / "efm3" / "spec").symlink_to(ROOT / "spec")
    code = ("from efm3.forms import FORMS; "
            "print(sum(len(f.text()) > 500 for f in FORMS.values()))")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                          text=True, check=True)
    assert int(done.stdout) == len(FORMS)
