# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The code follows the plan of the rooms, and the plan sees what does not."""

import pytest

from tools import ROOT, layers

MODULES = layers.files()
FOUND = layers.arrows(MODULES)


def test_no_arrow_leads_up():
    assert layers.upward(FOUND) == []


def test_no_circle():
    assert layers.circles(FOUND) == []


def test_every_room_is_in_the_plan_and_every_plan_is_a_room():
    rooms = {layers.room(m) for m in MODULES}
    assert rooms | {"tests"} == set(layers.RANK) == set(layers.WORDS)


@pytest.mark.parametrize("file,line,said", [
    ("efm3/scan.py", "import efm3", "efm3.scan:1 imports efm3: scan is on floor"),
    ("efm3/scan.py", "from efm3 import Engine", "efm3.scan:1 imports efm3: scan"),
    ("efm3/scan.py", "def f():\n    from efm3 import cli", "efm3.scan:2 imports efm3.cli: scan"),
    ("efm3/scan.py", "def f():\n    import_module('efm3.cli.new')", "imports efm3.cli.new: scan"),
    ("efm3/scan.py", "import tools.gen.spec", "efm3.scan:1 imports tools.gen.spec: scan"),
    ("efm3/rules/_stats.py", "from efm3 import validator", "imports efm3.validator: rules"),
    ("tools/bench/start.py", "from tools.evidence import fuzz", "imports tools.evidence.fuzz"),
    ("efm3/attic.py", "import efm3.scan", "attic has no floor"),
    ("efm3/scan.py", "from . import cli", "efm3.scan:1 imports efm3.cli: scan"),
    ("efm3/rules/values.py", "from ..cli import cli", ".values:1 imports efm3.cli: rules"),
    ("efm3/scan.py", "def f():\n    __import__('efm3.cli')", "imports efm3.cli: scan"),
    ("efm3/scan.py", "import importlib as i\ni.import_module('efm3')", "imports efm3: scan"),
    ("efm3/scan.py", "from efm3 import *", "efm3.scan:1 imports efm3: scan"),
    ("efm3/scan.py", "import efm3.format", "efm3.scan:1 imports efm3: scan"),
    ("efm3/scan.py", "import_module('.cli', 'efm3')", "imports efm3.cli: scan"),
    ("efm3/scan.py", "import_module(name='efm3.cli')", "imports efm3.cli: scan"),
    ("efm3/scan.py", "MAKER = 'efm3.reporting:schema'", "imports efm3.reporting: scan"),
    ("efm3/scan.py", "from tests import oracle", "efm3.scan:1 imports tests: scan"),
    ("efm3/scan.py", "if TYPE_CHECKING:\n    import efm3.engine", "imports efm3.engine: scan"),
])
def test_an_arrow_upwards_is_seen(tmp_path, file, line, said):
    """Planted at the top, inside a function, by name, in tools/, in a room without a floor."""
    found = layers.upward(layers.arrows(_planted(tmp_path, file, line)))
    assert any(said in x for x in found)


def test_imports_by_a_variable_are_listed():
    """They cannot be followed, so each is known: what they import is checked where it is named."""
    assert layers.unnamed(MODULES) == [
        "efm3.cli", "efm3.convert._tflite_child", "efm3.extras", "efm3.forms",
        "tools.mutants.python"]
    # A verb's package, LiteRT under either name, an outside library, FORMS' strings, the module
    # of a mutant.


@pytest.mark.parametrize("file,line,ring", [
    ("efm3/codes/__init__.py", "def f():\n    from efm3 import findings",
     {"efm3.codes", "efm3.findings"}),
    ("efm3/rules/_registry.py", "from efm3.rules import run",
     {"efm3.rules", "efm3.rules._registry"}),
])
def test_a_circle_is_seen(tmp_path, file, line, ring):
    found = layers.circles(layers.arrows(_planted(tmp_path, file, line)))
    assert any(ring <= set(x) for x in found)


def _planted(folder, file, line):
    """The modules, one of them with `line` at its top."""
    path = ROOT / file
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    (folder / "planted.py").write_text(f"{line}\n{old}", encoding="utf-8")
    name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return MODULES | {name: folder / "planted.py"}
