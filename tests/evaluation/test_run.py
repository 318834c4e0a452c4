# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Embeddings of a set and their scores, with networks whose answers are known."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from efm3 import Efm3Error, Engine, untrained
from efm3.conformance import sample
from efm3.evaluation import evaluate, from_arrays, measure, run
from efm3.evaluation.sets import PairSet
from efm3.pictures import BadPicture


def corners(pictures):
    """A network that reads its embedding in the first two pixels of red."""
    return pictures[:, 0, :2, 0].astype(np.float32)


def flat(*rows):
    """Pictures with these two pixels."""
    out = np.zeros((len(rows), 112, 112, 3), np.uint8)
    out[:, 0, :2, 0] = rows
    return out


# Along two axes and their diagonal: cosines are 1, 0 and sqrt(1/2).
IMAGES = flat((100, 0), (200, 0), (0, 50), (30, 30))
# Same people: 1 and 1/sqrt(2); different: 0 and 1/sqrt(2).
FIRST, SECOND = [0, 0, 0, 2] * 5, [1, 3, 2, 3] * 5
SAME = [True, True, False, False] * 5


def pairs(images=IMAGES, **kw):
    return from_arrays("set", images, FIRST, SECOND, SAME, **kw)


def test_similarities_and_scores():
    got = measure(corners, pairs())
    root = np.sqrt(0.5)
    assert np.allclose(got.similarity, [1, root, 0, root] * 5, atol=1e-6)
    assert got.same.tolist() == SAME
    s = got.scores
    # Any threshold gets one in four wrong; all of the best ones lie in a gap beside the tie.
    assert s.best.accuracy == 0.75 and s.pairs == 20 and s.genuine == 10 and s.left_out == 0
    assert s.rule_of_thumb.accuracy == 0.75 and s.rule_of_thumb.false_accepts == 0.5
    assert s.auc == pytest.approx(0.875) and s.tar_at_far[0].tar == 0.5
    assert evaluate(corners, pairs()) == s


@pytest.mark.parametrize("threads,batch", [(1, 1), (2, 3), (4, 64), (3, 2)])
def test_batches_and_threads_change_nothing(threads, batch):
    images = untrained.images(8, 13)
    first, second = np.arange(12), np.arange(1, 13)
    seen = []

    def embed(pictures):
        assert pictures.dtype == np.uint8 and pictures.shape[1:] == (112, 112, 3)
        seen.append(len(pictures))
        return pictures[:, ::28, ::28, 1].reshape(len(pictures), -1).astype(np.float32) - 127

    chosen = from_arrays("set", images, first, second, first % 2 == 0)
    steps = []
    got = measure(embed, chosen, threads=threads, batch=batch,
                  progress=lambda done, of: steps.append((done, of)))
    vectors = embed(images).astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.allclose(got.similarity, np.sum(vectors[first] * vectors[second], 1), atol=1e-6)
    assert seen[:-1] == [min(batch, 13 - i) for i in range(0, 13, batch)]
    assert steps[-1] == (13, 13) and len(steps) == len(seen) - 1


def test_flip_adds_the_mirrored_picture():
    images = np.zeros((4, 112, 112, 3), np.uint8)
    images[0, 0, :2, 0] = 3, 4      # its mirror image has no red here: one more pixel is read
    images[0, 0, -2:, 0] = 5, 9
    images[1:, 0, 0, 0] = 5
    images[1:, 0, -1, 0] = 5

    chosen = from_arrays("set", images, FIRST, [1, 2, 3, 1] * 5, SAME)
    got = measure(corners, chosen, flip=True)
    mirrored = np.array([9.0, 5.0]) / 106 ** 0.5
    want = np.array([0.6, 0.8]) + mirrored
    want /= np.linalg.norm(want)
    assert got.scores.flip and got.similarity[0] == pytest.approx(want[0], abs=1e-6)
    assert not measure(corners, chosen).scores.flip


def broken(bad):
    whole = pairs()

    def load(i):
        if i in bad:
            raise BadPicture("is broken")
        return IMAGES[i]
    return PairSet(whole.name, whole.count, load, lambda i: f"picture {i}", whole.first,
                   whole.second, whole.same, whole.fold)


