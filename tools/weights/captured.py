# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A training step that a GPU repeats by itself: recorded once as a CUDA graph.

A step of a small network is over a thousand short kernels. To launch each takes a processor longer
than a GPU needs to do it (32 ms and more a step of any size, on the machine it was measured on).
So whatever changes from step to step is on the device: the numbers of the schedule in a table, the
inputs in a pool, and a counter that says which are due.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from efm3.train import average, schedule
from efm3.train.loop import Diverged, Trainer
from tools.weights.resident import SLOTS, Pool, wait

EAGER = 4
"""Steps before the recording: in them libraries choose their algorithms and take their memory."""


class Captured:
    """The steps of a trainer on a pool's inputs; on a CPU the same operations one by one."""

    def __init__(self, trainer: Trainer, pool: Pool) -> None:
        self.trainer, self.pool, self.device = trainer, pool, trainer.world.device
        on = self.device
        self.at = torch.zeros(1, dtype=torch.int64, device=on)
        self.table = torch.tensor([_numbers(trainer, s) for s in range(trainer.total)], device=on)
        self.now = torch.zeros(self.table.shape[1], device=on)
        self.sums = torch.zeros(2, dtype=torch.float64, device=on)
        gpu = on.type == "cuda"
        rate, trainer.head.margin, self.keep, self.rest = self.now.unbind()
        for group in trainer.optimizer.param_groups:
            group["lr"], group["capturable"] = rate, gpu
        self.stream = torch.cuda.Stream(on) if gpu else None
        self.graph: torch.cuda.CUDAGraph | None = None
        self.done = [torch.cuda.Event() for _ in range(2)] if gpu else []
        self.turn = 0
        pairs = zip(trainer.average.network.state_dict().values(),
                    trainer.model.state_dict().values(), strict=True) if trainer.average else ()
        self.averaged = [(a, b) for a, b in pairs if a.is_floating_point()]

    def release(self) -> None:
        """Let the current stream wait for the steps before the last ones: it may have their half
        of the pool."""
        if self.done:
            torch.cuda.current_stream().wait_event(self.done[self.turn % 2])

    def learn(self, steps: int) -> None:
        """So many steps, whose inputs the pool has; a GPU goes on with them after this returns."""
        if self.stream is None:
            for _ in range(steps):
                self._step()
        else:
            # What the current stream has put into the pool is waited for.
            self.stream.wait_stream(torch.cuda.current_stream())
            for _ in range(steps):
                self._on_gpu()
            self.done[self.turn % 2].record(self.stream)
            self.turn += 1
        self.trainer.partial["seen"] += steps * self.pool.labels.shape[1]

    def _on_gpu(self) -> None:
        if self.graph is None and self.trainer.step >= EAGER:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self.stream):
                self._step()
            self.trainer.step -= 1  # It was recorded, not done.
            self.graph = graph
        with torch.cuda.stream(self.stream):
            if self.graph is None:
                self._step()
            else:
                self.graph.replay()
                self.trainer.step += 1

    def _step(self) -> None:
        t, c = self.trainer, self.trainer.config
        self.now.copy_(self.table.index_select(0, self.at)[0])
        slot = self.at % SLOTS
        x = self.pool.images.index_select(0, slot)[0].permute(0, 3, 1, 2)
        labels = self.pool.labels.index_select(0, slot)[0]
        t.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=c.bf16, cache_enabled=False):
            embeddings = t.net(x)
        loss, right = t.loss(embeddings, labels)
        loss.backward()
        if c.clip:
            nn.utils.clip_grad_norm_(list(t.names), c.clip)
        t.optimizer.step()
        self._average()
        with torch.no_grad():
            self.sums += torch.stack((loss.detach().double() * len(labels), right.double()))
            self.at += 1
        t.step += 1

    def _average(self) -> None:
        if self.averaged:
            own, new = zip(*self.averaged, strict=True)
            with torch.no_grad():
                torch._foreach_mul_(own, self.keep)
                torch._foreach_add_(own, torch._foreach_mul(new, self.rest))

    def settle(self) -> None:
        """Wait for what was begun, and add its sums to the trainer's. Raises Diverged."""
        wait(self.device)
        loss, right = self.sums.tolist()
        self.sums.zero_()
        wait(self.device)
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} before step {self.trainer.step}")
        self.trainer.partial["loss"] += loss
        self.trainer.partial["right"] += right


def _numbers(t: Trainer, step: int) -> list[float]:
    """Of a step: the learning rate, the margin, and the parts of average and network."""
    c = t.config
    warmup, ramp = (schedule.in_steps(n, t.per_epoch) for n in (c.warmup, c.margin_warmup))
    keep = average.share(step, c.ema)
    return [schedule.rate(step, t.total, warmup, c.lr),
            schedule.margin(step, ramp, t.head.full_margin), keep, 1 - keep]
