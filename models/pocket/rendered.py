"""Rendered clips beside what they were encoded to: for what learns to draw latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from models.errors import InputError
from models.pocket.autoencoder import to_pixels
from models.pocket.latents import SHARD, load_latents, shard_seeds


@dataclass(frozen=True)
class Shown:
    """Clips as they should look.

    Attributes:
        latents: normalised, [B, C, F, h, w].
        captions: one of each.
        pixels: [B, 3, T, H, W] of -1..1.
        subjects: where a subject is, bool [B, 1, T, H, W].
    """

    latents: Tensor
    captions: list[str]
    pixels: Tensor
    subjects: Tensor


class RenderedClips:
    """The clips of `python -m models.pocket latents`; their frames are read when they are asked for.

    Args:
        work: folder of that command.
        held: the held-out ones instead of the others.

    Raises:
        InputError: if there are none, or if their frames were deleted.
    """

    def __init__(self, work: Path, held: bool = False) -> None:
        self.encoded = load_latents(work, "clips", held)
        self.shards = []
        for seed in shard_seeds(work, "clips", held):
            file = work / "frames" / f"clips-{seed:06d}.safetensors"
            if not file.is_file():
                raise InputError(f"{file} is missing. Run `python -m models.pocket latents --only-render`.")
            self.shards.append(safe_open(file, "pt").get_slice("frames"))

    def __len__(self) -> int:
        return len(self.encoded.captions)

    def show(self, picks: Sequence[int], rng: np.random.Generator) -> Shown:
        """Some of the clips, each with one of its captions."""
        rows = [(self.shards[pick // SHARD["clips"]], pick % SHARD["clips"]) for pick in picks]
        frames = torch.cat([shard[row : row + 1] for shard, row in rows])
        options = [self.encoded.captions[pick] for pick in picks]
        return Shown(
            self.encoded.latents[list(picks)].float(),
            [captions[int(rng.integers(len(captions)))] for captions in options],
            to_pixels(frames),
            as_pixels(self.encoded.subjects[list(picks)]),
        )


def as_pixels(cells: Tensor, ratio: int = 16, time: int = 4) -> Tensor:
    """Latent cells bool [B, F, h, w] as the pixels that they cover: [B, 1, T, H, W]."""
    frames = cells.repeat_interleave(time, 1)[:, time - 1 :]
    return frames.repeat_interleave(ratio, 2).repeat_interleave(ratio, 3)[:, None]
