"""The fused scan of mamba-ssm, where it is installed beside a CUDA device; `models.lingen.ssd` elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

Kernel = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int], Tensor]
"""`kernel(x, dt, a, b, c, chunk_size)`, the scan `h_t = exp(dt_t a) h_(t-1) + dt_t b_t x_t`, `y_t = c_t h_t`
with x [B, L, H, P], dt [B, L, H], a [H], b and c [B, L, 1, N]; gives [B, L, H, P]."""


@functools.cache
def find_kernel() -> Kernel | None:
    """Mamba-ssm's Triton kernel, or None without CUDA, without the package, or if it does not load."""
    if not torch.cuda.is_available():
        return None
    try:
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
    except (ImportError, OSError, RuntimeError):  # a build for another torch or CUDA
        return None
    kernel: Kernel = mamba_chunk_scan_combined
    return kernel
