"""The critic tells blurred clips from crisp ones, and a network beside it stops blurring."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.pocket.pixel_critic import Critique, PixelCritic, near_edges


def stripes(count: int = 4) -> Tensor:
    """Clips [n, 3, 3, 16, 16] of vertical edges, each somewhere else."""
    at = torch.randint(4, 12, (count, 1))
    rows = (torch.arange(16) < at).float() * 2 - 1
    return rows[:, None, None, None].expand(-1, 3, 3, 16, -1).contiguous()


def blurred(clips: Tensor) -> Tensor:
    return F.avg_pool3d(clips, (1, 1, 5), stride=1, padding=(0, 0, 2), count_include_pad=False)


def test_there_is_a_logit_for_every_patch_of_every_middle_frame() -> None:
    logits = PixelCritic(channels=4)(torch.zeros(2, 3, 5, 32, 16), torch.zeros(2, 3, 5, 32, 16))
    assert logits.shape == (2 * 3, 1, 4, 2)


def test_it_learns_to_tell_a_blur() -> None:
    torch.manual_seed(0)
    critic = PixelCritic(channels=8)
    critique = Critique(critic, share=1.0, learning_rate=5e-3)
    for _ in range(60):
        clips = stripes()
        made = blurred(clips).requires_grad_()
        critique.of(made.square().mean(), made, clips, blurred(clips))
    clips = stripes(16)
    given = blurred(clips)
    assert critic(clips, given).mean() > critic(given, given).mean() + 0.5


def test_its_gradient_is_as_strong_as_was_said() -> None:
    torch.manual_seed(0)
    clips = stripes()
    made = blurred(clips).requires_grad_()
    by_pixels = (made - clips).square().mean()
    (right,) = torch.autograd.grad(by_pixels, made, retain_graph=True)
    loss = Critique(PixelCritic(channels=4), share=0.5).of(by_pixels, made, clips, blurred(clips))
    (both,) = torch.autograd.grad(loss, made)
    torch.testing.assert_close((both - right).norm(), 0.5 * right.norm(), rtol=1e-3, atol=0)


def test_it_is_not_heard_far_from_edges() -> None:
    torch.manual_seed(0)
    clips = F.pad(stripes(1), (0, 32), value=-1.0)
    made = blurred(clips).requires_grad_()
    by_pixels = (made - clips).square().mean()
    (right,) = torch.autograd.grad(by_pixels, made, retain_graph=True)
    loss = Critique(PixelCritic(channels=4), share=0.5).of(by_pixels, made, clips, blurred(clips))
    (both,) = torch.autograd.grad(loss, made)
    torch.testing.assert_close(both[..., 24:], right[..., 24:])
    assert (both != right).any()


def test_edges_are_where_the_given_pixels_differ() -> None:
    near = near_edges(F.pad(torch.full((1, 3, 2, 16, 16), 0.4), (0, 16), value=-0.2))
    assert near.shape == (1, 1, 2, 16, 32)
    assert near[..., 14:18].all()
    assert not near[..., :10].any() and not near[..., 22:].any()
