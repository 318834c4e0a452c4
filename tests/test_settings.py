# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings: found, read, refused; hostile files of them."""

import os
import subprocess
import sys

import pytest

from efm3 import Efm3Error
from efm3.rules import load_rules
from efm3.settings import DOTS, FAIL_ON, KEYS, LIMIT, SOUGHT, Settings, find, read, rule_code
from efm3.source import Unreadable

WHOLE = """select = ["m", "T012"]
ignore = []
exclude = ["old/*.bin"]
level = "structure"
fail-on = "warning"
gitignore = false
"""


def test_every_key_can_be_set(tmp_path):
    path = tmp_path / "efm3.toml"
    path.write_text(WHOLE)
    found = read(str(path))
    assert set(found.given) == set(KEYS)
    assert found["select"] == ("M", "T012") and found["exclude"] == ("old/*.bin",)
    assert (found["level"], found["fail-on"], found["gitignore"]) == ("structure", "warning", False)
    assert found.base == str(tmp_path)
    assert Settings(given={"select": ["m", "M", "m"]})["select"] == ("M",)
    rows = found.to_json()["settings"]
    assert rows["ignore"] == {"value": [], "from": "file"}
    assert Settings().to_json() == {"file": None, "settings": {
        key: {"value": list(k.default) if isinstance(k.default, tuple) else k.default,
              "from": "default"} for key, k in KEYS.items()}}
    (tmp_path / "pyproject.toml").write_text("[tool.efm3]\n" + WHOLE)
    assert read(str(tmp_path / "pyproject.toml")).given == found.given


def test_codes_are_those_of_the_rules():
    for code in load_rules():
        assert rule_code(code.lower()) == code and rule_code(code[:1]) == code[:1]
    assert not any(map(rule_code, ("R001", "X", "nope", "IO001", "M9")))


def test_the_nearest_file_counts(tmp_path, monkeypatch):
    deep = tmp_path / "a/b/c"
    deep.mkdir(parents=True)
    (tmp_path / "a/pyproject.toml").write_text('[tool.efm3]\nlevel = "coherence"\n')
    assert find(str(deep))["level"] == "coherence"
    (tmp_path / "a/b/pyproject.toml").write_text("[project]\nname = 'efm3'\n")  # none of ours
    assert find(str(deep))["level"] == "coherence"
    (tmp_path / "a/b/efm3.toml").write_text('level = "structure"\n')
    (tmp_path / "a/b/pyproject.toml").write_text("[tool.efm3]\n")
    monkeypatch.chdir(deep)
    assert find()["level"] == "structure" and find().file == str(tmp_path / "a/b/efm3.toml")
    (deep / ".git").touch()  # as a linked work tree has it
    assert find() == Settings()
    (deep / "efm3.toml").write_text("")
    assert find() == Settings(str(deep / "efm3.toml"))


def test_a_folder_that_was_removed(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert find() == Settings()


@pytest.mark.parametrize("text,words", [
    ('levle = "values"', ("levle", "did you mean it?", "level")),
    ('fail_on = "never"', ("fail_on", "fail-on (did you mean it?)")),
    ("qqq = 1", ("qqq", *KEYS)), ("level = 3", ("efm3.toml: level: 3;", "structure")),
    ('level = "deep"', ("'deep'", "coherence")), ('select = "M"', ("'M'", "a list of codes")),
    ('select = ["M", 3]', ("['M', 3]",)), ('ignore = ["Q"]', ("['Q']", "codes")),
    ("gitignore = 1", ("true or false",)), ("exclude = [[]]", ("patterns",)),
    ('exclude = [""]', ("patterns",)), ('fail-on = "fatal"', FAIL_ON), ("level = []", ("level",)),
    ("= 1", ("TOML", "line 1")), ("a = " + "[" * 9000, ("TOML",)), ("a = 1" + "0" * 9000, ()),
    ("\udcff", ("TOML",)), ("level = 2020-01-01", ("level",)), ('"\\u001b[31m" = 1', ("x1b",))])
def test_what_is_refused(text, words, tmp_path):
    path = tmp_path / "efm3.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Efm3Error) as caught:
        read(str(path))
    told = str(caught.value)
    assert caught.value.code == "IO002" and "\x1b" not in told and len(told) < 900
    for word in ("efm3.toml", "expected", *words):
        assert word in told, told


@pytest.mark.parametrize("name,text", [("efm3.toml", 'level = "structure"'),
                                       ("pyproject.toml", '[tool.efm3]\nlevel = "structure"')])
def test_a_mark_of_the_encoding_is_no_text(name, text, tmp_path):
    """Editors on Windows put it first."""
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert find(str(tmp_path)).given == {"level": "structure"}


def test_a_file_of_a_stranger(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool]\nefm3 = 3\n")
    with pytest.raises(Efm3Error, match=r"tool\.efm3.*expected a table"):
        read(str(path))
    path.write_text("tool = 'efm3'\n")
    assert read(str(path)) is None
    path.write_text("this is no TOML\n")
    assert read(str(path)) is None  # nobody asks for it to be one: it does not name us
    path.write_text("#" * (LIMIT + 1))
    assert read(str(path)) is None
    path.write_text("#" * (LIMIT + 1) + "\n[tool.efm3]\n")
    with pytest.raises(Efm3Error, match=f"at most {LIMIT}"):
        read(str(path))
    with open(path, "wb") as file:
        file.truncate(SOUGHT + 1)
    with pytest.raises(Efm3Error, match=f"at most {LIMIT}"):
        read(str(path))
    path.write_text(("a." * LIMIT)[:LIMIT - 9] + "a=1#efm3")  # a minute's work for the parser
    with pytest.raises(Efm3Error, match=f"a line of more dots; expected at most {DOTS}"):
        read(str(path))
    path.unlink()
    os.mkfifo(path)
    assert find(str(tmp_path)).file != str(path)
    with pytest.raises(Unreadable):
        read(str(path))


def test_without_settings_no_parser_is_loaded(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    code = ("import sys; from efm3.settings import find; find(); "
            "assert not {'tomllib', 'tomli', 'difflib', 'numpy'} & set(sys.modules)")
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True,
                   env=os.environ | {"PYTHONPATH": root})
