"""A small network that draws a decoded video again, larger and crisper.

The autoencoder of a small model keeps what is where, not its edges, and blurs what moves. Edges are local: a
few convolutions over a frame and its neighbours in time can put them back for a fraction of a decoder's cost.
"""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F


class ThroughTime(nn.Conv2d):
    """A 1x1 convolution over a frame, the one before it and the one after it, without its bias.

    A layer of its own, so that offloading and casting find its weights when it is asked.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(3 * channels, channels, 1)
        for weight in self.parameters():
            nn.init.zeros_(weight)

    def forward(  # type: ignore[override]
        self, x: Tensor, frames: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """[B * T, C, h, w] -> what each frame gives to the one after, to itself and to the one before it.

        Each [B, T, C, h, w], and the bias [C, 1, 1]. One convolution over each frame whose results are moved
        in time takes half the time of putting the frames together first.
        """
        assert self.bias is not None
        mixed = F.conv2d(x, torch.cat(self.weight.chunk(3, 1))).unflatten(0, (-1, frames))
        before, here, after = mixed.chunk(3, 2)
        return before, here, after, self.bias[:, None, None]


class NeighbourBlock(nn.Module):
    """A residual block over each frame, then one over each pixel and its neighbours in time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.through_time = ThroughTime(channels)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """[B * T, C, h, w] -> the same shape."""
        x = x + self.second(F.silu(self.first(x)))
        before, here, after, bias = self.through_time(F.silu(x), frames)
        y = (x + bias).unflatten(0, (-1, frames)) + here
        y[:, 1:] += before[:, :-1]
        y[:, :1] += before[:, :1]
        y[:, :-1] += after[:, 1:]
        y[:, -1:] += after[:, -1:]
        return y.flatten(0, 1)


class VideoUpscaler(ModelMixin, ConfigMixin):
    """Decoded frames -> the same frames, `scale` times larger in height and width.

    Works on pixels folded into channels (Shi et al., *Real-Time Single Image and Video Super-Resolution Using
    an Efficient Sub-Pixel Convolutional Neural Network*, CVPR 2016), and adds what it finds to a bilinear
    enlargement, which is all that an untrained one does.

    Args:
        scale: how many times larger.
        fold: pixels in each direction that make one place of the network; height and width are multiples.
        channels: width of the network.
        num_blocks: its depth; each block sees one frame further in time.
    """

    @register_to_config
    def __init__(self, scale: int = 2, fold: int = 2, channels: int = 48, num_blocks: int = 4) -> None:
        super().__init__()
        self.scale, self.fold = scale, fold
        self.conv_in = nn.Conv2d(3 * fold**2, channels, 3, padding=1)
        self.blocks = nn.ModuleList(NeighbourBlock(channels) for _ in range(num_blocks))
        self.conv_out = nn.Conv2d(channels, 3 * (fold * scale) ** 2, 3, padding=1)
        for weight in self.conv_out.parameters():
            nn.init.zeros_(weight)

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, T, H, W] in -1..1 -> [B, 3, T, scale H, scale W] in about -1..1."""
        flat = pixels.transpose(1, 2).flatten(0, 1)
        x = self.conv_in(F.pixel_unshuffle(flat, self.fold).contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = block(x, pixels.shape[2])
        added = F.pixel_shuffle(self.conv_out(F.silu(x)), self.fold * self.scale)
        large = F.interpolate(flat, scale_factor=self.scale, mode="bilinear", align_corners=False) + added
        return large.unflatten(0, (pixels.shape[0], -1)).transpose(1, 2)
