"""Trains the embedded CLIP: an open_clip model of a small configuration, on rendered frames with captions.

Previews are rough, so a part of the pictures is blurred, noisy, or has gone through the video autoencoder
with disturbed latents; the model then still names what it sees. Contrastive loss after Radford et al.,
*Learning transferable visual models from natural language supervision* (arXiv:2103.00020), section 2.3.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from diffusers import AutoencoderKLLTXVideo
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from models.pocket.autoencoder import decode, encode, load_autoencoder
from models.pocket.captions import caption
from models.pocket.corpus import cast
from models.pocket.scenes import NUM_FRAMES, Scene, draw_scene, render
from models.pocket.small_training import SmallTraining
from models.pocket.subjects import NOUNS
from models.pocket.training import Progress, in_place_of, log_line, read_log, use_threads

IMAGE_SIZE = 96
CONTEXT_LENGTH = 32
MODEL_CONFIG: dict[str, Any] = {
    "embed_dim": 256,
    "vision_cfg": {"image_size": IMAGE_SIZE, "layers": [1, 2, 2, 1], "width": 24, "head_width": 64},
    "text_cfg": {"context_length": CONTEXT_LENGTH, "vocab_size": 49408, "width": 96, "heads": 4, "layers": 3},
}
PREPROCESS_CONFIG: dict[str, Any] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bilinear",
    "resize_mode": "squash",
}
PROMPTS = ("a {}", "a video of a {}", "a {} moves")


@dataclass(frozen=True)
class ClipSettings:
    """How the embedded CLIP is trained; ``rough`` is the share of blurred, and of noisy, pictures."""

    learning_rate: float = 1e-3
    warmup: int = 50
    batch: int = 96
    pool: int = 2400
    fresh: int = 12
    rough: float = 0.3
    ema: float = 0.995
    seed: int = 0


def build_clip() -> nn.Module:
    """The untrained model in open_clip's own class."""
    text = open_clip.CLIPTextCfg(**MODEL_CONFIG["text_cfg"])
    vision = open_clip.CLIPVisionCfg(**{**MODEL_CONFIG["vision_cfg"], "layers": (1, 2, 2, 1)})
    return open_clip.CLIP(MODEL_CONFIG["embed_dim"], vision, text)


def to_input(frames: np.ndarray) -> torch.Tensor:
    """Frames ``uint8 [n, 128, 128, 3]`` to the model's input ``[n, 3, 96, 96]`` of -1 to 1."""
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    return F.interpolate(pixels, size=IMAGE_SIZE, mode="bilinear", antialias=True)


class FramePool:
    """Rendered frames with their scenes; a few are replaced at every draw."""

    def __init__(self, settings: ClipSettings, vae: AutoencoderKLLTXVideo | None, seed: int) -> None:
        self.settings, self.vae = settings, vae
        self.rng = np.random.default_rng([seed, 3])
        self.frames: list[np.ndarray] = []
        self.scenes: list[Scene] = []

    def _render(self, count: int) -> None:
        for _ in range(count):
            scene = draw_scene(self.rng)
            if self.vae is not None and self.rng.random() < self.settings.rough / 2:
                frames = tuple(int(self.rng.integers(NUM_FRAMES - 4)) + k for k in range(5))
                frame = self._roughened(render(scene, cast(), frames))[int(self.rng.integers(5))]
            else:
                frame = render(scene, cast(), (int(self.rng.integers(NUM_FRAMES)),))[0]
            self.frames.append(frame)
            self.scenes.append(scene)

    def _roughened(self, clip: np.ndarray) -> np.ndarray:
        """A clip after the autoencoder, its latents disturbed by noise of a random size."""
        assert self.vae is not None
        latents = encode(self.vae, clip[None])
        size = float(self.rng.uniform(0, 0.7))
        noise = torch.from_numpy(self.rng.standard_normal(latents.shape)).float()
        return decode(self.vae, latents + size * noise)[0]

    def draw(self) -> tuple[torch.Tensor, list[str]]:
        """A batch of augmented inputs ``[n, 3, 96, 96]`` with freshly worded captions."""
        settings, rng = self.settings, self.rng
        self._render(settings.fresh if len(self.frames) >= settings.batch else settings.batch)
        while len(self.frames) > settings.pool:
            del self.frames[0], self.scenes[0]
        picks = rng.choice(len(self.frames), settings.batch, replace=False)
        pixels = to_input(np.stack([self.frames[k] for k in picks]))
        for index in range(len(pixels)):
            if rng.random() < settings.rough:
                small = int(rng.integers(16, 56))
                blurred = F.interpolate(pixels[index][None], size=small, mode="bilinear", antialias=True)
                pixels[index] = F.interpolate(blurred, size=IMAGE_SIZE, mode="bilinear")[0]
            if rng.random() < settings.rough:
                noise = torch.from_numpy(rng.standard_normal(pixels[index].shape)).float()
                pixels[index] += float(rng.uniform(0, 0.2)) * noise
        return pixels.clamp(-1, 1), [caption(self.scenes[k], rng) for k in picks]


