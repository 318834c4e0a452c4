# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: a step, an epoch, a checkpoint, and an exact resume from one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from efm3.arch import ARCHS
from efm3.train import checkpoint, feed, parallel, schedule, state
from efm3.train.average import Average
from efm3.train.config import Config
from efm3.train.data import Data
from efm3.train.heads import Head
from efm3.train.logs import Log
from efm3.train.model import MobileFaceNet
from efm3.train.sampler import Batches
from efm3.train.teacher import Teacher, relations

Validate = Callable[[MobileFaceNet], float]
ZERO = {"loss": 0.0, "right": 0.0, "seen": 0.0, "seconds": 0.0, "waited": 0.0}


class Diverged(RuntimeError):
    """The loss is not finite."""


class Trainer:
    """A run: network, head, optimiser and the place reached. `run` trains to the end."""

    def __init__(self, config: Config, source: Data, world: parallel.World,
                 log: Log | None = None, validate: Validate | None = None,
                 teacher: Teacher | None = None) -> None:
        self.config, self.source, self.world, self.validate = config, source, world, validate
        self.teacher = teacher
        torch.manual_seed(config.seed)
        self.model = MobileFaceNet(ARCHS[config.arch])
        self.head = self._head()
        if config.channels_last:
            self.model.to(memory_format=torch.channels_last)
        self.model.to(world.device)
        self.head.to(world.device)
        self.average = Average(self.model, config.ema) if config.ema else None
        net: nn.Module = self.model
        if config.sync_bn and world.device.type == "cpu":
            raise ValueError("--sync-bn: PyTorch has it for GPUs only")
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
        self.total = schedule.total(config, self.per_epoch)
        self.augment = feed.augmenter(config.augment)
        self.step, self.best = 0, float("-inf")
        self.partial = dict(ZERO)
        self.history: list[dict[str, Any]] = []
        self.log = log or Log(Path(config.out), False, self.total)
        self.stop = ""
        self.pending: list[Tensor] = []
        # Reading a number waits for a GPU to finish, so there it is done rarely.
        self.every = 1 if world.device.type == "cpu" else 10

    def _head(self) -> Any:
        c = self.config
        dim = self.model.arch.embedding_dim
        if c.shard_head:
            from efm3.train.sharded import ShardedHead
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

    def save(self, best: bool = False) -> None:
        """Write last.pt, and best.pt too where asked."""
        value = state.capture(self)
        if self.world.first:
            folder = Path(self.config.out)
            checkpoint.save(value, folder / "last.pt", *([folder / "best.pt"] if best else []))
        self._saved = time.monotonic()

    def run(self) -> bool:
        """Train until the end (True) or until something stops it (False), then checkpoint."""
        self.net.train()
        self._began = self._saved = time.monotonic()
        while self.step < self.total and not self.stop:
            self.batches.start(self.epoch, self.step % self.per_epoch)
            try:
                self._rest_of_epoch()
            except RuntimeError:
                # A signal to the whole process group ends the loader's workers too.
                if not self.stop:
                    raise
        if self.step % self.per_epoch:
            if self.step >= self.total and self.partial["seen"]:
                self._end_of_epoch()
            else:
                self.save()
        return self.step >= self.total

    def _rest_of_epoch(self) -> None:
        batches = feed.loader(self.source, self.batches, self.config.workers,
                              self.world.device.type == "cuda")
        mark = time.monotonic()
        for images, labels in batches:
            self._take(images, labels, mark)
            if self.step % self.per_epoch == 0:
                self._end_of_epoch()
            if self.step % self.every == 0 or self.step == self.total:
                self._look_around()
            if self.stop or self.step >= self.total:
                return
            mark = time.monotonic()

    def _look_around(self) -> None:
        """Stop or save where time or a signal requires it in any process: all do the same."""
        now, limit = time.monotonic(), 60 * self.config.max_minutes
        if limit and now - self._began > limit:
            self.stop = self.stop or f"{self.config.max_minutes:g} minutes are over"
        due = now - self._saved > 60 * self.config.save_every
        stop, save = self.world.total(bool(self.stop), due)
        if stop:
            self.stop = self.stop or "another process was told to stop"
        elif save:
            self.save()

    def _take(self, images: Tensor, labels: Tensor, mark: float) -> None:
        feed.check(images, labels, self.source)
        x = self.changed(images)
        self.learn(x, labels.to(x.device, non_blocking=True), mark, time.monotonic() - mark)

    def changed(self, images: Tensor) -> Tensor:
        """The network's input of the next step from uint8 [B, 3, 112, 112]: augmented, scaled."""
        c, w = self.config, self.world
        g = feed.generator(w.device, c.seed, self.step, w.rank)
        x = self.augment(images.to(w.device, non_blocking=True), g)
        return x.contiguous(memory_format=torch.channels_last) if c.channels_last else x

    def learn(self, x: Tensor, labels: Tensor, mark: float, waited: float) -> None:
        """One step on what `changed` gave; it began at `mark` and waited so long for pictures."""
        c, w = self.config, self.world
        warmup, ramp = (schedule.in_steps(n, self.per_epoch) for n in (c.warmup, c.margin_warmup))
        lr = schedule.rate(self.step, self.total, warmup, c.lr)
        self.head.margin = schedule.margin(self.step, ramp, self.head.full_margin)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(w.device.type, torch.bfloat16, enabled=c.bf16):
            embeddings = self.net(x)
        loss, right = self.loss(embeddings, labels)
        if self.teacher:
            with torch.no_grad(), torch.autocast(w.device.type, torch.bfloat16, enabled=c.bf16):
                wanted = self.teacher.network(x)
            # Each process's own images: DistributedDataParallel takes the mean of the gradients.
            loss = loss + c.distill * relations(embeddings, wanted)
        loss.backward()
        self._clip()
        self.optimizer.step()
        if self.average:
            self.average.update(self.model, self.step)
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
        self.pending.append(torch.stack((loss.detach().double() * n, right.double())))
        p["seen"] += n
        p["waited"] += waited
        p["seconds"] += time.monotonic() - mark
        self.step += 1
        if self.step % self.every == 0:
            self.settle()
            seen = p["seen"] * self.world.size
            self.log.step(self.step, f"epoch {self.step / self.per_epoch:.2f}  loss "
                          f"{p['loss'] / p['seen']:.3f}  acc {p['right'] / p['seen']:.1%}  "
                          f"lr {lr:.2e}  {seen / p['seconds']:.0f} images/s",
                          self.step % self.config.log_every == 0)

    def settle(self) -> None:
        """Add up what steps left on the device, in their order."""
        if not self.pending:
            return
        start = time.monotonic()
        for loss, right in torch.stack(self.pending).tolist():
            if not math.isfinite(loss):
                raise Diverged(f"the loss is {loss} at step {self.step - 1}: try a lower --lr, "
                               "a longer --warmup or --margin-warmup")
            self.partial["loss"] += loss
            self.partial["right"] += right
        self.pending.clear()
        self.partial["seconds"] += time.monotonic() - start

    def _end_of_epoch(self) -> None:
        self.save(self.close_epoch())
        with suppress(OSError):
            self.log.epoch(self.history)

    def close_epoch(self) -> bool:
        """Add the epoch's row to the history; whether it is the best until now."""
        self.settle()
        p = self.partial
        loss, right, seen = self.world.total(p["loss"], p["right"], p["seen"])
        val = None
        if self.validate and self.world.first:
            self.model.eval()
            with torch.no_grad():
                val = self.validate(self.average.network if self.average else self.model)
            self.model.train()
        row: dict[str, Any] = {
            "epoch": self.step / self.per_epoch if self.step % self.per_epoch else self.epoch,
            "step": self.step, "loss": loss / seen, "train_acc": right / seen,
            "lr": float(self.optimizer.param_groups[0]["lr"]),
            "margin": float(self.head.margin), "images_per_s": seen / p["seconds"],
            "epoch_s": p["seconds"], "data_share": p["waited"] / p["seconds"], "val_acc": val}
        self.history.append(row)
        self.partial = dict(ZERO)
        score = row["train_acc"] if val is None else val
        best = self.world.total(self.world.first and score >= self.best)[0] > 0
        self.best = max(self.best, score)
        return best
