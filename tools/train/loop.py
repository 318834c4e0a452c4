# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: a step, an epoch, a checkpoint, and going on from one exactly."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from efm3.arch import ARCHS

from . import checkpoint, feed, parallel, schedule
from .config import Config
from .heads import Head
from .logs import Log
from .model import MobileFaceNet
from .sampler import Batches

Validate = Callable[[MobileFaceNet], float]
ZERO = {"loss": 0.0, "right": 0.0, "seen": 0.0, "seconds": 0.0, "waited": 0.0}


class Diverged(RuntimeError):
    """The loss is no number."""


class Trainer:
    """A run: network, head, optimiser and the place reached. `run` trains to the end."""

    def __init__(self, config: Config, source: Any, world: parallel.World,
                 log: Log | None = None, validate: Validate | None = None) -> None:
        self.config, self.source, self.world, self.validate = config, source, world, validate
        torch.manual_seed(config.seed)
        self.model = MobileFaceNet(ARCHS[config.arch])
        self.head = self._head()
        if config.channels_last:
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model.to(world.device)
        self.head.to(world.device)
        net: nn.Module = self.model
        if config.sync_bn and world.size > 1:
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        self.net = parallel.wrapped(net, world)
        self.loss = self.head if config.shard_head else parallel.wrapped(self.head, world)
        if config.compile:
            self.net = torch.compile(self.net)
        self.names = {p: f"model.{n}" for n, p in self.model.named_parameters()}
        self.names |= {p: f"head.{n}" for n, p in self.head.named_parameters()}
        self.optimizer = self._optimizer()
        self.batches = Batches(len(source), config.batch, config.seed, world.rank, world.size)
        self.per_epoch = self.batches.steps
        self.total = config.steps or config.epochs * self.per_epoch
        self.augment = feed.augmenter(config.augment)
        self.step, self.partial, self.best = 0, dict(ZERO), float("-inf")
        self.history: list[dict[str, Any]] = []
        self.log = log or Log(Path(config.out), False, self.total)
        self.stop = ""

    def _head(self) -> Any:
        c = self.config
        dim = self.model.arch.embedding_dim
        if c.shard_head:
            from .sharded import ShardedHead
            return ShardedHead(c.head, self.source.classes, dim, self.world, c.margin, c.scale)
        return Head(c.head, self.source.classes, dim, c.margin, c.scale)

    def _optimizer(self) -> torch.optim.Optimizer:
        flat = [p for p in self.names if p.ndim < 2]
        rest = [p for p in self.names if p.ndim >= 2]
        return torch.optim.AdamW([{"params": rest, "weight_decay": self.config.decay},
                                  {"params": flat, "weight_decay": 0.0}],
                                 lr=self.config.lr, fused=True)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.step // self.per_epoch

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs; every process must call it."""
        states = checkpoint.optimizer_state(self.optimizer, self.names)
        head = {"weight": self.head.weight.detach()}
        if self.config.shard_head:
            own = {k: v for k, v in states.pop("head.weight", {}).items()}
            head["weight"] = self.head.whole(head["weight"])
            states["head.weight"] = {k: v if k == "step" else self.head.whole(v).cpu()
                                     for k, v in own.items()}
        rng = {"torch": torch.get_rng_state()}
        return {"config": self.config.json(), "arch": asdict(self.model.arch),
                "classes": self.source.classes,
                "model": {k: v.detach().cpu().contiguous()
                          for k, v in self.model.state_dict().items()},
                "head": {k: v.cpu() for k, v in head.items()}, "optimizer": states,
                "step": self.step, "partial": dict(self.partial), "history": list(self.history),
                "best": self.best, "rng": rng}

    def restore(self, value: dict[str, Any]) -> None:
        """Go on from a checkpoint. Raises BadCheckpoint for one of another run."""
        if value["classes"] != self.source.classes:
            raise checkpoint.BadCheckpoint(f"the checkpoint has {value['classes']} classes, the "
                                           f"data {self.source.classes}")
        try:
            self.model.load_state_dict(value["model"])
            weight, states = value["head"]["weight"], dict(value["optimizer"])
            if self.config.shard_head:
                weight = self.head.part(weight)
                states["head.weight"] = {k: v if k == "step" else self.head.part(v)
                                         for k, v in states.get("head.weight", {}).items()}
            with torch.no_grad():
                self.head.weight.copy_(weight)
        except (RuntimeError, KeyError, TypeError) as e:
            raise checkpoint.BadCheckpoint(f"the checkpoint does not fit: {e}") from None
        checkpoint.load_optimizer(self.optimizer, self.names, states)
        self.step, self.best = value["step"], value["best"]
        self.partial, self.history = dict(value["partial"]), list(value["history"])
        torch.set_rng_state(value["rng"]["torch"])

    def save(self, best: bool = False) -> None:
        """Write last.pt, and best.pt too where asked."""
        value = self.state()
        if self.world.first:
            folder = Path(self.config.out)
            checkpoint.save(value, folder / "last.pt", *([folder / "best.pt"] if best else []))

    def run(self) -> bool:
        """Train until the end (True) or until something stops it (False), then checkpoint."""
        began = saved = time.monotonic()
        self.net.train()
        while self.step < self.total and not self.stop:
            self.batches.start(self.epoch, self.step % self.per_epoch)
            workers = self.config.workers
            source = feed.loader(self.source, self.batches, workers,
                                 self.world.device.type == "cuda")
            mark = time.monotonic()
            for images, labels in source:
                self._take(images, labels, mark)
                mark = time.monotonic()
                if self.step % self.per_epoch == 0:
                    self._end_of_epoch()
                    saved = mark = time.monotonic()
                self._look_at_clock(began)
                if self.stop or self.step >= self.total:
                    break
                if self._all_agree(mark - saved > 60 * self.config.save_every):
                    self.save()
                    saved = mark = time.monotonic()
        if self.step % self.per_epoch:
            self.save()
        return self.step >= self.total

    def _look_at_clock(self, began: float) -> None:
        limit = 60 * self.config.max_minutes
        if limit and time.monotonic() - began > limit:
            self.stop = self.stop or f"{self.config.max_minutes:g} minutes are over"
        if self.world.size > 1 and self._all_agree(bool(self.stop)):
            self.stop = self.stop or "another process was told to stop"

    def _all_agree(self, own: bool) -> bool:
        """True where any process says so: all act alike."""
        return self.world.total(float(own))[0] > 0

    def _take(self, images: Tensor, labels: Tensor, mark: float) -> None:
        c, w = self.config, self.world
        feed.check(images, labels, self.source.name)
        g = feed.generator(w.device, c.seed, self.step, w.rank)
        labels = labels.to(w.device, non_blocking=True)
        x = self.augment(images.to(w.device, non_blocking=True), g)
        if c.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        waited = time.monotonic() - mark
        lr = schedule.rate(self.step, self.total, round(c.warmup * self.per_epoch), c.lr)
        self.head.margin = schedule.margin(self.step, round(c.margin_warmup * self.per_epoch),
                                           self.head.full_margin)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(w.device.type, torch.bfloat16, enabled=c.bf16):
            embeddings = self.net(x)
        loss, right = self.loss(embeddings, labels)
        loss.backward()
        self._clip()
        self.optimizer.step()
        self._count(loss, right, len(labels), mark, waited, lr)

    def _clip(self) -> None:
        if not self.config.clip:
            return
        if self.config.shard_head:
            self.head.clip(self.names, self.config.clip)
        else:
            nn.utils.clip_grad_norm_(list(self.names), self.config.clip)

    def _count(self, loss: Tensor, right: Tensor, n: int, mark: float, waited: float,
               lr: float) -> None:
        p = self.partial
        value = float(loss.detach())
        if value != value:
            raise Diverged(f"the loss is NaN at step {self.step}: try a lower --lr, a longer "
                           "--warmup or --margin-warmup")
        p["loss"] += value * n
        p["right"] += float(right)
        p["seen"] += n
        p["waited"] += waited
        p["seconds"] += time.monotonic() - mark
        self.step += 1
        seen = p["seen"] * self.world.size
        self.log.step(self.step, f"epoch {self.step / self.per_epoch:.2f}  loss "
                      f"{p['loss'] / p['seen']:.3f}  acc {p['right'] / p['seen']:.1%}  lr {lr:.2e}"
                      f"  {seen / p['seconds']:.0f} images/s",
                      self.step % self.config.log_every == 0)

    def _end_of_epoch(self) -> None:
        p = self.partial
        loss, right, seen = self.world.total(p["loss"], p["right"], p["seen"])
        val = None
        if self.validate and self.world.first:
            self.model.eval()
            with torch.no_grad():
                val = self.validate(self.model)
            self.model.train()
        row = {"epoch": self.epoch, "step": self.step, "loss": loss / seen,
               "train_acc": right / seen, "lr": self.optimizer.param_groups[0]["lr"],
               "margin": self.head.margin, "images_per_s": seen / p["seconds"],
               "epoch_s": p["seconds"], "data_share": p["waited"] / p["seconds"], "val_acc": val}
        self.history.append(row)
        self.partial = dict(ZERO)
        score = row["train_acc"] if val is None else val
        best = self._all_agree(self.world.first and score >= self.best)
        self.best = max(self.best, score)
        self.save(best)
        with suppress(OSError):
            self.log.epoch(self.history)
