# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command where little is given: python -OO, closed streams, a system without threads."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NANO = ROOT / "weights" / "facex_nano.bin"
ODD = ROOT / "spec" / "vectors" / "odd_b.bin"

VERBS = {
    "help": ["--help"], "inspect": ["inspect", NANO], "inspect --json": ["inspect", ODD, "--json"],
    "validate": ["validate", NANO], "sarif": ["validate", ODD, "--format", "sarif"],
    "explain": ["explain", "--all", "--format", "md"], "where": ["where", ODD, "100"],
    "spec": ["spec", "rules"], "layout": ["layout", "nano"], "diff": ["diff", ODD, ODD],
    "extract": ["extract", ODD, "stem.conv.w", "-o", "OUT/a.npy"], "verify": ["verify", ODD],
    "convert": ["convert", ODD, "OUT/x.npz"], "new": ["new", ODD, "-o", "OUT/n.bin"],
    "examples": ["examples", "OUT"],
    "list": ["conformance", "list"],
    "run": ["conformance", "run", "--reader", "@python", "--select", "smoke"],
}
CLOSED = ("inspect", "validate", "explain", "where", "diff", "extract", "verify", "list")


def run(words, folder, *options, **kw):
    words = [str(w).replace("OUT", str(folder)) for w in words]
    return subprocess.run([sys.executable, *options, "-m", "efm3", *words], cwd=folder, check=False,
                          capture_output=not kw, text=True, timeout=600, **kw)


@pytest.mark.parametrize("name", VERBS)
def test_without_docstrings_and_assertions(name, tmp_path):
    bare = run(VERBS[name], tmp_path, "-OO")
    assert (bare.returncode, bare.stderr) == (0, "")
    assert bare.stdout or name == "extract"


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("closed", [(1,), (0, 1, 2)])
def test_closed_streams(name, closed, tmp_path):
    """No traceback, the same exit code, and no file of the user's gets the text."""
    code = ("import os, subprocess, sys\n"
            f"for fd in {closed}: os.close(fd)\n"
            "os.execv(sys.executable, [sys.executable, '-m', 'efm3', *sys.argv[1:]])")
    words = [str(w).replace("OUT", str(tmp_path)) for w in VERBS[name]]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, check=False,
                          text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    for made in tmp_path.iterdir():
        assert made.suffix in (".npy", ".npz", ".bin") and b"efm3" not in made.read_bytes()[:4]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_log_that_cannot_be_written_ends_nothing(tmp_path):
    """The exit code is the work's, and standard output is whole."""
    found = []
    for log in (os.devnull, "/dev/full"):
        with open(log, "w") as f:
            done = run(["embed", NANO, tmp_path / "none"], tmp_path, stdout=subprocess.PIPE,
                       stderr=f)
        found.append((done.returncode, done.stdout))
    assert found[0] == found[1] and found[0][0] == 3 and '"IO001"' in found[0][1]


def test_ctrl_c_is_a_line(cli, monkeypatch):
    """In a verb, and before there is one."""
    def stop(*_, **__):
        raise KeyboardInterrupt
    monkeypatch.setattr(importlib.import_module("efm3.cli.layout").command, "callback", stop)
    result = cli("layout", "nano")
    assert (result.exit_code, result.stderr) == (130, "efm3: stopped\n")
    code = ("from efm3 import __main__, cli\n"
            "def stop(**_):\n    raise KeyboardInterrupt\n"
            "cli.cli = stop\n__main__.main()\n")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, text=True,
                          capture_output=True, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "efm3: stopped\n")


@pytest.mark.parametrize("code", [130, 143])
def test_what_breaks_at_the_interpreters_end_does_not_change_how_a_stopped_verb_ends(code):
    """Threads of a library can abort a process there; what is registered for the end still runs."""
    program = ("import atexit, os, sys\n"
               "class Late:\n    def __del__(self, abort=os.abort):\n        abort()\n"
               "sys.late = Late()\n"
               "atexit.register(print, 'ended')\n"
               "from efm3 import __main__, cli\n"
               f"def stop(**_):\n    sys.exit({code})\n"
               "cli.cli = stop\n__main__.main()\n")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, text=True,
                          capture_output=True, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (code, "ended\n", "")


def test_children_have_streams_too(tmp_path):
    """A program of the conformance kit, started by a command whose stdout is closed."""
    code = ("import os, sys\nos.close(1)\n"
            "os.execv(sys.executable, [sys.executable, '-m', 'efm3', 'conformance', 'run',"
            f" '--reader', {sys.executable + ' -c pass'!r}, '--select', 'smoke'])")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                          text=True, check=False, timeout=600)
    assert done.returncode == 3 and "Traceback" not in done.stderr, done.stderr


