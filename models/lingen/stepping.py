"""One step of any scheduler: the frames that are given stay, and noise comes from the caller."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

Generators = torch.Generator | list[torch.Generator] | None


def check_scheduler(scheduler: Any) -> None:
    """Raise ValueError if a scheduler takes no sigmas of its own."""
    if "sigmas" not in inspect.signature(scheduler.set_timesteps).parameters:
        raise ValueError(
            f"{type(scheduler).__name__} takes no sigmas of its own. Use a FlowMatchEulerDiscreteScheduler."
        )


def stepped(
    scheduler: Any, velocity: Tensor, timestep: Tensor, latents: Tensor, mask: Tensor, generator: Generators
) -> Tensor:
    """Latents [B, C, F, h, w] after a step.

    A velocity of zero holds a frame with Euler only: LCM, and Euler that samples anew, add noise to every
    frame, and UniPC rounds.

    Args:
        scheduler: at this timestep.
        velocity, latents: [B, C, F, h, w].
        timestep: of the scheduler.
        mask: [1, 1, F, 1, 1], 1 at frames that are given.
        generator: of the noise that some schedulers add.
    """
    takes_one = "generator" in inspect.signature(scheduler.step).parameters
    more = {"generator": generator} if takes_one else {}
    moved = scheduler.step(velocity, timestep, latents, **more, return_dict=False)[0]
    return torch.where(mask == 1, latents, moved)
