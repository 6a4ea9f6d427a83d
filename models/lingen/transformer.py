"""LinGen's denoiser: a video transformer whose cost is linear in the number of tokens."""

from __future__ import annotations

import math
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F

from models.lingen.block import MODULATIONS, LinGenBlock
from models.lingen.mamba import BidirectionalMamba2, MABranch
from models.lingen.scan import Grid, ScanOrder, scan_order
from models.lingen.swin import TemporalSwinAttention


def timestep_features(timestep: Tensor, size: int) -> Tensor:
    """Sines and cosines of a timestep in 0..1000: [...] -> [..., size]."""
    half = size // 2
    frequency = torch.exp(-math.log(10000.0) * torch.arange(half, device=timestep.device) / half)
    angle = timestep.float()[..., None] * frequency
    return torch.cat([angle.cos(), angle.sin()], -1)


class FactorizedPosition(nn.Module):
    """Learned embeddings of frame, row and column, added up (LinGen E.1): any size and length.

    Rows and columns are stretched to the grid. Fewer frames than trained take the first ones, so that an
    image is frame 0; more are stretched.
    """

    def __init__(self, dim: int, grid: Grid) -> None:
        super().__init__()
        self.frame = nn.Parameter(torch.randn(grid[0], dim) * 0.02)
        self.row = nn.Parameter(torch.randn(grid[1], dim) * 0.02)
        self.column = nn.Parameter(torch.randn(grid[2], dim) * 0.02)

    def forward(self, grid: Grid) -> Tensor:
        """[1, F, H, W, D] for a grid (F, H, W)."""
        frame = self.frame[: grid[0]] if grid[0] <= len(self.frame) else _stretch(self.frame, grid[0])
        row, column = _stretch(self.row, grid[1]), _stretch(self.column, grid[2])
        return (frame[:, None, None] + row[:, None] + column)[None]


def _stretch(table: Tensor, length: int) -> Tensor:
    """Linear interpolation of a table [N, D] to [length, D]."""
    if len(table) == length:
        return table
    return F.interpolate(table.T[None], size=length, mode="linear", align_corners=False)[0].T


