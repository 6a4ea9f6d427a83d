"""Tells encoded clips from generated ones by what a frozen generator sees in them.

Latent adversarial diffusion distillation (Sauer et al., *Fast High-Resolution Image Synthesis with Latent
Adversarial Diffusion Distillation*, SIGGRAPH Asia 2024): the features are those of a trained
denoiser at a noise level of its own, so nothing is decoded, and only small heads on them are trained.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.pocket.generator import velocity_of


class _Kept(nn.Module):
    """A block that remembers what it gave out last."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block
        self.last: Tensor | None = None

    def forward(self, *given: Any) -> Tensor:
        """What the block gives out."""
        self.last = self.block(*given)
        return self.last


class Head(nn.Module):
    """One logit a token: [B, F, h, w, D] -> [B, F, h, w]."""

    def __init__(self, dim: int, hidden: int = 96) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(dim, eps=1e-6)
        self.hidden = nn.Linear(dim, hidden)
        self.logit = nn.Linear(hidden, 1)

    def forward(self, states: Tensor) -> Tensor:
        """Higher for what looks like a clip of the corpus."""
        logits: Tensor = self.logit(F.silu(self.hidden(self.norm(states.float()))))
        return logits[..., 0]


class Judge:
    """Heads on some blocks of a frozen generator.

    Args:
        network: a generator that nothing else uses; its blocks are replaced by ones that remember.
        layers: indices of the blocks that are listened to.
    """

    def __init__(self, network: Any, layers: tuple[int, ...]) -> None:
        self.network = network.eval().requires_grad_(False)
        self.kept = []
        for layer in layers:
            network.blocks[layer] = _Kept(network.blocks[layer])
            self.kept.append(network.blocks[layer])
        dim = network.config.num_attention_heads * network.config.attention_head_dim
        self.heads = nn.ModuleList(Head(dim) for _ in layers)

    def states(self, noisy: Tensor, timesteps: Tensor, text: Tensor, mask: Tensor) -> list[Tensor]:
        """What the blocks make of latents [B, C, F, h, w] at timesteps [B, F]: [B, F, h, w, D] each."""
        velocity_of(self.network, noisy, timesteps, text, mask)
        found = [kept.last for kept in self.kept]
        for kept in self.kept:
            kept.last = None
        return [states for states in found if states is not None]

    def logits(self, states: list[Tensor]) -> Tensor:
        """[heads, B, F, h, w]."""
        return torch.stack([head(each) for head, each in zip(self.heads, states, strict=True)])


def mean_where(logits: Tensor, moving: Tensor) -> Tensor:
    """Mean over heads [N, B, F, h, w] and over the frames that are not given, `moving` [B, F]."""
    return (logits.mean((0, 3, 4)) * moving).sum() / moving.sum()


def judging_loss(real: Tensor, made: Tensor, moving: Tensor) -> Tensor:
    """Hinge loss of the heads, for logits [N, B, F, h, w] of both."""
    return mean_where(F.relu(1 - real), moving) + mean_where(F.relu(1 + made), moving)
