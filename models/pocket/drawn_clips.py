"""Clips of the training set beside their latents, as they were encoded or as the generator draws them.

A decoder that knows only encoded latents draws whatever a generator leaves vague just as vaguely. But what a
subject should look like follows from the words, and the scene that they describe is there to learn from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from models.errors import InputError
from models.lingen import LinGenPipeline
from models.pocket.autoencoder import to_pixels
from models.pocket.emphasis import subject_cells
from models.pocket.few_steps import SETTLED, STEPS, own_way
from models.pocket.generator import BEFORE_A_TURN
from models.pocket.latents import HELD_OUT_SEED, draw_shard
from models.pocket.scenes import NUM_FRAMES, Scene

KINDS = ("clips", "continued", "turns")
TOGETHER = 8
"""Clips that it draws at a time."""
SCENES_KEPT = 256
"""Shards of which it is known what they show."""


@dataclass(frozen=True)
class DrawnBatch:
    """What a decoder learns from.

    Attributes:
        latents: normalised, [n, C, F, h, w].
        pixels: of the rendered scenes, -1 to 1, [n, 3, T, H, W].
        subjects: where a subject is, bool [n, 1, T, H, W].
    """

    latents: Tensor
    pixels: Tensor
    subjects: Tensor

    def to(self, device: torch.device) -> DrawnBatch:
        """The same on a device."""
        return DrawnBatch(self.latents.to(device), self.pixels.to(device), self.subjects.to(device))


@dataclass(frozen=True)
class Place:
    """Where a clip lies: the kind of its shard, the shard's seed, and its place there."""

    kind: str
    seed: int
    index: int


@lru_cache(maxsize=SCENES_KEPT)
def _scenes(kind: str, seed: int) -> list[Scene]:
    return draw_shard(kind, seed).scenes


class DrawnClips:
    """Draws batches from the shards of `models.pocket.latents` in a folder.

    Args:
        work: has the rendered clips in `frames/` and their latents in `latents/`.
        assets: pipeline folder whose generator draws.
        made: how often a clip is as the generator draws it, 0 to 1.
        pool: such clips in memory.
        renew: batches after which some of them are replaced.
        seed: of the choice.

    Raises:
        InputError: if there are no clips.
    """

    def __init__(self, work: Path, assets: Path, made: float, pool: int, renew: int, seed: int) -> None:
        self.work, self.made, self.pool, self.renew = work, made, pool, renew
        self.rng = np.random.default_rng([seed, 11])
        files = [file for kind in KINDS for file in sorted((work / "latents").glob(f"{kind}-*.safetensors"))]
        shards = [(str(kind), int(seed)) for kind, seed in (file.stem.split("-") for file in files)]
        self.shards = [(kind, seed) for kind, seed in shards if seed < HELD_OUT_SEED]
        if not self.shards:
            raise InputError(f"{work / 'latents'} holds no clips. Run `python -m models.pocket latents`.")
        self.pipeline = LinGenPipeline.from_pretrained(assets, torch_dtype=torch.float32)
        self.pipeline.transformer.to(torch.bfloat16)
        self.drawn: list[tuple[Place, Tensor]] = []
        self.draws = 0

    def draw(self, count: int) -> DrawnBatch:
        """So many clips."""
        if self.made and (self.draws % self.renew == 0 or not self.drawn):
            self.drawn = [*self.drawn, *self._make()][-self.pool :]
        self.draws += 1
        places, latents = [], []
        for _ in range(count):
            if self.rng.random() < self.made:
                place, made = self.drawn[int(self.rng.integers(len(self.drawn)))]
            else:
                place = self._any()
                made = self._read(place, "latents").float()
            places.append(place)
            latents.append(made)
        pixels = torch.cat([to_pixels(self._read(place, "frames")) for place in places])
        frames, size = np.arange(NUM_FRAMES), pixels.shape[-1]
        scenes = [_scenes(place.kind, place.seed)[place.index] for place in places]
        subjects = np.stack([subject_cells(scene, frames, size) for scene in scenes])
        return DrawnBatch(torch.cat(latents), pixels, torch.from_numpy(subjects)[:, None])

    def _any(self, kind: str | None = None) -> Place:
        shards = [shard for shard in self.shards if kind in (None, shard[0])]
        found, seed = shards[int(self.rng.integers(len(shards)))]
        with self._open(found, seed, "latents") as shard:
            count = shard.get_slice("latents").get_shape()[0]
        return Place(found, seed, int(self.rng.integers(count)))

    def _open(self, kind: str, seed: int, what: str) -> Any:
        return safe_open(self.work / what / f"{kind}-{seed:06d}.safetensors", "pt")

    def _read(self, place: Place, what: str) -> Tensor:
        """`frames` or `latents` of one clip, [1, ...]."""
        with self._open(place.kind, place.seed, what) as shard:
            value: Tensor = shard.get_slice(what)[place.index : place.index + 1]
            return value

    def _caption(self, place: Place) -> str:
        with self._open(place.kind, place.seed, "latents") as shard:
            captions = json.loads(shard.metadata()["captions"])[place.index]
        return str(captions[int(self.rng.integers(len(captions)))])

    @torch.no_grad()
    def _make(self) -> list[tuple[Place, Tensor]]:
        """Some clips of one kind as the generator draws them, from its way's beginning or a little later."""
        first = self._any()
        places = [first, *(self._any(first.kind) for _ in range(TOGETHER - 1))]
        clean = torch.cat([self._read(place, "latents") for place in places]).float()
        noise = torch.from_numpy(self.rng.standard_normal(clean.shape, np.float32))
        text, mask = self.pipeline.encode_prompt([self._caption(place) for place in places])
        given = torch.zeros(clean.shape[0], clean.shape[2])
        if first.kind != "clips":
            given[:, list(BEFORE_A_TURN)] = 1
        begun = int(self.rng.choice(SETTLED))
        network = self.pipeline.transformer
        made = own_way(network, clean, noise, STEPS - begun, STEPS, given, text, mask, begun)
        return list(zip(places, made.split(1), strict=True))
