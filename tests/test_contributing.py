# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING.md followed step by step on a copy of the project; the architecture's journeys.

Each `add_` changes only files that its steps name. All are done to one copy, which is generated
anew once; then each new thing has to work there.
"""

import fnmatch
import re
import shutil
import subprocess
import sys
from itertools import chain

import pytest

from tools import ROOT
from tools.gen import __main__ as gen
from tools.gen import architecture

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
JOURNEYS = (ROOT / architecture.PAGE).read_text(encoding="utf-8")
CC = shutil.which("cc")
HEAD = ("# SPDX-FileCopyrightText: 2026 EFM3 contributors\n"
        "# SPDX-License-Identifier: Apache-2.0\n")
ITEM = re.compile(r"^(\d)\. (.*(?:\n   .*)*)", re.MULTILINE)


def lists(text):
    """Every numbered list: its steps."""
    out = []
    for number, step in ITEM.findall(text):
        if number == "1":
            out.append([])
        assert int(number) == len(out[-1]) + 1
        out[-1].append(step)
    return out


def steps(title):
    """The lists below a heading of "How to add something"."""
    part = re.search(rf"^### {title}\n(.*?)(?=^##)", GUIDE, re.MULTILINE | re.DOTALL)
    return lists(part[1])


def named(found):
    """The files that steps name, with * for each word in capitals."""
    words = re.findall(r"`([\w./]+\.(?:py|c|h|def|md|toml|json))`", "\n".join(chain(*found)))
    return [re.sub(r"(?<![A-Za-z])[A-Z]{2,}(?=[./])(?!\.md)", "*", w) for w in words]


TITLES = ("A rule", "A code of another kind", "A kernel", "A converter", "A verb", "A case")


def test_each_guide_has_at_most_six_steps_and_ends_with_its_commands():
    assert re.findall(r"^### (.+)$", GUIDE, re.MULTILINE) == list(TITLES)
    for title in TITLES:
        for found in steps(title):
            assert 3 <= len(found) <= 6, title
            assert re.match(r"`make (gen|kernels)`", found[-1]) and "pytest" in found[-1], title


@pytest.mark.parametrize("title", TITLES)
def test_every_file_that_a_step_names_exists(title):
    files = named(steps(title))
    assert files
    for name in files:
        assert list(ROOT.glob(name)), name
    for name in re.findall(r"(?<=[ `])(?:tests|tools)/[\w./]+", "\n".join(chain(*steps(title)))):
        assert re.search("[A-Z]{2}", name) or (ROOT / name).exists(), name


def test_what_else_the_guide_names_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([\w-]+)`", GUIDE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for name in re.findall(r"`((?:tools|tests|efm3|engine|docs|\.ci)/[\w./]*)`", GUIDE):
        assert re.search("[A-Z]{2}", name) or (ROOT / name).exists(), name
    for page in (GUIDE, JOURNEYS):
        for link in re.findall(r"\]\(([^)#]+)", page):
            folder = ROOT if page is GUIDE else ROOT / "docs"
            assert (folder / link).exists(), link


class Tree:
    """A copy of the project, which remembers what was changed under which title."""

    def __init__(self, root):
        self.root, self.title, self.touched = root, "", {}

    def write(self, name, text):
        self.touched.setdefault(self.title, set()).add(name)
        (self.root / name).write_text(text, encoding="utf-8")

    def replace(self, name, old, new):
        text = (self.root / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        self.write(name, text.replace(old, new))

    def run(self, *words, code=0):
        done = subprocess.run([sys.executable, *map(str, words)], cwd=self.root, text=True,
                              capture_output=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def efm3(self, *words, code=0):
        return self.run("-m", "efm3", *words, code=code)


def add_rule(t):
    t.replace("efm3/codes/portability.py", "such an engine\"),\n)", """such an engine"),
    ("P010", "info", "structure", "round_embedding",
     "The embedding has 500 components.",
     "People take it for a typing error.",
     "use 512"),
)""")
    path = t.root / "efm3/rules/portability.py"
    t.write("efm3/rules/portability.py", path.read_text(encoding="utf-8") + '''

@rule("P010")
def round_embedding(ctx: Context) -> F:
    if ctx.scan.arch and ctx.scan.arch.embedding_dim == 500:
        yield ctx.field("arch.embedding_dim", "500 components", expected="512")
''')
    t.replace("spec/EFM3.md", '- <a id="p008"></a>',
              '- <a id="p010"></a>**P010** It is RECOMMENDED that `embedding_dim` is not 500.\n'
              '- <a id="p008"></a>')
    t.write("spec/cases/valid/valid-embedding-500.toml", HEAD + """about = "an embedding of 500"
