"""Distils the generator: one evaluation a step, without guidance, where its teacher needs two and more steps.

The student learns where classifier-free guidance would take its teacher over one of a few long steps: guided
distillation (Meng et al., *On Distillation of Guided Diffusion Models*, CVPR 2023, section 3.1) and one round
of progressive distillation (Salimans & Ho, ICLR 2022, algorithm 2) in one, written for rectified flow. The
empty caption is kept, so a negative prompt still works with a guidance scale above 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.pocket.few_steps import STEPS, level, own_way, spread, timesteps_of
from models.pocket.generator import (
    build_generator,
    coded_again,
    frames_known,
    velocity_of,
)
from models.pocket.train_generator import GeneratorTraining, carry_out, published_weights
from models.pocket.training import Progress, compile_blocks
from models.pocket.training_set import Batch, GeneratorSettings

Earlier = tuple[Path, Path]
"""Pipeline folders of an earlier teacher and of its student."""


@dataclass(frozen=True)
class DistillationSettings(GeneratorSettings):
    """How the student is trained.

    Attributes:
        steps: of the student, from noise to clip.
        teacher_steps: of the teacher within each of them.
        guidance: the teacher's guidance scale.
        own: how often the student goes on from where its own first steps led, and not from a clip of the
            corpus with noise. That is what it meets when it draws, and such a clip gives away too much: at
            97 % of noise it can be seen what is in it.
    """

    learning_rate: float = 5e-4
    warmup: int = 20
    stills_only: float = 0.0
    stills_later: float = 0.0
    ema: float = 0.99
    steps: int = STEPS
    teacher_steps: int = 2
    guidance: float = 2.0
    own: float = 0.5


def draw_given(
    batch: int, frames: int, generator: torch.Generator, known: tuple[int, ...] | None = None
) -> Tensor:
    """1 at latent frames that are given as condition, else 0, as often as the teacher saw them: [B, F].

    With `known`, these are given to all.
    """
    given = torch.zeros(batch, frames)
    if known is not None:
        given[:, list(known)] = 1
    elif frames > 1:
        for row, kind in zip(given, torch.rand(batch, generator=generator).tolist(), strict=True):
            row[list(frames_known(kind) or ())] = 1
    return given


class GuidedTeacher:
    """The published generator, guided, over one long step of its student."""

    def __init__(self, network: Any, empty: tuple[Tensor, Tensor], settings: DistillationSettings) -> None:
        self.network, self.empty, self.settings = network, empty, settings

    def velocity(self, latents: Tensor, timesteps: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Guided velocity [B, C, F, h, w]."""
        states, masks = (
            torch.cat([none.expand_as(some), some])
            for none, some in zip(self.empty, (text, mask), strict=True)
        )
        both = velocity_of(self.network, torch.cat([latents, latents]), timesteps.repeat(2, 1), states, masks)
        unconditional, conditional = both.chunk(2)
        return unconditional + self.settings.guidance * (conditional - unconditional)

    @torch.no_grad()
    def target(self, noisy: Tensor, start: Tensor, given: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """The straight way over one student step that begins at position `start` [B]: a mean velocity."""
        latents, steps = noisy, self.settings.teacher_steps
        moving = (1 - given)[:, None, :, None, None]
        grid = [level(start - part / (steps * self.settings.steps)) for part in range(steps + 1)]
        for now, then in pairwise(grid):
            velocity = self.velocity(latents, timesteps_of(now, given), text, mask)
            latents = latents + spread(then - now) * velocity * moving
        return (latents - noisy) / spread(grid[-1] - grid[0])


def distillation_loss(
    student: nn.Module,
    teacher: GuidedTeacher,
    clean: Tensor,
    noise: Tensor,
    start: Tensor,
    given: Tensor,
    text: Tensor,
    mask: Tensor,
    weight: Tensor | None = None,
    reached: Tensor | None = None,
) -> Tensor:
    """Mean squared distance of the student's velocity to the teacher's way, over frames that are not given.

    Args:
        student: network in training.
        teacher: shows the way.
        clean, noise: [B, C, F, h, w].
        start: position of the student's step in its run, a multiple of 1/steps in 0..1, [B].
        given: 1 at frames that are given, [B, F].
        text, mask: text states [B, L, D] and which of them are real [B, L].
        weight: of each error, [B, C, F, h, w]; None to count all alike.
        reached: where the student's step begins, [B, C, F, h, w]; None for the clean clips with noise.
    """
    moving = (1 - given)[:, None, :, None, None]
    noisy = clean + spread(level(start)) * moving * (noise - clean) if reached is None else reached
    target = teacher.target(noisy, start, given, text, mask)
    made = velocity_of(student, noisy, timesteps_of(level(start), given), text, mask)
    error = F.mse_loss(made, target, reduction="none")
    error = (error if weight is None else error * weight).mean((1, 3, 4))  # [B, F]
    return (error * (1 - given)).sum() / (1 - given).sum()


class Distillation(GeneratorTraining):
    """A training whose network begins as its own teacher."""

    name = "distillation"
    settings: DistillationSettings

    def __init__(
        self,
        assets: Path,
        work: Path,
        settings: DistillationSettings,
        progress: Progress,
        processes: int = 1,
        earlier: Earlier | None = None,
    ) -> None:
        super().__init__(assets, work, settings, progress, assets, processes)
        network: Any = build_generator().to(self.device, torch.bfloat16).eval().requires_grad_(False)
        teacher = self.states["teacher"] if self.states else self.master.state_dict()
        network.load_state_dict(teacher)
        if earlier is not None and not self.states:
            self._begin_with(earlier)
        text, mask = self.data.text([None])
        self.teacher = GuidedTeacher(network, (text.to(self.device), mask.to(self.device)), settings)

    @torch.no_grad()
    def _begin_with(self, earlier: Earlier) -> None:
        """Add what an earlier distillation changed: much of it is what guidance does to any weights."""
        teacher, student = (published_weights(folder).state_dict() for folder in earlier)
        for name, weight in self.master.state_dict().items():
            weight.add_((student[name] - teacher[name]).to(weight))
            self.average.weights[name].copy_(weight)
        self.worker.load_state_dict(self.master.state_dict())

    def begin(self) -> None:
        """As every training, and compile the teacher."""
        super().begin()
        # the same in all processes, as they wait for each other
        self.ways = np.random.default_rng(self.settings.seed + self.progress.step)
        if self.settings.compile:
            compile_blocks(self.teacher.network)

    def loss(self, batch: Batch, noise: Tensor) -> Tensor:
        """The distillation's loss at one of the student's steps for each clip."""
        steps, clean, text, mask = self.settings.steps, batch.clean, batch.text, batch.mask
        start = torch.randint(1, steps + 1, (len(clean),), generator=self.generator) / steps
        given = draw_given(clean.shape[0], clean.shape[2], self.generator, batch.known).to(clean)
        seen = self.faulty_frames(clean, given.any(1), text, mask)
        if batch.lost is not None:
            seen = coded_again(clean if seen is None else seen, batch.lost)
        if seen is not None:
            clean = torch.where(given[:, None, :, None, None] == 1, seen, clean)
        reached = None
        if self.ways.random() < self.settings.own:
            done = int(self.ways.integers(steps))
            start = torch.full((len(clean),), 1 - done / steps)
            reached = own_way(self.worker, clean, noise, done, steps, given, text, mask)
        begun, weight = start.to(clean), batch.weight
        return distillation_loss(
            self.worker, self.teacher, clean, noise, begun, given, text, mask, weight, reached
        )

    @torch.no_grad()
    def held_out_loss(self, count: int = 16) -> float:
        """The averaged weights' distance to the teacher, always with the same noise and steps."""
        student = build_generator().to(self.device, torch.bfloat16).eval()
        student.load_state_dict(self.average.weights)
        clips = self.held.latents["clips"]
        clean = clips.latents[:count].float().to(self.device)
        text, mask = (each.to(self.device) for each in self.held.text([c[0] for c in clips.captions[:count]]))
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1)).to(clean)
        start = (1 + torch.arange(len(clean)) % self.settings.steps).to(clean) / self.settings.steps
        given = torch.zeros(len(clean), clean.shape[2]).to(clean)
        return float(distillation_loss(student, self.teacher, clean, noise, start, given, text, mask))

    def kept(self) -> dict[str, object]:
        """The teacher goes into the checkpoint, as the student's weights are published over it."""
        return {"teacher": self.teacher.network.state_dict()}


def distill(
    assets: Path,
    work: Path,
    minutes: float,
    settings: DistillationSettings,
    max_steps: int | None = None,
    threads: int = 2,
    save_minutes: float = 3.0,
    earlier: Earlier | None = None,
) -> Path:
    """Distil the generator of a pipeline folder within the budget, and publish the student in its place.

    The student begins as its teacher, or with what an earlier distillation changed added to it.
    """
    progress = Progress(minutes, max_steps)
    return carry_out(
        lambda processes: Distillation(assets, work, settings, progress, processes, earlier),
        assets,
        threads,
        save_minutes,
    )
