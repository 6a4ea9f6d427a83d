"""Looks into a run by a small causal decoder in place of the large one, for the latents of video models.

The weights are Ollin Boer Bohan's TAEHV (github.com/madebyollin/taehv, MIT): a stack of small convolutions
in which each frame sees itself and the frame before. diffusers has no class for them. Every size is read from
the file, so that those for Wan, HunyuanVideo, CogVideoX and LTX-2 are one class.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import InputError

GROWS = (7, 13, 19)
"""Places in the stack at which a frame becomes several."""


class _Remembers(nn.Module):
    """A residual block that sees each frame beside the one before: [T, C, h, w] twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for of in (2 * width, width, width):
            layers += [nn.Conv2d(of, width, 3, padding=1), nn.ReLU()]
        self.conv = nn.Sequential(*layers[:-1])

    def forward(self, frames: Tensor, before: Tensor) -> Tensor:
        return F.relu(self.conv(torch.cat([frames, before], dim=1)) + frames)


class _Grows(nn.Module):
    """Every frame becomes `times` ones: [T, C, h, w] -> [T * times, C, h, w]."""

    def __init__(self, width: int, times: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width * times, 1, bias=False)

    def forward(self, frames: Tensor) -> Tensor:
        return self.conv(frames).reshape(-1, *frames.shape[1:])


class _SoftlyClamps(nn.Module):
    def forward(self, latents: Tensor) -> Tensor:
        return 3 * torch.tanh(latents / 3)


class TinyVideoDecoder(nn.Module):
    """Latents as the denoising network sees them to pixels.

    Args:
        latent_channels: of the latents.
        widths: channels of the four stages.
        times: frames that a frame becomes after each of the first three stages.
        patch: the last layer holds so many pixels squared in one.
    """

    def __init__(
        self, latent_channels: int, widths: tuple[int, ...], times: tuple[int, ...], patch: int
    ) -> None:
        super().__init__()
        self.latent_channels, self.frames, self.patch = latent_channels, torch.Size(times).numel(), patch
        stack: list[nn.Module] = [_SoftlyClamps(), nn.Conv2d(latent_channels, widths[0], 3, padding=1)]
        stack.append(nn.ReLU())
        for width, after, grow in zip(widths, widths[1:], times, strict=False):
            stack += [_Remembers(width) for _ in range(3)]
            stack += [nn.Upsample(scale_factor=2), _Grows(width, grow)]
            stack.append(nn.Conv2d(width, after, 3, padding=1, bias=False))
        stack += [nn.ReLU(), nn.Conv2d(widths[-1], 3 * patch**2, 3, padding=1)]
        self.decoder = nn.Sequential(*stack)

    @classmethod
    def from_file(cls, file: Path) -> TinyVideoDecoder:
        """The decoder that a safetensors file of TAEHV weights holds.

        Raises:
            KeyError, RuntimeError: if it holds something else.
        """
        state = {name: value for name, value in load_file(file).items() if name.startswith("decoder.")}
        widths = tuple(state[f"decoder.{at}.weight"].shape[0] for at in (1, 8, 14, 20))
        times = tuple(
            state[f"decoder.{at}.conv.weight"].shape[0] // width
            for at, width in zip(GROWS, widths, strict=False)
        )
        patch = round((state["decoder.22.weight"].shape[0] / 3) ** 0.5)
        decoder = cls(state["decoder.1.weight"].shape[1], widths, times, patch)
        decoder.load_state_dict(state)
        return decoder

    def forward(self, latents: Tensor) -> Tensor:
        """[B, C, F, h, w] -> [B, 3, F * frames, H, W] in -1..1; before the first frame there are zeros.

        One latent frame after the other goes through the whole stack, so that the memory needed does not
        depend on how many there are.
        """
        return torch.stack([self._decode(video.transpose(0, 1)) for video in latents]).transpose(1, 2)

    def _decode(self, latents: Tensor) -> Tensor:
        """[F, C, h, w] -> [T, 3, H, W]."""
        memory: dict[int, Tensor] = {}
        pixels = torch.cat([self._go_on(frame, memory) for frame in latents.split(1)])
        return F.pixel_shuffle(pixels, self.patch).mul(2).sub(1).clamp(-1, 1)

    def _go_on(self, frames: Tensor, memory: dict[int, Tensor]) -> Tensor:
        """The next latent frame through all layers, each of which remembers the last frame that it saw."""
        for at, layer in enumerate(self.decoder):
            seen = frames
            if isinstance(layer, _Remembers):
                last = memory.get(at, torch.zeros_like(seen[:1]))
                frames = layer(seen, torch.cat([last, seen[:-1]]))
                memory[at] = seen[-1:]
            else:
                frames = layer(seen)
        return frames


