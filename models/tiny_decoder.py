"""Looks into a run by a small autoencoder in place of the large one.

For Stable Diffusion's latents it is diffusers' `AutoencoderTiny`, which holds Ollin Boer Bohan's TAESD; for
those of video models its relative TAEHV (`tiny_video_decoder`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.errors import InputError
from models.rough_decoder import Decoder
from models.tiny_video_decoder import SPACES, StandInDecoder


def load_tiny_decoder(source: Path | str, vae: Any, title: str) -> Decoder:
    """The small decoder that shows what a model's runs are at: [B, C, F, h, w] -> [B, 3, T, H, W] in -1..1.

    Args:
        source: folder or hub id of an `AutoencoderTiny`, or a safetensors file of TAEHV weights.
        vae: the model's autoencoder; None if it has none.
        title: of the model, for errors.

    Raises:
        InputError: if the weights are missing or damaged, or were made for other latents.
    """
    if type(vae).__name__ in SPACES:
        return StandInDecoder.load(Path(source).expanduser(), vae, title)
    return TinyDecoder.load(source, vae, title)


class TinyDecoder:
    """Stable Diffusion's latents to pixels, frame by frame.

    Args:
        network: an `AutoencoderTiny`.
        scaling: what the large autoencoder's latents are multiplied with to be those of the small one.
    """

    def __init__(self, network: Any, scaling: float) -> None:
        self._network, self._scaling = network, scaling

    @classmethod
    def load(cls, source: Path | str, vae: Any, title: str) -> TinyDecoder:
        """Load one for the autoencoder of a model.

        Args:
            source: folder or hub id.
            vae: the large autoencoder.
            title: of the model, for errors.

        Raises:
            InputError: if the weights are missing or damaged, or the model has other latents.
        """
        from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder, AutoencoderTiny

        if not isinstance(vae, (AutoencoderKL, AutoencoderKLTemporalDecoder)):
            raise InputError(
                f"There is no small decoder for the latents of {title}. Take it out of STUDIO_TINY_DECODERS."
            )
        try:
            network = AutoencoderTiny.from_pretrained(source, torch_dtype=vae.dtype).eval()
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise InputError(
                f"The small autoencoder for {title} could not be loaded from {source}: {error} Fetch it "
                "again, or take it out of STUDIO_TINY_DECODERS."
            ) from error
        if network.config.latent_channels != vae.config.latent_channels:
            raise InputError(
                f"The small autoencoder in {source} has {network.config.latent_channels} latent channels, "
                f"that of {title} has {vae.config.latent_channels}. Choose the one that was made for it."
            )
        return cls(network, vae.config.scaling_factor)

    @torch.no_grad()
    def __call__(self, latents: Tensor) -> Tensor:
        """[B, C, F, h, w] -> [B, 3, F, H, W] in -1..1."""
        batch = latents.shape[0]
        frames = (latents * self._scaling).transpose(1, 2).flatten(0, 1)
        network = self._network.to(latents.device)
        pixels = torch.cat([network.decode(frame).sample for frame in frames.to(network.dtype).split(1)])
        return pixels.unflatten(0, (batch, -1)).transpose(1, 2).clamp(-1, 1)
