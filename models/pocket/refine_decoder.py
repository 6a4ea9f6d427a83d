"""Goes on training only the decoder of the published autoencoder; its latents stay as they are.

Half of its clips are as the generator draws them, with its faults, and it shall draw the scenes that the
generator meant. Latents are disturbed a little, as a generator's are never exact.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLLTXVideo

from models.pocket.autoencoder import (
    grown_autoencoder,
    load_autoencoder,
    picture_loss,
    psnr,
    reconstruction_psnr,
    save_autoencoder,
)
from models.pocket.corpus import clip_batch
from models.pocket.drawn_clips import DrawnBatch, DrawnClips
from models.pocket.muon import Muon
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
    """How the decoder is trained on.

    Attributes:
        learning_rate: peak, of Muon.
        warmup: steps of linear warmup.
        sharpness: weight of absolute errors, see `picture_loss`.
        disturbance: noise on normalised latents.
        clips: a batch.
        made: share of clips that the generator draws.
        pool, renew: see `DrawnClips`.
        subject_weight: how much an error at a subject counts against one elsewhere.
        ema: decay of the averaged weights.
        seed: of the clips and the noise.
    """

    learning_rate: float = 0.01
    warmup: int = 20
    sharpness: float = 0.4
    disturbance: float = 0.05
    clips: int = 2
    made: float = 0.5
    pool: int = 96
    renew: int = 12
    subject_weight: float = 3.0
    ema: float = 0.997
    seed: int = 1


def refining_loss(
    vae: AutoencoderKLLTXVideo, batch: DrawnBatch, settings: RefineSettings, generator: torch.Generator
) -> tuple[torch.Tensor, float]:
    """Loss of the decoder on one batch and its squared error (pixels of -1 to 1)."""
    noise = torch.randn(batch.latents.shape, generator=generator).to(batch.latents)
    latents = batch.latents + settings.disturbance * noise
    spread, mean = (each.view(1, -1, 1, 1, 1) for each in (vae.latents_std, vae.latents_mean))
    with torch.autocast(latents.device.type, torch.bfloat16):
        made = vae.decode(latents * spread + mean).sample.float()
    weight = torch.where(batch.subjects, settings.subject_weight, 1.0)
    loss = picture_loss(made, batch.pixels, settings.sharpness, weight / weight.mean())
    return loss, (made.detach() - batch.pixels).square().mean().item()


def refine_decoder(
    assets: Path,
    work: Path,
    minutes: float,
    settings: RefineSettings,
    *,
    max_steps: int | None = None,
    threads: int = 1,
) -> Path:
    """Trains the decoder of a pipeline folder within the budget, resuming from ``work``.

    One with fewer blocks than `models.pocket.autoencoder.CONFIG` gets the others first. It is written back
    only if the reconstruction of held-out clips got better.
    """
    device, folder = use_threads(threads), assets / "vae"
    published = load_autoencoder(folder)
    before = reconstruction_psnr(published, clip_batch(CHOOSE, 24, held=True)[0])
    vae = grown_autoencoder(published).eval().requires_grad_(False).to(device)
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
    clips = DrawnClips(
        work, assets, settings.made, settings.pool, settings.renew, settings.seed + progress.step
    )
    generator = torch.Generator().manual_seed(settings.seed + progress.step)
    saved = progress.seconds
    errors: list[float] = []

    def save() -> None:
        save_checkpoint(checkpoint, progress, model=decoder.state_dict(), muon=muon.state_dict(),
                        adam=adam.state_dict(), average=average.weights)  # fmt: skip

    while progress.fraction < 1:
        rate = progress.learning_rate(1.0, settings.warmup)
        muon.param_groups[0]["lr"], adam.param_groups[0]["lr"] = settings.learning_rate * rate, 5e-4 * rate
        loss, error = refining_loss(vae, clips.draw(settings.clips).to(device), settings, generator)
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
