"""Batches of rendered clips with captions: the one door to the corpus for every training command."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from models.pocket.captions import caption
from models.pocket.scenes import Scene, draw_scene, render
from models.pocket.sprites import CLIP_LOCATION, load_sprites


@lru_cache(maxsize=2)
def cast(path: Path = CLIP_LOCATION / "sprites.npz") -> dict[str, np.ndarray]:
    """The packed sprites, read once."""
    return load_sprites(path)


def clip_batch(seed: int, n: int, held: bool = False) -> tuple[np.ndarray, list[str], list[Scene]]:
    """``n`` clips ``uint8 [n, 17, 128, 128, 3]`` with a caption and the scene of each; a seed decides all.

    With ``held`` every scene shows a held-out combination of subject, setting and motion, which is never
    drawn otherwise. Raises InputError if the sprites have not been packed.
    """
    rng = np.random.default_rng([seed, int(held)])
    scenes = [draw_scene(rng, held) for _ in range(n)]
    captions = [caption(scene, rng) for scene in scenes]
    sprites = cast()
    return np.stack([render(scene, sprites) for scene in scenes]), captions, scenes
