"""What LinGen costs: equations 1 to 3 of the supplement (E.2), and what torch counts on the real modules.

A multiplication and an addition are two operations. Modules are counted on the meta device, so that the
published size needs no memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.lingen.mamba import BidirectionalMamba2
from models.lingen.scan import Grid
from models.lingen.transformer import LinGenTransformer3DModel

TEXT_TOKENS = 256


@dataclass(frozen=True)
class MambaCost:
    """Operations of a bidirectional Mamba-2 over some tokens, both directions together.

    Attributes:
        projections: equation 1 without its O(Nd).
        convolution: equation 2.
        scan: equation 3.
        chunks: products inside the chunks of the scan, which a recurrence does without and a parallel scan
            pays for; in none of the equations.
    """

    projections: float
    convolution: float
    scan: float
    chunks: float = 0.0

    @property
    def total(self) -> float:
        """All four."""
        return self.projections + self.convolution + self.scan + self.chunks


def predicted_mamba(
    tokens: int, dim: int, state: int, head_dim: int = 64, expand: int = 2, kernel: int = 4, chunk: int = 128
) -> MambaCost:
    """Equations 1 to 3 for N tokens of width d; equations 2 and 3 are doubled, as the module reads both ways.

    Args:
        tokens: N.
        dim: d.
        state: hidden state size d_s.
        head_dim: d_h.
        expand: E.
        kernel: K.
        chunk: tokens of a chunk of the scan.
    """
    return MambaCost(
        projections=(6 + 2 / head_dim) * expand * tokens * dim**2 + 4 * tokens * state * dim,
        convolution=2 * (2 * expand * kernel * (tokens + kernel - 1) * dim),
        scan=2 * (4 * expand * tokens * state * dim + 2 * expand * tokens * dim),
        chunks=2 * (2 * chunk * tokens * (state + expand * dim)),
    )


def counted_mamba(
    tokens: int, dim: int, state: int, head_dim: int = 64, expand: int = 2, kernel: int = 4, chunk: int = 128
) -> MambaCost:
    """What torch counts on the real module: its products, and the convolution's single operations.

    Scan and products inside chunks are one number, in `scan`. The skip `2 E N d` of equation 3 is elementwise
    and is not counted. Arguments as `predicted_mamba`.
    """
    with torch.device("meta"):
        module = BidirectionalMamba2(dim, state, head_dim, expand, kernel, chunk)
        x = torch.empty(1, tokens, dim)
        both_ways = torch.empty(2, 1, tokens, module.mixed)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(x)
    counts = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    projections = sum(counts[f"BidirectionalMamba2.{name}"] for name in ("in_proj", "out_proj"))
    convolution = counted(lambda: module._causal_conv(both_ways), elementwise=True)
    return MambaCost(projections, convolution, counts["Global"] - projections)


def predicted_model(config: Any, grid: Grid, text_tokens: int = TEXT_TOKENS) -> float:
    """Operations of one forward pass for a single video.

    Args:
        config: of a `LinGenTransformer3DModel`.
        grid: tokens (frames, rows, columns).
        text_tokens: L.
    """
    d, n, frames = config.num_attention_heads * config.attention_head_dim, math.prod(grid), grid[0]
    patch = config.in_channels * config.patch_size**2
    wide = config.text_embed_dim
    once = 2 * n * d * 2 * patch + 2 * frames * d * (256 + d + 7 * d + 2 * d)
    once += 2 * text_tokens * d * (wide + d) + 2 * wide * d
    text = 4 * n * d**2 + 4 * text_tokens * d**2 + 4 * n * text_tokens * d
    layer = text + 6 * n * d * config.ffn_dim
    if config.temporal_branch:
        window = [min(size, limit) for size, limit in zip(config.window_size, grid, strict=True)]
        padded = math.prod(-(-limit // size) * size for size, limit in zip(window, grid, strict=True))
        layer += 8 * padded * d**2 + 4 * padded * math.prod(window) * d
    if config.mamba_branch:
        read = n
        if config.review:
            read += math.prod(
                -(-limit // size) for size, limit in zip(config.review_window, grid, strict=True)
            )
        chunk = min(config.ssm_chunk_size, read)
        layer += predicted_mamba(
            read,
            d,
            config.ssm_state_size,
            config.ssm_head_dim,
            config.ssm_expand,
            config.ssm_conv_kernel,
            chunk,
        ).total
    return once + config.num_layers * layer


def counted_model(model: LinGenTransformer3DModel, grid: Grid, text_tokens: int = TEXT_TOKENS) -> int:
    """What torch counts in a forward pass of a model on the meta device; arguments as `predicted_model`."""
    config, patch = model.config, model.config.patch_size
    with torch.device("meta"):
        latents = torch.empty(1, config.in_channels, grid[0], grid[1] * patch, grid[2] * patch)
        text, timestep = torch.empty(1, text_tokens, config.text_embed_dim), torch.zeros(1)
    return counted(lambda: model(latents, timestep, text))


def on_meta(**changes: Any) -> LinGenTransformer3DModel:
    """A model without weights; the published 4 B configuration but for `changes`."""
    with torch.device("meta"):
        return LinGenTransformer3DModel(**changes)


def parameters(model: torch.nn.Module) -> int:
    """How many numbers a model has learnt."""
    return sum(parameter.numel() for parameter in model.parameters())


def counted(work: Callable[[], Any], *, elementwise: bool = False) -> int:
    """Operations of matrix products, or with `elementwise` of single multiplications and additions too."""

    def one_each(*_: Any, out_shape: Any = None, **__: Any) -> int:
        return math.prod(out_shape)

    def two_each(*_: Any, out_shape: Any = None, **__: Any) -> int:
        return 2 * math.prod(out_shape)

    aten = torch.ops.aten
    simple = {aten.mul: one_each, aten.add: one_each, aten.addcmul: two_each} if elementwise else {}
    counter = FlopCounterMode(display=False, custom_mapping=simple)
    with counter, torch.no_grad():
        work()
    return int(counter.get_total_flops())
