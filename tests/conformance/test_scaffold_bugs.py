# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A newcomer's way: scaffold, pass the smoke level, put a bug in, and read what it is."""

import json
import shlex
import subprocess
import sys

import pytest

from efm3.conformance import scaffold as scaffolds

BUGS = {
    ("reader", "python"): ("need(at == len(data),", "need(True,"),
    ("reader", "c"): ("need(at == size,", "need(1,"),
    ("reader", "js"): ("need(at === data.length,", "need(true,"),
    ("reader", "rust"): ("need!(at == data.len(),", "need!(true,"),
    ("exporter", "python"): ("array.nbytes", "array.size"),
    ("exporter", "c"): ("put(4 * count, 4);", "put(count, 4);"),
    ("exporter", "js"): ("u32(payload.length), payload", "u32(payload.length / 4), payload"),
    ("exporter", "rust"): ("(payload.len() as u32)", "((payload.len() / 4) as u32)"),
    ("engine", "python"): ("var + 1e-5", "var + 1e-3"),
    ("engine", "c"): ("f32(l->var, o) + 1e-5", "f32(l->var, o) + 1e-3"),
    ("engine", "js"): ("layer.variance[o] + 1e-5", "layer.variance[o] + 1e-3"),
    ("engine", "rust"): ("l.var[o] + 1e-5", "l.var[o] + 1e-3"),
    ("reader", "go"): ("need(len(rest) == 0,", "need(true,"),
    ("exporter", "go"): ("u32(len(values))", "u32(len(values) / 4)"),
    ("engine", "go"): ("l.variance[o]+1e-5", "l.variance[o]+1e-3"),
    ("reader", "java"): ("need(!in.hasRemaining(),", "need(true,"),
    ("exporter", "java"): ("u32(payload.length)", "u32(payload.length / 4)"),
    ("engine", "java"): ("l.variance[o] + 1e-5", "l.variance[o] + 1e-3"),
    ("reader", "kotlin"): ("need(at == data.size)", "need(true)"),
    ("exporter", "kotlin"): ("u32(values.size)", "u32(values.size / 4)"),
    ("engine", "kotlin"): ("l.variance[o] + 1e-5", "l.variance[o] + 1e-3"),
    ("reader", "csharp"): ("Need(at == data.Length,", "Need(true,"),
    ("exporter", "csharp"): ("to.Write(values.Length)", "to.Write(values.Length / 4)"),
    ("engine", "csharp"): ("l.Variance[o] + 1e-5", "l.Variance[o] + 1e-3"),
}
SEEN = {"reader": ("bad-t014-zero", "T014"),
        "exporter": ("write-plain", "the number of values, not of bytes"),
        "engine": ("run-variance-small", "epsilon is 1e-3")}


@pytest.mark.parametrize("kind,lang", list(BUGS))
def test_a_bug_is_seen(cli, tmp_path, kind, lang):
    gone = scaffolds.missing(lang)
    if gone and lang != "python":
        pytest.skip(f"{gone[0]} is not on this machine")
    assert cli("conformance", "scaffold", kind, "--lang", lang, "-o", tmp_path).exit_code == 0
    source = tmp_path / f"{kind}.{scaffolds.LANGUAGES[lang].suffix}"
    right = source.read_text()

    def build(text):
        source.write_text(text)
        command = scaffolds.build(kind, lang)
        if command:
            subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)

    def run(*select):
        words = shlex.split(scaffolds.LANGUAGES[lang].start.format(kind=kind))
        words[-1] = str(tmp_path / words[-1])
        if lang == "python":
            words[0] = sys.executable
        option = "--writer" if kind == "exporter" else f"--{kind}"
        result = cli("conformance", "run", option, shlex.join(words), "-j", "2", "--timeout", "600",
                     "--format", "json",
                     *(w for s in select for w in ("--select", s)))
        return result.exit_code, {o["case"]: o for o in
                                  json.loads(result.stdout)["runs"][0]["outcomes"]}

    case, words = SEEN[kind]
    build(right)
    code, outcomes = run("smoke", case)
    assert code == 0 and len(outcomes) >= 4 and case in outcomes, [
        o for o in outcomes.values() if o["verdict"] != "pass"]
    old, new = BUGS[kind, lang]
    assert right.count(old) == 1
    build(right.replace(old, new))
    code, outcomes = run(case)
    assert code == 1 and outcomes[case]["verdict"] == "fail" and words in outcomes[case]["detail"]
