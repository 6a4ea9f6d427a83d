"""Trains the upscaler: what the autoencoder makes of a clip, and the same scene drawn twice as large.

Most of the clips are as the generator would make them, with its faults, since that is what it will be given.
First it learns to be right, then, beside a critic, to be crisp.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.lingen import LinGenPipeline
from models.lingen.upscaler import VideoUpscaler
from models.pocket.autoencoder import decode, encode, picture_loss, psnr, to_pixels
from models.pocket.captions import caption
from models.pocket.corpus import cast
from models.pocket.generator import as_made
from models.pocket.pixel_critic import Critique, PixelCritic
from models.pocket.scenes import SIZE, Scene, draw_scene, render
from models.pocket.small_training import SmallTraining
from models.pocket.sprites import CLIP_LOCATION
from models.pocket.training import (
    Progress,
    in_place_of,
    log_line,
    read_log,
    record_before,
    use_threads,
)

FINE_SPRITES = CLIP_LOCATION / "sprites-fine.npz"
HELD_OUT_SEED = 9_100


@dataclass(frozen=True)
class UpscalerSettings:
    """How the upscaler is trained.

    Attributes:
        learning_rate: peak.
        warmup: steps of linear warmup.
        crops, crop_frames, crop_size: a batch; the size before it is enlarged.
        sharpness: weight of absolute errors, see `picture_loss`.
        made: share of clips that the generator had a hand in.
        blurred: the noise that it guessed them from at most, 0 to 1.
        pool: clips in memory.
        renew: steps after which one of them is replaced.
        ema: decay of the averaged weights.
        critic: how much the critic's gradient counts, see `Critique`; 0 for no critic.
        seed: of the weights and the clips.
    """

    learning_rate: float = 2e-3
    warmup: int = 50
    crops: int = 6
    crop_frames: int = 7
    crop_size: int = 64
    sharpness: float = 1.0
    made: float = 0.7
    blurred: float = 0.9
    pool: int = 72
    renew: int = 4
    ema: float = 0.995
    critic: float = 0.0
    seed: int = 0


def carried_on(settings: UpscalerSettings) -> UpscalerSettings:
    """For an upscaler that knows what is where: a critic makes its edges crisp."""
    return replace(settings, learning_rate=5e-4, critic=0.5)


class PairMaker:
    """Draws a scene small and large, and has the model of a pipeline folder make the small one its own."""

    def __init__(self, assets: Path, scale: int) -> None:
        self.pipeline = LinGenPipeline.from_pretrained(assets, torch_dtype=torch.float32)
        self.size = SIZE * scale

    @torch.no_grad()
    def make(self, scene: Scene, text: str | None, level: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
        """Clips uint8 [17, 128, 128, 3] and [17, 256, 256, 3] of a scene.

        The small one has been through the autoencoder; with a caption, the generator has guessed it as well,
        from noise of this level, 0 to 1.
        """
        latents = encode(self.pipeline.vae, render(scene, cast())[None])
        if text is not None:
            states, mask = self.pipeline.encode_prompt(text)
            noise = torch.randn(latents.shape)
            latents = as_made(self.pipeline.transformer, latents, torch.tensor([level]), noise, states, mask)
        return decode(self.pipeline.vae, latents)[0], render(scene, cast(FINE_SPRITES), size=self.size)


class PairPool:
    """Pairs of clips from which batches of crops are cut; one is replaced now and then."""

    def __init__(self, maker: PairMaker, settings: UpscalerSettings, seed: int) -> None:
        self.maker, self.settings = maker, settings
        self.rng = np.random.default_rng([seed, 5])
        self.pairs: list[tuple[np.ndarray, np.ndarray]] = []
        self.draws = 0

    def _renew(self) -> None:
        scene = draw_scene(self.rng)
        text = caption(scene, self.rng) if self.rng.random() < self.settings.made else None
        if len(self.pairs) >= self.settings.pool:
            self.pairs.pop(0)
        self.pairs.append(self.maker.make(scene, text, self.rng.uniform(0.05, self.settings.blurred)))

    def draw(self) -> tuple[Tensor, Tensor]:
        """Crops [n, 3, t, s, s] of -1..1 and the same twice as large."""
        settings, rng = self.settings, self.rng
        if self.draws % settings.renew == 0 or len(self.pairs) < settings.pool:
            self._renew()
        self.draws += 1
        small, large = [], []
        for _ in range(settings.crops):
            low, high = self.pairs[int(rng.integers(len(self.pairs)))]
            scale = high.shape[1] // low.shape[1]
            t = int(rng.integers(low.shape[0] - settings.crop_frames + 1))
            y, x = rng.integers((low.shape[1] - settings.crop_size) // 2 + 1, size=2) * 2
            size, frames = settings.crop_size, slice(t, t + settings.crop_frames)
            small.append(low[frames, y : y + size, x : x + size])
            y, x, size = y * scale, x * scale, size * scale
            large.append(high[frames, y : y + size, x : x + size])
        return to_pixels(np.stack(small)), to_pixels(np.stack(large))


def published_upscaler(assets: Path) -> VideoUpscaler | None:
    """The upscaler of a pipeline folder in float32; None if it has none."""
    folder = assets / "upscaler"
    if not folder.is_dir():
        return None
    upscaler: VideoUpscaler = VideoUpscaler.from_pretrained(folder, torch_dtype=torch.float32)
    return upscaler.eval()


@torch.no_grad()
def enlarged(upscaler: VideoUpscaler, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Clips [n, 3, T, H, W] of -1..1, enlarged by bicubic interpolation and by the network."""
    flat = pixels.transpose(1, 2).flatten(0, 1)
    plain = F.interpolate(flat, scale_factor=upscaler.scale, mode="bicubic", align_corners=False)
    return plain.unflatten(0, (len(pixels), -1)).transpose(1, 2), upscaler(pixels)


