"""Goes on training only the decoder of the published autoencoder; its latents stay as they are.

It learns to draw what a generator makes of rendered clips, which is never exact, and looks most at where the
subjects are. So pictures get sharper without a generator having to learn other latents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.pocket.autoencoder import (
    load_autoencoder,
    picture_loss,
    psnr,
    reconstruction_psnr,
    save_autoencoder,
)
from models.pocket.corpus import clip_batch
from models.pocket.drawer import Drawer
from models.pocket.muon import Muon
from models.pocket.rendered import RenderedClips, Shown
from models.pocket.small_training import SmallTraining
from models.pocket.training import Progress, log_line, use_threads

TELL = 9_000
"""Seed of the held-out clips whose figure is told."""
DRAWN_AT_ONCE = 8
"""Clips that are drawn together, as a generator is asked in batches."""


@dataclass(frozen=True)
class RefineSettings:
    """How the decoder is trained on.

    Attributes:
        learning_rate, flat_rate: peaks, for its kernels (Muon) and for its biases (AdamW).
        warmup: steps of linear warmup.
        clips: a batch.
        odds: how often clips only went through the autoencoder, were guessed, or drawn to the end.
        sharpness: weight of absolute errors, see `picture_loss`.
        subject_weight: how much a place with a subject counts against one without.
        ema: decay of the averaged weights.
        seed: of the clips and the noise.
    """

    learning_rate: float = 0.01
    flat_rate: float = 5e-4
    warmup: int = 20
    clips: int = 2
    odds: tuple[float, float, float] = (0.4, 0.3, 0.3)
    sharpness: float = 0.6
    subject_weight: float = 4.0
    ema: float = 0.995
    seed: int = 1


class DecoderTraining:
    """The decoder of a pipeline folder, and the clips that it learns from.

    Args:
        assets: the folder.
        work: of `python -m models.pocket latents`.
        settings: of the training.
        device: where the decoder is.
        seed: of what is drawn.
    """

    def __init__(
        self, assets: Path, work: Path, settings: RefineSettings, device: torch.device, seed: int
    ) -> None:
        self.settings, self.vae = settings, load_autoencoder(assets / "vae").to(device)
        self.vae.decoder.requires_grad_(True)
        self.drawer, self.held = Drawer(assets, settings.odds), RenderedClips(work, held=True)
        self.clips, self.rng = RenderedClips(work), np.random.default_rng([settings.seed, seed])
        self.batches = self._batches()

    def _batches(self) -> Iterator[tuple[Tensor, list[int]]]:
        """Latents as a film has them, and which clips they show."""
        count = self.settings.clips
        together = count * max(1, DRAWN_AT_ONCE // count)
        while True:
            picks = self.rng.integers(len(self.clips), size=together).tolist()
            shown = self.clips.show(picks, self.rng)
            drawn = self.drawer.draw(shown.latents, shown.captions, self.rng)
            for first in range(0, together, count):
                yield drawn[first : first + count], picks[first : first + count]

    def decode(self, latents: Tensor) -> Tensor:
        """Normalised latents -> pixels [B, 3, T, H, W] in about -1..1, with a gradient."""
        spread, mean = (each.view(1, -1, 1, 1, 1) for each in (self.vae.latents_std, self.vae.latents_mean))
        latents = latents.to(mean)
        with torch.autocast(latents.device.type, torch.bfloat16):
            pixels: Tensor = self.vae.decode(latents * spread + mean).sample
        return pixels.float()

    def loss(self) -> Tensor:
        """Of the next batch."""
        latents, picks = next(self.batches)
        return self._distance(self.decode(latents), self.clips.show(picks, self.rng))

    def _distance(self, made: Tensor, shown: Shown) -> Tensor:
        places = torch.where(shown.subjects, self.settings.subject_weight, 1.0)
        weight = (places / places.mean()).to(made)
        return picture_loss(made, shown.pixels.to(made), self.settings.sharpness, weight)

    @torch.no_grad()
    def held_out(self, count: int = 24) -> dict[str, float]:
        """On held-out clips that went through the autoencoder (`coded`) or were drawn (`finished`).

        The loss of both, and the PSNR in dB where a subject is; always with the same noise.
        """
        figures: dict[str, list[float]] = {}
        for pick in np.linspace(0, len(self.held) - 1, min(count, len(self.held))).astype(int).tolist():
            rng = np.random.default_rng([pick, 9])
            shown = self.held.show([pick], rng)
            for kind in ("coded", "finished"):
                made = self.decode(self.drawer.draw(shown.latents, shown.captions, rng, kind)).cpu()
                error = (made.clamp(-1, 1) - shown.pixels).square().mean(1, keepdim=True)[shown.subjects]
                figures.setdefault("loss", []).append(float(self._distance(made, shown)))
                figures.setdefault(f"{kind}_psnr_db", []).append(psnr(float(error.mean())))
        return {name: round(float(np.mean(values)), 4) for name, values in figures.items()}


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

    It is written back only if held-out clips come out better.
    """
    progress, device = Progress(minutes, max_steps), use_threads(threads)
    torch.manual_seed(settings.seed)
    training = DecoderTraining(assets, work, settings, device, seed=0)
    before, decoder = training.held_out(), training.vae.decoder
    kernels = [weight for weight in decoder.parameters() if weight.ndim > 1]
    biases = [weight for weight in decoder.parameters() if weight.ndim == 1]
    loop = SmallTraining(
        decoder,
        "decoder",
        work,
        progress,
        warmup=settings.warmup,
        ema=settings.ema,
        optimizers=[
            Muon(kernels, settings.learning_rate),
            torch.optim.AdamW(biases, settings.flat_rate, (0.9, 0.95)),
        ],
    )
    training.rng = np.random.default_rng([settings.seed, progress.step])
    weights = loop.run(training.loss)
    decoder.load_state_dict({name: value.half().float() for name, value in weights.items()})
    _publish_if_better(training, assets / "vae", before, progress, loop.log)
    return assets / "vae"


def _publish_if_better(
    training: DecoderTraining, folder: Path, before: dict[str, float], progress: Progress, log: Path
) -> None:
    """Write the refined decoder, unless held-out clips come out worse than ``before``."""
    after = training.held_out()
    told = reconstruction_psnr(training.vae, clip_batch(TELL, 24, held=True)[0])
    log_line(log, step=progress.step, loss_before=before["loss"], loss=after["loss"], held_out_psnr=told)
    if after["loss"] >= before["loss"]:
        return
    record = json.loads((folder / "training.json").read_text())
    record["refined_decoder"] = {
        "settings": asdict(training.settings),
        "steps": progress.step,
        "held_out_before": before,
        "held_out": after,
        "held_out_psnr_db_before": record.get("held_out_psnr_db"),
        "before": record.get("refined_decoder"),
    }
    save_autoencoder(training.vae.cpu(), folder, {**record, "held_out_psnr_db": round(told, 2)})