class LinGenTransformer3DModel(ModelMixin, ConfigMixin):
    """Predicts the flow-matching velocity `noise - clean` of video latents.

    Every latent frame stands at its own timestep: frames given as condition at 0, the others anywhere up to
    1000. Layers read the tokens through `LinGenBlock`s; see LinGen (CVPR 2025), supplement E.1.

    The defaults are the 4 B model as far as the supplement tells: 32 layers, 20 heads, width 2560, hidden
    state 128, head dimension 64 of Mamba-2. Both windows, the hidden width of SwiGLU and the widths of
    latents and text are our choice.

    Args:
        in_channels: latent channels.
        out_channels: channels of the velocity; `in_channels` if None.
        patch_size: side of the square latent patch that becomes a token (one frame deep).
        num_layers: blocks.
        num_attention_heads: heads of the TE-branch and of the text attention.
        attention_head_dim: their width; tokens are `heads * head_dim` wide.
        text_embed_dim: width of the text encoder's states.
        ffn_dim: hidden width of SwiGLU.
        ssm_state_size, ssm_head_dim, ssm_expand, ssm_conv_kernel, ssm_chunk_size: see `BidirectionalMamba2`.
        window_size: the TE-branch's window in tokens (frames, rows, columns), the same for every video size.
        review_window: tokens averaged into one review token (frames, rows, columns).
        sample_size: latent (frames, height, width) whose positions are learned; others are interpolated.
        mamba_branch, temporal_branch, rotary_scan, review: parts that can be left out to see what they are
            worth (the rows of LinGen's ablation). Without the rotary scan every layer reads the grid
            row by row. Without the MA-branch and with a window that covers the grid, this is an ordinary
            diffusion transformer with full attention.

    Raises:
        ValueError: if neither branch is left.
    """

    _supports_gradient_checkpointing = True
    _no_split_modules = ["LinGenBlock"]  # noqa: RUF012 - the base class reads a plain list
    _repeated_blocks = ["LinGenBlock"]  # noqa: RUF012

    @register_to_config
    def __init__(
        self,
        in_channels: int = 16,
        out_channels: int | None = None,
        patch_size: int = 2,
        num_layers: int = 32,
        num_attention_heads: int = 20,
        attention_head_dim: int = 128,
        text_embed_dim: int = 4096,
        ffn_dim: int = 6912,
        ssm_state_size: int = 128,
        ssm_head_dim: int = 64,
        ssm_expand: int = 2,
        ssm_conv_kernel: int = 4,
        ssm_chunk_size: int = 128,
        window_size: tuple[int, int, int] = (4, 8, 8),
        review_window: tuple[int, int, int] = (4, 4, 4),
        sample_size: tuple[int, int, int] = (16, 32, 32),
        mamba_branch: bool = True,
        temporal_branch: bool = True,
        rotary_scan: bool = True,
        review: bool = True,
    ) -> None:
        super().__init__()
        if not (mamba_branch or temporal_branch):
            raise ValueError("One of `mamba_branch` and `temporal_branch` must stay.")
        dim = num_attention_heads * attention_head_dim
        self.gradient_checkpointing = False
        self.patch_embed = nn.Linear(in_channels * patch_size**2, dim)
        tokens = (sample_size[0], sample_size[1] // patch_size, sample_size[2] // patch_size)
        self.position = FactorizedPosition(dim, tokens)
        self.time_embed = nn.Sequential(nn.Linear(256, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.modulation = nn.Linear(dim, MODULATIONS * dim)
        self.text_norm = nn.RMSNorm(text_embed_dim, eps=1e-6)
        self.text_embed = nn.Sequential(nn.Linear(text_embed_dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.pooled_embed = nn.Linear(text_embed_dim, dim)
        self.blocks = nn.ModuleList()
        for layer in range(num_layers):
            ma, te = None, None
            if mamba_branch:
                mamba = BidirectionalMamba2(
                    dim, ssm_state_size, ssm_head_dim, ssm_expand, ssm_conv_kernel, ssm_chunk_size
                )
                order = scan_order(layer) if rotary_scan else ScanOrder.SPATIAL_ROW_MAJOR
                ma = MABranch(mamba, order, _grid(review_window) if review else None)
            if temporal_branch:
                te = TemporalSwinAttention(
                    dim, num_attention_heads, _grid(window_size), shifted=layer % 2 == 1
                )
            self.blocks.append(LinGenBlock(ma, te, num_attention_heads, dim, ffn_dim))
        self.norm_out = nn.RMSNorm(dim, eps=1e-6, elementwise_affine=False)
        self.modulation_out = nn.Linear(dim, 2 * dim)
        self.proj_out = nn.Linear(dim, patch_size**2 * (out_channels or in_channels))
        self._start_as_identity()

    def _start_as_identity(self) -> None:
        """Zero gates and a zero output: training starts from a network that changes nothing."""
        for layer in (self.modulation, self.modulation_out, self.proj_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def _condition(self, timestep: Tensor, text: Tensor, mask: Tensor | None) -> Tensor:
        """What the adaLN reads: timestep [B, F] and the mean text state, as [B, F, D]."""
        weight = torch.ones(text.shape[:2], device=text.device) if mask is None else mask.float()
        pooled = (text.float() * weight[..., None]).sum(1) / weight.sum(1, keepdim=True).clamp(min=1)
        time = self.time_embed(timestep_features(timestep, 256).to(self.dtype))
        return F.silu(time + self.pooled_embed(pooled.to(self.dtype))[:, None])

    def forward(
        self,
        hidden_states: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        encoder_attention_mask: Tensor | None = None,
        return_dict: bool = True,
    ) -> Transformer2DModelOutput | tuple[Tensor]:
        """One evaluation of the network.

        Args:
            hidden_states: latents [B, C, F, H, W]; H and W multiples of the patch size.
            timestep: [B] or, one a latent frame, [B, F]; 0 (clean) to 1000 (noise).
            encoder_hidden_states: text states [B, L, text_embed_dim].
            encoder_attention_mask: [B, L], non-zero at real tokens.
            return_dict: False for a plain tuple.

        Returns:
            The velocity [B, C, F, H, W] as `.sample`.

        Raises:
            ValueError: if the latents or the timesteps do not fit.
        """
        batch, _, frames, height, width = hidden_states.shape
        patch = self.config.patch_size
        if height % patch or width % patch:
            raise ValueError(f"Latents of {height}x{width} do not divide into patches of {patch}x{patch}.")
        if timestep.ndim == 1:
            timestep = timestep[:, None].expand(-1, frames)
        if tuple(timestep.shape) != (batch, frames):
            raise ValueError(
                f"timestep has shape {tuple(timestep.shape)}; give [{batch}] or [{batch}, {frames}], "
                "one a latent frame."
            )
        mask = None if encoder_attention_mask is None else encoder_attention_mask.bool()
        text = self.text_norm(encoder_hidden_states)
        condition = self._condition(timestep, text, mask)
        modulation = self.modulation(condition).unflatten(-1, (MODULATIONS, -1))
        text = self.text_embed(text)

        x = hidden_states.unflatten(4, (-1, patch)).unflatten(3, (-1, patch))  # [B, C, F, h, p, w, p]
        x = self.patch_embed(x.permute(0, 2, 3, 5, 1, 4, 6).flatten(4))  # [B, F, h, w, D]
        x = x + self.position((frames, height // patch, width // patch)).to(x.dtype)
        for block in self.blocks:
            if torch.is_grad_enabled() and self.gradient_checkpointing:
                x = self._gradient_checkpointing_func(block, x, text, mask, modulation)
            else:
                x = block(x, text, mask, modulation)
        shift, scale = self.modulation_out(condition)[:, :, None, None].chunk(2, -1)
        x = self.proj_out(self.norm_out(x) * (1 + scale) + shift)
        x = x.unflatten(-1, (-1, patch, patch)).permute(0, 4, 1, 2, 5, 3, 6)  # [B, C, F, h, p, w, p]
        x = x.flatten(5, 6).flatten(3, 4)
        return Transformer2DModelOutput(sample=x) if return_dict else (x,)


def _grid(sizes: Any) -> Grid:
    """A window from the configuration, which is a list after loading from JSON."""
    frames, rows, columns = (int(size) for size in sizes)
    return frames, rows, columns
