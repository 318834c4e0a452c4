# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The house in order: generated files, arrows, sizes, twins, the README's commands."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import efm3
from efm3 import shipped
from tools.gen import __main__ as gen

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "efm3").rglob("*.py"))

def room(path):
    return path.relative_to(ROOT / "efm3").with_suffix("").parts[0]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            base = node.module
            yield from [f"efm3.{a.name}" for a in node.names] if base == "efm3" else [base]
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names)


@pytest.mark.parametrize("library,allowed", [
    ("construct", {"efm3/format.py"}), ("jsonschema", {"efm3/mirror.py"}),
])
def test_only_importer(library, allowed):
    users = {str(p.relative_to(ROOT)) for p in SOURCES
             if any(n.split(".")[0] == library for n in imports(p))}
    assert users == allowed


def test_rich_and_click_stay_in_the_command():
    for path in SOURCES:
        taken = {n.split(".")[0] for n in imports(path)}
        if room(path) != "cli":
            assert "click" not in taken, path
            # A run of hours shows its progress, in a terminal alone.
            assert "rich" not in taken or path.name == "logs.py", path


def modules_after(code):
    done = subprocess.run([sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"],
                          capture_output=True, text=True, check=True, cwd=ROOT)
    return {m.split(".")[0] for m in done.stdout.split()}


def test_import_is_light():
    heavy = {"rich", "click", "jsonschema", "torch", "onnx", "numpy", "construct", "cffi", "ast"}
    assert not modules_after("import efm3") & heavy


def test_inspect_and_structure_need_no_numpy():
    loaded = modules_after("import efm3; efm3.validate('spec/vectors/nano.bin', 'coherence')")
    assert not loaded & {"numpy", "jsonschema", "rich", "click"}


def test_public_names_exist():
    code = ("import efm3; names = [efm3.reference.forward, efm3.convert.convert, efm3.codes.CODES, "
            "efm3.verification.verify, efm3.untrained.dumps, efm3.evaluation.evaluate]; "
            "assert all(hasattr(efm3, n) and n in dir(efm3) for n in efm3.__all__)")
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError):
        _ = efm3.nothing


def test_modules_that_pages_name_are_reachable():
    """`import efm3` and then efm3.photos: no import of its own is needed for what a page names."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("spec/*.md")]
    words = {w for p in pages for w in re.findall(r"\befm3\.([a-z]\w*)", p.read_text("utf-8"))}
    named = sorted(w for w in words
                   if (ROOT / "efm3" / w).is_dir() or (ROOT / f"efm3/{w}.py").is_file())
    assert {"reference", "photos", "bulk"} <= {*named} <= {*efm3.__all__, "version"}


def test_generated_files_are_fresh():
    for name, make in gen.OUTPUTS.items():
        assert (ROOT / name).read_text(encoding="utf-8") == make(), f"make gen: {name}"


def tracked():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True,
                           check=False).stdout.split("\0")
    if names == [""]:
        pytest.skip("not a git checkout")
    return [ROOT / n for n in names if n and (ROOT / n).is_file()]


CODE = {".py", ".c", ".h", ".def", ".sh", ".rs", ".js", ".go", ".java", ".kt", ".cs"}


def test_source_files_are_short_and_licensed():
    for path in tracked():
        if path.suffix in CODE:
            lines = path.read_text(encoding="utf-8").splitlines()
            assert len(lines) <= 500, path
            head = "\n".join(lines[:4])
            assert "SPDX-FileCopyrightText: 2026 EFM3 contributors" in head, path
            assert "SPDX-License-Identifier: Apache-2.0" in head, path


ADDED = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "efm3/")
"""What setuptools packs without being asked."""
NOT_PACKED = {}
"""Files that the sdist does not hold, each with the reason."""


def test_every_file_is_in_the_sdist():
    """By MANIFEST.in; the release's check `contents` reads the sdist itself."""
    grafted, included = [], []
    for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines():
        word, *rest = line.split()
        assert word in ("graft", "include", "global-exclude"), line
        grafted += [f"{name}/" for name in rest if word == "graft"]
        included += rest if word == "include" else []
        if word == "global-exclude":
            assert set(rest) == {"*.py[cod]", "*.so", "*.o"}  # no file of ours is any of these
    names = {p.relative_to(ROOT).as_posix() for p in tracked()}
    packed = {n for n in names if n.startswith((*ADDED, *grafted)) or n in included}
    assert names - packed == set(NOT_PACKED)
    assert not [n for n in names if re.search(r"\.(py[cod]|so|o)$", n)]


def test_every_package_is_in_the_wheel():
    text = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"^packages = \[(.*?)\]", text, re.M | re.S)[1]
    listed = set(re.findall(r'"(efm3[\w.]*)"', listed))
    made = {".".join(p.parent.relative_to(ROOT).parts) for p in SOURCES if p.name == "__init__.py"}
    assert listed - {"efm3.spec", "efm3.weights", "efm3.examples"} == made


def test_every_source_file_has_its_test_twin():
    def twin(path):
        parts = path.relative_to(ROOT / "efm3").with_suffix("").parts
        if parts[0] == "codes":
            return ROOT / "tests/test_codes.py"
        if parts[0] == "rules":
            return ROOT / "tests/rules/test_rules.py"
        if parts[:2] == ("conformance", "scaffolds"):
            return ROOT / "tests/conformance/test_scaffold.py"
        return ROOT.joinpath("tests", *parts[:-1], f"test_{parts[-1]}.py")
    covered_elsewhere = {"sample": "test_bad_input", "examples": "rules/test_rules",
                         "findings": "test_reporting", "home": "conformance/test_cases",
                         "version": "test_engine_c", "arrays": "test_model",
                         "formats": "convert/test_registry"}
    for path in SOURCES:
        if path.stem.startswith("_"):
            continue
        other = covered_elsewhere.get(path.stem)
        assert (ROOT / f"tests/{other}.py" if other else twin(path)).is_file(), path


IN_ORDER = ("README.md", "docs/tour.md", "docs/python.md")
"""Pages whose commands stand as they are, one after the other, in a folder that is empty."""


def blocks(language, pages=IN_ORDER):
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in pages)
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_readme_starts_with_the_two_commands():
    commands = [line for block in blocks("sh", ["README.md"])
                for line in block.splitlines()]
    assert commands[:2] == ["make demo", "make test"]
    for target in ("demo", "test"):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_readme_python_runs(tmp_path, monkeypatch):
    shipped.copy(tmp_path)
    monkeypatch.chdir(tmp_path)
    code = blocks("python")
    assert code
    for block in code:
        exec(compile(block, "page", "exec"), {})


def test_readme_links_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (ROOT / link).exists(), link
