"""The embedded model's video autoencoder: 16 times smaller in each direction of space, 4 times in time.

A small configuration of diffusers' ``AutoencoderKLLTXVideo`` (LTX-Video, arXiv:2501.00103, section 2.1):
17 frames of 128 x 128 become ``[24, 5, 8, 8]``. Trained with squared and absolute errors of the picture, of
its gradients in space and time, and of a coarser scale, and with a small Kullback-Leibler term that keeps the
latents near a unit Gaussian.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLLTXVideo
from torch.nn import functional as F

from models.pocket.corpus import clip_batch
from models.pocket.muon import Muon
from models.pocket.training import (
    AveragedWeights,
    Progress,
    load_checkpoint,
    log_line,
    read_log,
    save_checkpoint,
    use_threads,
)

LATENT_CHANNELS = 24
CONFIG: dict[str, Any] = {
    "latent_channels": LATENT_CHANNELS,
    "block_out_channels": (32, 64, 128),
    "decoder_block_out_channels": (48, 64, 128),
    "down_block_types": ("LTXVideoDownBlock3D",) * 3,
    "layers_per_block": (1, 1, 1, 0),
    "decoder_layers_per_block": (1, 2, 1, 1),
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


@dataclass(frozen=True)
class AutoencoderSettings:
    """How the autoencoder is trained.

    Begins with many cheap steps on small crops; larger crops follow, and the last part of the budget sees
    whole clips and single images as well.
    """

    learning_rate: float = 0.02
    warmup: int = 30
    kl_weight: float = 1e-4
    sharpness: float = 0.3
    images: int = 10
    video_after: float = 0.07
    crops: int = 6
    crop_frames: int = 5
    crop_size: int = 64
    large_crops: int = 3
    large_frames: int = 9
    large_size: int = 96
    large_after: float = 0.3
    pool: int = 160
    whole_after: float = 0.72
    ema: float = 0.998
    seed: int = 0


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


def picture_loss(made: torch.Tensor, true: torch.Tensor, sharpness: float) -> torch.Tensor:
    """Squared error of ``[n, 3, T, H, W]``; ``sharpness`` weighs in absolute errors.

    The absolute error is taken of the picture, its differences along T, H and W, and a coarser scale. It
    makes edges crisp, but alone it holds a fresh network at flat colours, so it is brought in bit by bit.
    """
    error = made - true
    loss = 5 * error.square().mean()
    if sharpness > 0:
        sharp = error.abs().mean() + F.avg_pool3d(error, (1, 4, 4)).abs().mean()
        for axis in (2, 3, 4):
            if error.shape[axis] > 1:
                sharp = sharp + error.diff(dim=axis).abs().mean() / 2
        loss = loss + sharpness * sharp
    return loss


def training_loss(
    vae: AutoencoderKLLTXVideo,
    pixels: torch.Tensor,
    settings: AutoencoderSettings,
    generator: torch.Generator,
    fraction: float = 0.0,
) -> tuple[torch.Tensor, float]:
    """Loss of one batch ``[n, 3, T, H, W]`` (-1 to 1) and the squared error of its reconstruction."""
    with torch.autocast(pixels.device.type, torch.bfloat16):
        posterior = vae.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(pixels.device)
        made = vae.decode(posterior.mean + posterior.std * noise).sample
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    sharpness = settings.sharpness * min(1.0, max(0.0, fraction - settings.video_after) * 3)
    loss = picture_loss(made.float(), pixels, sharpness) + settings.kl_weight * kl
    return loss, (made.detach().float() - pixels).square().mean().item()


class ClipPool:
    """Rendered clips from which batches are cut; one clip is replaced at every draw."""

    def __init__(self, settings: AutoencoderSettings, seed: int) -> None:
        self.settings, self.next_seed = settings, seed * 1_000_000 + 1
        self.rng = np.random.default_rng(seed)
        self.clips: list[np.ndarray] = []

    def draw(self, fraction: float) -> torch.Tensor:
        """A batch ``[n, 3, T, H, W]`` of -1 to 1 as fits this share of training: crops, clips or images."""
        settings, rng = self.settings, self.rng
        whole = fraction >= settings.whole_after and rng.random() < 0.5
        fresh = int(rng.random() < 0.5) if len(self.clips) >= settings.pool else min(2, settings.pool)
        fresh = fresh if self.clips else min(24, settings.pool)
        for _ in range(fresh):
            self.clips.append(clip_batch(self.next_seed, 1)[0][0])
            self.next_seed += 1
        while len(self.clips) > settings.pool:
            self.clips.pop(int(rng.integers(settings.pool // 2)))
        if whole and rng.random() < 0.25:
            picks = rng.integers(len(self.clips), size=12)
            return to_pixels(np.stack([self.clips[k][int(rng.integers(17))][None] for k in picks]))
        if whole:
            return to_pixels(self.clips[int(rng.integers(len(self.clips)))][None])
        if fraction < settings.video_after:
            count, frames, size = settings.images, 1, settings.crop_size
        elif fraction < settings.large_after:
            count, frames, size = settings.crops, settings.crop_frames, settings.crop_size
        else:
            count, frames, size = settings.large_crops, settings.large_frames, settings.large_size
        cuts = []
        for pick in rng.integers(len(self.clips), size=count):
            t = int(rng.integers(17 - frames + 1))
            y, x = (int(v) for v in rng.integers(128 - size + 1, size=2))
            cuts.append(self.clips[pick][t : t + frames, y : y + size, x : x + size])
        return to_pixels(np.stack(cuts))


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
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    half.save_pretrained(part, safe_serialization=True)
    (part / "training.json").write_text(json.dumps(record, indent=2))
    shutil.rmtree(out, ignore_errors=True)
    part.rename(out)


def publish(weights: dict[str, torch.Tensor], out: Path, record: dict[str, Any], count: int = 240) -> float:
    """Publishes averaged weights with measured latents in ``out``; returns the held-out PSNR in dB."""
    vae = build_autoencoder()
    vae.load_state_dict({name: value.half().float() for name, value in weights.items()})
    vae.eval()
    measure_latents(vae, count)
    quality = reconstruction_psnr(vae, clip_batch(9_000, 24, held=True)[0])
    save_autoencoder(vae, out, {**record, "held_out_psnr_db": round(quality, 2)})
    return quality


def load_autoencoder(folder: Path) -> AutoencoderKLLTXVideo:
    """The published autoencoder in float32, ready for :func:`encode` and :func:`decode`."""
    vae: AutoencoderKLLTXVideo = AutoencoderKLLTXVideo.from_pretrained(folder, torch_dtype=torch.float32)
    return vae.eval().requires_grad_(False)


class AutoencoderTraining:
    """The model under training with its optimizers, average, progress and checkpoint."""

    def __init__(
        self, settings: AutoencoderSettings, work: Path, progress: Progress, device: torch.device
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.progress, self.checkpoint = settings, progress, work / "autoencoder.pt"
        self.vae = build_autoencoder().to(device)
        self.average = AveragedWeights(self.vae, settings.ema)
        weights = list(self.vae.parameters())
        self.muon = Muon([weight for weight in weights if weight.ndim > 1], settings.learning_rate)
        self.adam = torch.optim.AdamW([weight for weight in weights if weight.ndim == 1], 1e-3, (0.9, 0.95))
        states = load_checkpoint(self.checkpoint, progress)
        if states:
            self.vae.load_state_dict(states["model"])
            self.muon.load_state_dict(states["muon"])
            self.adam.load_state_dict(states["adam"])
            self.average.weights = {name: value.to(device) for name, value in states["average"].items()}
        self.generator = torch.Generator().manual_seed(settings.seed + progress.step)

    def step(self, pixels: torch.Tensor) -> tuple[float, float]:
        """One step on a batch ``[n, 3, T, H, W]`` of -1 to 1; its loss and squared error."""
        rate = self.progress.learning_rate(1.0, self.settings.warmup)
        self.muon.param_groups[0]["lr"] = self.settings.learning_rate * rate
        self.adam.param_groups[0]["lr"] = 1e-3 * rate
        loss, error = training_loss(self.vae, pixels, self.settings, self.generator, self.progress.fraction)
        self.vae.zero_grad(set_to_none=True)
        loss.backward()
        self.muon.step()
        self.adam.step()
        self.progress.step += 1
        self.average.update(self.vae, self.progress.step)
        return loss.item(), error

    def save(self) -> None:
        """Writes the checkpoint."""
        save_checkpoint(
            self.checkpoint,
            self.progress,
            model=self.vae.state_dict(),
            muon=self.muon.state_dict(),
            adam=self.adam.state_dict(),
            average=self.average.weights,
        )


def train_autoencoder(
    out: Path,
    work: Path,
    minutes: float,
    settings: AutoencoderSettings,
    *,
    max_steps: int | None = None,
    threads: int = 2,
    save_minutes: float = 2.0,
) -> Path:
    """Trains within the budget, resuming from ``work``, and publishes to ``out``; returns ``out``.

    Every few minutes a checkpoint and an early folder ``work/vae`` are written, and a line to
    ``work/autoencoder.jsonl``.
    """
    device = use_threads(threads)
    progress, log = Progress(minutes, max_steps), work / "autoencoder.jsonl"
    training = AutoencoderTraining(settings, work, progress, device)
    pool = ClipPool(settings, settings.seed + progress.step)
    results: list[tuple[float, float]] = []
    saved = published = progress.seconds
    while progress.fraction < 1:
        results.append(training.step(pool.draw(progress.fraction).to(device)))
        if progress.step % 50 == 0:
            loss, error = np.mean(results, axis=0).tolist()
            log_line(log, step=progress.step, seconds=progress.seconds, loss=loss, psnr=psnr(error))
            results = []
        if progress.seconds - saved > 60 * save_minutes:
            saved = progress.seconds
            training.save()
        if max_steps is None and progress.seconds - published > 300:
            published = progress.seconds
            early = publish(training.average.weights, work / "vae", {"steps": progress.step}, count=40)
            log_line(log, step=progress.step, early_held_out_psnr=early)
    training.save()
    record = {
        "settings": asdict(settings),
        "minutes": minutes,
        "steps": progress.step,
        "parameters": sum(weight.numel() for weight in training.vae.parameters()),
        "device": device.type,
        "log": read_log(log)[::5],
    }
    log_line(log, step=progress.step, held_out_psnr=publish(training.average.weights, out, record))
    return out
