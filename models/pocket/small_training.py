"""The loop of a small training: one network, one process, averaged weights, checkpoints on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.pocket.training import AveragedWeights, Progress, load_checkpoint, log_line, save_checkpoint

SAVE_SECONDS = 120.0


class SmallTraining:
    """A network in training, resumed from its last checkpoint if there is one.

    Args:
        network: on its device.
        name: of the checkpoint and the log in `work`.
        work: folder of both.
        progress: the budget; set to where the checkpoint was.
        warmup: steps of linear warmup to the optimizers' learning rates.
        ema: decay of the averaged weights.
        learning_rate, weight_decay: of AdamW, where no `optimizers` are given.
        optimizers: of the network's weights.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        work: Path,
        progress: Progress,
        *,
        warmup: int,
        ema: float,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        optimizers: Sequence[torch.optim.Optimizer] = (),
    ) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.network, self.progress = network, progress
        self.warmup = warmup
        self.checkpoint, self.log = work / f"{name}.pt", work / f"{name}.jsonl"
        self.average = AveragedWeights(network, ema)
        self.optimizers = list(optimizers) or [
            torch.optim.AdamW(network.parameters(), learning_rate, (0.9, 0.98), weight_decay=weight_decay)
        ]
        self.peaks = [[group["lr"] for group in part.param_groups] for part in self.optimizers]
        states = load_checkpoint(self.checkpoint, progress)
        if states:
            network.load_state_dict(states["model"])
            for part, state in zip(self.optimizers, states["optimizers"], strict=True):
                part.load_state_dict(state)
            for key, value in states["average"].items():
                self.average.weights[key].copy_(value)

    def run(self, loss: Callable[[], Tensor]) -> dict[str, Tensor]:
        """Make `loss()`, of a batch that it draws itself, smaller until the budget is used up.

        Returns:
            The averaged weights.
        """
        progress, saved = self.progress, self.progress.seconds
        losses: list[float] = []
        while progress.fraction < 1:
            losses.append(self._step(loss))
            if progress.step % 50 == 0:
                log_line(self.log, step=progress.step, seconds=progress.seconds, loss=float(np.mean(losses)))
                losses = []
            if progress.seconds - saved > SAVE_SECONDS:
                saved = progress.seconds
                self.save()
        self.save()
        return self.average.weights

    def _step(self, loss: Callable[[], Tensor]) -> float:
        for part, peaks in zip(self.optimizers, self.peaks, strict=True):
            for group, peak in zip(part.param_groups, peaks, strict=True):
                group["lr"] = self.progress.learning_rate(peak, self.warmup)
        value = loss()
        self.network.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for part in self.optimizers:
            part.step()
        self.progress.step += 1
        self.average.update(self.network, self.progress.step)
        return value.item()

    def save(self) -> None:
        """Write a checkpoint."""
        save_checkpoint(
            self.checkpoint,
            self.progress,
            model=self.network.state_dict(),
            optimizers=[part.state_dict() for part in self.optimizers],
            average=self.average.weights,
        )
