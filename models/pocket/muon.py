"""An optimizer whose steps have equal size in every direction of a weight: momentum, made orthogonal.

After K. Jordan et al., *Muon: an optimizer for hidden layers in neural networks* (2024). Convolutions whose
fan-in differs a hundredfold, and that are followed by channel norms without scale, learn several times faster
by it than by Adam.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

ROWS = 128  # taller weights are made orthogonal in blocks of so many rows, which is far cheaper


def orthogonalized(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Moves all singular values of ``[..., m, n]`` (m <= n) near one, by a quintic Newton-Schulz iteration.

    The iteration runs on the m x m Gram matrix, so the long side is touched twice only.
    """
    unit = matrix / (matrix.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    gram = unit @ unit.mT
    eye = torch.eye(gram.shape[-1], device=gram.device).expand_as(gram)
    whole = eye
    for _ in range(steps):
        square = gram @ gram
        factor = 3.4445 * eye - 4.7750 * gram + 2.0315 * square
        whole = factor @ whole
        gram = factor @ gram @ factor
    return whole @ unit


def _blocks(weight: torch.Tensor) -> torch.Tensor:
    """A convolution's weight as ``[blocks, m, n]`` with m <= n."""
    flat = weight.flatten(1)
    rows, columns = flat.shape
    count = rows // ROWS if rows > ROWS and rows % (rows // ROWS) == 0 else 1
    flat = flat.view(count, -1, columns)
    return flat.mT if flat.shape[-2] > flat.shape[-1] else flat


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal, for weights of two and more dimensions."""

    def __init__(
        self, weights: Iterable[nn.Parameter] | list[dict[str, Any]], lr: float = 0.02, momentum: float = 0.9
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step for every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(weight)
                mean = state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                blocks = _blocks(weight.grad.lerp(mean, group["momentum"]))
                update = orthogonalized(blocks)
                if blocks.shape[-1] != weight[0].numel():
                    update = update.mT
                weight.add_(update.reshape(weight.shape), alpha=-group["lr"])
