"""State-space duality: the selective state-space recurrence of Mamba-2, computed chunk by chunk.

Inside a chunk the recurrence is one masked product of small matrices; between chunks only a state travels.
The cost grows linearly with the sequence, and everything is plain matrix multiplication.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def _decay_matrix(cumulative: Tensor) -> Tensor:
    """Lower-triangular `exp(cumulative[i] - cumulative[j])`, zero above: [..., Q] -> [..., Q, Q]."""
    length = cumulative.shape[-1]
    causal = torch.ones(length, length, dtype=torch.bool, device=cumulative.device).tril()
    difference = cumulative[..., :, None] - cumulative[..., None, :]
    return difference.masked_fill(~causal, float("-inf")).exp()


class _InsideChunks(torch.autograd.Function):
    """The masked product inside chunks, `y = ((c b^T) * decay) x`, with a gradient that costs less.

    The gradient of the decay's exponent is needed as sums over rows and over columns only, and those are
    products of vectors that are at hand: `sum_j dM_ij M_ij = dy_i y_i` and `sum_i dM_ij M_ij = dx_j x_j`.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, cumulative: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """[B, K, H, Q, P], [B, K, H, Q] and twice [B, K, Q, N] -> [B, K, H, Q, P]."""
        y = ((c @ b.mT)[:, :, None] * _decay_matrix(cumulative)).to(x.dtype) @ x
        ctx.save_for_backward(x, cumulative, b, c, y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of what `forward` takes."""
        x, cumulative, b, c, y = ctx.saved_tensors
        dy = gradients[0].to(x.dtype)  # narrower if the products ran under autocast
        decay = _decay_matrix(cumulative)
        dx = ((c @ b.mT)[:, :, None] * decay).to(x.dtype).mT @ dy
        scores = (decay * (dy @ x.mT)).sum(2).to(b.dtype)
        exponent = (dy.float() * y.float()).sum(-1) - (dx.float() * x.float()).sum(-1)
        return dx, exponent, scores.mT @ c, scores @ b


def ssd(x: Tensor, log_decay: Tensor, b: Tensor, c: Tensor, chunk_size: int = 128) -> Tensor:
    """The scan `h_t = exp(log_decay_t) h_(t-1) + b_t x_t`, `y_t = c_t h_t`, for every head at once.

    Mamba-2 (Dao and Gu 2024), the block decomposition of the semiseparable matrix. With E d = H P channels,
    writing and reading the state costs `4 E N d_s d`, the first term of LinGen's equation 3 (supplement E.2);
    the products inside chunks of Q tokens add `2 Q N (d_s + E d)`, which the equation leaves out.

    Args:
        x: inputs already scaled by their step size, [B, L, H, P].
        log_decay: step size times the (negative) decay rate, [B, L, H], values <= 0.
        b: input directions shared by all heads, [B, L, N].
        c: output directions shared by all heads, [B, L, N].
        chunk_size: tokens handled by one masked product. Changes the speed, not the result.

    Returns:
        [B, L, H, P].
    """
    length = x.shape[1]
    size = min(chunk_size, length)
    padding = -length % size
    if padding:
        x, log_decay = F.pad(x, (0, 0, 0, 0, 0, padding)), F.pad(log_decay, (0, 0, 0, padding))
        b, c = F.pad(b, (0, 0, 0, padding)), F.pad(c, (0, 0, 0, padding))
    x = x.unflatten(1, (-1, size)).transpose(2, 3)  # [B, K, H, Q, P]
    b, c = b.unflatten(1, (-1, size)), c.unflatten(1, (-1, size))  # [B, K, Q, N]
    cumulative = log_decay.float().unflatten(1, (-1, size)).transpose(2, 3).cumsum(-1)  # [B, K, H, Q]

    y: Tensor = _InsideChunks.apply(x, cumulative, b, c)
    if x.shape[1] > 1:
        y = y + _from_earlier_chunks(x, cumulative, b, c)
    return y.transpose(2, 3).flatten(1, 2)[:, :length]


def _from_earlier_chunks(x: Tensor, cumulative: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """What the state left by all earlier chunks adds to each chunk: [B, K, H, Q, P]."""
    to_end = (cumulative[..., -1:] - cumulative).exp()[..., None]  # [B, K, H, Q, 1]
    written = (x * to_end.to(x.dtype)).transpose(-1, -2) @ b[:, :, None]  # [B, K, H, P, N]
    whole_chunk = cumulative[..., -1].exp()[..., None, None]  # [B, K, H, 1, 1]
    state = torch.zeros_like(written[:, 0])
    before = []
    for index in range(written.shape[1]):
        before.append(state)
        state = (state * whole_chunk[:, index]).to(written.dtype) + written[:, index]
    read = c[:, :, None] @ torch.stack(before, 1).transpose(-1, -2)  # [B, K, H, Q, P]
    return read * cumulative.exp()[..., None].to(read.dtype)