def test_broken_pictures():
    with pytest.raises(Efm3Error) as e:
        measure(corners, broken({1}))
    assert e.value.code == "F006" and e.value.path == "picture 1"
    seen = []
    got = measure(lambda x: seen.append(x) or corners(x), broken({1}), skip_broken=True)
    # A grey picture stands in for it; its embedding is not used.
    assert (seen[0][1] == 128).all() and np.array_equal(seen[0][0], IMAGES[0])
    assert got.scores.left_out == 5 and got.scores.pairs == 15 and len(got.similarity) == 15
    assert np.allclose(got.similarity, [np.sqrt(0.5), 0, np.sqrt(0.5)] * 5, atol=1e-6)
    with pytest.raises(Efm3Error) as e:
        measure(corners, broken({0}), skip_broken=True)
    assert e.value.code == "F007"


def test_too_little_is_left():
    """Pairs of one kind in every fold, or both kinds and no pair of a fold."""
    whole = broken(())
    for bad, one, two, same, fold in (
            (2, [0, 2] * 10, [1, 3] * 10, [True, False] * 10, None),
            (0, [0, 2] * 10, [1, 3] * 10, [True, False] * 10, None),
            (0, [0, 0, 3, 3] * 3, [1, 2, 1, 2] * 3, [True, False] * 6, [0, 0, 1, 1] * 3)):
        chosen = from_arrays("set", IMAGES, one, two, same, fold)

        def load(i, bad=bad):
            return broken({bad}).load(i)
        chosen = PairSet("set", 4, load, whole.title, chosen.first, chosen.second, chosen.same,
                         chosen.fold)
        with pytest.raises(Efm3Error) as e:
            measure(corners, chosen, skip_broken=True)
        assert e.value.code == "F007"


def test_what_the_scores_come_from(monkeypatch):
    monkeypatch.setattr(run, "PART", 3)
    got = measure(corners, pairs(), threads=0)
    assert got.pictures.tolist() == [[a, b] for a, b in zip(FIRST, SECOND, strict=True)]
    assert np.allclose(got.similarity, [1, 0.5 ** 0.5, 0, 0.5 ** 0.5] * 5, atol=1e-6)


@pytest.mark.parametrize("threads, pool", [(0, 1), (1, 1), (3, 3)])
def test_as_many_threads_decode_as_are_asked_for(monkeypatch, threads, pool):
    asked, names = [], set()
    whole = pairs()

    def load(i):
        names.add(threading.get_ident())
        return IMAGES[i]
    # How many of them find work is chance.
    monkeypatch.setattr(run, "ThreadPoolExecutor",
                        lambda n: asked.append(n) or ThreadPoolExecutor(n))
    measure(corners, PairSet(whole.name, 4, load, whole.title, whole.first, whole.second,
                             whole.same, whole.fold), batch=1, threads=threads)
    assert asked == [pool] and len(names) <= pool and threading.get_ident() not in names


def test_three_batches_are_decoded_ahead():
    class Pool:
        calls = 0

        def submit(self, function, *args):
            self.calls += 1
            done = Future()
            done.set_result(function(*args))
            return done
    pool = Pool()
    chosen = from_arrays("set", untrained.images(8, 13), range(12), range(1, 13), [0, 1] * 6)
    counts = [pool.calls for _ in run._batches(chosen, pool, 2, 2, False)]
    # Two shares a batch, seven batches.
    assert counts == [6, 8, 10, 12, 14, 14, 14]


@pytest.mark.parametrize("embed", [
    lambda x: np.zeros((len(x), 8)), lambda x: np.full((len(x), 8), np.nan),
    lambda x: np.full((len(x), 8), np.inf), lambda x: np.ones((len(x) + 1, 8)),
    lambda x: np.ones(len(x)),
])
def test_embeddings_are_checked(embed):
    with pytest.raises(Efm3Error) as e:
        measure(embed, pairs())
    assert e.value.code == "F008"


def test_the_engine():
    images = untrained.images(8, 4)
    with Engine(untrained.dumps(sample.ARCH, 1), threads=2) as engine:
        got = measure(engine.embed, pairs(images), threads=2, batch=3)
        vectors = engine.embed(images).astype(float)
    assert np.allclose(got.similarity, np.sum(vectors[FIRST] * vectors[SECOND], 1), atol=1e-6)
