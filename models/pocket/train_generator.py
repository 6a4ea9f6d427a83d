"""Trains the generator on encoded clips: pictures first, then clips and pictures mixed (LinGen E.3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLLTXVideo
from torch import Tensor, nn

from models.lingen import LinGenPipeline, LinGenTransformer3DModel
from models.pocket.autoencoder import load_autoencoder
from models.pocket.emphasis import channel_weights
from models.pocket.generator import (
    as_made,
    build_generator,
    build_scheduler,
    coded_again,
    draw_timesteps,
    flow_loss,
)
from models.pocket.latents import load_latents
from models.pocket.team import Team
from models.pocket.text_encoder import load_text_encoder
from models.pocket.train_upscaler import published_upscaler
from models.pocket.training import (
    AveragedWeights,
    Progress,
    compile_blocks,
    fast_attention,
    in_place_of,
    load_checkpoint,
    log_line,
    read_log,
    record_before,
    save_checkpoint,
    use_threads,
)
from models.pocket.training_set import Batch, GeneratorSettings, TrainingSet

KINDS = ("clips", "stills", "turns", "continued")
"""What an update can see."""


def carried_on(settings: GeneratorSettings) -> GeneratorSettings:
    """For weights that know what things look like: mostly clips, so that they learn how things move."""
    return replace(settings, stills_only=0.0, stills_later=0.2)


class MixedOptimizer:
    """Muon for the matrices inside the blocks, AdamW for the rest; 32-bit weights of a 16-bit network.

    Each process of the team holds the optimizer of its own share of the weights.
    """

    def __init__(self, master: nn.Module, worker: nn.Module, team: Team, settings: GeneratorSettings) -> None:
        self.team = team
        names = [name for name, _ in master.named_parameters()]
        everything, used = list(master.parameters()), list(worker.parameters())
        matrix = [
            name.startswith("blocks.") and name.endswith(".weight") and weight.ndim == 2
            for name, weight in zip(names, everything, strict=True)
        ]
        # making a matrix orthogonal costs far more than AdamW's few passes
        costs = [
            each.numel() * (20 if inside else 1) for each, inside in zip(everything, matrix, strict=True)
        ]
        self.mine = team.share(costs)
        self.master, self.worker = [everything[i] for i in self.mine], [used[i] for i in self.mine]
        rate = settings.learning_rate
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                [everything[i] for i in self.mine if matrix[i]],
                lr=rate,
                weight_decay=0.01,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(
                [everything[i] for i in self.mine if not matrix[i]],
                lr=rate,
                betas=(0.9, 0.95),
                weight_decay=0.0,
            ),
        ]

    @torch.no_grad()
    def step(self, learning_rate: float) -> float:
        """One update from the 16-bit network's gradients; returns their norm."""
        gradients = [self.team.gradient(index) for index in self.mine]
        norm = self.team.norm(gradients)
        for kept, gradient in zip(self.master, gradients, strict=True):
            kept.grad = gradient * min(1.0, 1 / (norm + 1e-6))
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = learning_rate
            part.step()
        for kept, used in zip(self.master, self.worker, strict=True):
            used.copy_(kept)
        return norm


@torch.no_grad()
def held_out_loss(weights: dict[str, Tensor], held: TrainingSet, count: int = 32) -> float:
    """Loss of the averaged weights on held-out combinations, always with the same noise and timesteps."""
    model = build_generator().eval()
    model.load_state_dict({name: value.cpu() for name, value in weights.items()})
    clips = held.latents["clips"]
    clean = clips.latents[:count].float()
    text, mask = held.text([captions[0] for captions in clips.captions[:count]])
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    levels = torch.linspace(50, 950, len(clean))[:, None].expand(-1, clean.shape[2])
    return float(flow_loss(model, clean, levels, noise, text, mask))


def publish(assets: Path, weights: dict[str, Tensor], record: dict[str, object]) -> None:
    """Write the whole pipeline folder around the averaged weights, in float16, in files of at most 16 MB.

    The weights that lie there are replaced when the new ones are whole: they may be the only teacher.
    """
    model = build_generator()
    model.load_state_dict(weights)
    encoder, tokenizer = load_text_encoder(assets)
    vae = AutoencoderKLLTXVideo.from_pretrained(assets / "vae")
    upscaler = published_upscaler(assets)
    pipeline = LinGenPipeline(vae, encoder, tokenizer, model, build_scheduler(), upscaler)
    pipeline.save_config(assets)
    pipeline.scheduler.save_pretrained(assets / "scheduler")
    with in_place_of(assets / "transformer") as part:
        model.half().save_pretrained(part, max_shard_size="14MB")
        (part / "training.json").write_text(json.dumps(record, indent=2) + "\n")


