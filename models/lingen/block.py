"""One LinGen layer: the MATE block, attention to the text, and a gated feed-forward network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.lingen.mamba import MABranch
from models.lingen.swin import TemporalSwinAttention

MODULATIONS = 7


class TextAttention(nn.Module):
    """Cross-attention from video tokens to text tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.q_norm = nn.RMSNorm(dim // heads, eps=1e-6)
        self.k_norm = nn.RMSNorm(dim // heads, eps=1e-6)
        self.out_proj = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, text: Tensor, mask: Tensor | None) -> Tensor:
        """[B, F, H, W, D] attends to [B, L, D]; `mask` [B, L] is True at real tokens."""
        grid = x.shape[1:4]
        q = self.q(x.flatten(1, 3)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(text).unflatten(-1, (2, self.heads, -1)).transpose(1, 3).unbind(2)
        q, k = self.q_norm(q).to(v.dtype), self.k_norm(k).to(v.dtype)
        allowed = None if mask is None else mask[:, None, None, :]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        return self.out_proj(y.transpose(1, 2).flatten(-2)).unflatten(1, grid)


class SwiGLU(nn.Module):
    """Feed-forward network gated by a SiLU."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(dim, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        gate, value = self.up(x).chunk(2, -1)
        return self.down(F.silu(gate) * value)


class LinGenBlock(nn.Module):
    """MATE block (MA-branch and TE-branch side by side), text attention, SwiGLU; adaLN on the timestep.

    Each frame has its own modulation, because each frame has its own timestep.

    Args:
        ma, te: the branches; one of them may be None, to see what the other is worth.
        heads: of the text attention.
        dim: token width.
        hidden: of SwiGLU.
    """

    def __init__(
        self, ma: MABranch | None, te: TemporalSwinAttention | None, heads: int, dim: int, hidden: int
    ) -> None:
        super().__init__()
        self.mate_norm = nn.RMSNorm(dim, eps=1e-6, elementwise_affine=False)
        self.ma, self.te = ma, te
        self.text_norm = nn.RMSNorm(dim, eps=1e-6)
        self.text = TextAttention(dim, heads)
        self.mlp_norm = nn.RMSNorm(dim, eps=1e-6, elementwise_affine=False)
        self.mlp = SwiGLU(dim, hidden)
        self.modulation = nn.Parameter(torch.zeros(MODULATIONS, dim))

    def forward(self, x: Tensor, text: Tensor, mask: Tensor | None, modulation: Tensor) -> Tensor:
        """[B, F, H, W, D] -> the same shape.

        Args:
            x: video tokens.
            text: text tokens [B, L, D].
            mask: [B, L], True at real tokens, or None.
            modulation: [B, F, 7, D], shared by all layers; this layer adds its own table.
        """
        table = (modulation + self.modulation)[:, :, :, None, None]
        shift, scale, gate_ma, gate_te, shift_mlp, scale_mlp, gate_mlp = table.unbind(2)
        h = self.mate_norm(x) * (1 + scale) + shift
        if self.ma is not None:
            x = x + gate_ma * self.ma(h)
        if self.te is not None:
            x = x + gate_te * self.te(h)
        x = x + self.text(self.text_norm(x), text, mask)
        h = self.mlp_norm(x) * (1 + scale_mlp) + shift_mlp
        return x + gate_mlp * self.mlp(h)
