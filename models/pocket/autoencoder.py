"""The embedded model's video autoencoder: 16 times smaller in each direction of space, 4 times in time.

A small configuration of diffusers' ``AutoencoderKLLTXVideo`` (LTX-Video, arXiv:2501.00103, section 2.1):
17 frames of 128 x 128 become ``[24, 5, 8, 8]``. Trained with squared and absolute errors of the picture, of
its gradients in space and time, and of a coarser scale, and with a small Kullback-Leibler term that keeps the
latents near a unit Gaussian.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLLTXVideo
from torch.nn import functional as F

from models.errors import InputError
from models.pocket.corpus import clip_batch
from models.pocket.training import in_place_of

LATENT_CHANNELS = 24
CONFIG: dict[str, Any] = {
    "latent_channels": LATENT_CHANNELS,
    "block_out_channels": (32, 64, 128),
    "decoder_block_out_channels": (48, 64, 128),
    "down_block_types": ("LTXVideoDownBlock3D",) * 3,
    "layers_per_block": (1, 1, 1, 0),
    "decoder_layers_per_block": (2, 4, 2, 2),
    "spatio_temporal_scaling": (True, True, False),
    "decoder_spatio_temporal_scaling": (True, True, False),
    "decoder_inject_noise": (False,) * 4,
    "downsample_type": ("conv",) * 3,
    "upsample_residual": (True,) * 3,
    "upsample_factor": (1,) * 3,
    "timestep_conditioning": False,
    "patch_size": 4,
    "patch_size_t": 1,
    "encoder_causal": True,
    "decoder_causal": True,
    "scaling_factor": 1.0,
}


def build_autoencoder(**changes: Any) -> AutoencoderKLLTXVideo:
    """The untrained autoencoder; ``changes`` override entries of its configuration.

    Two changes to the usual start spare it hundreds of steps at flat colours. The posterior starts narrow
    (log variance -5), as unit variance would drown the latents. And the first convolutions of encoder and
    decoder get biases as large as their signal: the channel norms that follow keep directions only, so
    without a constant component the brightness of a patch would be lost.
    """
    vae = AutoencoderKLLTXVideo(**{**CONFIG, **changes})
    out = vae.encoder.conv_out.conv
    with torch.no_grad():
        out.weight[-1].zero_()
        out.bias[-1].fill_(-5.0)
        for first in (vae.encoder.conv_in.conv, vae.decoder.conv_in.conv):
            first.bias.normal_(std=0.5)
    return vae


@torch.no_grad()
def grown_autoencoder(small: AutoencoderKLLTXVideo, **changes: Any) -> AutoencoderKLLTXVideo:
    """An autoencoder with the weights of one of as many or fewer latent channels, which are its first ones.

    The decoder does not listen to further channels yet, and blocks that the other has not got add nothing
    yet, so both draw the same. ``changes`` are those of `build_autoencoder`.

    Raises:
        InputError: if it would have fewer channels.
    """
    vae, has = build_autoencoder(**changes), small.config.latent_channels
    if vae.config.latent_channels < has:
        raise InputError(
            f"The autoencoder to begin with has {has} latent channels. Ask for as many, or more."
        )
    weights = dict(small.state_dict())
    for name in ("latents_mean", "latents_std"):
        new = vae.get_buffer(name)
        new[:has] = weights[name]
        weights[name] = new
    heard = torch.zeros_like(vae.decoder.conv_in.conv.weight)
    heard[:, :has] = weights["decoder.conv_in.conv.weight"]
    weights["decoder.conv_in.conv.weight"] = heard
    for part in ("weight", "bias"):
        old, new = weights[f"encoder.conv_out.conv.{part}"], vae.encoder.conv_out.conv.get_parameter(part)
        new[:has], new[-1] = old[:has], old[-1]
        weights[f"encoder.conv_out.conv.{part}"] = new.detach()
    for name, weight in vae.state_dict().items():
        if name not in weights:
            weights[name] = torch.zeros_like(weight) if ".conv2." in name else weight
    vae.load_state_dict(weights)
    return vae


@torch.no_grad()
def narrowed_autoencoder(
    wide: AutoencoderKLLTXVideo, small: AutoencoderKLLTXVideo, **changes: Any
) -> AutoencoderKLLTXVideo:
    """The encoder of ``small`` and the decoder of one that grew from it, without the further channels.

    They stay at their means for it. ``changes`` are those of `build_autoencoder`.
    """
    has = small.config.latent_channels
    vae = build_autoencoder(latent_channels=has, **changes)
    weights, name = dict(small.state_dict()), "decoder.conv_in.conv"
    weights |= {each: value for each, value in wide.state_dict().items() if each.startswith("decoder.")}
    heard = weights[f"{name}.weight"]
    usual = (heard[:, has:].sum((2, 3, 4)) * wide.latents_mean[has:]).sum(1)
    weights[f"{name}.weight"], weights[f"{name}.bias"] = heard[:, :has], weights[f"{name}.bias"] + usual
    vae.load_state_dict(weights)
    return vae.eval()


def to_pixels(clips: np.ndarray | torch.Tensor) -> torch.Tensor:
    """``uint8 [n, T, H, W, 3]`` to float ``[n, 3, T, H, W]`` of -1 to 1."""
    return torch.as_tensor(clips).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def to_clips(pixels: torch.Tensor) -> np.ndarray:
    """Float ``[n, 3, T, H, W]`` of -1 to 1 to ``uint8 [n, T, H, W, 3]``."""
    frames = ((pixels.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return frames.permute(0, 2, 3, 4, 1).contiguous().cpu().numpy()


@torch.no_grad()
def encode(vae: AutoencoderKLLTXVideo, clips: np.ndarray) -> torch.Tensor:
    """Normalized latents (posterior means) of ``uint8 [n, 17, 128, 128, 3]``: float ``[n, 24, 5, 8, 8]``.

    Normalized means zero mean and unit variance per channel over the corpus.
    """
    pixels = to_pixels(clips).to(vae.device)
    with torch.autocast(pixels.device.type, torch.bfloat16):
        mean = vae.encode(pixels).latent_dist.mean.float()
    return (mean - vae.latents_mean.view(1, -1, 1, 1, 1)) / vae.latents_std.view(1, -1, 1, 1, 1)


@torch.no_grad()
def decode(vae: AutoencoderKLLTXVideo, latents: torch.Tensor) -> np.ndarray:
    """Normalized latents ``[n, 24, T', 8, 8]`` to ``uint8 [n, 4 T' - 3, 128, 128, 3]``."""
    latents = latents.to(vae.device).float()
    latents = latents * vae.latents_std.view(1, -1, 1, 1, 1) + vae.latents_mean.view(1, -1, 1, 1, 1)
    with torch.autocast(latents.device.type, torch.bfloat16):
        pixels = vae.decode(latents).sample
    return to_clips(pixels)


def picture_loss(
    made: torch.Tensor, true: torch.Tensor, sharpness: float, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Squared error of ``[n, 3, T, H, W]``; ``sharpness`` weighs in absolute errors.

    ``weight`` ``[n, 1, T, H, W]`` is what an error counts there, squared or absolute; all alike without.

    The absolute error is taken of the picture, its differences along T, H and W, and a coarser scale. It
    makes edges crisp, but alone it holds a fresh network at flat colours, so it is brought in bit by bit.
    """
    error = made - true
    weight = torch.ones_like(error[:, :1]) if weight is None else weight
    loss = 5 * (error.square() * weight).mean()
    if sharpness > 0:
        sharp = (error.abs() * weight).mean() + F.avg_pool3d(error * weight, (1, 4, 4)).abs().mean()
        for axis in (2, 3, 4):
            steps = error.diff(dim=axis).abs() * weight.narrow(axis, 0, error.shape[axis] - 1)
            if steps.numel():
                sharp = sharp + steps.mean() / 2
        loss = loss + sharpness * sharp
    return loss


