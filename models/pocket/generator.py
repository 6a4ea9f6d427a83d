"""The embedded model's generator: its size, and what it is trained to do.

Rectified flow: a latent frame at timestep t is `(1 - t/1000) clean + t/1000 noise`, and the network predicts
`noise - clean`. Each frame has its own timestep, so that one network makes clips from text, from a first
frame, from the end of another clip or between keyframes.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor
from torch.nn import functional as F

from models.lingen.transformer import LinGenTransformer3DModel

CONFIG: dict[str, Any] = {
    "in_channels": 24,
    "patch_size": 2,
    "num_layers": 8,
    "num_attention_heads": 5,
    "attention_head_dim": 64,
    "text_embed_dim": 384,
    "ffn_dim": 832,
    "ssm_state_size": 64,
    "ssm_head_dim": 64,
    "ssm_expand": 2,
    "window_size": (5, 4, 4),
    "review_window": (5, 2, 2),
    "sample_size": (5, 8, 8),
}
SHIFT = 5.0
"""Of timesteps towards noise. These scenes have few degrees of freedom, and thousands of latents follow from
them: which way a subject looks, and where in its loop it is, can be told at 97 % of noise. So it is decided
before, and who passes that in one step blends two of them."""
SPREAD = 1.4
"""Of the logits of training timesteps."""
PURE = 0.06
"""How often training begins where sampling does, at noise alone."""
FRAMES_KNOWN: tuple[tuple[float, tuple[int, ...]], ...] = (
    (0.31, (0,)),
    (0.29, (0, 1)),
    (0.08, (0, 1, 2)),
    (0.13, (0, -1)),
    (0.06, (-1,)),
)
"""How often which latent frames of a continued clip are given as condition; what is left has every frame at
its own timestep."""
BEFORE_A_TURN = (0, 1)
"""Latent frames of the five frames before a clip of the corpus turns to something else."""


def build_generator(**changes: Any) -> LinGenTransformer3DModel:
    """The untrained generator; `changes` override entries of its configuration."""
    return LinGenTransformer3DModel(**{**CONFIG, **changes})


def build_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """The sampler's timesteps, shifted towards noise, where the composition is decided."""
    return FlowMatchEulerDiscreteScheduler(shift=SHIFT)


def draw_timesteps(
    batch: int, frames: int, generator: torch.Generator, given: tuple[int, ...] | None = None
) -> Tensor:
    """Training timesteps [B, F] in 0..1000: logit-normal, shifted, some 1000; 0 at frames given as condition.

    Which frames are given is drawn for each clip, unless `given` says it for all.
    """
    own = torch.sigmoid(SPREAD * torch.randn(batch, frames, generator=generator))
    own = SHIFT * own / (1 + (SHIFT - 1) * own)
    own = torch.where(torch.rand(batch, 1, generator=generator) < PURE, 1.0, own)
    timesteps = own[:, :1].expand(-1, frames).clone()
    if frames > 1:
        kinds = torch.rand(batch, generator=generator)
        for index, kind in enumerate(kinds.tolist()):
            known = frames_known(kind) if given is None else given
            if known is None:
                timesteps[index] = own[index]
            else:
                timesteps[index, list(known)] = 0
    return timesteps * 1000


def frames_known(kind: float) -> tuple[int, ...] | None:
    """Which latent frames are given, for `kind` in 0..1; None where each frame has its own timestep."""
    for share, known in FRAMES_KNOWN:
        if kind < share:
            return known
        kind -= share
    return None


def velocity_of(
    model: torch.nn.Module, noisy: Tensor, timesteps: Tensor, text: Tensor, mask: Tensor
) -> Tensor:
    """What a network predicts, in float32 whatever it computes in; shapes as in `flow_loss`."""
    dtype = next(model.parameters()).dtype
    return model(noisy.to(dtype), timesteps, text.to(dtype), mask, return_dict=False)[0].float()


@torch.no_grad()
def as_made(
    model: torch.nn.Module, clean: Tensor, level: Tensor, noise: Tensor, text: Tensor, mask: Tensor
) -> Tensor:
    """What the generator would make of these clips: its guess of the clean ones from some noise level.

    A film is continued from clips that the generator has made, with its faults, and never from those that it
    was trained on. One who only knows perfect beginnings takes every fault for the truth and adds to it.

    Args:
        model: the generator.
        clean, noise: [B, C, F, h, w].
        level: share of noise in 0..1, [B].
        text, mask: text states [B, L, D] and which of them are real [B, L].
    """
    share = level[:, None, None, None, None]
    noisy = clean + share * (noise - clean)
    timesteps = 1000 * level[:, None].expand(-1, clean.shape[2])
    return noisy - share * velocity_of(model, noisy, timesteps, text, mask)


def coded_again(clips: Tensor, lost: Tensor) -> Tensor:
    """Clips [B, C, F, h, w] whose first latent frames are as they are after decoding and encoding.

    That is how a film's last frames come back to the generator. What it makes next should be as crisp as they
    were before, or a film gets softer with every chunk, and its seams flicker.

    Args:
        clips: as they were encoded first.
        lost: what the second coding changes, [B, C, n, h, w].
    """
    count = lost.shape[2]
    return torch.cat([clips[:, :, :count] + lost, clips[:, :, count:]], dim=2)


def flow_loss(
    model: torch.nn.Module,
    clean: Tensor,
    timesteps: Tensor,
    noise: Tensor,
    text: Tensor,
    mask: Tensor,
    given: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Mean squared error of the velocity over the frames that are not given.

    Args:
        model: the generator.
        clean, noise: [B, C, F, h, w].
        timesteps: [B, F] in 0..1000.
        text, mask: text states [B, L, D] and which of them are real [B, L].
        given: what the network sees at timestep 0, [B, C, F, h, w]; None for the clean frames.
        weight: of each error, [B, C, F, h, w]; None to count all alike.
    """
    level = (timesteps / 1000)[:, None, :, None, None]
    noisy = clean + level * (noise - clean)
    if given is not None:
        noisy = torch.where(level == 0, given, noisy)
    velocity = velocity_of(model, noisy, timesteps, text, mask)
    error = F.mse_loss(velocity, noise - clean, reduction="none")
    error = (error if weight is None else error * weight).mean((1, 3, 4))  # [B, F]
    asked = (timesteps > 0).float()
    return (error * asked).sum() / asked.sum()
