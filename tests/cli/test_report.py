# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 report`: what it writes, where, and how it ends."""

import json
import os
import stat

import pytest

from efm3.conformance import sample
from efm3.conformance.examples import example
from tests.hostile_names import page as judged

NEEDS = ("jinja2",)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.bin").write_bytes(sample.sealed())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "bad.efm3").write_bytes(example("M022")[1])
    (tmp_path / "folder" / "out.bin").write_bytes(b"")
    return tmp_path


def test_a_file(cli, here):
    done = cli("report", "good.bin", "-o", "r.html")
    size = (here / "r.html").stat().st_size
    assert done.exit_code == 0 and done.stdout == (
        f"good.bin: valid (values)\nr.html: {size:,} bytes\n")
    judged((here / "r.html").read_text("utf-8"))
    assert stat.S_IMODE(os.stat("r.html").st_mode) == 0o666 & ~_mask()


def _mask():
    old = os.umask(0)
    os.umask(old)
    return old


def test_a_folder_and_what_is_left_out(cli, here):
    done = cli("report", "folder", "good.bin", "-o", "r.html", "--json", "--exclude", "out*")
    assert done.exit_code == 1 and "1 that are excluded" in done.stderr
    told = json.loads(done.stdout)
    assert [(f["source"], f["ok"]) for f in told["files"]] == [
        (os.path.join("folder", "bad.efm3"), False), ("good.bin", True)]
    assert not told["ok"] and told["size"] == (here / "r.html").stat().st_size
    text = (here / "r.html").read_text("utf-8")
    assert "Overview" in text and "1 valid, 1 not" in text and "out.bin" not in text


def test_to_standard_output(cli, here):
    done = cli("report", "good.bin", "-o", "-")
    assert done.exit_code == 0 and done.stdout.endswith("</html>\n")
    judged(done.stdout)
    assert cli("report", "good.bin", "-o", "-", "--json").exit_code == 2
    given = cli("report", "-", "-o", "-", input=sample.sealed())
    assert given.exit_code == 0 and "✔ valid" in given.stdout


def test_exit_codes(cli, here):
    assert cli("report", "folder", "-o", "r.html").exit_code == 1
    assert cli("report", "folder", "-o", "r.html", "--fail-on", "never").exit_code == 0
    assert cli("report", "folder/bad.efm3", "-o", "r.html", "--ignore", "M").exit_code == 0
    assert cli("report", "folder/bad.efm3", "-o", "r.html", "--level", "structure").exit_code == 0
    assert "What the weights hold was not checked" in (here / "r.html").read_text("utf-8")
    assert cli("report", "good.bin").exit_code == 2
    assert cli("report", "good.bin", "-o", "r.html", "--select", "Q").exit_code == 2
    gone = cli("report", "good.bin", "none.bin", "-o", "r.html")
    assert gone.exit_code == 3 and "none.bin: unreadable" in gone.stdout
    assert "none.bin" in (here / "r.html").read_text("utf-8")
    (here / "empty").mkdir()
    assert cli("report", "empty", "-o", "e.html").exit_code == 3 and not (here / "e.html").exists()


def test_settings_hold(cli, here):
    (here / "efm3.toml").write_text('ignore = ["M"]\n')
    assert cli("report", "folder/bad.efm3", "-o", "r.html").exit_code == 0
    assert cli("report", "folder/bad.efm3", "-o", "r.html", "--no-config").exit_code == 1
    done = cli("report", "good.bin", "-o", "efm3.toml")
    assert done.exit_code == 1 and "X019" in done.stderr


def test_nothing_is_checked_where_nothing_can_be_written(cli, here, monkeypatch):
    from efm3.report import facts

    monkeypatch.setattr(facts, "checked", None)
    for target in ("none/r.html", "folder"):
        assert cli("report", "good.bin", "-o", target).exit_code == 3


def test_an_old_page_stays_where_writing_fails(cli, here, monkeypatch):
    from efm3.report import page

    (here / "r.html").write_text("old")
    monkeypatch.setattr(page, "_section", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli("report", "good.bin", "-o", "r.html", catch_exceptions=False)
    assert (here / "r.html").read_text() == "old" and not list(here.glob(".r.html*"))


def test_without_its_library(cli, here, monkeypatch):
    from efm3.report import page

    page._environment.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    done = cli("report", "good.bin", "-o", "r.html")
    assert done.exit_code == 1 and "X002" in done.stderr and "[report]" in done.stderr
    assert not (here / "r.html").exists()
