"""Latent frames that are given and not made."""

from __future__ import annotations

from torch import Tensor


def place(known: Tensor, mask: Tensor, latents: Tensor, first: int) -> None:
    """Write given latents over `known`, one for all or one an element of the batch, and 1 into the mask.

    Args:
        known: [B, C, F, h, w].
        mask: [1, 1, F, 1, 1].
        latents: [b, C, f, h, w]; B is a multiple of b.
        first: the latent frame that they begin with.

    Raises:
        ValueError: if there is neither one for all nor one each.
    """
    if known.shape[0] % latents.shape[0]:
        raise ValueError(
            f"{latents.shape[0]} guides were given for {known.shape[0]} videos; give one, or one each."
        )
    last = first + latents.shape[2]
    known[:, :, first:last] = latents.repeat_interleave(known.shape[0] // latents.shape[0], 0).to(known)
    mask[:, :, first:last] = 1
