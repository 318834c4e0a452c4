# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How much drawn heads are like photographs of people, as a real network sees them.

    python -m tools.bench drawn --yardstick FOLDER
    EFM3_YARDSTICK=FOLDER python -m tools.bench drawn --identities 1400 --shots 9

The folder holds a network that was trained on photographs (y1.ncnn.param, y1.ncnn.bin), and the
mean and covariance of its embeddings of photographs (y1-photographs.npz). Nothing of them is in
this repository, nothing here is trained with them: they measure. Without them nothing is
measured, and the reason is said.

- frechet: the Fréchet distance of the two clouds of embeddings, taken as normal distributions.
- same, other: the mean cosine of two pictures of one identity, and of two.
- mean_length: the length of the mean embedding; 1 where all pictures are one.
- layers: each BatchNorm carries mean and variance of what it saw in training. `moved` is how far
  a channel's mean is from there, in deviations, `wider` the logarithm of its variance over theirs;
  each is the mean magnitude over the channels.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import efm3
from efm3 import Engine, convert
from efm3 import format as fmt
from efm3.arrays import Array, Doubles, Indices, Pixels
from efm3.model import Model
from efm3.network import layers

SETTING = "EFM3_YARDSTICK"
NETWORK, WEIGHTS, PHOTOGRAPHS = "y1.ncnn.param", "y1.ncnn.bin", "y1-photographs.npz"
BATCH = 64
LAYERED = 500
"""Pictures for the layers' statistics: each has very many pixels, so a few will do."""


def missing(folder: str | None) -> str | None:
    """Why nothing can be measured; None where everything is there."""
    if not folder:
        return f"no network to measure with: --yardstick FOLDER, or {SETTING}=FOLDER"
    gone = [n for n in (NETWORK, WEIGHTS, PHOTOGRAPHS) if not (Path(folder) / n).is_file()]
    return f"{folder} has no {', no '.join(gone)}" if gone else None


def drawn(seed: int, first: int, identities: int, shots: int,
          spread: float) -> tuple[Pixels, Indices, float]:
    """Pictures uint8 [N, 112, 112, 3], whose they are [N], and pictures a second of one core."""
    import torch

    from efm3.drawn import Faces

    torch.set_num_threads(1)
    faces = Faces(seed, first, identities, shots, spread=spread)
    out = np.empty((len(faces), 112, 112, 3), np.uint8)
    start = time.process_time()
    for at in range(0, len(faces), BATCH):
        part = slice(at, min(at + BATCH, len(faces)))
        out[part] = faces.batch(range(part.start, part.stop))[0].permute(0, 2, 3, 1).numpy()
    rate = len(faces) / (time.process_time() - start)
    return out, np.arange(len(faces)) // shots, rate


def embedded(model: Model, x: Pixels) -> Doubles:
    """Embeddings of length 1, float64 [N, D]."""
    with Engine(model) as engine:
        parts = [engine.embed(x[at:at + BATCH]) for at in range(0, len(x), BATCH)]
    whole: Doubles = np.concatenate(parts).astype(np.float64)
    return whole


def frechet(mean: Doubles, cov: Doubles, mean2: Doubles, cov2: Doubles) -> float:
    """The squared distance of two normal distributions: Δ² + tr(A + B - 2 (A B)^½)."""
    values, axes = np.linalg.eigh(cov)
    root = (axes * np.sqrt(values.clip(min=0))) @ axes.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ cov2 @ root).clip(min=0)).sum()
    gap = mean - mean2
    return float(gap @ gap + np.trace(cov) + np.trace(cov2) - 2 * shared)


def likeness(e: Doubles, people: Indices) -> tuple[float, float]:
    """The mean cosine over all pairs of pictures of one identity, and of two."""
    sums: Doubles = np.zeros((int(people.max()) + 1, e.shape[1]))
    np.add.at(sums, people, e)
    count = np.bincount(people)
    own, everyone = float((sums * sums).sum()), e.sum(0)
    same = (own - len(e)) / max(1, int((count * (count - 1)).sum()))
    apart = len(e) ** 2 - int((count * count).sum())
    return same, (float(everyone @ everyone) - own) / max(1, apart)


