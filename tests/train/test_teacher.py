# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Distillation: the loss by its formula, both kinds of teacher, and that a resume keeps its own."""

import hashlib
import json

import pytest
import torch

import efm3
from efm3 import untrained
from efm3.train import checkpoint, state
from efm3.train.model import MobileFaceNet, tensors
from efm3.train.teacher import Teacher, relations

NEEDS = ("torch",)

SMALL = ("--batch", 4, "--steps", 3, "--augment", "none", "--log-every", 1)
CPU = torch.device("cpu")


def test_the_loss_is_the_mean_square_of_what_similarities_differ_by():
    g = torch.Generator().manual_seed(1)
    one, two = torch.randn(5, 8, generator=g), torch.randn(5, 3, generator=g)
    cos = torch.nn.functional.cosine_similarity
    want = [(cos(one[i], one[j], 0) - cos(two[i], two[j], 0)) ** 2
            for i in range(5) for j in range(5) if i != j]
    assert relations(one, two) == pytest.approx(float(sum(want)) / 20, rel=1e-5)
    assert relations(one, 3 * one) < 1e-12
    assert relations(one[:1], two[:1]) == 0


def test_its_gradient_goes_to_the_student_alone():
    g = torch.Generator().manual_seed(1)
    one = torch.randn(4, 8, generator=g, dtype=torch.float64, requires_grad=True)
    two = torch.randn(4, 3, generator=g, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: relations(x, two), one)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """An untrained network of another size and another dimension."""
    path = tmp_path_factory.mktemp("teacher") / "tiny.bin"
    path.write_bytes(untrained.dumps(efm3.ARCHS["tiny"], 3))
    return path


def test_a_teacher_from_a_file_computes_what_the_file_says(tiny):
    own = Teacher.open(str(tiny), CPU)
    assert own.sha256 == hashlib.sha256(tiny.read_bytes()).hexdigest() and own.drawn is None
    assert not own.network.training and not any(p.requires_grad for p in own.network.parameters())
    model = efm3.load(tiny)
    assert all((v == model.tensors[k]).all() for k, v in tensors(own.network).items())


def test_a_run_with_a_teacher_resumes_to_the_same_bytes(run, tmp_path, tiny, capfd):
    words = ("--teacher", tiny, "--distill", 20, "--ema", 0.9, "--augment", "strong")
    assert run(*SMALL, *words, out=tmp_path / "whole") == 0
    assert run(*SMALL, *words, "--max-minutes", "1e-9", out=tmp_path / "halves") == 75
    assert run("--resume", "--max-minutes", 0, out=tmp_path / "halves") == 0
    one, two = (checkpoint.load(tmp_path / d / "last.pt") for d in ("whole", "halves"))
    for read in (lambda value: value["model"], state.raw):
        assert all(torch.equal(v, read(two)[k]) for k, v in read(one).items())
    assert one["teacher"] == two["teacher"]
    sha = hashlib.sha256(tiny.read_bytes()).hexdigest()
    said = efm3.load(tmp_path / "whole" / "facex_nano.bin").mirror["meta"]["recipe"]
    assert said["teacher"] == f"sha256 {sha}" and said["distill"] == 20
    assert json.loads((tmp_path / "whole" / "config.json").read_text())["teacher"] == {
        "sha256": sha, "drawn": None}
    assert run(*SMALL, *words[2:], out=tmp_path / "alone") == 0
    alone = checkpoint.load(tmp_path / "alone" / "last.pt")
    assert not torch.equal(*(state.raw(v)["stem.conv.weight"] for v in (one, alone)))


def test_a_resume_with_another_teacher_is_refused(run, tmp_path, tiny, capfd):
    assert run(*SMALL, "--teacher", tiny, "--max-minutes", "1e-9") == 75
    (tmp_path / "other.bin").write_bytes(untrained.dumps(efm3.ARCHS["nano"], 1))
    for other, word in ((tmp_path / "other.bin", "that of the checkpoint"), ("", "SHA-256 none")):
        capfd.readouterr()
        assert run("--resume", "--teacher", other) == 1
        err = capfd.readouterr().err
        assert word in err and len(err.splitlines()) == 1


def test_a_checkpoint_is_a_teacher_too(run, tmp_path):
    assert run(*SMALL, "--ema", 0.5) == 0
    path = tmp_path / "run" / "last.pt"
    value = checkpoint.load(path)
    checkpoint.save(value | {"drawn": {"seed": 1, "first": 0, "classes": 4}}, path)
    own = Teacher.open(str(path), CPU)
    assert own.drawn == {"seed": 1, "first": 0, "classes": 4}
    want = MobileFaceNet(efm3.ARCHS["nano"])
    want.load_state_dict(value["model"])
    assert all(torch.equal(v, own.network.state_dict()[k]) for k, v in state._plain(want).items())


def test_what_is_no_network_is_refused(run, tmp_path, capfd):
    (tmp_path / "none.bin").write_bytes(b"nothing")
    assert run(*SMALL, "--teacher", tmp_path / "none.bin") == 1
    assert run(*SMALL, "--teacher", tmp_path / "missing.bin") == 3
    err = capfd.readouterr().err
    assert len(err.splitlines()) == 2 and "none.bin" in err and "missing.bin" in err
    assert not (tmp_path / "run").exists()
