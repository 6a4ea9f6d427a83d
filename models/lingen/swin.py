"""Temporal Swin attention (TESA): self-attention inside small 3-D windows that shift from layer to layer.

It keeps what a scan blurs: the exact relation of tokens that are close in space and time. The window has the
same size at every resolution and length, so the cost is linear in the number of tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.lingen.scan import Grid


def window_partition(x: Tensor, window: Grid) -> Tensor:
    """[B, F, H, W, D] with every axis a multiple of the window -> [B, windows, tokens, D]."""
    f, h, w = window
    batch, frames, height, width, dim = x.shape
    x = x.reshape(batch, frames // f, f, height // h, h, width // w, w, dim)
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(batch, -1, f * h * w, dim)


def window_merge(x: Tensor, window: Grid, grid: Grid) -> Tensor:
    """The inverse of `window_partition` for a padded `grid`."""
    f, h, w = window
    frames, height, width = grid
    x = x.reshape(x.shape[0], frames // f, height // h, width // w, f, h, w, -1)
    return x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(x.shape[0], frames, height, width, -1)


def region_mask(grid: Grid, padded: Grid, window: Grid, shift: Grid, device: torch.device) -> Tensor | None:
    """Which tokens of a window may see each other: [windows, 1, tokens, tokens] bool, or None if all may.

    A cyclic shift brings opposite edges of the grid into one window, and padding fills up the last one;
    neither may be mixed with the rest.
    """
    if grid == padded and not any(shift):
        return None
    label = torch.zeros(1, *padded, 1, dtype=torch.long, device=device)
    for axis, (extent, limit, by) in enumerate(zip(grid, padded, shift, strict=True)):
        position = torch.arange(limit, device=device).roll(-by)
        part = (position >= extent).long() * 2  # padding is a region of its own
        if by:
            part[limit - by :] += 1  # tokens wrapped around from the front
        label = label * 4 + part.view([-1 if i == axis + 1 else 1 for i in range(5)])
    windows = window_partition(label, window)[0, :, :, 0]
    return (windows[:, :, None] == windows[:, None, :])[:, None]


class TemporalSwinAttention(nn.Module):
    """The TE-branch: windowed self-attention, shifted by half a window where `shifted`.

    Args:
        dim: token width.
        heads: attention heads.
        window: (frames, rows, columns) of a window. Where it covers an axis of the grid, it is cut to that
            axis and does not shift, so on a grid that fits the window this is full attention.
        shifted: whether this layer's windows are displaced.
    """

    def __init__(self, dim: int, heads: int, window: Grid, shifted: bool) -> None:
        super().__init__()
        self.heads, self.window, self.shifted = heads, window, shifted
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_norm = nn.RMSNorm(dim // heads, eps=1e-6)
        self.k_norm = nn.RMSNorm(dim // heads, eps=1e-6)
        self.out_proj = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, F, H, W, D] -> the same shape."""
        grid = (x.shape[1], x.shape[2], x.shape[3])
        f, h, w = (min(extent, limit) for extent, limit in zip(self.window, grid, strict=True))
        window = (f, h, w)
        df, dh, dw = (
            size // 2 if self.shifted and size < limit else 0
            for size, limit in zip(window, grid, strict=True)
        )
        after = [-limit % size for size, limit in zip(window, grid, strict=True)]
        padded = (grid[0] + after[0], grid[1] + after[1], grid[2] + after[2])
        mask = region_mask(grid, padded, window, (df, dh, dw), x.device)
        if padded != grid:
            x = F.pad(x, (0, 0, 0, after[2], 0, after[1], 0, after[0]))
        if df or dh or dw:
            x = x.roll((-df, -dh, -dw), (1, 2, 3))
        x = window_merge(self._attend(window_partition(x, window), mask), window, padded)
        if df or dh or dw:
            x = x.roll((df, dh, dw), (1, 2, 3))
        return x[:, : grid[0], : grid[1], : grid[2]]

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Self-attention in each window: [B, windows, tokens, D], mask as from `region_mask`."""
        batch = x.shape[0]
        q, k, v = self.qkv(x).flatten(0, 1).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        q, k = self.q_norm(q).to(v.dtype), self.k_norm(k).to(v.dtype)
        if mask is not None:
            mask = mask.repeat(batch, 1, 1, 1)
        y = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask
        )
        return self.out_proj(y.transpose(1, 2).flatten(-2)).unflatten(0, (batch, -1))
