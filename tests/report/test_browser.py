# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pages in a browser: on a phone, a tablet and a screen, light and dark; what axe-core finds.

Minutes: `make test-long` runs it. It needs Chromium, and what tools/foreign/install_page.sh
installs.
"""

import json
import os
import subprocess
from pathlib import Path
from shutil import which

import pytest

from efm3.conformance import sample
from tests.report.pages import PLAIN, page
from tools import ROOT

NEEDS = ("jinja2",)

MODULES = ROOT / "build" / "browser" / "node_modules"
CHROMIUM = which("chromium")
LOOK = Path(__file__).parent / "look.js"

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None or which("node") is None, reason="no Chromium or no Node"),
    pytest.mark.skipif(not all((MODULES / n).is_dir() for n in ("playwright-core", "axe-core")),
                       reason="no Playwright or axe-core (tools/foreign/install_page.sh)")]


def looked_at(widths, *files):
    done = subprocess.run(["node", LOOK, MODULES, widths, *files], check=False, text=True,
                          capture_output=True, env=os.environ | {"CHROMIUM": CHROMIUM})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_in_a_browser(tmp_path):
    one, many = tmp_path / "one.html", tmp_path / "many.html"
    one.write_text(page(("sound.bin", sample.sealed())), "utf-8")
    many.write_text(page(*PLAIN, unfold=False), "utf-8")
    found = looked_at("390,800,1600", one, many)
    assert len(found) == 2 * 3 * 2
    for view in found:
        where = {k: view[k] for k in ("page", "width", "colorScheme")}
        assert view["requests"] == [f"file://{tmp_path / view['page']}"], where
        assert view["said"] == [] and view["wider"] <= 0 and view["cut"] == [], (where, view)
        # What is printed is dark on white, whatever the screen is.
        assert view["printed"] == "rgb(255, 255, 255)", where
        # A byte's link is reached by keyboard, and unfolds the table with its field.
        assert view["reached"] == {"focused": True, "target": "TR", "shown": True}, where
        assert not [v for v in view["axe"] if v["impact"] in ("serious", "critical")], (where, view)
    assert {v["background"] for v in found if v["colorScheme"] == "light"} == {"rgb(255, 255, 255)"}
    assert {v["background"] for v in found if v["colorScheme"] == "dark"} == {"rgb(21, 24, 28)"}


def test_the_look_finds_what_is_wrong(tmp_path):
    """A page that is too wide, loads something, cannot be read, and runs nothing all the same."""
    text = page(("sound.bin", sample.sealed()))
    bad = tmp_path / "bad.html"
    bad.write_text(text.replace("<h1>", '<img src="x.png"><script>document.title="ran"</script>'
                                '<p style="width:4000px;color:#eee;background:#fff">faint</p><h1>')
                   .replace(":target", ":not-target"), "utf-8")
    found = looked_at("800", bad)
    assert all(v["wider"] > 0 and v["said"] for v in found)
    assert all({"image-alt", "color-contrast"} <= {a["id"] for a in v["axe"]} for v in found)
