# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What must hold so that the project runs on other systems than the one of its tests, and the place
that skips a test where the system has not what the test itself asks for."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import conftest, systems
from tools.layers import files

ROOT = Path(__file__).resolve().parent.parent
READS = {"read_text", "write_text", "open", "fdopen", "TextIOWrapper", "run", "Popen",
         "check_output", "NamedTemporaryFile", "TemporaryFile"}
PYTHON = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in files().items()
          if name.split(".")[0] == "efm3"}


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def mode_of(node, name):
    """A call's mode where it is written there, "" where it is not."""
    given = {k.arg: k.value for k in node.keywords}
    at = 0 if re.search(r"[a-z]\.open$", name) and not name.startswith(("io.", "os.")) else 1
    value = given.get("mode", node.args[at] if len(node.args) > at else ast.Constant("r"))
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def implicit(tree):
    """(line, what is not stated) of each call that reads or writes text."""
    for node, name in calls(tree):
        last = name.rpartition(".")[2]
        given = {k.arg for k in node.keywords}
        if last not in READS or None in given:
            continue
        if last in ("run", "Popen", "check_output"):
            if given & {"text", "universal_newlines"} and "encoding" not in given:
                yield node.lineno, "encoding"
            continue
        if last == "read_text":
            stated = "encoding" in given or bool(node.args)
            if not stated:
                yield node.lineno, "encoding"
            continue
        if last in ("open", "fdopen"):
            if name not in ("open", "io.open", "os.fdopen") and not name.endswith("path.open"):
                continue
            mode = mode_of(node, name)
            if "b" in mode or not mode:
                continue
            writes = bool(set("wax+") & set(mode))
        elif last in ("NamedTemporaryFile", "TemporaryFile"):
            mode = next((k.value.value for k in node.keywords if k.arg == "mode"), "w+b")
            if "b" in mode:
                continue
            writes = True
        else:
            writes = last == "write_text" or len(node.args) < 2
        if "encoding" not in given and not (last == "TextIOWrapper" and len(node.args) > 1):
            yield node.lineno, "encoding"
        if writes and "newline" not in given:
            yield node.lineno, "newline"


def test_no_encoding_and_no_newline_is_left_to_the_system():
    assert [f"{m}:{line} {what}" for m, tree in PYTHON.items() for line, what in implicit(tree)
            if (m, what) not in ALLOWED] == []


ALLOWED = {
    ("efm3.__main__", "newline"),  # standard error and a closed stream have the system's
}


@pytest.mark.parametrize("code,want", [
    ("open(p)", ["encoding"]), ("open(p, 'rb')", []), ("open(p, 'w', encoding='x')", ["newline"]),
    ("p.write_text(t)", ["encoding", "newline"]), ("p.read_text('utf-8')", []),
    ("path.open('x', newline='')", ["encoding"]), ("subprocess.run(w, text=True)", ["encoding"]),
    ("table.open(p)", []), ("io.TextIOWrapper(f)", ["encoding", "newline"]),
    ("tempfile.NamedTemporaryFile('w')", []), ("subprocess.run(w)", [])])
def test_what_is_left_out_is_seen(code, want):
    assert [what for _, what in implicit(ast.parse(code))] == want


def test_no_system_is_asked_for_by_another_name():
    """sys.platform, and whether a call is there: the simulated Windows changes these alone."""
    asked = [f"{m}: {name}" for m, tree in PYTHON.items() for _, name in calls(tree)
             if name in ("platform.system", "os.uname", "platform.uname")]
    asked += [f"{m}: os.name" for m, tree in PYTHON.items() for n in ast.walk(tree)
              if isinstance(n, ast.Attribute) and ast.unparse(n) == "os.name"]
    assert asked == []


