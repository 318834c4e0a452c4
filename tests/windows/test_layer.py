# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The simulated Windows is really on: each of these, which work here, fails as it does there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANTED = """
import os, signal, socket, select, subprocess, sys, tempfile, json
from pathlib import Path
sys.stdin.read()
os.chdir(sys.argv[1])
there = Path("there.bin"); there.write_bytes(b"old")
Path("new.bin").write_bytes(b"new")
Path("kept.bin").write_bytes(b"")
os.chmod("kept.bin", 0o444)
import multiprocessing
def implicit(call):
    names = {"__name__": "efm3.planted", "Path": Path, "open": open, "subprocess": subprocess,
             "sys": sys}
    eval(call, names)
def held(call):
    with open("there.bin", "rb"):
        call()
TRIES = {
    "fork": lambda: os.fork(), "fchmod": lambda: os.fchmod(0, 0),
    "kill": lambda: signal.SIGKILL, "unix": lambda: socket.AF_UNIX,
    "name": lambda: signal.Signals(9), "handler": lambda: signal.signal(13, signal.SIG_IGN),
    "fcntl": lambda: __import__("fcntl", globals()),
    "resource": lambda: __import__("resource", globals()),
    "from": lambda: exec("from os import O_NOFOLLOW", globals()),
    "pipe": lambda: select.select([os.pipe()[0]], [], [], 0),
    "folder": lambda: os.open(".", os.O_RDONLY), "open folder": lambda: open("."),
    "replace": lambda: held(lambda: os.replace("new.bin", "there.bin")),
    "remove": lambda: held(lambda: os.unlink("there.bin")),
    "path remove": lambda: held(there.unlink),
    "read-only": lambda: os.unlink("kept.bin"), "write": lambda: open("kept.bin", "wb"),
    "rename": lambda: os.rename("new.bin", "there.bin"),
    "link": lambda: os.symlink("there.bin", "link"),
    "question": lambda: open("what?.bin", "wb"), "nul": lambda: Path("nul.txt").write_bytes(b""),
    "stat": lambda: os.stat("a:b"),
    "preexec": lambda: subprocess.run([sys.executable, "-c", ""], preexec_fn=print),
    "sigint": lambda: subprocess.Popen([sys.executable, "-c", ""]).send_signal(signal.SIGINT),
    "start": lambda: multiprocessing.get_context("fork"),
    "encoding": lambda: implicit("open('t.txt', 'w', newline='')"),
    "text": lambda: implicit("Path('t.txt').read_text()"),
    "newline": lambda: implicit("Path('t.txt').write_text('', encoding='utf-8')"),
    "child": lambda: implicit("subprocess.run([sys.executable, '-c', ''], text=True)"),
}
found = {}
for name, call in TRIES.items():
    try:
        call()
    except Exception as e:
        found[name] = type(e).__name__
os.replace("new.bin", "there.bin")
assert there.read_bytes() == b"new"
Path("n.txt").write_text("a\\n", encoding="utf-8")
ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
ended.kill()
alone = subprocess.run([sys.executable, "-I", "-c", "import os; print(hasattr(os, 'fork'))"],
                       capture_output=True, start_new_session=True).stdout
found |= {"platform": sys.platform, "ended": ended.wait(), "alone": alone.decode(),
          "bytes": list(Path("n.txt").read_bytes()),
          "nameless": tempfile.TemporaryFile().name != "", "out": sys.stdout.encoding}
print(json.dumps(found))
"""
WANT = {
    "fork": "AttributeError", "fchmod": "AttributeError", "kill": "AttributeError",
    "unix": "AttributeError", "name": "ValueError", "handler": "ValueError",
    "fcntl": "ModuleNotFoundError", "resource": "ModuleNotFoundError", "from": "ImportError",
    "pipe": "OSError", "folder": "PermissionError", "open folder": "PermissionError",
    "replace": "PermissionError", "remove": "PermissionError", "path remove": "PermissionError",
    "read-only": "PermissionError", "write": "PermissionError", "rename": "FileExistsError",
    "link": "OSError", "question": "OSError", "nul": "OSError", "stat": "OSError",
    "preexec": "ValueError", "sigint": "ValueError", "start": "ValueError",
    "encoding": "Implicit", "text": "Implicit", "newline": "Implicit", "child": "Implicit",
    "platform": "win32", "ended": 1, "bytes": [97, 13, 10], "alone": "False\r\n", "nameless": True,
    "out": "cp1252",
}


def planted(folder, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("EFM3_TEST")} | more
    env.pop("PYTHONIOENCODING", None)
    env["PYTHONUTF8"] = "0"  # a locale that says nothing makes it 1
    done = subprocess.run([sys.executable, "-c", PLANTED, str(folder)], input=b"",
                          capture_output=True, env=env, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="simulated on Linux")
def test_what_is_planted_fails_as_on_windows(tmp_path):
    found = planted(tmp_path, EFM3_TEST_SYSTEM="windows", PYTHONPATH=str(ROOT / "tests/windows"))
    assert found == WANT


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX that is none")
def test_without_it_nothing_is_changed(tmp_path):
    """The same file on PYTHONPATH, and no word of it."""
    code = "import os, sys; print(sys.platform, hasattr(os, 'fork'), open)"
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env=env | {"PYTHONPATH": str(ROOT / "tests/windows"),
                                     "EFM3_TEST_SYSTEM": ""})
    assert done.stdout == f"{sys.platform} True <built-in function open>\n"