def layered(model: Model, x: Pixels) -> list[dict[str, Any]]:
    """For each BatchNorm what it sees of the pictures beside what it saw in training."""
    import torch

    from efm3.convert._original import KEYS, modules
    from efm3.train.model import MobileFaceNet

    net, names = MobileFaceNet(model.arch).eval(), modules(model.arch)
    state = {}
    for name, value in model.tensors.items():
        layer, part, end = name.rsplit(".", 2)
        state[f"{names[layer]}.{KEYS[f'{part}.{end}']}"] = torch.from_numpy(np.array(value))
    net.load_state_dict(state, strict=False)
    seen: dict[str, list[Array]] = {name: [] for name in names.values()}

    def watch(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, y: Any) -> None:
            y = y.double()
            seen[name].append(np.stack([y.mean((0, 2, 3)).numpy(),
                                        (y * y).mean((0, 2, 3)).numpy()]) * len(y))
        return hook
    for name in names.values():
        net.get_submodule(name).conv.register_forward_hook(watch(name))
    turned = efm3.reference.turn(x) if model.turned else x
    with torch.no_grad():
        for at in range(0, len(x), BATCH):
            net(torch.from_numpy(efm3.reference.prepare(turned[at:at + BATCH])))
    out = []
    for row in layers(model.arch):
        mean, square = np.sum(seen[names[row.name]], axis=0) / len(x)
        var = (square - mean * mean).clip(min=0) + fmt.BN_EPS
        was, had = (np.asarray(model.tensors[f"{row.name}.bn.{k}"], np.float64)
                    for k in ("mean", "var"))
        had = had + fmt.BN_EPS
        out.append({"layer": row.name,
                    "moved": float((np.abs(mean - was) / np.sqrt(had)).mean()),
                    "wider": float(np.abs(np.log(var / had)).mean())})
    return out


def measure(folder: str, x: Pixels, people: Indices) -> dict[str, Any]:
    """The figures of some pictures."""
    model = convert.read(Path(folder) / NETWORK)
    with np.load(Path(folder) / PHOTOGRAPHS) as kept:
        mean, cov = (kept[k].astype(np.float64) for k in ("mean", "cov"))
    e = embedded(model, x)
    ours: Doubles = e.mean(0)
    same, other = likeness(e, people)
    some = np.linspace(0, len(x) - 1, min(len(x), LAYERED)).astype(np.int64)
    return {"pictures": len(x), "identities": int(people.max()) + 1,
            "frechet": frechet(ours, np.cov(e.T), mean, cov),
            "same": same, "other": other, "same_less_other": same - other,
            "mean_length": float(np.linalg.norm(ours)),
            "mean_length_of_photographs": float(np.linalg.norm(mean)),
            "layers": layered(model, x[some])}


def report(found: dict[str, Any]) -> str:
    """The figures as text: the layers by blocks, in the network's order."""
    lines = [f"{k:28} {v:.3f}" if isinstance(v, float) else f"{k:28} {v}"
             for k, v in found.items() if k != "layers"]
    lines += ["", f"{'BatchNorm':24} {'moved':>6} {'wider':>6}"]
    lines += [f"{r['layer']:24} {r['moved']:6.3f} {r['wider']:6.3f}" for r in found["layers"]]
    mean = [float(np.mean([r[k] for r in found["layers"]])) for k in ("moved", "wider")]
    lines.append(f"{'all':24} {mean[0]:6.3f} {mean[1]:6.3f}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the figures, or why there are none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--yardstick", metavar="FOLDER", default=os.environ.get(SETTING),
                        help=f"where {NETWORK}, {WEIGHTS} and {PHOTOGRAPHS} lie; {SETTING} names "
                        "it too")
    parser.add_argument("--identities", type=int, default=200)
    parser.add_argument("--shots", type=int, default=10, help="pictures of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--spread", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    o = parser.parse_args(argv)
    reason = missing(o.yardstick)
    if reason:
        print(json.dumps({"skipped": reason}) if o.json else f"skipped: {reason}")
        return
    x, people, rate = drawn(o.seed, o.first, o.identities, o.shots, o.spread)
    from efm3.drawn import Faces

    facts = Faces(o.seed, o.first, o.identities, o.shots, spread=o.spread).describe()
    found = {"drawn": facts, **measure(o.yardstick, x, people),
             "pictures_a_second_a_core": round(rate, 1)}
    print(json.dumps(found, indent=2) if o.json else report(found))


if __name__ == "__main__":
    main()
