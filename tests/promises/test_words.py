# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Words of SECURITY.md that are about all of the source: what it never calls."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "efm3").rglob("*.py"))
RUNS = re.compile(r"\b(system|popen|exec[lv]p?e?|fexecve|posix_spawnp?|v?fork|dlopen|dlmopen|"
                  r"CreateProcess[AW]?|LoadLibrary\w*|socket|connect|_?w?fopen|freopen|openat2?|creat|mmap|shm_open)\s*\(")
EXECUTES = {"eval", "exec", "__import__", "pickle.load", "pickle.loads", "pickle.Unpickler",
            "marshal.load", "marshal.loads", "shelve.open", "runpy.run_path", "os.system",
            "os.popen", "numpy.load", "joblib.load", "yaml.load", "dill.load", "dill.loads"}

# Each name ends in one of these words, whatever it was imported as: the other files are not parsed.
MAY = re.compile(r"\b(" + "|".join(sorted({n.rpartition(".")[2] for n in EXECUTES})) + r")\b")


def without_comments(path):
    return re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"", "", path.read_text(encoding="utf-8"),
                  flags=re.DOTALL)


def test_the_engine_opens_in_one_place_and_starts_nothing():
    opened = []
    # The command's, which reads pictures: the engine itself never calls it.
    stream = "FILE *mfn_os_stream(const char *path)"
    for path in sorted((ROOT / "engine" / "src").rglob("*.[ch]")):
        text = without_comments(path)
        if path.name.startswith("platform"):
            text = re.sub(re.escape(stream) + r"( \{[^}]*\}|;)", "", text)
        assert "mfn_os_stream" not in text, path.name
        assert not RUNS.search(text), (path.name, RUNS.search(text)[0])
        opened += [(path.name, line.strip()) for line in text.splitlines()
                   if re.search(r"\bopen\s*\(", line)]
    assert [name for name, _ in opened] == ["platform_file.c"]
    assert "O_RDONLY" in opened[0][1] and not re.search("O_(WR|RDWR|CREAT|TRUNC)", opened[0][1])


def called(tree):
    """Each call with the whole name of what is called, by the module's own imports."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name.split(".")[0]: a.name if a.asname else
                      a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            first, _, rest = ast.unparse(node.func).partition(".")
            whole = names.get(first, first)
            yield f"{whole}.{rest}" if rest else whole, node


def is_wrong(name, node):
    """True for a call that this page says is not there."""
    own = {k.arg: ast.unparse(k.value) for k in node.keywords}
    if name == "torch.load":
        return own.get("weights_only") != "True"
    return name in EXECUTES and not (name == "numpy.load" and own.get("allow_pickle") == "False")


@pytest.fixture(scope="module")
def calls():
    """(file, the whole name of what is called, the call) of all of the package."""
    return [(p.name, *call) for p in SOURCES
            if MAY.search(text := p.read_text(encoding="utf-8"))
            for call in called(ast.parse(text))]


def test_nothing_executes_what_a_file_holds(calls):
    assert len(calls) > 1000 and [c[:2] for c in calls if is_wrong(*c[1:])] == []


def test_torch_loads_weights_only(calls):
    """Every call of torch.load in the package; there are some."""
    loads = [c for c in calls if c[1] == "torch.load"]
    assert loads and not any(is_wrong(*c[1:]) for c in loads)


@pytest.mark.parametrize("text", [
    "import pickle\npickle.loads(b'')", "from pickle import loads as l\nl(b'')", "eval('1')",
    "import numpy as np\nnp.load('x')", "import numpy as np\nnp.load('x', allow_pickle=True)",
    "import torch\ntorch.load('x')", "import torch as t\nt.load('x', weights_only=False)",
    "def f():\n    from os import system\n    system('x')"])
def test_what_is_planted_is_seen(text):
    assert [is_wrong(*c) for c in called(ast.parse(text))] == [True]
