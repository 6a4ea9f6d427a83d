"""Trains the video autoencoder on rendered clips."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLLTXVideo

from models.pocket.autoencoder import (
    LATENT_CHANNELS,
    build_autoencoder,
    grown_autoencoder,
    load_autoencoder,
    picture_loss,
    psnr,
    publish,
    to_pixels,
)
from models.pocket.corpus import clip_batch
from models.pocket.emphasis import subject_cells
from models.pocket.muon import Muon
from models.pocket.scenes import NUM_FRAMES, SIZE
from models.pocket.team import Team
from models.pocket.training import (
    AveragedWeights,
    Progress,
    load_checkpoint,
    log_line,
    read_log,
    record_before,
    save_checkpoint,
    use_threads,
)


@dataclass(frozen=True)
class AutoencoderSettings:
    """How the autoencoder is trained.

    Begins with many cheap steps on small crops; larger crops follow, and the last part of the budget sees
    whole clips and single images as well.

    Where a subject is, an error counts ``subject_weight`` times as much. Weights that begin with published
    ones keep what these encode to, as far as ``kept_weight`` asks for it: latents that stay where they were
    spare the generator a beginning from nothing. They can have more ``channels``.
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
    subject_weight: float = 3.0
    kept_weight: float = 0.3
    channels: int = LATENT_CHANNELS
    seed: int = 0


def carried_on(settings: AutoencoderSettings) -> AutoencoderSettings:
    """For weights that are no longer at the beginning: gentler, with large crops and whole clips only."""
    return replace(settings, learning_rate=0.012, video_after=0.0, large_after=0.0, whole_after=0.0)


@dataclass(frozen=True)
class Cuts:
    """A batch of rendered clips, or of parts of them.

    Attributes:
        pixels: -1 to 1, [n, 3, T, H, W].
        subjects: where a subject is, bool [n, 1, T, H, W].
    """

    pixels: torch.Tensor
    subjects: torch.Tensor

    def to(self, device: torch.device) -> Cuts:
        """The same on a device."""
        return Cuts(self.pixels.to(device), self.subjects.to(device))


def training_loss(
    vae: AutoencoderKLLTXVideo,
    cuts: Cuts,
    settings: AutoencoderSettings,
    generator: torch.Generator,
    fraction: float = 0.0,
    kept: AutoencoderKLLTXVideo | None = None,
) -> tuple[torch.Tensor, float]:
    """Loss of one batch and the squared error of its reconstruction.

    ``kept`` is the published autoencoder whose latents the first channels of ``vae`` shall be.
    """
    pixels = cuts.pixels
    with torch.autocast(pixels.device.type, torch.bfloat16):
        posterior = vae.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(pixels.device)
        made = vae.decode(posterior.mean + posterior.std * noise).sample
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    sharpness = settings.sharpness * min(1.0, max(0.0, fraction - settings.video_after) * 3)
    weight = torch.where(cuts.subjects, settings.subject_weight, 1.0)
    loss = picture_loss(made.float(), pixels, sharpness, weight / weight.mean()) + settings.kl_weight * kl
    if kept is not None:
        loss = loss + settings.kept_weight * moved(kept, pixels, mean)
    return loss, (made.detach().float() - pixels).square().mean().item()


