"""How good is the embedded model? Clips are made by the product's own code and named by the corpus' CLIP.

Beside every figure stands the same figure for rendered clips of the same scenes, and for rendered clips that
only went through the autoencoder: what the judge and the autoencoder lose is not the generator's fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models.catalog import ASSETS, load_model
from models.clip import Clip, Frames
from models.continuation import prefix_lengths
from models.lingen import VideoUpscaler
from models.metrics.flow import direction, mean_flow
from models.placement import use_threads
from models.pocket.autoencoder import decode, encode, load_autoencoder, psnr, to_pixels
from models.pocket.corpus import cast
from models.pocket.scenes import SIZE, Scene, render
from models.pocket.train_upscaler import FINE_SPRITES, enlarged, published_upscaler
from models.pocket.zero_shot import Namer, setting_namer, subject_namer
from models.scoring.clip_space import ClipSpace
from models.scoring.guide import GuideScorer
from models.scoring.motion import MotionScorer
from models.scoring.prompt import PromptScorer
from models.seam import smooth_seam
from models.video_model import VideoModel
from studio.errors import InputError
from studio.evaluation.pocket_cases import OUTSIDE, Case, draw_cases, outside_cases
from studio.evaluation.pocket_drift import chain, colour_shift, sharpness
from studio.evaluation.pocket_report import UNITS, Figure, PocketReport, Tally
from studio.evaluation.report import this_machine
from studio.settings import read_settings

CHAINS = 4
"""Films of each kind."""
SEAM = 4
"""Transitions between frames that are looked at on either side of a seam."""

Tick = Callable[[int, int], None]
"""`tick(done, total)`: so many of the clips are made."""
Keep = Callable[[str, str, Clip], None]
"""`keep(name, prompt, clip)`: for every clip made from text."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        clips: made from scenes of the corpus, one half from combinations that were trained.
        steps, guidance: of a run.
        seed: of scenes, captions and noises.
        chunks: of a film whose drift is measured; 0 for none.
    """

    clips: int
    steps: int
    guidance: float
    seed: int
    chunks: int = 0

    @property
    def continuations(self) -> int:
        """Clips that are continued."""
        return max(2, self.clips // 10)

    @property
    def rounds(self) -> int:
        """How often every word outside the corpus is asked for."""
        return max(1, self.clips // 100)

    @property
    def total(self) -> int:
        """Clips to be made in all."""
        films = 2 * CHAINS * self.chunks
        return self.clips + self.rounds * len(OUTSIDE) + 2 * self.continuations + films


@dataclass
class Laboratory:
    """The model and its judges.

    Attributes:
        model: makes clips.
        space: the CLIP model.
        vae: the model's autoencoder.
        upscaler: what draws its clips larger, if the model has one.
        sprites: of which scenes are rendered.
        fine: the same, for scenes as large as the upscaler draws them.
        plan: what is to be done.
        tick, keep: told of every clip.
    """

    model: VideoModel
    space: ClipSpace
    vae: Any
    upscaler: VideoUpscaler | None
    sprites: dict[str, Frames]
    fine: dict[str, Frames]
    plan: Plan
    tick: Tick = lambda done, total: None
    keep: Keep = lambda name, prompt, clip: None
    tally: Tally = field(default_factory=Tally)
    done: int = 0

    def __post_init__(self) -> None:
        self.subject: Namer = subject_namer(self.space)
        self.setting: Namer = setting_namer(self.space)

    def make(self, prompt: str, seed: int, guide: Frames | None = None) -> Clip:
        """One clip, the way the studio makes it."""
        conditioning = self.model.encode(prompt, guide=guide, guidance_scale=self.plan.guidance)
        run = self.model.begin(conditioning, seed, self.plan.steps)
        try:
            return run.finish()
        finally:
            run.close()
            self.advance()

    def advance(self) -> None:
        """One more clip is made."""
        self.done += 1
        self.tick(self.done, self.plan.total)


def evaluate(laboratory: Laboratory) -> tuple[Figure, ...]:
    """Everything that the plan asks for."""
    moving: list[tuple[Case, Clip]] = []
    for held in (False, True):
        moving += corpus_clips(laboratory, held)
    outside_words(laboratory)
    continuations(laboratory, moving[:: max(1, len(moving) // laboratory.plan.continuations)])
    return (*laboratory.tally.figures(), *drift(laboratory))


def corpus_clips(lab: Laboratory, held: bool) -> list[tuple[Case, Clip]]:
    """Make, render and encode the scenes of one half, name what they show, and return those that move."""
    plan, tally = lab.plan, lab.tally
    group = "held-out combinations" if held else "seen combinations"
    count = plan.clips // 2 if held else plan.clips - plan.clips // 2
    moving = []
    for index, case in enumerate(draw_cases(count, plan.seed, held=held)):
        assert case.scene is not None
        rendered = Clip(render(case.scene, lab.sprites), lab.model.card.fps)
        coded = Clip(decode(lab.vae, encode(lab.vae, rendered.frames[None]))[0], rendered.fps)
        made = lab.make(case.prompt, case.seed)
        lab.keep(f"{'held-out' if held else 'seen'}-{index:03d}", case.prompt, made)
        for clip, origin in ((made, "generated"), (rendered, "rendered"), (coded, "autoencoded")):
            tally.add("subject", f"{origin}, {group}", lab.subject(clip) == case.noun)
            tally.add("setting", f"{origin}, {group}", lab.setting(clip) == case.scene.setting)
            if case.direction is not None:
                seen = direction(clip.frames)
                tally.add("direction", f"{origin}, {group}", seen == case.direction)
        if held:
            error = (coded.frames.astype(np.float32) - rendered.frames) / 127.5
            tally.add("autoencoder", f"autoencoded, {group}", psnr(float((error**2).mean())))
            if lab.upscaler is not None:
                enlarging(lab, lab.upscaler, coded, case.scene)
        if case.direction is not None:
            seam(tally, "rendered, no seam", rendered.frames, len(rendered) - SEAM)
            moving.append((case, made))
    return moving


def enlarging(lab: Laboratory, upscaler: VideoUpscaler, coded: Clip, scene: Scene) -> None:
    """How near an autoencoded clip, drawn larger, comes to the scene rendered as large."""
    true = to_pixels(render(scene, lab.fine, size=SIZE * upscaler.scale)[None])
    for name, large in zip(
        ("bicubic", "upscaler"), enlarged(upscaler, to_pixels(coded.frames[None])), strict=True
    ):
        error = float((large.clamp(-1, 1) - true).square().mean())
        lab.tally.add("autoencoder, enlarged", f"{name}, held-out combinations", psnr(error))


def outside_words(lab: Laboratory) -> None:
    """Words that no caption holds, and whether the subject is drawn that comes nearest to their meaning."""
    for index, case in enumerate(outside_cases(lab.plan.rounds, lab.plan.seed)):
        made = lab.make(case.prompt, case.seed)
        lab.keep(f"outside-{index:03d}", case.prompt, made)
        lab.tally.add("outside word", "generated", lab.subject(made) == case.noun)


def continuations(lab: Laboratory, moving: list[tuple[Case, Clip]]) -> None:
    """Continue clips from their last frames and from the last one alone, with the same prompt and noise."""
    card = lab.model.card
    for case, clip in moving[: lab.plan.continuations]:
        for length in sorted({1, max(prefix_lengths(card))}, reverse=True):
            guide = clip.tail(length).copy()
            continued = smooth_seam(lab.make(case.prompt, case.seed + 1_000_000, guide), guide, length)
            film = np.concatenate([clip.frames, continued.frames[length:]])
            origin = f"continued from {length} frame{'s' if length > 1 else ''}"
            seam(lab.tally, origin, film, len(clip))


def seam(tally: Tally, clips: str, film: Frames, cut: int) -> None:
    """Compare the motion of the frames before `cut` with that from the last of them on."""
    before = mean_flow(film[cut - SEAM - 1 : cut])
    after = mean_flow(film[cut - 1 : cut + SEAM])
    tally.add("flow before the seam", clips, before)
    tally.add("flow after the seam", clips, after)
    tally.add("flow kept within 25 %", clips, abs(after - before) <= 0.25 * before)


def drift(lab: Laboratory) -> list[Figure]:
    """Films that begin with a rendered picture, naive and with k-step search.

    The search orders its candidates by the likeness that is measured here; the other figures are none of
    its aims.
    """
    plan = lab.plan
    if not plan.chunks:
        return []
    search = (GuideScorer(lab.space), PromptScorer(lab.space), MotionScorer())
    figures = []
    for name, scorers in (("naive film", ()), ("film with k-step search", search)):
        found: dict[str, list[list[float]]] = {}
        for case in draw_cases(CHAINS, plan.seed + 1, held=True):
            assert case.scene is not None
            guide = render(case.scene, lab.sprites, (0,))[0]
            chunks = chain(
                lab.model,
                case.prompt,
                guide,
                plan.chunks,
                steps=plan.steps,
                guidance=plan.guidance,
                seed=case.seed,
                scorers=scorers,
                tick=lab.advance,
            )
            for measure, values in drifted(lab, case, guide, chunks).items():
                found.setdefault(measure, []).append(values)
        for measure, rows in found.items():
            means = tuple(float(value) for value in np.mean(rows, axis=0))
            told = f"chunk {plan.chunks}: {measure}"
            unit = UNITS.get(measure, "share")
            figures.append(
                Figure(measure=told, clips=name, value=means[-1], unit=unit, cases=CHAINS, series=means)
            )
    return figures


def drifted(lab: Laboratory, case: Case, guide: Frames, chunks: list[Clip]) -> dict[str, list[float]]:
    """What the chunks of a film keep of its first picture, by measure, chunk by chunk."""
    picture = lab.space.frames(Clip(guide[None], chunks[0].fps))[0]
    first = sharpness(chunks[0])
    return {
        "likeness to the first guide": [float((lab.space.frames(c) @ picture).mean()) for c in chunks],
        "subject": [float(lab.subject(chunk) == case.noun) for chunk in chunks],
        "colour from the first guide": [colour_shift(chunk, guide) for chunk in chunks],
        "sharpness against chunk 1": [sharpness(chunk) / first for chunk in chunks],
    }


def pocket(
    *,
    clips: int = 200,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    chunks: int = 0,
    tick: Tick = lambda done, total: None,
    keep: Keep = lambda name, prompt, clip: None,
) -> PocketReport:
    """Measure the embedded model.

    Args:
        clips: made from scenes of the corpus, at least 4; words outside it and continuations come on top.
        steps, guidance: of a run; None takes the card's.
        seed: of scenes, captions and noises.
        chunks: of films whose drift is measured; 0 for none.
        tick, keep: told of every clip.

    Raises:
        InputError: if the sprites, the weights or OpenCV are missing, or a number is outside its limits.
    """
    settings = read_settings()
    if settings.threads is not None:
        use_threads(settings.threads)
    sprites = cast()
    direction(np.zeros((2, 16, 16, 3), np.uint8))  # tells now if OpenCV is missing
    folder = Path(settings.sources.get("pocket", ASSETS / "pocket"))
    judge = Path(settings.sources.get("clip", ASSETS / "pocket" / "clip"))
    space = ClipSpace.load(judge)
    model = load_model("pocket", source=folder)
    try:
        plan = Plan(
            clips=clips,
            steps=model.card.num_inference_steps if steps is None else steps,
            guidance=model.card.guidance_scale if guidance is None else guidance,
            seed=seed,
            chunks=chunks,
        )
        model.card.check_steps(plan.steps)
        vae = load_autoencoder(folder / "vae")
        upscaler = published_upscaler(folder)
        fine = cast(FINE_SPRITES) if upscaler is not None else {}
        figures = evaluate(Laboratory(model, space, vae, upscaler, sprites, fine, plan, tick, keep))
    finally:
        model.close()
    return PocketReport(
        updates=updates(folder),
        clips=clips,
        steps=plan.steps,
        guidance=plan.guidance,
        seed=seed,
        judge=judge.name if judge != ASSETS / "pocket" / "clip" else "the corpus' CLIP",
        figures=figures,
        machine=this_machine(settings.threads),
    )


def updates(folder: Path) -> int | None:
    """How many updates the generator was trained for, if its record tells."""
    file = folder / "transformer" / "training.json"
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    steps = []
    while record:  # each names the one whose weights it began with
        steps.append(record.get("steps") or 0)
        record = record.get("before")
    return sum(steps) or None


def check_folder(folder: Path) -> Path:
    """Make the folder for report and clips.

    Raises:
        InputError: if that cannot be done.
    """
    try:
        (folder / "clips").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Nothing can be written into {folder} ({error.strerror}). Choose another."
        ) from error
    return folder
