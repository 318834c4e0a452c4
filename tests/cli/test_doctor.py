# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 doctor`: text to paste, JSON, and exit code 1 where something is broken."""

import json
from types import SimpleNamespace

from efm3.doctor import _libraries


def test_text_and_json_say_the_same(cli):
    text, told = cli("doctor", "--quick"), cli("doctor", "--quick", "--json")
    value = json.loads(told.stdout)
    assert (text.exit_code, told.exit_code) == (int(not value["ok"]),) * 2
    assert text.stdout.startswith(f"efm3         {value['package']['version']}, ")
    assert max(map(len, text.stdout.splitlines())) <= 80
    for extra in value["extras"]:
        assert f" {extra['name']}: " in text.stdout


def test_whole(cli, monkeypatch):
    """With imports and the engine, here in order; of the extras that this place has, none."""
    own = _libraries.distribution()
    monkeypatch.setattr(_libraries, "distribution", lambda: own and SimpleNamespace(
        requires=[line for line in own.requires if "extra" not in line], metadata=own.metadata))
    value = json.loads(cli("doctor", "--json").stdout)
    assert value["problems"] == [] and value["ok"] and not value["quick"]
    assert {row["state"] for row in value["libraries"]} == {"ok"}


def test_what_is_broken_is_exit_code_1(cli, monkeypatch):
    monkeypatch.setattr(_libraries, "survey", lambda quick, broken, note: broken(
        "a library \x1b[31m", "mend it") or ([], []))
    done = cli("doctor", "--quick")
    assert done.exit_code == 1 and "\x1b" not in done.stdout
    assert "PROBLEM      a library \\x1b[31m. To mend it: mend it" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("result       1 problem")