NO_THREADS = """
import sys, threading
def none(self):
    raise RuntimeError("can't start new thread")
threading.Thread.start = none
sys.argv = ["efm3", *sys.argv[1:]]
from efm3.__main__ import main
main()
"""


@pytest.mark.parametrize("words,code", [
    (["validate", NANO], 0), (["inspect", NANO], 0), (["verify", ODD], 0),
    (["validate", "-j", "2", ODD, NANO], 0), (["conformance", "run", "--protocol", "lines",
                                              "--reader", "cat"], 3)])
def test_no_thread_can_start(words, code):
    done = subprocess.run([sys.executable, "-c", NO_THREADS, *map(str, words)], check=False,
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") <= 1


def test_one_blas_thread_unless_told_otherwise():
    code = ("import os, sys; sys.argv = ['efm3', '--version']\n"
            "from efm3.__main__ import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "import json; print(json.dumps(dict(os.environ)))")
    for given, want in (({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3"),
                        ({"OMP_NUM_THREADS": "2"}, None)):
        env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")} | given
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True,
                              check=True)
        assert json.loads(done.stdout.splitlines()[-1]).get("OPENBLAS_NUM_THREADS") == want


def buffered():
    """The environment of somebody who has not asked Python for output at once."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}


SHORT = [["--help"], ["--version"], ["validate", ODD], ["spec", "ksy"], ["inspect", ODD]]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("words", SHORT)
def test_a_full_disk(words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "efm3", *map(str, words)], check=False,
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=600,
                              env=buffered())
    assert done.returncode == 3 and done.stderr == "efm3: No space left on device\n"


@pytest.mark.parametrize("words", SHORT)
def test_a_reader_that_has_gone(words):
    """However little there was to say, it ends without a word."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run([sys.executable, "-m", "efm3", *map(str, words)], check=False,
                              cwd=ROOT, stdout=write, stderr=subprocess.PIPE, timeout=600,
                              env=buffered())
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_what_standard_output_cannot_encode_is_escaped(tmp_path):
    """In every verb, be it a name of a file or a word of ours."""
    name = tmp_path / "w\xe4rme \u4eba.bin"
    name.write_bytes(ODD.read_bytes())
    env = buffered() | {"PYTHONIOENCODING": "cp1252"}
    for words in (["validate", name], ["spec", "text"], ["explain", "--all", "--format", "md"]):
        done = subprocess.run([sys.executable, "-m", "efm3", *map(str, words)], check=False,
                              capture_output=True, timeout=600, env=env)
        assert (done.returncode, done.stderr) == (0, b"")
        assert words[0] != "validate" or b"w\xe4rme \\u4eba.bin" in done.stdout


@pytest.mark.parametrize("words", [
    [], ["validate"], ["train"], ["draw", "sheet"], ["conformance", "run"]])
def test_help_is_whole_without_docstrings(words, tmp_path):
    plain, bare = (run([*words, "--help"], tmp_path, *o) for o in ((), ("-OO",)))
    assert bare.stdout == plain.stdout and "xit codes" in bare.stdout


@pytest.mark.parametrize("error", ["MemoryError()", "RuntimeError(\"can't allocate memory: 9\")"])
def test_out_of_memory_is_one_line(error):
    code = ("import sys; sys.argv = ['efm3', 'explain', 'C001']; import efm3.cli.explain as x\n"
            f"def fail(c): raise {error}\nx._page = fail\n"
            "from efm3.__main__ import main; main()")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "efm3: out of memory\n")


def test_a_library_that_the_system_does_not_load_is_one_line():
    """As with a limit on memory: numpy's own message has a page, of which the cause is a line."""
    code = ("import sys; sys.argv = ['efm3', 'explain', 'C001']; import efm3.cli.explain as x\n"
            "def fail(c):\n"
            "    try: raise ImportError('lib\\x1b[31mx.so: failed to map segment')\n"
            "    except ImportError as e: raise ImportError('A page.\\n\\n') from e\n"
            "x._page = fail\n"
            "from efm3.__main__ import main; main()")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        3, "efm3: a library cannot be loaded: lib\\x1b[31mx.so: failed to map segment\n")


def test_a_working_folder_that_is_gone(tmp_path):
    code = ("import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
            "os.execv(sys.executable, [sys.executable, '-m', 'efm3', *sys.argv[1:]])")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    for words, code_, said in ((["validate", ODD], 0, ""), (["inspect", "x.bin"], 3, "x.bin"),
                               (["seal", ODD, "-o", "x.bin"], 3, "efm3: No such file")):
        done = subprocess.run([sys.executable, "-c", code, *map(str, words)], cwd=tmp_path,
                              capture_output=True, text=True, check=False, env=env)
        assert done.returncode == code_ and said in done.stderr, done.stderr
        assert done.stderr.count("\n") == bool(said)