def held_out_psnr(upscaler: VideoUpscaler, maker: PairMaker, count: int = 16) -> tuple[float, float]:
    """Mean PSNR in dB over autoencoded held-out clips: a bicubic enlargement's and the network's."""
    rng = np.random.default_rng([HELD_OUT_SEED, 5])
    values = []
    for _ in range(count):
        small, true = (to_pixels(clip[None]) for clip in maker.make(draw_scene(rng, held=True), None))
        made = enlarged(upscaler, small)
        values.append([psnr(float((each.clamp(-1, 1) - true).square().mean())) for each in made])
    plain, network = np.mean(values, axis=0).tolist()
    return plain, network


def _publish(upscaler: VideoUpscaler, folder: Path, record: dict[str, object]) -> None:
    with in_place_of(folder) as part:
        upscaler.half().save_pretrained(part)
        (part / "training.json").write_text(json.dumps(record, indent=2) + "\n")


def train_upscaler(
    assets: Path,
    work: Path,
    minutes: float,
    settings: UpscalerSettings,
    max_steps: int | None = None,
    threads: int = 1,
    start_from: Path | None = None,
    **config: int,
) -> Path:
    """Train within the budget, resuming from `work`, and publish as `upscaler/` of the pipeline folder.

    The upscaler of the pipeline folder `start_from` is the beginning, if one is given; `config` changes the
    configuration of a new one. A critic begins anew where a training is carried on.
    """
    device = use_threads(threads)
    torch.manual_seed(settings.seed)
    published = None if start_from is None else published_upscaler(start_from)
    upscaler = published or VideoUpscaler(**config)
    upscaler = upscaler.train().to(device, memory_format=torch.channels_last)
    critique = Critique(PixelCritic().to(device), settings.critic) if settings.critic else None
    training = SmallTraining(
        upscaler,
        "upscaler",
        work,
        Progress(minutes, max_steps),
        learning_rate=settings.learning_rate,
        warmup=settings.warmup,
        ema=settings.ema,
        before=None if start_from is None else record_before(start_from / "upscaler"),
    )
    progress, log = training.progress, training.log
    maker = PairMaker(assets, upscaler.scale)
    pool = PairPool(maker, settings, settings.seed + progress.step)

    def loss() -> Tensor:
        small, large = (each.to(device) for each in pool.draw())
        with torch.autocast(device.type, torch.bfloat16):
            made = upscaler(small)
        right = picture_loss(made.float(), large, settings.sharpness)
        if critique is None:
            return right
        given = F.interpolate(small, scale_factor=(1, upscaler.scale, upscaler.scale))
        with torch.autocast(device.type, torch.bfloat16):
            return critique.of(right, made, large, given)

    upscaler.load_state_dict(training.run(loss))
    plain, network = held_out_psnr(upscaler.cpu().eval(), maker)
    log_line(log, step=progress.step, held_out_psnr_bicubic=plain, held_out_psnr=network)
    record = {
        "settings": asdict(settings),
        "minutes": minutes,
        "steps": progress.step,
        "before": training.before,
        "log": read_log(log),
    }
    _publish(upscaler, assets / "upscaler", record)
    LinGenPipeline(**{**maker.pipeline.components, "upscaler": upscaler}).save_config(assets)
    return assets / "upscaler"