def psnr(squared_error: float) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error between pixels of -1 to 1."""
    return float(10 * np.log10(4 / max(squared_error, 1e-10)))


def reconstruction_psnr(vae: AutoencoderKLLTXVideo, clips: np.ndarray) -> float:
    """Mean PSNR in dB over whole clips ``uint8 [n, 17, 128, 128, 3]``, each by itself."""
    values = []
    for clip in clips:
        error = decode(vae, encode(vae, clip[None])).astype(np.float32) - clip[None]
        values.append(psnr(float(np.square(error / 127.5).mean())))
    return float(np.mean(values))


def held_out_psnr(vae: AutoencoderKLLTXVideo) -> float:
    """What an autoencoder keeps of 24 held-out clips, in dB."""
    return reconstruction_psnr(vae, clip_batch(9_000, 24, held=True)[0])


def measure_latents(vae: AutoencoderKLLTXVideo, count: int = 240, seed: int = 77) -> None:
    """Sets the model's ``latents_mean`` and ``latents_std`` from ``count`` corpus clips."""
    vae.latents_mean.zero_()
    vae.latents_std.fill_(1)
    parts = [encode(vae, clip_batch(seed + start, 8)[0]) for start in range(count // 8)]
    latents = torch.cat(parts)
    vae.latents_mean.copy_(latents.mean(dim=(0, 2, 3, 4)))
    vae.latents_std.copy_(latents.std(dim=(0, 2, 3, 4)))


def save_autoencoder(vae: AutoencoderKLLTXVideo, out: Path, record: dict[str, Any]) -> None:
    """Writes a diffusers folder in float16 with a training record, in place of the one that was there."""
    half = vae.half()
    half.latents_mean, half.latents_std = half.latents_mean.float(), half.latents_std.float()
    with in_place_of(out) as part:
        half.save_pretrained(part, max_shard_size="14MB")
        (part / "training.json").write_text(json.dumps(record, indent=2))


def publish(
    weights: dict[str, torch.Tensor],
    out: Path,
    record: dict[str, Any],
    count: int = 240,
    kept: AutoencoderKLLTXVideo | None = None,
) -> float:
    """Publishes averaged weights with measured latents in ``out``; returns the held-out PSNR in dB.

    The first channels are normalised as those of ``kept`` are, if they have been kept.
    """
    vae = build_autoencoder(latent_channels=weights["decoder.conv_in.conv.weight"].shape[1])
    vae.load_state_dict({name: value.half().float() for name, value in weights.items()})
    vae.eval()
    measure_latents(vae, count)
    if kept is not None:
        vae.latents_mean[: len(kept.latents_mean)] = kept.latents_mean
        vae.latents_std[: len(kept.latents_std)] = kept.latents_std
    quality = held_out_psnr(vae)
    save_autoencoder(vae, out, {**record, "held_out_psnr_db": round(quality, 2)})
    return quality


def load_autoencoder(folder: Path) -> AutoencoderKLLTXVideo:
    """The published autoencoder in float32, ready for :func:`encode` and :func:`decode`."""
    vae: AutoencoderKLLTXVideo = AutoencoderKLLTXVideo.from_pretrained(folder, torch_dtype=torch.float32)
    return vae.eval().requires_grad_(False)