tests = ["P010"]
base = "arch"
findings = [{ code = "P010", offset = 18, length = 2 }]

[arch]
name = "edge"
width_mult = 1.0
stem_channels = 8
block_channels = 8
final_channels = 8
embedding_dim = 500
stages = [[2, 2, 2], [2, 2, 2]]
gdc_kernel = 14
""")
    t.replace("spec/cases/valid/valid-sealed.toml", '"P008", ', '"P008", "P010", ')
    t.replace("CHANGELOG.md", "P001–P009", "P001–P010")


def add_code(t):
    t.replace("efm3/codes/convert.py", "ROWS = (", """ROWS = (
    ("X099", "error", "", "odd",
     "The archive is called odd.",
     "Nobody would look for it.",
     "give it another name"),""")
    t.replace("efm3/convert/npz.py", "    found: dict[str, Any] = {}\n", '''\
    if path.endswith("odd.npz"):
        refuse("X099", f"{path} is called odd", path)
    found: dict[str, Any] = {}
''')
    text = (t.root / "tests/convert/test_npz.py").read_text(encoding="utf-8")
    t.write("tests/convert/test_npz.py", text + '''

def test_odd():
    with pytest.raises(efm3.Efm3Error, match="X099"):
        read("odd.npz", format="npz")
''')
    t.replace("CHANGELOG.md", "codes X001–X019", "codes X001–X019 and X099")


def add_kernel(t):
    t.replace("engine/src/isa.def", "ROW(scalar, 0)", "ROW(twin, 0)\nROW(scalar, 0)")
    text = (t.root / "engine/src/kernels/scalar.c").read_text(encoding="utf-8")
    slots = [".fc_panel = panel__scalar,", ".dw3 = f32_dw3__scalar,"]
    assert all(s in text for s in slots)
    text = text.replace("__scalar", "__twin").replace("SCALAR_", "TWIN_")
    body, table = text.split("const MfnKernels")
    # A slot that is left empty comes from the next row.
    table = table.replace("    .gdc = f32_gdc__twin,\n", "")
    body = re.sub(r"static void f32_gdc__twin.*?\n}\n", "", body, flags=re.DOTALL)
    t.write("engine/src/kernels/twin.c", body + "const MfnKernels" + table)


def add_format(t):
    t.replace("efm3/convert/formats.py", '    Format("c_array",',
              '    Format("hexed", (".hexed",), "Hexadecimal text",\n'
              '           "an EFM3 file in digits", "the same"),\n    Format("c_array",')
    t.write("efm3/convert/hexed.py", HEAD + '''"""EFM3 files as hexadecimal digits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from efm3.convert._base import Source, Wanted
from efm3.convert.bin import same_shape
from efm3.model import Model, load


def read(path: str, wanted: Wanted) -> Source:
    """The file of these digits."""
    model = load(bytes.fromhex(Path(path).read_text(encoding="ascii")))
    same_shape(model, wanted.arch, path)
    return Source(model=model)


def parts(model: Model, path: str, fold: bool) -> Iterator[bytes]:
    """The digits, in pieces."""
    yield from (part.hex().encode() for part in model.parts())
''')
    t.write("tests/convert/test_hexed.py", HEAD + '''"""Hexadecimal text, there and back."""

from efm3 import convert, load


def test_there_and_back(vector, tmp_path):
    convert.write(load(vector), tmp_path / "a.hexed")
    convert.write(convert.read(tmp_path / "a.hexed"), tmp_path / "b.bin")
    assert (tmp_path / "b.bin").read_bytes() == vector.read_bytes()
''')


def add_verb(t):
    t.replace("efm3/cli/__init__.py", '    "seal": ', '    "hello": "greet",\n    "seal": ')
    t.write("efm3/cli/hello.py", HEAD + '''"""`efm3 hello`: greet."""

from __future__ import annotations

import click


@click.command("hello")
def command() -> None:
    """Greet.

    \\b
    efm3 hello

    Exit codes: 0 greeted, 2 usage.
    """
    click.echo("hello, world")
''')
    t.write("tests/cli/test_hello.py", HEAD + '''"""`efm3 hello`: a greeting."""


def test_hello(cli):
    assert cli("hello").stdout == "hello, world\\n" and cli("hello", "x").exit_code == 2
''')
    t.replace("docs/tour.md", "efm3 seal mine.bin", "efm3 hello\nefm3 seal mine.bin")
    t.replace("CHANGELOG.md", "`new`, `seal`.", "`new`, `seal`, `hello`.")


def add_case(t):
    t.write("spec/cases/invalid/bad-stem-kernel-6.toml", HEAD + '''about = "a stem kernel of 6"
tests = ["H004"]
status = "E_HEADER"
patch = [{ op = "field", path = "arch.stem_kernel", value = 6 }]
findings = [{ code = "H004", offset = 10, length = 1 }]
''')


ADDED = dict(zip(TITLES, (add_rule, add_code, add_kernel, add_format, add_verb, add_case),
                 strict=True))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The copy with everything added; `made` are the files that `make gen` wrote."""
    root = tmp_path_factory.mktemp("copy") / "efm3"
    ignore = shutil.ignore_patterns("__pycache__", "*.so", "corpus.zip")
    for name in ("efm3", "engine", "spec", "tools", "docs", "examples"):
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    shutil.copytree(ROOT / "tests", root / "tests", ignore=ignore)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, root / path.name)
    for path in (ROOT / "weights").iterdir():
        (root / "weights").mkdir(exist_ok=True)
        # What is generated is written anew and so no link.
        (_link if path.suffix == ".bin" else shutil.copy)(path, root / "weights" / path.name)
    for path in (ROOT / "efm3").glob("*.so"):
        _link(path, root / "efm3" / path.name)
    t = Tree(root)
    for title, add in ADDED.items():
        t.title = title
        add(t)
    t.made = [line.split(":")[0] for line in t.run("-m", "tools.gen").splitlines()]
    return t


def _link(source, target):
    target.symlink_to(source)


@pytest.mark.parametrize("title", TITLES)
def test_only_named_files_were_changed(tree, title):
    allowed = named(steps(title))
    for name in tree.touched[title]:
        assert any(fnmatch.fnmatchcase(name, a) for a in allowed), name
    assert not any(fnmatch.fnmatchcase("efm3/scan.py", a) for a in allowed)


def test_generating_again_changes_nothing(tree):
    own = {"docs/man/efm3-hello.1"}  # of the verb that was added
    assert own < set(tree.made) <= {*gen.OUTPUTS, *own} and "spec/rules.md" in tree.made
    assert tree.run("-m", "tools.gen", "--check") == ""


def test_a_rule(tree, tmp_path):
    assert "use 512" in tree.efm3("explain", "P010")
    tree.run("-c", f"""
from efm3.conformance.examples import example
open({str(tmp_path / "a.bin")!r}, "wb").write(example("P010")[1])""")
    assert "P010" in tree.efm3("validate", tmp_path / "a.bin")


def test_a_code(tree):
    assert "give it another name" in tree.efm3("explain", "x099")
    assert "| X099 |" in (tree.root / "docs/converters.md").read_text(encoding="utf-8")


@pytest.mark.skipif(CC is None, reason="no C compiler")
def test_a_kernel(tree, tmp_path):
    engine = tree.root / "engine"
    sources = [engine / "tests/check_kernels.c", engine / "src/dispatch.c", engine / "src/cpu.c",
               engine / "src/pack_int.c", engine / "src/platform_machine.c",
               *(engine / "src/kernels").glob("*.c")]
    # Without vector instructions, which take the compiler seconds and say nothing here.
    subprocess.run([CC, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-DMFN_NO_SIMD", "-I",
                    engine / "include", "-o", tmp_path / "check", *sources, "-lm"], check=True)
    done = subprocess.run([tmp_path / "check", "--few"], capture_output=True, text=True,
                          check=True)
    slots = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("twin ")]
    assert slots == ["gemm", "fc", "dw3", "gdc", "widen", "u8", "pixel", "stem",
                     "i8-q", "i8", "i16-q", "i16"]


def test_a_converter(tree, tmp_path):
    vector = ROOT / "spec/vectors/odd_a.bin"
    tree.efm3("convert", vector, tmp_path / "a.hexed")
    tree.efm3("convert", tmp_path / "a.hexed", tmp_path / "b.bin", "--no-verify")
    assert (tmp_path / "b.bin").read_bytes() == vector.read_bytes()
    assert "Hexadecimal text" in (tree.root / "docs/converters.md").read_text(encoding="utf-8")


def test_a_verb(tree):
    assert tree.efm3("hello") == "hello, world\n"
    assert re.search("^ +hello +greet$", tree.efm3("--help"), re.MULTILINE)


def test_a_case(tree):
    case = "bad-stem-kernel-6"
    assert "a stem kernel of 6" in tree.efm3("conformance", "list", case)
    done = tree.efm3("conformance", "run", "--reader", "@python", "--select", case)
    assert done.startswith("1 pass\n") and "conforms" in done


def test_the_projects_own_tests_take_what_was_added(tree):
    registry = "tests/convert/test_registry.py::test_"
    tree.run("-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "tests/rules/test_rules.py",
             "tests/test_codes.py", "tests/test_spec.py", "tests/convert/test_npz.py::test_odd",
             "tests/test_layers.py::test_no_arrow_leads_up", "tests/test_layers.py::test_no_circle",
             f"{registry}every_format_is_a_file_with_a_test_and_every_file_a_format",
             f"{registry}a_module_has_what_its_row_says",
             f"{registry}docs_have_every_format_and_code",
             "tests/convert/test_hexed.py", "tests/cli/test_hello.py",
             "tests/conformance/test_cases.py",
             "tests/test_repo.py::test_every_source_file_has_its_test_twin",
             "tests/test_conformance.py::test_findings_are_the_expected_ones")


def journeys():
    """(step, its paths, its names) of every numbered list of the architecture's page."""
    for step in chain(*lists(JOURNEYS)):
        words = re.findall(r"`([^`]+)`", step)
        yield step, [w for w in words if "/" in w], [w for w in words if "/" not in w]


def defined(name, path, text):
    """Whether the file defines a function, a class, a method or a variable of that name."""
    *outer, last = name.split(".")
    if path.suffix in (".c", ".h"):
        return re.search(rf"^[\w *]*\b{last}\([^;]*{{$", text, re.MULTILINE) is not None
    found = re.search(rf"^{'    ' if outer else ''}(def|class) {last}\b|^{last}\b.* = ", text,
                      re.MULTILINE)
    return found is not None and all(f"\nclass {o}" in text for o in outer)


def test_every_path_and_function_of_the_journeys_exists():
    seen = 0
    for step, paths, names in journeys():
        for path in paths:
            assert (ROOT / path).exists(), path
        files = [ROOT / p for p in paths if (ROOT / p).is_file()]
        for name in (n for n in names if not n.startswith("efm3")):
            assert any(defined(name, p, p.read_text(encoding="utf-8")) for p in files), (name, step)
            seen += 1
    assert seen > 60 and len(lists(JOURNEYS)) == 5


@pytest.mark.parametrize("name,file,there", [
    ("scan", "efm3/scan.py", True), ("scam", "efm3/scan.py", False),
    ("Model.parts", "efm3/model.py", True), ("Tensors.load", "efm3/model.py", False),
    ("mfn_image_verify", "engine/src/loader.c", True),
    ("mfn_image_verify", "engine/src/loader.h", False)])
def test_a_name_that_is_not_there_is_seen(name, file, there):
    assert defined(name, ROOT / file, (ROOT / file).read_text(encoding="utf-8")) == there


def test_the_rooms_page_is_the_plan():
    known = architecture.imports()
    few = architecture.direct(known)
    assert "source" in known["validator"] and "source" not in few["validator"]
    assert few["validator"] == ["rules", "reading"] and known["codes"] == []
    table, picture = list(architecture.rooms()), list(architecture.picture())
    assert any("| `efm3/rules/` | the checks of a file |" in line for line in table)
    assert "  r_rules --> r_arrays & r_sniff & r_mirror & r_scan" in picture
    assert not any("tools" in line for line in picture)
