"""Goes on training only the decoder of the published autoencoder; its latents stay as they are.

The pictures get sharper while a generator trains on the same latents. Latents are disturbed a little, as a
generator's are never exact.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLLTXVideo

from models.pocket.autoencoder import (
    load_autoencoder,
    picture_loss,
    psnr,
    reconstruction_psnr,
    save_autoencoder,
)
from models.pocket.corpus import clip_batch
from models.pocket.muon import Muon
from models.pocket.train_autoencoder import AutoencoderSettings, ClipPool
from models.pocket.training import (
    AveragedWeights,
    Progress,
    load_checkpoint,
    log_line,
    save_checkpoint,
    use_threads,
)

CHOOSE, TELL = 9_500, 9_000
"""Seeds of the held-out clips that decide whether it got better, and of those whose figure is told."""


@dataclass(frozen=True)
class RefineSettings:
    """How the decoder is trained on; ``disturbance`` is the noise on normalized latents."""

    learning_rate: float = 0.01
    warmup: int = 20
    sharpness: float = 0.4
    disturbance: float = 0.05
    ema: float = 0.995
    seed: int = 1


def refining_loss(
    vae: AutoencoderKLLTXVideo, pixels: torch.Tensor, settings: RefineSettings, generator: torch.Generator
) -> tuple[torch.Tensor, float]:
    """Loss of the decoder on one batch ``[n, 3, T, H, W]`` and its squared error (pixels of -1 to 1)."""
    with torch.autocast(pixels.device.type, torch.bfloat16):
        with torch.no_grad():
            mean = vae.encode(pixels).latent_dist.mean
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        scale = settings.disturbance * vae.latents_std.view(1, -1, 1, 1, 1)
        made = vae.decode(mean + scale * noise).sample.float()
    return picture_loss(made, pixels, settings.sharpness), (made.detach() - pixels).square().mean().item()


def refine_decoder(
    folder: Path,
    work: Path,
    minutes: float,
    settings: RefineSettings,
    *,
    max_steps: int | None = None,
    threads: int = 1,
) -> Path:
    """Trains the decoder in ``folder`` within the budget, resuming from ``work``, and writes it back there.

    The folder is replaced only if the reconstruction of held-out clips got better.
    """
    device = use_threads(threads)
    vae = load_autoencoder(folder).to(device)
    before = reconstruction_psnr(vae, clip_batch(CHOOSE, 24, held=True)[0])
    decoder = vae.decoder.requires_grad_(True)
    average = AveragedWeights(decoder, settings.ema)
    muon = Muon([w for w in decoder.parameters() if w.ndim > 1], settings.learning_rate)
    adam = torch.optim.AdamW([w for w in decoder.parameters() if w.ndim == 1], 5e-4, (0.9, 0.95))
    progress, checkpoint, log = Progress(minutes, max_steps), work / "decoder.pt", work / "decoder.jsonl"
    states = load_checkpoint(checkpoint, progress)
    if states:
        for part, name in ((decoder, "model"), (muon, "muon"), (adam, "adam")):
            part.load_state_dict(states[name])
        average.weights = {name: value.to(device) for name, value in states["average"].items()}
    pool = ClipPool(AutoencoderSettings(seed=settings.seed), settings.seed + progress.step)
    generator = torch.Generator().manual_seed(settings.seed + progress.step)
    saved = progress.seconds
    errors: list[float] = []

    def save() -> None:
        save_checkpoint(checkpoint, progress, model=decoder.state_dict(), muon=muon.state_dict(),
                        adam=adam.state_dict(), average=average.weights)  # fmt: skip

    while progress.fraction < 1:
        rate = progress.learning_rate(1.0, settings.warmup)
        muon.param_groups[0]["lr"], adam.param_groups[0]["lr"] = settings.learning_rate * rate, 5e-4 * rate
        loss, error = refining_loss(vae, pool.draw(1.0).pixels.to(device), settings, generator)
        decoder.zero_grad(set_to_none=True)
        loss.backward()
        muon.step()
        adam.step()
        progress.step += 1
        average.update(decoder, progress.step)
        errors.append(error)
        if progress.step % 50 == 0:
            log_line(log, step=progress.step, seconds=progress.seconds, psnr=psnr(float(np.mean(errors))))
            errors = []
        if progress.seconds - saved > 120:
            saved = progress.seconds
            save()
    save()
    decoder.load_state_dict({name: value.half().float() for name, value in average.weights.items()})
    _publish_if_better(vae, folder, before, settings, progress, log)
    return folder


def _publish_if_better(
    vae: AutoencoderKLLTXVideo,
    folder: Path,
    before: float,
    settings: RefineSettings,
    progress: Progress,
    log: Path,
) -> None:
    """Write the refined decoder, unless held-out clips come out worse than ``before`` (dB)."""
    after = reconstruction_psnr(vae, clip_batch(CHOOSE, 24, held=True)[0])
    told = reconstruction_psnr(vae, clip_batch(TELL, 24, held=True)[0])
    log_line(log, step=progress.step, chosen_by_before=before, chosen_by=after, held_out_psnr=told)
    if after > before:
        record = json.loads((folder / "training.json").read_text())
        record["refined_decoder"] = {"settings": asdict(settings), "steps": progress.step,
                                     "held_out_psnr_db_before": record.get("held_out_psnr_db")}  # fmt: skip
        save_autoencoder(vae, folder, {**record, "held_out_psnr_db": round(told, 2)})
