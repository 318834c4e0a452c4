# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""action.yml and .pre-commit-hooks.yaml: their commands run, as far as that goes without their
services; docs/ci.md: every command and setting in it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest

from efm3 import settings
from efm3.cli.validate import command as validate
from efm3.conformance import sample
from efm3.conformance.examples import example

ROOT = Path(__file__).resolve().parent.parent
ACTION = (ROOT / "action.yml").read_text(encoding="utf-8")
HOOKS = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
BASH = shutil.which("bash")


def scripts():
    """The text of each step that the shell runs."""
    return [textwrap.dedent(text) for text in
            re.findall(r"^      run: \|\n((?: {8}.*\n|\n)+)", ACTION, re.MULTILINE)]


def block(language, starts=""):
    """The blocks of the page in a language."""
    return [b for b in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
            if b.startswith(starts)]


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """A folder with files, and a function that runs the action there: a python that only notes what
    it should install, and the efm3 of these sources."""
    if BASH is None:
        pytest.skip("bash is not there")
    monkeypatch.chdir(tmp_path)
    Path("a b.bin").write_bytes(sample.sealed())
    Path("bad.bin").write_bytes(example("M022")[1])
    fake, temp = tmp_path / "fake", tmp_path / "temp"
    fake.mkdir()
    made = temp / "efm3/bin"
    (fake / "python").write_text(f"#!{BASH}\nmkdir -p {made}\ncp {fake}/python {made}/python\n"
                                 f"printf '#!{BASH}\\nPYTHONPATH={ROOT} exec {sys.executable} -m "
                                 f"efm3 \"$@\"\\n' >{made}/efm3\nchmod +x {made}/*\n"
                                 f"echo \"$*\" >>{tmp_path}/log\n")
    (fake / "python").chmod(0o755)

    def run(**inputs):
        inputs = {"paths": ".", "options": "", "sarif": "efm3.sarif"} | inputs
        env = os.environ | {f"EFM3_{k.upper()}": v for k, v in inputs.items()} | {
            "RUNNER_TEMP": str(temp), "GITHUB_ACTION_PATH": "/the/action", "GITHUB_OUTPUT": "out",
            "PATH": f"{fake}:{os.environ['PATH']}"}
        Path("out").write_text("")
        for text in scripts():
            done = subprocess.run([BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
                                  env=env, capture_output=True, text=True, check=False)
        return done, dict(line.split("=", 1) for line in Path("out").read_text().splitlines())
    return run


def test_the_action(runner):
    assert len(scripts()) == 2
    done, out = runner()
    assert done.returncode == 1 and out == {"exit-code": "1", "sarif": "efm3.sarif"}
    assert re.search(r"^::error file=bad\.bin,title=M022::", done.stdout, re.MULTILINE)
    found = json.loads(Path("efm3.sarif").read_text())["runs"][0]["results"]
    assert {"M022"} <= {r["ruleId"] for r in found}
    log = Path("log").read_text()
    assert f"-m venv {os.environ.get('RUNNER_TEMP', '')}" in log and "/the/action" in log


def test_inputs_of_the_action(runner):
    done, out = runner(paths="a b.bin\n\n", options="--level\nstructure\n", sarif="")
    assert done.returncode == 0 and out == {"exit-code": "0"} and not list(Path().glob("*.sarif"))
    done, out = runner(paths="-q\n$(touch x)\n`touch x`\n; touch x", options="--fail-on=never",
                       sarif="s.sarif\nexit-code=0")
    assert done.returncode == 3 and out == {"exit-code": "3", "sarif": "s.sarif"}
    assert not Path("x").exists()
    done, out = runner(sarif="s.sarif", options="--nonsense")
    assert out == {"exit-code": "2"} and not Path("s.sarif").exists()  # the one of before
    done, out = runner(sarif="bad.bin")
    assert done.returncode == 2 and out == {} and "must end in .sarif" in done.stdout


def test_the_action_names_actions_by_commit_and_takes_no_text_into_a_script():
    for words in re.findall(r"uses: (.*)", ACTION):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", words), words
    assert not any("${{" in text for text in scripts())
    inputs = re.findall(r"^  ([\w-]+):$", ACTION.partition("inputs:\n")[2].partition("outputs:")[0],
                        re.MULTILINE)
    assert inputs == ["paths", "options", "sarif", "python-version"]
    for name in inputs:
        assert f"${{{{ inputs.{name} }}}}" in ACTION


def test_the_hook(cli, tmp_path):
    entry = re.search(r"^  entry: (.*)", HOOKS, re.MULTILINE)[1]
    taken = re.compile(re.search(r"^  files: (.*)", HOOKS, re.MULTILINE)[1])
    assert taken.search("a/b.bin") and taken.search("b.efm3") and not taken.search("a.binary")
    left = re.compile(re.search(r"^  exclude: (\S*)", HOOKS, re.MULTILINE)[1])
    assert left.search("--output-file=x.bin") and not left.search("a/-x.bin")
    (tmp_path / "bad.bin").write_bytes(example("M022")[1])
    program, *words = entry.split()
    assert program == "efm3"
    assert cli(*words, tmp_path / "bad.bin").exit_code == 1
    assert cli(*words, "--fail-on=never", tmp_path / "bad.bin").exit_code == 0


def linter(name):
    program = shutil.which(name) or shutil.which(name, path=Path(sys.executable).parent)
    if program is None:
        pytest.skip(f"{name} is not installed (tools/release/requirements.txt names it)")
    return program


def test_pre_commit_reads_the_hook():
    done = subprocess.run([linter("pre-commit"), "validate-manifest", ".pre-commit-hooks.yaml"],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("planted", ["", "pathes"])
def test_a_workflow_that_uses_the_action(tmp_path, planted):
    """The page's, with the action beside it, so that actionlint reads its inputs too."""
    shutil.copy(ROOT / "action.yml", tmp_path)
    text, = block("yaml", "name: weights")
    assert "OWNER/efm3@main" in text
    text = text.replace("OWNER/efm3@main", "./").replace("paths: |", f"{planted or 'paths'}: |")
    path = tmp_path / ".github/workflows/weights.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    done = subprocess.run([linter("actionlint"), path], cwd=tmp_path, capture_output=True,
                          text=True, check=False)
    assert bool(done.returncode) == bool(planted) and planted in done.stdout, done.stdout


def test_zizmor_finds_nothing_in_the_action():
    done = subprocess.run([linter("zizmor"), "--offline", "--no-progress", "action.yml"], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def page_commands():
    """Every efm3 command of the page's shell, GitLab and make blocks."""
    lines = "".join(block("sh") + block("make") + block("yaml", "validate:")).splitlines()
    return [shlex.split(m[1], comments=True) for line in lines
            if (m := re.match(r"\s*(?:- )?(efm3 .*)", line))]


def test_commands_of_the_page(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/a.bin").write_bytes(sample.sealed())
    assert len(page_commands()) >= 7
    for _, *words in page_commands():
        done = cli(*words)
        assert done.exit_code == 0, (words, done.output)
        for word in words[words.index("--output-file"):] if "--output-file" in words else ():
            assert word.startswith("-") or Path(word).is_file()


def test_settings_of_the_page(tmp_path):
    text, = block("toml")
    (tmp_path / "efm3.toml").write_text(text)
    found = settings.read(str(tmp_path / "efm3.toml"))
    assert set(found.given) == set(settings.KEYS)
    for name, key in settings.KEYS.items():
        if isinstance(key.default, str):
            assert f"{key.default} (default)" in re.search(rf"^{name} .*", text, re.MULTILINE)[0]


def test_forms_of_the_page():
    form = next(p for p in validate.params if isinstance(p, click.Option) and p.name == "form")
    rows = "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))
    assert set(form.type.choices) - {"text"} == set(re.findall(r"`(\w+)`", rows))


def test_options_of_recipes_are_there(cli, tmp_path):
    (tmp_path / "a.bin").write_bytes(sample.sealed())
    words = re.findall(r"--[a-z-]+=\w+", PAGE)
    assert words and all(cli("validate", tmp_path / "a.bin", w).exit_code == 0 for w in words)
