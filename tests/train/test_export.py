# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The file at the end of a run: verified, or not written."""

import sys

import efm3
from efm3.train import export

NEEDS = ("torch",)

SMALL = ("--batch", 4, "--steps", 4, "--augment", "none", "--log-every", 1)


def test_a_file_with_its_story_comes_out(run, tmp_path, capfd):
    assert run(*SMALL, "--note", "Coloured patterns, for a test", "--licence", "CC0-1.0") == 0
    path = tmp_path / "run" / "facex_nano.bin"
    model = efm3.load(path)
    meta = model.mirror["meta"]
    assert meta["trained"] is True
    assert meta["training_data"] == "patterns: 16 images of 4 identities"
    assert meta["description"] == "Coloured patterns, for a test"
    assert meta["licence"] == "CC0-1.0" and meta["steps"] == 4 and meta["identities"] == 4
    assert 0 <= meta["scores"]["train_acc"] <= 1 and meta["recipe"]["head"] == "arcface"
    assert efm3.validate(path).ok and meta["sha256"]
    assert "verified against last.pt, max_err = " in capfd.readouterr().err


def test_a_file_that_computes_something_else_is_not_verified(run, monkeypatch, capfd,
                                                            tmp_path):
    real = export.tensors

    def wrong(model):
        out = real(model)
        out["embed_proj.bn.b"] = out["embed_proj.bn.b"] + 0.01
        return out
    monkeypatch.setattr(export, "tensors", wrong)
    assert run(*SMALL) == 1
    assert "differs from" in capfd.readouterr().err
    assert not (tmp_path / "run" / "facex_nano.bin").exists()


def test_without_the_engine_nothing_is_verified_and_it_can_be_later(run, monkeypatch, capfd,
                                                                    tmp_path):
    with monkeypatch.context() as m:
        m.setitem(sys.modules, "efm3._engine", None)
        assert run(*SMALL) == 1
    assert "the C engine was not built" in capfd.readouterr().err.splitlines()[-1]
    assert run("--resume") == 0
    assert "verified against last.pt" in capfd.readouterr().err
    assert (tmp_path / "run" / "facex_nano.bin").is_file()
