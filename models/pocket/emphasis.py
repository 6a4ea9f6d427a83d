"""What the generator's loss looks at most: cells in which a subject plays, channels that move many pixels.

A backdrop is learned soon and fills three quarters of a clip; and half of an autoencoder's channels hold what
is hardly seen once it is decoded. Counted alike, they take most of what a small network can learn. Weights of
channels leave the minimum of the loss where it is; those of places, which come with the clip, draw it a bit
towards the clips that have a subject there.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKLLTXVideo
from torch import Tensor

from models.pocket.scenes import Scene, actor_path

RADIUS = 0.44
"""Of a sprite's side: how far from its middle it is seldom empty."""
STIR = 0.3
"""Noise that is put into a channel to see what it moves; latents have a deviation of 1."""


def subject_cells(scene: Scene, frames: np.ndarray, cells: int) -> np.ndarray:
    """Where its actors are, bool [n, cells, cells], at frames of the clip (0..16)."""
    middles = (np.arange(cells) + 0.5) / cells
    covered = np.zeros((len(frames), cells, cells), bool)
    for actor in scene.actors:
        x, y, size, _ = actor_path(scene, actor, frames)
        across, down = ((middles - at[:, None]) ** 2 for at in (x, y))
        reach = RADIUS * size + 0.3 / cells
        covered |= down[:, :, None] + across[:, None, :] < reach[:, None, None] ** 2
    return covered


def latent_cells(scene: Scene, shown: tuple[int, ...] | None, cells: int, ratio: int = 4) -> np.ndarray:
    """The same for each latent frame of a clip, bool [F, cells, cells], or of a picture of one of its frames.

    Args:
        scene: what is shown.
        shown: the frame that a picture shows; None for the whole clip.
        cells: latent rows and columns.
        ratio: frames to a latent frame; the first has one of its own.
    """
    if shown is not None:
        return subject_cells(scene, np.array(shown), cells)
    each = subject_cells(scene, np.arange(17), cells)
    rest = each[1:].reshape(-1, ratio, cells, cells).any(1)
    return np.concatenate([each[:1], rest])


@torch.no_grad()
def channel_weights(vae: AutoencoderKLLTXVideo, latents: Tensor, least: float = 0.3) -> Tensor:
    """How much each channel moves the decoded pixels, [C], mean 1 and none below `least` before that.

    Args:
        vae: decodes.
        latents: normalised latents of some clips [B, C, F, h, w].
        least: of the mean, so that no channel is left to chance.
    """
    latents = latents.float()
    spread = vae.latents_std.view(1, -1, 1, 1, 1)
    clips = latents * spread + vae.latents_mean.view(1, -1, 1, 1, 1)
    still = vae.decode(clips).sample
    moved = []
    for channel in range(latents.shape[1]):
        stirred = clips.clone()
        noise = torch.randn(stirred[:, channel].shape, generator=torch.Generator().manual_seed(channel))
        stirred[:, channel] += STIR * noise * vae.latents_std[channel]
        moved.append((vae.decode(stirred).sample - still).square().mean())
    weights = torch.stack(moved)
    weights = (weights / weights.mean()).clamp_min(least)
    return weights / weights.mean()


def loss_weights(subjects: Tensor, channels: Tensor, subject_weight: float) -> Tensor:
    """Weights of the loss [B, C, F, h, w], mean 1.

    Args:
        subjects: where a subject is, bool [B, F, h, w].
        channels: weight of each channel [C].
        subject_weight: of a cell with a subject against one without.
    """
    places = torch.where(subjects, subject_weight, 1.0)
    return (places / places.mean())[:, None] * channels[:, None, None, None]
