"""The loop of a small training: one network, one process, AdamW, averaged weights, checkpoints on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
        learning_rate: peak, after `warmup` steps.
        ema: decay of the averaged weights.
        weight_decay: of AdamW.
        before: record of the training whose weights this one begins with; that of the checkpoint, if there
            is one, because its own weights may lie in the place of those by now.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        work: Path,
        progress: Progress,
        *,
        learning_rate: float,
        warmup: int,
        ema: float,
        weight_decay: float = 0.0,
        before: dict[str, Any] | None = None,
    ) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.network, self.progress = network, progress
        self.learning_rate, self.warmup = learning_rate, warmup
        self.checkpoint, self.log = work / f"{name}.pt", work / f"{name}.jsonl"
        self.average = AveragedWeights(network, ema)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), learning_rate, (0.9, 0.98), weight_decay=weight_decay
        )
        states = load_checkpoint(self.checkpoint, progress)
        self.before = states.get("before", before) if states else before
        if states:
            network.load_state_dict(states["model"])
            self.optimizer.load_state_dict(states["optimizer"])
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
        for group in self.optimizer.param_groups:
            group["lr"] = self.progress.learning_rate(self.learning_rate, self.warmup)
        value = loss()
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.progress.step += 1
        self.average.update(self.network, self.progress.step)
        return value.item()

    def save(self) -> None:
        """Write a checkpoint."""
        save_checkpoint(
            self.checkpoint,
            self.progress,
            model=self.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            average=self.average.weights,
            before=self.before,
        )
