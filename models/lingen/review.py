"""Review tokens: a short summary of the whole grid that the scan reads before its first token.

A state-space scan forgets what is far back. With the averages of small windows in front, each token, in
either direction, has seen an overview of everything.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.lingen.scan import Grid


def review_tokens(x: Tensor, window: Grid) -> Tensor:
    """Means over 3-D windows: [B, F, H, W, D] -> [B, ceil(F/f), ceil(H/h), ceil(W/w), D].

    A window that reaches beyond the grid averages the tokens it holds.
    """
    for axis, size in enumerate(window, start=1):
        x = _mean_along(x, axis, min(size, x.shape[axis]))
    return x


def _mean_along(x: Tensor, axis: int, size: int) -> Tensor:
    """Means of `size` neighbours along one axis; the last group may be smaller."""
    missing = -x.shape[axis] % size
    if not missing:
        return x.unflatten(axis, (-1, size)).mean(axis + 1)
    count = torch.full((x.shape[axis] // size + 1,), size, device=x.device, dtype=x.dtype)
    count[-1] -= missing
    padding = [0, 0] * (x.ndim - axis - 1) + [0, missing]
    total = F.pad(x, padding).unflatten(axis, (-1, size)).sum(axis + 1)
    return total / count.view([-1 if i == axis else 1 for i in range(x.ndim)])
