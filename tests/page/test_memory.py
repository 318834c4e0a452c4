# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Python's memory for the page; tests/page/page.test.mjs starts from it, and without it."""

import gzip
import json
import shutil
import subprocess

import pytest

from tools.page import in_node, memory, packed
from tools.page.build import PYODIDE

PROGRAM = """
import {{ readFileSync }} from 'node:fs';
const {{ loadPyodide }} = await import('{pyodide}/pyodide.mjs');
const {{ default: create }} = await import('{pyodide}/pyodide.asm.mjs');
const memory = new Uint8Array(readFileSync('{memory}'));
const createPyodideModule = async (how) => {{
  const machine = await create(how);
  machine.growMemory(memory.length);
  return machine;
}};
const how = {{ indexURL: '{pyodide}', _loadSnapshot: memory, createPyodideModule }};
const py = await loadPyodide(how);
py.runPython("import sys; left = set(sys.modules)");
const glue = py.pyimport('glue');
glue.begin('/files');
py.FS.writeFile('/files/a.bin', readFileSync('{weights}'));
glue.warm('a.bin');
console.log(py.runPython("import json; json.dumps(sorted(set(sys.modules) - left))"));
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "KEPT", tmp_path_factory.mktemp("kept"))
        archive = packed.archive(packed.members())
        data, size = memory.packed(PYODIDE, archive)
        patch.setattr(memory, "_made", lambda *_: pytest.fail("it is made again"))
        assert memory.packed(PYODIDE, archive) == (data, size)
        patch.setattr(memory, "_made", lambda *_: b"of other modules")
        assert memory.packed(PYODIDE, archive + b" ")[1] == 16
    return data, size


pytestmark = pytest.mark.skipif(bool(in_node.missing()), reason=in_node.missing() or "all is there")


def test_it_is_made_once_for_the_same_modules(made):
    data, size = made
    assert len(gzip.decompress(data)) == size > 2 ** 24 > len(data)


def test_a_start_from_it_has_all_that_the_verbs_import(made, tmp_path):
    (tmp_path / "memory").write_bytes(gzip.decompress(made[0]))
    program = tmp_path / "start.mjs"
    program.write_text(PROGRAM.format(pyodide=PYODIDE, memory=tmp_path / "memory",
                                      weights=memory.WEIGHTS), encoding="utf-8")
    said = subprocess.run([shutil.which("node"), program], capture_output=True, text=True,
                          timeout=600, check=True).stdout
    assert json.loads(said) == []
