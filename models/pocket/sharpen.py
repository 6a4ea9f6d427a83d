"""Makes the student's clips look more like the corpus, by a judge that learns to tell them apart.

A distilled network regresses to the mean of what could be: where its teacher wavers between two outlines, it
draws both. Here the student goes on from its own runs, not from noised clips of the corpus, since what is to
be mended are the faults of those (Yin et al., *Improved Distribution Matching Distillation*, NeurIPS 2024,
section 4.5), and `Judge` says how its guess of the clean clip has to move to pass for one of the corpus. The
student's velocity before this training, moved that way by a fixed length, is what it learns: it can go that
far from where it was and no farther.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models.pocket.distill import (
    Distillation,
    DistillationSettings,
    draw_given,
    level,
    spread,
    timesteps_of,
)
from models.pocket.generator import build_generator, velocity_of
from models.pocket.judge import Judge, judging_loss, mean_where
from models.pocket.team import Team
from models.pocket.train_generator import MixedOptimizer, carry_out, published_weights
from models.pocket.training import Progress, fast_attention, log_line


@dataclass(frozen=True)
class SharpenSettings(DistillationSettings):
    """How the student is trained on. Its teacher is itself as it was before, step by step, unguided.

    Attributes:
        reach: how far the judge may move a velocity, root mean square (velocities have about 1.4).
        judge_rate: learning rate of the judge's heads.
        judge_levels: least and largest share of noise in what the judge sees.
        layers: blocks that the judge listens to.
        runs: how many runs a process has under way, in batches.
        judge_alone: updates in which only the judge learns, at the beginning.
    """

    learning_rate: float = 3e-4
    ema: float = 0.99
    teacher_steps: int = 1
    guidance: float = 1.0
    reach: float = 0.6
    judge_rate: float = 2e-3
    judge_levels: tuple[float, float] = (0.05, 0.7)
    layers: tuple[int, ...] = (1, 3, 5, 7)
    runs: int = 8
    judge_alone: int = 40


@dataclass
class Run:
    """One clip on its way from noise; without a batch axis.

    Attributes:
        latents: where it is, [C, F, h, w].
        real: a clip of the corpus with the same caption and the same given frames, [C, F, h, w].
        given: 1 at frames that are given, [F].
        text, mask: of the caption, [L, D] and [L].
        left: student steps that are left.
    """

    latents: Tensor
    real: Tensor
    given: Tensor
    text: Tensor
    mask: Tensor
    left: int


class Runs:
    """Runs of the student, each somewhere on its way; what an update makes of them takes them a step on.

    Args:
        fresh: gives runs that stand at noise.
        count: how many are under way.
        steps: of a whole run.
        generator: draws which of them go on.
    """

    def __init__(
        self, fresh: Callable[[], list[Run]], count: int, steps: int, generator: torch.Generator
    ) -> None:
        self.fresh, self.steps, self.generator = fresh, steps, generator
        self.stash: list[Run] = []
        self.under_way: list[Run] = []
        for index in range(count):
            run = self._next()
            self.under_way.append(run)
            gone = index % steps  # so that not all of them begin at once
            share = level(torch.tensor(1 - gone / steps)).to(run.real)
            run.latents, run.left = run.real + share * (run.latents - run.real), steps - gone

    def _next(self) -> Run:
        if not self.stash:
            self.stash = self.fresh()
        return self.stash.pop()

    def draw(self, count: int) -> list[int]:
        """Indices of some of them."""
        return torch.randperm(len(self.under_way), generator=self.generator)[:count].tolist()

    def go_on(self, picks: list[int], latents: Tensor) -> None:
        """Take these to their next latents [B, C, F, h, w]; those that arrive make room for new ones."""
        for index, now in zip(picks, latents, strict=True):
            run = self.under_way[index]
            run.latents, run.left = now, run.left - 1
            if run.left == 0:
                self.under_way[index] = self._next()


def moved_target(velocity: Tensor, worse: Tensor, size: Tensor, reach: float) -> Tensor:
    """Velocities [B, C, F, h, w], moved against the gradient `worse`, whose usual `size` becomes `reach`."""
    return velocity - reach * worse / size.clamp_min(1e-12)


class Sharpening(Distillation):
    """A training that begins with the published student, which is its own anchor."""

    name = "sharpening"
    settings: SharpenSettings

    def __init__(
        self,
        assets: Path,
        work: Path,
        settings: SharpenSettings,
        progress: Progress,
        processes: int = 1,
        seen_by: Path | None = None,
    ) -> None:
        super().__init__(assets, work, settings, progress, processes)
        network: Any = build_generator().to(self.device, torch.bfloat16)
        network.load_state_dict(published_weights(seen_by or assets).state_dict())
        self.judge = Judge(network, settings.layers)
        self.judge.heads.to(self.device)
        if self.states:
            self.judge.heads.load_state_dict(self.states["judge"])
        self.judge_team = Team(processes, self.judge.heads)
        self.size = torch.zeros(())
        self.told: list[float] = []

    def begin(self) -> None:
        """As every training; the heads have an optimizer of their own."""
        super().begin()
        self.judge_team.rank = self.team.rank
        self.judge_optimizer = MixedOptimizer(
            self.judge.heads, self.judge.heads, self.judge_team, self.settings
        )
        if self.settings.compile:
            for kept in self.judge.kept:
                kept.block.compile(dynamic=False)
        count = self.settings.clips // self.team.size
        self.runs = Runs(self.fresh_runs, count * self.settings.runs, self.settings.steps, self.generator)

    @torch.no_grad()
    def fresh_runs(self) -> list[Run]:
        """A batch of runs that stand at noise."""
        drawn = self.data.draw("clips", self.generator, self.team.size)
        real, text, mask = (each.to(self.device) for each in drawn[:3])
        noise = torch.randn(real.shape, generator=self.generator).to(real)
        given = draw_given(real.shape[0], real.shape[2], self.generator).to(real)
        with fast_attention(self.device):
            faulty = self.faulty_frames(real, given.any(1), text, mask)
        known = given[:, None, :, None, None] == 1
        if faulty is not None:
            real = torch.where(known, faulty, real)
        latents, left = torch.where(known, real, noise), self.settings.steps
        rows = zip(latents, real, given, text, mask, strict=True)
        return [Run(*row, left) for row in rows]

    def _update(self, kind: str, step: int, rate: float) -> tuple[float, float]:
        """One update of the student and of its judge."""
        self.team.clear_gradients()
        self.judge_team.clear_gradients()
        with fast_attention(self.device):
            loss = self._learn()
        self.team.wait()
        self.judge_optimizer.step(self.settings.judge_rate)
        self.team.wait()
        alone = step <= self.settings.judge_alone
        norm = self.optimizer.step(0.0 if alone else rate)
        self.average.update(self.own, step)
        return loss, norm

    def _learn(self) -> float:
        """Gradients of both, from some runs; takes these a step on. Returns the student's loss."""
        steps, picks = self.settings.steps, self.runs.draw(self.settings.clips // self.team.size)
        chosen = [self.runs.under_way[index] for index in picks]
        latents, real, given, text, mask = (
            torch.stack([getattr(run, name) for run in chosen])
            for name in ("latents", "real", "given", "text", "mask")
        )
        left = torch.tensor([run.left for run in chosen]).to(latents)
        now, then = level(left / steps), level((left - 1) / steps)
        moving = (1 - given)[:, None, :, None, None]
        velocity = velocity_of(self.worker, latents, timesteps_of(now, given), text, mask)
        with torch.no_grad():
            anchor = velocity_of(self.teacher.network, latents, timesteps_of(now, given), text, mask)
        guess = latents - spread(now) * velocity.detach() * moving
        worse = self._judged(guess, real, given, text, mask)
        # the guess is latents - now * velocity; an early one has to be vague, so it counts less
        worse = -worse * moving * spread(now * (1 - now))
        usual = worse.square().mean().sqrt()
        self.size = usual if self.size == 0 else self.size.lerp(usual, 0.05)
        target = moved_target(anchor, worse, self.size, self.settings.reach)
        channels = self.data.channels.to(latents).view(-1, 1, 1, 1)
        error = F.mse_loss(velocity, target, reduction="none") * channels
        loss = (error * moving).mean() / moving.mean()
        loss.backward()
        self.told.append(float((velocity.detach() - anchor).square().mean().sqrt()))
        self.runs.go_on(picks, latents + spread(then - now) * velocity.detach() * moving)
        return loss.item()

    def _judged(self, guess: Tensor, real: Tensor, given: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """The gradient that would make the guess look worse, [B, C, F, h, w]; the heads get theirs."""
        low, high = self.settings.judge_levels
        share = (low + (high - low) * torch.rand(len(guess), generator=self.generator)).to(guess)
        timesteps, moving = timesteps_of(share, given), 1 - given
        guess = guess.requires_grad_()
        made_states = self._states(guess, share, moving, timesteps, text, mask)
        made = self.judge.logits(made_states)
        (worse,) = torch.autograd.grad(-mean_where(made, moving), guess)
        with torch.no_grad():
            real_states = self._states(real, share, moving, timesteps, text, mask)
        seen = self.judge.logits(real_states)
        made = self.judge.logits([each.detach() for each in made_states])
        judging_loss(seen, made, moving).backward()
        self.told.extend(mean_where(logits.detach(), moving).item() for logits in (seen, made))
        return worse

    def _states(
        self, clean: Tensor, share: Tensor, moving: Tensor, timesteps: Tensor, text: Tensor, mask: Tensor
    ) -> list[Tensor]:
        noise = torch.randn(clean.shape, generator=self.generator).to(clean)
        noisy = clean + spread(share) * moving[:, None, :, None, None] * (noise - clean)
        return self.judge.states(noisy, timesteps, text, mask)

    def save(self) -> None:
        """As every training; and log what the judge said since then, and how far the student has gone."""
        super().save()
        if self.told:
            seen, made, moved = torch.tensor(self.told).view(-1, 3).mean(0).tolist()
            self.told = []
            log_line(self.log, step=self.progress.step, judged_real=seen, judged_made=made, moved=moved)

    def kept(self) -> dict[str, object]:
        """The judge's heads go into the checkpoint too."""
        return {**super().kept(), "judge": self.judge.heads.state_dict()}


def sharpen(
    assets: Path,
    work: Path,
    minutes: float,
    settings: SharpenSettings,
    max_steps: int | None = None,
    threads: int = 2,
    save_minutes: float = 3.0,
    seen_by: Path | None = None,
) -> Path:
    """Train the student of a pipeline folder on, within the budget, and publish it in its place.

    Args:
        assets: the pipeline folder.
        work: encoded clips, checkpoint and log.
        minutes, max_steps: budget.
        settings: of the training.
        threads: CPU threads.
        save_minutes: between checkpoints.
        seen_by: pipeline folder of the generator through which the judge sees; the student itself if None.
    """
    progress = Progress(minutes, max_steps)
    return carry_out(
        lambda processes: Sharpening(assets, work, settings, progress, processes, seen_by),
        assets,
        threads,
        save_minutes,
    )