def moved(kept: AutoencoderKLLTXVideo, pixels: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """How far the first channels of ``mean`` [n, C, F, h, w] are from what ``kept`` encodes to.

    The mean squared distance, in its channels' own deviations.
    """
    with torch.no_grad(), torch.autocast(pixels.device.type, torch.bfloat16):
        wanted = kept.encode(pixels).latent_dist.mean.float()
    spread = kept.latents_std.view(1, -1, 1, 1, 1)
    return ((mean[:, : wanted.shape[1]] - wanted) / spread).square().mean()


class ClipPool:
    """Rendered clips from which batches are cut; one clip is replaced at every draw."""

    def __init__(self, settings: AutoencoderSettings, seed: int, rank: int = 0) -> None:
        self.settings, self.next_seed = settings, seed * 1_000_000 + rank * 100_000 + 1
        self.rng = np.random.default_rng([seed, rank])
        self.kinds = np.random.default_rng(seed)  # processes of a team draw one kind of batch at a time
        self.clips: list[tuple[np.ndarray, np.ndarray]] = []

    def draw(self, fraction: float) -> Cuts:
        """A batch as fits this share of training: crops, clips or images."""
        settings = self.settings
        whole, picture = fraction >= settings.whole_after and self.kinds.random() < 0.5, self.kinds.random()
        self._refresh()
        if whole and picture < 0.25:
            return self._cut(12, 1, SIZE)
        if whole:
            return self._cut(1, NUM_FRAMES, SIZE)
        if fraction < settings.video_after:
            return self._cut(settings.images, 1, settings.crop_size)
        if fraction < settings.large_after:
            return self._cut(settings.crops, settings.crop_frames, settings.crop_size)
        return self._cut(settings.large_crops, settings.large_frames, settings.large_size)

    def _refresh(self) -> None:
        """Draw a new clip or two, and drop as many of the older ones."""
        pool, rng = self.settings.pool, self.rng
        fresh = int(rng.random() < 0.5) if len(self.clips) >= pool else min(2, pool)
        for _ in range(fresh if self.clips else min(24, pool)):
            clips, _, (scene,) = clip_batch(self.next_seed, 1)
            self.clips.append((clips[0], subject_cells(scene, np.arange(NUM_FRAMES), SIZE)))
            self.next_seed += 1
        while len(self.clips) > pool:
            self.clips.pop(int(rng.integers(pool // 2)))

    def _cut(self, count: int, frames: int, size: int) -> Cuts:
        """So many pieces of clips, each of so many frames and pixels to a side."""
        pixels, subjects = [], []
        for pick in self.rng.integers(len(self.clips), size=count):
            t = int(self.rng.integers(NUM_FRAMES - frames + 1))
            y, x = (int(v) for v in self.rng.integers(SIZE - size + 1, size=2))
            piece = (slice(t, t + frames), slice(y, y + size), slice(x, x + size))
            clip, subject = self.clips[pick]
            pixels.append(clip[piece])
            subjects.append(subject[piece])
        return Cuts(to_pixels(np.stack(pixels)), torch.from_numpy(np.stack(subjects))[:, None])


class AutoencoderTraining:
    """The model under training with its optimizers, average, progress and checkpoint.

    On a CPU, `processes` of them work on one state, each on a batch of its own; all but the first only follow
    its orders.
    """

    def __init__(
        self,
        settings: AutoencoderSettings,
        work: Path,
        progress: Progress,
        device: torch.device,
        start_from: Path | None = None,
        processes: int = 1,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.progress, self.checkpoint = settings, progress, work / "autoencoder.pt"
        self.device, self.kept = device, None if start_from is None else load_autoencoder(start_from)
        build = build_autoencoder if self.kept is None else partial(grown_autoencoder, self.kept)
        self.vae = build(latent_channels=settings.channels).to(device)
        self.before = record_before(start_from)
        self.average = AveragedWeights(self.vae, settings.ema)
        self.states = load_checkpoint(self.checkpoint, progress)
        if self.states:
            self.before = self.states.get("before", self.before)  # its own weights may lie there by now
            self.vae.load_state_dict(self.states["model"])
            for name, value in self.states["average"].items():
                self.average.weights[name].copy_(value)
        if self.kept is not None:
            self.kept.to(device)
        self.team = Team(processes, self.vae, self.average.weights.values())

    def begin(self) -> None:
        """Make this process' share of the optimizers, and its own clips and noise."""
        team, settings = self.team, self.settings
        self.mine = team.share([weight.numel() for weight in team.parameters])
        names = [name for name, _ in self.vae.named_parameters()]
        self.own = {names[index]: team.parameters[index] for index in self.mine}
        weights = list(self.own.values())
        flat, other = (
            [{"params": [w for w in weights if (w.ndim == 1) == is_flat]}] for is_flat in (True, False)
        )
        self.parts: list[torch.optim.Optimizer] = [
            Muon(other, settings.learning_rate),
            torch.optim.AdamW(flat, 1e-3, (0.9, 0.95)),
        ]
        saved = self.states["optimizers"] if self.states else []
        if len(saved) == team.size:
            for part, state in zip(self.parts, saved[team.rank], strict=True):
                part.load_state_dict(state)
        step = self.progress.step
        self.pool = ClipPool(settings, settings.seed + step, team.rank)
        self.generator = torch.Generator().manual_seed(settings.seed + 7919 * team.rank + step)

    def follow(self) -> None:
        """What all processes but the first do: one step at every order, until the order to end."""
        self.begin()
        self.team.follow(lambda order: self._update(int(order[0]), order[1], order[2]), self._save_part)

    def step(self) -> tuple[float, float]:
        """One update: the loss and the squared error of this process' batch."""
        progress = self.progress
        progress.step += 1
        order = (progress.step, progress.fraction, progress.learning_rate(1.0, self.settings.warmup))
        self.team.order(*order)
        return self._update(*order)

    def _update(self, step: int, fraction: float, rate: float) -> tuple[float, float]:
        cuts = self.pool.draw(fraction).to(self.device)
        self.team.clear_gradients()
        loss, error = training_loss(self.vae, cuts, self.settings, self.generator, fraction, self.kept)
        loss.backward()
        self.team.wait()
        for index in self.mine:
            self.team.parameters[index].grad = self.team.gradient(index)
        for part, peak in zip(self.parts, (self.settings.learning_rate, 1e-3), strict=True):
            part.param_groups[0]["lr"] = peak * rate
            part.step()
        self.average.update(self.own, step)
        return loss.item(), error

    def _save_part(self) -> None:
        self.team.save_part(self._optimizer_states(), self.checkpoint)

    def _optimizer_states(self) -> list[dict[str, Any]]:
        return [part.state_dict() for part in self.parts]

    def save(self) -> None:
        """Writes the checkpoint."""
        save_checkpoint(
            self.checkpoint,
            self.progress,
            model=self.vae.state_dict(),
            average=self.average.weights,
            optimizers=self.team.gather(self._optimizer_states(), self.checkpoint),
            before=self.before,
        )

    def publish(self, out: Path, record: dict[str, Any], count: int = 240) -> float:
        """Publishes the averaged weights; see `models.pocket.autoencoder.publish`."""
        return publish(self.average.weights, out, record, count, self.kept)

    def end(self) -> None:
        """Send the other processes home."""
        self.team.end(self.checkpoint)


def train_autoencoder(
    out: Path,
    work: Path,
    minutes: float,
    settings: AutoencoderSettings,
    *,
    max_steps: int | None = None,
    threads: int = 2,
    save_minutes: float = 2.0,
    start_from: Path | None = None,
) -> Path:
    """Trains within the budget, resuming from ``work``, and publishes to ``out``; returns ``out``.

    Every few minutes a checkpoint is written, now and then an early folder ``work/vae``, and lines to
    ``work/autoencoder.jsonl``. Without a checkpoint in ``work``, the autoencoder in ``start_from`` is the
    beginning, if one is given.
    """
    device = use_threads(threads)
    processes = threads if device.type == "cpu" else 1
    work.mkdir(parents=True, exist_ok=True)
    progress, log = Progress(minutes, max_steps), work / "autoencoder.jsonl"
    training = AutoencoderTraining(settings, work, progress, device, start_from, processes)
    if processes > 1:
        use_threads(1)
    training.team.start(training.follow)
    training.begin()
    results: list[tuple[float, float]] = []
    saved = published = progress.seconds
    while progress.fraction < 1:
        results.append(training.step())
        if progress.step % 50 == 0:
            loss, error = np.mean(results, axis=0).tolist()
            log_line(log, step=progress.step, seconds=progress.seconds, loss=loss, psnr=psnr(error))
            results = []
        if progress.seconds - saved > 60 * save_minutes:
            saved = progress.seconds
            training.save()
        if max_steps is None and progress.seconds - published > 600:
            published = progress.seconds
            early = training.publish(work / "vae", {"steps": progress.step}, count=40)
            log_line(log, step=progress.step, early_held_out_psnr=early)
    training.save()
    training.end()
    use_threads(threads)
    record = {
        "settings": asdict(settings),
        "minutes": minutes,
        "steps": progress.step,
        "parameters": sum(weight.numel() for weight in training.vae.parameters()),
        "device": device.type,
        "processes": processes,
        "before": training.before,
        "log": read_log(log)[::5],
    }
    log_line(log, step=progress.step, held_out_psnr=training.publish(out, record))
    return out