def test_every_file_can_be_there_on_windows_and_where_case_is_none():
    """Names that Windows refuses, and two that differ in case alone, cannot be checked out."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=False)
    names = [os.fsdecode(n) for n in listed.stdout.split(b"\0") if n]
    if not names:
        pytest.skip("this is no checkout")
    for name in names:
        assert all(windows_has(part) for part in name.split("/")), name
        assert len(name) < 200, name
    assert len({n.lower() for n in names}) == len(names)


def windows_has(name):
    from tests.windows.files import checked

    return checked(name)


@pytest.mark.parametrize("name,there", [
    ("a.bin", True), ("nul", False), ("NUL.txt", False), ("com1.bin", False), ("a b", True),
    ("a:b", False), ("a.", False), ("a ", False), ("what?", False), (".a", True), ("a\n", False)])
def test_names_on_windows(name, there):
    assert windows_has(name) == there


def stopped(code, where):
    """What `lacking` says of an error that this code raises, as it stood in that file."""
    names = {}
    try:
        exec(compile(code, str(ROOT / where), "exec"), names)
    except Exception as e:
        return systems.lacking(e)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("code,said", [
    ("import os; os.mkfifo2", None), ("raise AttributeError(\"module 'os' has no attribute "
     "'mkfifo'\")", "Windows has no mkfifo"),
    ("raise ImportError('x', name='fcntl')", "Windows has no fcntl"),
    ("raise ImportError('x', name='efm3')", None),
    ("raise ValueError('preexec_fn is not supported on Windows platforms')", "on Windows: pree"),
    ("raise ValueError('other')", None), ("raise OSError(22, 'x', '/a/b\\n')", "have this name"),
    ("raise OSError(22, 'x', '/a/b')", None), ("e = OSError(22, 'x'); e.winerror = 1314; raise e",
                                              "need a privilege")])
def test_a_test_that_asks_for_what_is_not_there_is_skipped(code, said):
    """And only the test: of the product the same is a failure."""
    found = stopped(code, "tests/planted.py")
    assert found is None if said is None else found and said in found
    assert stopped(code, "efm3/planted.py") is None


@pytest.mark.skipif(systems.WINDOWS, reason="there it is skipped")
@pytest.mark.parametrize("hook", [conftest.pytest_runtest_setup, conftest.pytest_runtest_call])
def test_here_such_a_test_fails(hook):
    """Of POSIX nothing is excused: no test, no module, no folder."""
    wrong = AttributeError("module 'os' has no attribute 'mkfifo'")
    assert systems.WINDOWS is (sys.platform == "win32") and systems.left_out() == []
    running = hook()
    next(running)
    with pytest.raises(AttributeError) as raised:
        running.throw(wrong)
    assert raised.value is wrong
    report = SimpleNamespace(failed=True, outcome="failed", longreprtext="tests/a.py:1: in <module>"
                             "\nE   ModuleNotFoundError: No module named 'fcntl'")
    assert systems.unimportable(report.longreprtext)
    collecting = conftest.pytest_make_collect_report(SimpleNamespace(path=ROOT))
    next(collecting)
    with pytest.raises(StopIteration) as ended:
        collecting.send(report)
    assert ended.value.value is report and report.outcome == "failed"


@pytest.mark.parametrize("place,error,said", [
    ("tools/evidence/_book.py", "ModuleNotFoundError: No module named 'fcntl'", "has no fcntl"),
    ("tests/faults/test_faults.py", "AttributeError: module 'os' has no attribute 'geteuid'",
     "has no geteuid"),
    ("efm3/source.py", "ModuleNotFoundError: No module named 'fcntl'", None),
    ("tools/gen/figures.py", "ModuleNotFoundError: No module named 'fnctl'", None)])
def test_modules_that_ask_for_what_is_not_there_are_skipped(place, error, said):
    text = f"tests/a.py:1: in <module>\n{place}:2: in <module>\ntests/windows/modules.py:1: in i\n"
    found = systems.unimportable(f"{text}    raise\nE   {error}\n")
    assert found is None if said is None else found.endswith(said)