def published_weights(assets: Path) -> LinGenTransformer3DModel:
    """The published generator in float32."""
    return LinGenTransformer3DModel.from_pretrained(assets / "transformer", torch_dtype=torch.float32).eval()


class GeneratorTraining:
    """The state of a training: the weights being trained, their average, the optimizer and where it is.

    On a CPU, `processes` of them work on one state; all but the first only follow its orders.
    """

    name = "generator"

    def __init__(
        self,
        assets: Path,
        work: Path,
        settings: GeneratorSettings,
        progress: Progress,
        start_from: Path | None = None,
        processes: int = 1,
    ) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.settings, self.progress = settings, progress
        self.checkpoint, self.log = work / f"{self.name}.pt", work / f"{self.name}.jsonl"
        work.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        self.master = build_generator().to(self.device).train()
        self.worker = build_generator().to(self.device, torch.bfloat16).train()
        self.held = TrainingSet({"clips": load_latents(work, "clips", held=True)}, assets, settings)
        pictures = settings.stills_only or settings.stills_later
        wanted = {"clips": True, "stills": pictures, "turns": settings.turns, "continued": settings.continued}
        kinds = [kind for kind in KINDS if wanted[kind]]
        latents = {kind: load_latents(work, kind) for kind in kinds}
        some = latents["clips"].latents
        channels = channel_weights(load_autoencoder(assets / "vae"), some[:: -(-len(some) // 4)])
        self.data = TrainingSet(latents, assets, settings, channels)
        self.before = record_before(start_from / "transformer" if start_from else None)
        if start_from is not None:
            self.master.load_state_dict(published_weights(start_from).state_dict())
        self.average = AveragedWeights(self.master, settings.ema)
        self.states = load_checkpoint(self.checkpoint, progress)
        if self.states:
            self.before = self.states.get("before", self.before)  # its own weights may lie there by now
            self.master.load_state_dict(self.states["model"])
            for name, value in self.states["average"].items():
                self.average.weights[name].copy_(value)
        self.worker.load_state_dict(self.master.state_dict())
        kept = (*self.master.parameters(), *self.average.weights.values())
        self.team = Team(processes, self.worker, kept)

    def begin(self) -> None:
        """Make this process' share of the optimizer, and compile."""
        team, settings = self.team, self.settings
        self.optimizer = MixedOptimizer(self.master, self.worker, team, settings)
        names = [name for name, _ in self.master.named_parameters()]
        self.own = {names[index]: self.optimizer.master[at] for at, index in enumerate(self.optimizer.mine)}
        saved = self.states["optimizers"] if self.states else []
        if len(saved) == team.size:
            for part, state in zip(self.optimizer.parts, saved[team.rank], strict=True):
                part.load_state_dict(state)
        self.generator = torch.Generator().manual_seed(settings.seed + 7919 * team.rank + self.progress.step)
        if settings.compile:
            compile_blocks(self.worker)

    def follow(self) -> None:
        """What all processes but the first do: one step at every order, until the order to end."""
        self.begin()
        self.team.follow(
            lambda order: self._update(KINDS[int(order[0])], int(order[1]), order[2]),
            self._save_part,
        )

    def step(self) -> tuple[str, float, float]:
        """One update: what it saw (of `KINDS`), the loss of this process' share, and the norm."""
        settings, progress = self.settings, self.progress
        early = progress.fraction < settings.stills_only
        chance = float(torch.rand((), generator=self.generator))
        if early or chance < settings.stills_later:
            kind = "stills"
        elif chance > 1 - settings.turns:
            kind = "turns"
        else:
            kind = "continued" if chance > 1 - settings.turns - settings.continued else "clips"
        progress.step += 1
        rate = progress.learning_rate(settings.learning_rate, settings.warmup)
        self.team.order(float(KINDS.index(kind)), progress.step, rate)
        return kind, *self._update(kind, progress.step, rate)

    def _update(self, kind: str, step: int, rate: float) -> tuple[float, float]:
        """One update as far as this process does it: its loss, and the norm of the whole gradient."""
        batch = self.data.draw(kind, self.generator, self.team.size)
        noise = torch.randn(batch.clean.shape, generator=self.generator)
        self.team.clear_gradients()
        with fast_attention(self.device):
            loss = self.loss(batch.to(self.device), noise.to(self.device))
            loss.backward()
        self.team.wait()
        norm = self.optimizer.step(rate)
        self.average.update(self.own, step)
        return loss.item(), norm

    def loss(self, batch: Batch, noise: Tensor) -> Tensor:
        """What an update makes smaller, for noise [B, C, F, h, w]."""
        clean, text, mask = batch.clean, batch.text, batch.mask
        timesteps = draw_timesteps(clean.shape[0], clean.shape[2], self.generator, batch.known).to(clean)
        given = self.faulty_frames(clean, (timesteps == 0).any(1), text, mask)
        if batch.lost is not None:
            given = coded_again(clean if given is None else given, batch.lost)
        return flow_loss(self.worker, clean, timesteps, noise, text, mask, given, batch.weight)

    def faulty_frames(self, clean: Tensor, continued: Tensor, text: Tensor, mask: Tensor) -> Tensor | None:
        """The clips, of which some that are `continued` ([B]) are replaced by the generator's own."""
        count = int(self.settings.faulty * len(clean)) if clean.shape[2] > 1 else 0
        if not count:
            return None
        rows = continued.int().argsort(descending=True, stable=True)[:count]
        level = 0.2 + 0.7 * torch.rand(count, generator=self.generator).to(clean)
        noise = torch.randn(clean[rows].shape, generator=self.generator).to(clean)
        given = clean.clone()
        given[rows] = as_made(self.worker, clean[rows], level, noise, text[rows], mask[rows])
        return given

    def held_out_loss(self) -> float:
        """How the averaged weights do on held-out combinations."""
        return held_out_loss(self.average.weights, self.held)

    def _save_part(self) -> None:
        self.team.save_part(self._optimizer_states(), self.checkpoint)

    def _optimizer_states(self) -> list[dict[str, Any]]:
        return [part.state_dict() for part in self.optimizer.parts]

    def save(self) -> None:
        """Write a checkpoint and log the loss on held-out combinations."""
        save_checkpoint(
            self.checkpoint,
            self.progress,
            model=self.master.state_dict(),
            average=self.average.weights,
            optimizers=self.team.gather(self._optimizer_states(), self.checkpoint),
            before=self.before,
            **self.kept(),
        )
        loss = self.held_out_loss()
        log_line(self.log, step=self.progress.step, seconds=self.progress.seconds, held_out_loss=loss)

    def kept(self) -> dict[str, object]:
        """What else a checkpoint holds."""
        return {}

    def end(self) -> None:
        """Send the other processes home."""
        self.team.end(self.checkpoint)

    def record(self) -> dict[str, object]:
        """Settings, size and losses, to be kept beside the weights."""
        lines = read_log(self.log)
        return {
            "settings": asdict(self.settings),
            "minutes": self.progress.minutes,
            "steps": self.progress.step,
            "device": self.device.type,
            "processes": self.team.size,
            "before": self.before,
            "channels": [round(weight, 3) for weight in self.data.channels.tolist()],
            **{kind: len(found.captions) for kind, found in self.data.latents.items()},
            "parameters": sum(parameter.numel() for parameter in self.master.parameters()),
            "log": [line for line in lines if "held_out_loss" in line or line["step"] % 500 == 0],
        }


def train_generator(
    assets: Path,
    work: Path,
    minutes: float,
    settings: GeneratorSettings,
    max_steps: int | None = None,
    threads: int = 2,
    save_minutes: float = 3.0,
    start_from: Path | None = None,
) -> Path:
    """Train within the budget, resuming from `work`, and publish to `assets`.

    The folder already holds the autoencoder and the text encoder. Every few minutes a checkpoint is written,
    and a line to `work/generator.jsonl`. Without a checkpoint in `work`, the weights of the pipeline folder
    `start_from` are the beginning, if one is given.
    """
    progress = Progress(minutes, max_steps)
    return carry_out(
        lambda processes: GeneratorTraining(assets, work, settings, progress, start_from, processes),
        assets,
        threads,
        save_minutes,
    )


def carry_out(
    prepare: Callable[[int], GeneratorTraining], assets: Path, threads: int, save_minutes: float
) -> Path:
    """Train until the budget of `prepare(processes)` is used up, and publish to `assets`."""
    processes = threads if use_threads(threads).type == "cpu" else 1
    training = prepare(processes)
    if processes > 1:
        use_threads(1)
    training.team.start(training.follow)
    training.begin()
    progress, saved = training.progress, training.progress.seconds
    losses: dict[str, list[float]] = {}
    while progress.fraction < 1:
        kind, loss, norm = training.step()
        losses.setdefault(kind, []).append(loss)
        if progress.step % 25 == 0:
            means = {f"loss_{name}": sum(values) / len(values) for name, values in losses.items()}
            log_line(training.log, step=progress.step, seconds=progress.seconds, norm=norm, **means)
            losses = {}
        if progress.seconds - saved > 60 * save_minutes:
            training.save()
            saved = progress.seconds
    training.save()
    training.end()
    publish(assets, training.average.weights, training.record())
    return assets
