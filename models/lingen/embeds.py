"""Text states and which of them are real, as the pipeline passes them on."""

from __future__ import annotations

import torch
from torch import Tensor

Embeds = tuple[Tensor, Tensor]
"""Text states [B, L, D] and their mask [B, L]."""


def with_mask(embeds: Tensor, mask: Tensor | None) -> Embeds:
    """Text states with their mask; all tokens are real if there is none."""
    return embeds, torch.ones(embeds.shape[:2], device=embeds.device) if mask is None else mask


def spread(embeds: Embeds, batch: int) -> Embeds:
    """Repeat text states to the size of the batch.

    Raises:
        ValueError: if the batch is no multiple of them.
    """
    if batch % embeds[0].shape[0]:
        raise ValueError(
            f"{embeds[0].shape[0]} negative prompts were given for {batch} videos; give one, or one each."
        )
    times = batch // embeds[0].shape[0]
    return embeds[0].repeat_interleave(times, 0), embeds[1].repeat_interleave(times, 0)
