"""What is each part of LinGen worth? The generator is trained without it, for equally many steps.

Every variant sees the same clips, captions, noise and timesteps in the same order and is judged by its loss
on held-out combinations, always with the same noise. At 128 pixels a clip has 5 x 4 x 4 tokens, and the
embedded model's attention window covers them all, which would hide what a scan does; so the variants have a
smaller window by default. Two seeds or more tell how much of a difference is chance. A sheet of each shows
what the loss does not say.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.lingen import LinGenPipeline, LinGenTransformer3DModel
from models.pocket.generator import build_generator, draw_timesteps, flow_loss
from models.pocket.latents import load_latents, marks, write_whole
from models.pocket.sheet import PROMPTS, draw_clips, grid
from models.pocket.team import Team
from models.pocket.train_generator import MixedOptimizer
from models.pocket.training import Progress, fast_attention, use_threads
from models.pocket.training_set import GeneratorSettings, TrainingSet

VARIANTS: dict[str, dict[str, bool]] = {
    "LinGen": {},
    "without rotary-major scan": {"rotary_scan": False},
    "without review tokens": {"review": False},
    "without temporal attention": {"temporal_branch": False},
}
LOOKS = 4
"""How often the loss is measured on the way, the end included."""
DRAWN = PROMPTS[:8]
SHEET_STEPS, SHEET_GUIDANCE = 20, 4.0
"""Of the clips on a sheet; the variants are not distilled."""


@dataclass(frozen=True)
class Trial:
    """One variant trained once.

    Attributes:
        variant: of `VARIANTS`.
        seed: of the weights and of all that is drawn.
        steps: updates.
        batch: clips an update.
        window: attention window in tokens (frames, rows, columns).
    """

    variant: str
    seed: int
    steps: int
    batch: int = 24
    window: tuple[int, int, int] = (2, 2, 2)

    @property
    def sheet(self) -> str:
        """File name of its sheet."""
        return f"ablation-{self.variant.lower().replace(' ', '-')}-{self.seed}-{self.steps}.png"


@torch.no_grad()
def validation_loss(model: nn.Module, held: TrainingSet) -> float:
    """Loss on all held-out clips, timesteps spread evenly over them."""
    device = next(model.parameters()).device
    clips = held.latents["clips"]
    clean = clips.latents.float()
    text, mask = held.text([captions[0] for captions in clips.captions])
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    levels = torch.linspace(50, 950, len(clean))[:, None].expand(-1, clean.shape[2])
    model.eval()
    loss = flow_loss(model, *(tensor.to(device) for tensor in (clean, levels, noise, text, mask)))
    model.train()
    return float(loss)


def run_trial(
    trial: Trial, data: TrainingSet, held: TrainingSet, *, compile_blocks: bool = False
) -> tuple[dict[str, Any], LinGenTransformer3DModel]:
    """Train a variant and measure it.

    Returns:
        The trial, `losses` as pairs of steps and validation loss, `parameters` and `seconds`; the weights.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    changes: dict[str, Any] = {"window_size": trial.window, **VARIANTS[trial.variant]}
    torch.manual_seed(trial.seed)
    master = build_generator(**changes).to(device).train()
    worker = build_generator(**changes).to(device, torch.bfloat16).train()
    worker.load_state_dict(master.state_dict())
    if compile_blocks:
        torch.compiler.reset()  # the variants before would count against the limit of versions
        for block in worker.blocks:
            block.compile(dynamic=False)
    team, progress = Team(1, worker), Progress(1, trial.steps)
    optimizer = MixedOptimizer(master, worker, team, data.settings)
    generator = torch.Generator().manual_seed(trial.seed)
    looks = {round(trial.steps * (look + 1) / LOOKS) for look in range(LOOKS)}
    losses, begun = [], time.monotonic()
    while progress.step < trial.steps:
        drawn = data.draw("clips", generator)
        clean, text, mask = drawn.clean, drawn.text, drawn.mask
        timesteps = draw_timesteps(clean.shape[0], clean.shape[2], generator, drawn.known)
        noise = torch.randn(clean.shape, generator=generator)
        team.clear_gradients()
        with fast_attention(device):
            batch = (tensor.to(device) for tensor in (clean, timesteps, noise, text, mask))
            flow_loss(worker, *batch).backward()
        settings = data.settings
        optimizer.step(progress.learning_rate(settings.learning_rate, settings.warmup))
        progress.step += 1
        if progress.step in looks:
            losses.append((progress.step, validation_loss(master, held)))
    record = {
        **asdict(trial),
        "losses": losses,
        "parameters": sum(parameter.numel() for parameter in master.parameters()),
        "seconds": time.monotonic() - begun,
    }
    return record, master


def save_sheet(assets: Path, model: LinGenTransformer3DModel, file: Path) -> None:
    """Draw the sheet's first prompts with these weights, the first frame of each clip."""
    pipeline = LinGenPipeline.from_pretrained(assets, transformer=model.eval().cpu(), upscaler=None)
    clips = draw_clips(pipeline, DRAWN, SHEET_STEPS, SHEET_GUIDANCE)
    sheet = grid([clip[0] for clip in clips], DRAWN)
    write_whole(file, lambda part: sheet.save(part, "PNG", optimize=True))


def clips_mark(work: Path) -> str:
    """Changes with the encoded clips."""
    files = sorted((work / "latents").glob("clips-*.safetensors"))
    return hashlib.sha256(repr([(file.name, *marks(file)) for file in files]).encode()).hexdigest()[:16]


def ablation(
    assets: Path,
    work: Path,
    trials: list[Trial],
    settings: GeneratorSettings | None = None,
    threads: int = 2,
) -> Iterator[dict[str, Any]]:
    """Run what is not yet in `work/ablation.json`, add each result to it, and give all results in order.

    A result is found again if trial, settings and clips are the same. The sheet of each lies beside that
    file, under the name `Trial.sheet`.

    Args:
        assets: folder of the pipeline, for its text encoder.
        work: folder with encoded clips.
        trials: what to run; all with the same batch.
        settings: of the training; batch and seed are taken from the trials.
        threads: CPU threads.

    Raises:
        InputError: if there are no encoded clips.
    """
    use_threads(threads)
    chosen = settings or GeneratorSettings()
    chosen = GeneratorSettings(**{**asdict(chosen), "clips": trials[0].batch})
    sets: tuple[TrainingSet, ...] | None = None  # reading all captions takes a while
    clips = clips_mark(work)
    file = work / "ablation.json"
    results: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    for trial in trials:
        asked = json.loads(json.dumps({**asdict(trial), "settings": asdict(chosen), "clips": clips}))
        found = next((each for each in results if asked.items() <= each.items()), None)
        if found is None:
            if sets is None:
                sets = tuple(
                    TrainingSet({"clips": load_latents(work, "clips", held=held_out)}, assets, chosen)
                    for held_out in (False, True)
                )
            data, held = sets
            record, model = run_trial(trial, data, held, compile_blocks=chosen.compile)
            found = {**record, **asked}
            save_sheet(assets, model, work / trial.sheet)
            results.append(found)
            text = json.dumps(results, indent=2)
            write_whole(file, lambda part, text=text: part.write_text(text))  # type: ignore[misc]
        yield found
