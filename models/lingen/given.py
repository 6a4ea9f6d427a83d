"""Frames that are given and not made: as pictures, and as latent frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def in_rgb(pictures: Any) -> Any:
    """PIL images, or nested lists of them, with three channels; arrays and tensors of 8 bits in 0..1.

    To be done before they are scaled: PIL scales a palette's numbers by leaving some out, and diffusers takes
    all arrays for numbers in 0..1.
    """
    if isinstance(pictures, Image.Image):
        return pictures.convert("RGB")
    if isinstance(pictures, np.ndarray) and pictures.dtype == np.uint8:
        return pictures.astype(np.float32) / 255
    if isinstance(pictures, Tensor) and pictures.dtype == torch.uint8:
        return pictures.float() / 255
    return [in_rgb(each) for each in pictures] if isinstance(pictures, (list, tuple)) else pictures


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
