"""The contact sheet: sixteen prompts with fixed seeds, as one picture and one moving picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from models.lingen import LinGenPipeline

PROMPTS: tuple[str, ...] = (
    "an orange cat walks left in a meadow",
    "a red car drives to the right along a street at night",
    "a penguin stands still in the snow",
    "a rocket rises in outer space under the stars",
    "a blue whale swims right in the ocean",
    "a brown horse runs left across the desert at sunset",
    "a ghost comes closer in a room at night",
    "a steam engine moves to the left in a snowy landscape, the camera pans left",
    "an octopus moves in a circle on the sea",
    "a flamingo stands still on green grass on a bright day",
    "a sailboat sails right in the waves in the evening",
    "a panda jumps up and down in a living room",
    "a bus drives left in the city while it rains",
    "a helicopter flies right among the clouds",
    "a pumpkin spins in a green field by night",
    "a robot and a dinosaur in the desert",
)


def label(prompt: str, width: int) -> Image.Image:
    """The prompt in up to three lines of small type."""
    strip = Image.new("RGB", (width, width // 4), "white")
    words, lines = prompt.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 30 and len(lines) < 3:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    text, size = "\n".join(lines), width / 16
    ImageDraw.Draw(strip).multiline_text((size / 4, size / 8), text, fill="black", font_size=size, spacing=1)
    return strip


def grid(frames: list[np.ndarray], prompts: tuple[str, ...], columns: int = 4) -> Image.Image:
    """One frame a prompt, uint8 [side, side, 3] each, with the prompt below it."""
    side = frames[0].shape[0]
    labels = [label(prompt, side) for prompt in prompts]
    rows, height = -(-len(frames) // columns), side + labels[0].height
    sheet = Image.new("RGB", (columns * side, rows * height), "white")
    for index, (frame, words) in enumerate(zip(frames, labels, strict=True)):
        x, y = index % columns * side, index // columns * height
        sheet.paste(Image.fromarray(frame), (x, y))
        sheet.paste(words, (x, y + side))
    return sheet


def draw_clips(
    pipeline: LinGenPipeline, prompts: tuple[str, ...], steps: int, guidance_scale: float
) -> list[np.ndarray]:
    """A clip a prompt, prompt i from seed i: uint8 [frames, side, side, 3] each."""
    pipeline.set_progress_bar_config(disable=True)
    clips = []
    for seed, prompt in enumerate(prompts):
        made: Any = pipeline(
            prompt,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
        )
        clips.append((made.frames[0] * 255).round().astype(np.uint8))
    return clips


def make_sheet(
    assets: Path, out: Path, steps: int = 8, guidance_scale: float = 1.0, prompts: tuple[str, ...] = PROMPTS
) -> tuple[Path, Path]:
    """Draw the prompts, prompt i from seed i: first frames in `sheet.png`, whole clips in `sheet.webp`."""
    pipeline = LinGenPipeline.from_pretrained(assets, torch_dtype=torch.float32)
    clips = draw_clips(pipeline, prompts, steps, guidance_scale)
    out.mkdir(parents=True, exist_ok=True)
    moving = [grid([clip[time] for clip in clips], prompts) for time in range(len(clips[0]))]
    picture, animation = out / "sheet.png", out / "sheet.webp"
    moving[0].save(picture, optimize=True)
    moving[0].save(animation, save_all=True, append_images=moving[1:], duration=125, loop=0, quality=60)
    return picture, animation
