"""Tells drawn pixels from rendered ones, so that a network that guesses edges has to decide on one.

A loss on pixels is smallest for the mean of all that could be there, which is a blur. A critic over small
patches (Isola et al., *Image-to-Image Translation with Conditional Adversarial Networks*, CVPR 2017, section
3.2.2) finds that out. It sees three frames in a row, so that what flickers is found out too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

REACH, CONTRAST = 9, 0.3
"""An edge is near where the given pixels differ by so much, of -1..1, within a square of so many pixels."""


class PixelCritic(nn.Module):
    """Three frames of a clip, and the middle one as it was given -> one logit for every patch.

    Args:
        channels: width of the first layer; each of three doubles it and halves height and width.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 12
        for depth in range(3):
            wider = channels * 2**depth
            layers += [spectral_norm(nn.Conv2d(width, wider, 4, 2, 1)), nn.LeakyReLU(0.2)]
            width = wider
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(width, 1, 3, padding=1)))

    def forward(self, clips: Tensor, given: Tensor) -> Tensor:
        """[B, 3, T, H, W] and what was to be drawn in the same size -> [B (T - 2), 1, H / 8, W / 8]."""
        frames = clips.shape[2]
        three = torch.cat([clips[:, :, shift : frames - 2 + shift] for shift in range(3)], 1)
        seen = torch.cat([three, given[:, :, 1:-1]], 1).transpose(1, 2).flatten(0, 1)
        logits: Tensor = self.layers(seen.contiguous(memory_format=torch.channels_last))
        return logits


def near_edges(given: Tensor) -> Tensor:
    """Where there is something to be made crisp: [B, 3, T, H, W] -> bool [B, 1, T, H, W]."""
    flat = given.transpose(1, 2).flatten(0, 1).float()
    highest, lowest = (
        F.max_pool2d(sign * flat, REACH, stride=1, padding=REACH // 2) for sign in (1, -1)
    )  # the second with its sign turned
    return (
        ((highest + lowest).amax(1, keepdim=True) > CONTRAST).unflatten(0, (len(given), -1)).transpose(1, 2)
    )


class Critique:
    """A critic and its training. Far from edges, where it would ask for patterns, it is not heard.

    Args:
        critic: on its device.
        share: how strong its gradient is at a drawn pixel, against that of the loss beside it.
        learning_rate: of the critic.
    """

    def __init__(self, critic: PixelCritic, share: float, learning_rate: float = 2e-4) -> None:
        self.critic, self.share = critic, share
        self.optimizer = torch.optim.Adam(critic.parameters(), learning_rate, (0.5, 0.99))

    def of(self, loss: Tensor, made: Tensor, true: Tensor, given: Tensor) -> Tensor:
        """The loss with the critic's added; the critic learns by the way.

        Args:
            loss: on the pixels of `made`.
            made: drawn clips with a gradient, [B, 3, T, H, W], at least three frames.
            true: rendered ones.
            given: what they were drawn from, in the same size.
        """
        self._learn(made.detach(), true, given)
        self.critic.requires_grad_(False)
        heard = torch.where(near_edges(given), made, made.detach())
        unlike = -self.critic(heard, given).float().mean()
        (by_pixels,) = torch.autograd.grad(loss, made, retain_graph=True)
        (by_critic,) = torch.autograd.grad(unlike, made, retain_graph=True)
        self.critic.requires_grad_(True)
        weight = self.share * by_pixels.norm() / by_critic.norm().clamp_min(1e-12)
        return loss + weight.detach() * unlike

    def _learn(self, made: Tensor, true: Tensor, given: Tensor) -> None:
        real, drawn = self.critic(true, given).float(), self.critic(made, given).float()
        self.optimizer.zero_grad(set_to_none=True)
        (F.relu(1 - real).mean() + F.relu(1 + drawn).mean()).backward()
        self.optimizer.step()