def contrastive_loss(model: nn.Module, pixels: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy between pictures and captions of a batch."""
    with torch.autocast(pixels.device.type, torch.bfloat16):
        pictures, texts, scale = model(pixels, tokens)
    logits = scale.float() * pictures.float() @ texts.float().T
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


@torch.no_grad()
def subject_accuracy(
    model: open_clip.CLIP, vae: AutoencoderKLLTXVideo | None, count: int = 240, seed: int = 4_000
) -> dict[str, float]:
    """Share of frames of held-out combinations with one subject whose noun ranks first among all nouns.

    Measured on clean frames and, given the autoencoder, on frames that have gone through it.
    """
    model.eval()
    device = next(model.parameters()).device
    tokenizer = SimpleTokenizer(context_length=CONTEXT_LENGTH)
    texts = torch.stack([
        F.normalize(model.encode_text(tokenizer([p.format(noun) for p in PROMPTS]).to(device)).mean(0), dim=0)
        for noun in NOUNS
    ])  # fmt: skip
    rng = np.random.default_rng(seed)
    clean: list[np.ndarray] = []
    rough: list[np.ndarray] = []
    truth: list[int] = []
    while len(truth) < count:
        scene = draw_scene(rng, held=True)
        if len(scene.actors) == 1:
            shown = render(scene, cast(), (6, 7, 8, 9, 10))
            clean.append(shown[2])
            if vae is not None:
                rough.append(decode(vae, encode(vae, shown[None]))[0, 2])
            truth.append(NOUNS.index(scene.actors[0].noun))
    result = {}
    for name, frames in (("clean", clean), ("reconstructed", rough)):
        if frames:
            pictures = model.encode_image(to_input(np.stack(frames)).to(device), normalize=True)
            right = (pictures @ texts.T).argmax(1).cpu() == torch.tensor(truth)
            result[f"subject_accuracy_{name}"] = round(right.float().mean().item(), 4)
    return result


def compressed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights as they are stored: 16-bit floats, and 8-bit floats for the large table of words.

    The table's entries are about 0.02; there the 8-bit format has a step of 0.002, a tenth of that.
    """
    small = {n: v.half().contiguous() if v.is_floating_point() else v for n, v in weights.items()}
    small["token_embedding.weight"] = weights["token_embedding.weight"].to(torch.float8_e4m3fn)
    return small


def publish_clip(weights: dict[str, torch.Tensor], out: Path, record: dict[str, Any]) -> None:
    """Writes compressed weights and configuration so that ``open_clip`` loads ``local-dir:<out>``."""
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS_CONFIG}
    with in_place_of(out) as part:
        save_file(compressed(weights), part / "open_clip_model.safetensors")
        (part / "open_clip_config.json").write_text(json.dumps(config, indent=2))
        (part / "training.json").write_text(json.dumps(record, indent=2))


def train_clip(
    out: Path,
    work: Path,
    minutes: float,
    settings: ClipSettings,
    *,
    vae_folder: Path | None = None,
    max_steps: int | None = None,
    threads: int = 1,
) -> Path:
    """Trains within the budget, resuming from ``work``, and publishes to ``out``; returns ``out``."""
    device = use_threads(threads)
    torch.manual_seed(settings.seed)
    model = build_clip().to(device)
    vae = load_autoencoder(vae_folder) if vae_folder is not None and vae_folder.is_dir() else None
    training = SmallTraining(
        model,
        "clip",
        work,
        Progress(minutes, max_steps),
        learning_rate=settings.learning_rate,
        warmup=settings.warmup,
        ema=settings.ema,
        weight_decay=0.05,
    )
    progress, log = training.progress, training.log
    pool = FramePool(settings, vae, settings.seed + progress.step)
    tokenizer = SimpleTokenizer(context_length=CONTEXT_LENGTH)
    model.train()

    def loss() -> torch.Tensor:
        pixels, captions = pool.draw()
        return contrastive_loss(model, pixels.to(device), tokenizer(captions).to(device))

    average = training.run(loss)
    finish = {name: value.to(model.state_dict()[name].dtype) for name, value in average.items()}
    model.load_state_dict(compressed(finish))
    accuracy = subject_accuracy(model, vae)
    record = {"settings": asdict(settings), "minutes": minutes, "steps": progress.step, "device": device.type,
              "parameters": sum(p.numel() for p in model.parameters()), **accuracy,
              "log": read_log(log)[::5]}  # fmt: skip
    publish_clip(finish, out, record)
    log_line(log, step=progress.step, **accuracy)
    return out