def _standardised(vae: Any, latents: Tensor) -> Tensor:
    """By the mean and deviation of each channel, which are in the configuration (Wan) or in buffers."""
    kept = vae.config if getattr(vae.config, "latents_mean", None) is not None else vae
    mean, std = (
        torch.as_tensor(of).to(latents).view(1, -1, 1, 1, 1) for of in (kept.latents_mean, kept.latents_std)
    )
    return (latents - mean) * (getattr(vae.config, "scaling_factor", None) or 1.0) / std


def _scaled(vae: Any, latents: Tensor) -> Tensor:
    return latents * vae.config.scaling_factor


def _as_they_are(vae: Any, latents: Tensor) -> Tensor:
    return latents


SPACES: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "AutoencoderKLWan": _standardised,
    "AutoencoderKLLTX2Video": _standardised,
    "AutoencoderKLHunyuanVideo": _scaled,
    "AutoencoderKLHunyuanVideo15": _scaled,
    "AutoencoderKLCogVideoX": _as_they_are,
}
"""Which autoencoders have a small decoder, and how their latents become those that it was trained on.

TAEHV takes latents as the denoising networks see them (its README), but for those of CogVideoX, which it
takes as the autoencoder does: its `examples/TAECVX_T2I_Demo.ipynb` divides a run's by the scaling factor.
"""


def _read(vae: Any, *names: str) -> int:
    """The first of these numbers that the autoencoder has, in its configuration or itself."""
    found = (getattr(of, name, None) for of in (vae.config, vae) for name in names)
    return next(int(number) for number in found if number)


class StandInDecoder:
    """Stands in for a video model's decoder: its latents to as many frames as it would make of them.

    Args:
        network: made for these latents.
        vae: the large autoencoder.
    """

    def __init__(self, network: TinyVideoDecoder, vae: Any) -> None:
        self._network, self._vae = network, vae
        self._known = SPACES[type(vae).__name__]

    @classmethod
    def load(cls, source: Path, vae: Any, title: str) -> StandInDecoder:
        """Load one for the autoencoder of a model.

        Args:
            source: a safetensors file.
            vae: the large autoencoder, one of `SPACES`.
            title: of the model, for errors.

        Raises:
            InputError: if the file is missing, is no such decoder, or was made for other latents.
        """
        advice = (
            "Take the safetensors file that its project (github.com/madebyollin/taehv) names for this model."
        )
        if source.suffix != ".safetensors" or not source.is_file():
            raise InputError(f"The small decoder for {title} is to be a safetensors file: {source}. {advice}")
        try:
            network = TinyVideoDecoder.from_file(source).to(vae.dtype).eval()
        except (OSError, KeyError, RuntimeError, SafetensorError) as error:
            raise InputError(
                f"{source} does not hold a small decoder for {title} ({error}). {advice}"
            ) from error
        channels = _read(vae, "z_dim", "latent_channels")
        frames = _read(vae, "temporal_compression_ratio", "scale_factor_temporal")
        if (network.latent_channels, network.frames) != (channels, frames):
            raise InputError(
                f"The small decoder in {source} takes {network.latent_channels} channels to "
                f"{network.frames} frames, that of {title} {channels} to {frames}. {advice}"
            )
        return cls(network, vae)

    @torch.no_grad()
    def __call__(self, latents: Tensor) -> Tensor:
        """[B, C, F, h, w] -> [B, 3, T, H, W] in -1..1; T as the large decoder has it."""
        network = self._network.to(latents.device)
        pixels = network(self._known(self._vae, latents).to(self._vae.dtype))
        # of an even number of latent frames CogVideoX makes all frames; else the first one stands for one
        whole = self._known is _as_they_are and latents.shape[2] % 2 == 0
        return pixels if whole else pixels[:, :, network.frames - 1 :]
