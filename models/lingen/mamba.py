"""Bidirectional Mamba-2 and the MA-branch that scans a video with it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.lingen.kernels import Kernel, find_kernel
from models.lingen.review import review_tokens
from models.lingen.scan import Grid, ScanOrder, from_sequence, to_sequence
from models.lingen.ssd import ssd


class BidirectionalMamba2(nn.Module):
    """Mamba-2 read forwards and backwards, the two directions sharing their input and output projections.

    LinGen, supplement E.2. Equation 1: the projections cost `(6 + 2/d_h) E N d^2 + 4 N d_s d` once, for both
    directions. The depthwise convolution (equation 2, here over B and C as well as x, as in Mamba-2) and the
    scan (equation 3) are per direction. `models.lingen.flops` has the formulas; the RMSNorm before the last
    projection is Mamba-2's.

    Args:
        dim: token width d.
        state_size: hidden state size d_s.
        head_dim: head dimension d_h; must divide `expand * dim`.
        expand: expansion factor E.
        conv_kernel: kernel size K of the causal convolution.
        chunk_size: see `ssd`.
    """

    def __init__(
        self,
        dim: int,
        state_size: int = 128,
        head_dim: int = 64,
        expand: int = 2,
        conv_kernel: int = 4,
        chunk_size: int = 128,
    ) -> None:
        super().__init__()
        inner = expand * dim
        if inner % head_dim:
            raise ValueError(f"expand * dim = {inner} must be a multiple of head_dim = {head_dim}.")
        self.heads, self.head_dim, self.state_size, self.chunk_size = (
            inner // head_dim,
            head_dim,
            state_size,
            chunk_size,
        )
        self.mixed = inner + 2 * state_size
        self.in_proj = nn.Linear(dim, inner + self.mixed + self.heads, bias=False)
        self.conv_weight = nn.Parameter(torch.empty(2, conv_kernel, self.mixed))
        self.conv_bias = nn.Parameter(torch.zeros(2, self.mixed))
        self.dt_bias = nn.Parameter(torch.empty(2, self.heads))
        self.log_rate = nn.Parameter(torch.empty(2, self.heads))
        self.skip = nn.Parameter(torch.ones(2, self.heads))
        self.norm = nn.RMSNorm(inner, eps=1e-6)
        self.out_proj = nn.Linear(inner, dim, bias=False)
        self.kernel: Kernel | None = find_kernel()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Mamba-2's start: step sizes log-uniform in 0.001 to 0.1, decay rates uniform in 1 to 16."""
        if self.dt_bias.is_meta:
            return
        nn.init.uniform_(self.conv_weight, -0.5, 0.5)
        step = torch.exp(torch.rand(2, self.heads) * math.log(100.0) + math.log(0.001))
        with torch.no_grad():
            self.dt_bias.copy_(step + torch.log(-torch.expm1(-step)))
            self.log_rate.copy_(torch.log(1 + 15 * torch.rand(2, self.heads)))

    def _causal_conv(self, x: Tensor) -> Tensor:
        """Depthwise causal convolution (equation 2), one kernel a direction: [2, B, L, C] -> the same."""
        kernel, length = self.conv_weight.shape[1], x.shape[2]
        padded = F.pad(x, (0, 0, kernel - 1, 0))
        y = self.conv_bias[:, None, None]
        for tap in range(kernel):
            y = torch.addcmul(y, padded[:, :, tap : tap + length], self.conv_weight[:, None, None, tap])
        return F.silu(y)

    def forward(self, x: Tensor, prefix: int = 0) -> Tensor:
        """Mix [B, L, D]. The first `prefix` tokens stay in front for both directions."""
        z, mixed, dt = self.in_proj(x).split([self.mixed - 2 * self.state_size, self.mixed, self.heads], -1)
        mixed = self._causal_conv(_both_ways(mixed, prefix)).flatten(0, 1)  # [2B, L, C]
        value, b, c = mixed.split([self.mixed - 2 * self.state_size, self.state_size, self.state_size], -1)
        value = value.unflatten(-1, (self.heads, self.head_dim))
        dt = F.softplus(_both_ways(dt, prefix).float() + self.dt_bias[:, None, None])  # [2, B, L, H]
        if self.kernel is not None and value.is_cuda:
            y = self._fused_scan(self.kernel, value, dt, b, c)
        else:
            log_decay = (dt * -self.log_rate.float().exp()[:, None, None]).flatten(0, 1)
            y = ssd(value * dt.flatten(0, 1)[..., None].to(value.dtype), log_decay, b, c, self.chunk_size)
        y = y.unflatten(0, (2, -1)) + value.unflatten(0, (2, -1)) * self.skip[:, None, None, :, None]
        y = y.flatten(-2)
        y = y[0] + torch.cat([y[1, :, :prefix], y[1, :, prefix:].flip(1)], 1)
        return self.out_proj(self.norm(y * F.silu(z)))

    def _fused_scan(self, kernel: Kernel, value: Tensor, dt: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """The scan of both directions in one call of mamba-ssm's kernel: [2B, L, H, P].

        The kernel knows one decay rate a head, but each direction has its own. So the rate goes into the step
        size, `dt' = rate dt` with rate 1, and out of the input, `x' = x / rate`; `dt' x'` stays `dt x`.
        """
        rate = self.log_rate.float().exp()[:, None, None]  # [2, 1, 1, H]
        x = (value.unflatten(0, (2, -1)) / rate[..., None].to(value.dtype)).flatten(0, 1)
        one = -torch.ones(self.heads, device=value.device)
        steps = (dt * rate).flatten(0, 1)
        b, c = b[:, :, None].contiguous(), c[:, :, None].contiguous()
        return kernel(x, steps, one, b, c, self.chunk_size)


def _both_ways(x: Tensor, prefix: int) -> Tensor:
    """[B, L, C] -> [2, B, L, C]: as it is, and with all but the first `prefix` tokens reversed."""
    return torch.stack([x, torch.cat([x[:, :prefix], x[:, prefix:].flip(1)], 1)])


class MABranch(nn.Module):
    """The MA-branch: review tokens, then the grid in one of the four orders, through Mamba-2 both ways.

    Args:
        mamba: reads the tokens.
        order: of the grid.
        review_window: tokens averaged into one review token; None goes without review tokens.
    """

    def __init__(self, mamba: BidirectionalMamba2, order: ScanOrder, review_window: Grid | None) -> None:
        super().__init__()
        self.mamba, self.order, self.review_window = mamba, order, review_window

    def forward(self, x: Tensor) -> Tensor:
        """[B, F, H, W, D] -> the same shape."""
        grid = (x.shape[1], x.shape[2], x.shape[3])
        if self.review_window is None:
            return from_sequence(self.mamba(to_sequence(x, self.order)), self.order, grid)
        review = to_sequence(review_tokens(x, self.review_window), self.order)
        tokens = torch.cat([review, to_sequence(x, self.order)], 1)
        mixed = self.mamba(tokens, prefix=review.shape[1])[:, review.shape[1] :]
        return from_sequence(mixed, self.order, grid)
