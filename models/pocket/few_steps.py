"""The way of a generator that draws in few steps, from noise or from a clip with noise."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.pocket.generator import SHIFT, velocity_of

STEPS = 8
"""Of the published generator, from noise to clip."""
SETTLED = (2, 3, 4)
"""Steps of eight at which a clip with noise still shows its place, but hardly yet what is in it."""


def level(position: Tensor) -> Tensor:
    """Share of noise after `1 - position` of a run, position 1..0: the scheduler's shifted grid."""
    return SHIFT * position / (1 + (SHIFT - 1) * position)


def spread(values: Tensor) -> Tensor:
    """[B] -> [B, 1, 1, 1, 1]."""
    return values[:, None, None, None, None]


def timesteps_of(levels: Tensor, given: Tensor) -> Tensor:
    """Timesteps [B, F] in 0..1000: 0 at the frames that are given."""
    return 1000 * levels[:, None] * (1 - given)


@torch.no_grad()
def own_way(
    student: nn.Module,
    clean: Tensor,
    noise: Tensor,
    count: int,
    steps: int,
    given: Tensor,
    text: Tensor,
    mask: Tensor,
    first: int = 0,
) -> Tensor:
    """Where `count` of the student's `steps` lead; shapes as in `distillation_loss`.

    They begin with the noise, or with the clean clips and as much noise as there is at the step `first`.
    """
    moving = (1 - given)[:, None, :, None, None]
    positions = 1 - (first + torch.arange(count + 1)).to(clean) / steps
    latents = clean + level(positions[0]) * moving * (noise - clean)
    for now, then in pairwise(level(positions).expand(len(clean), -1).T):
        velocity = velocity_of(student, latents, timesteps_of(now, given), text, mask)
        latents = latents + spread(then - now) * moving * velocity
    return latents
