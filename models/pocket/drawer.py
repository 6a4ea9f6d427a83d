"""Latents as a film has them, of clips that were rendered: for what learns to draw a generator's clips.

Clips that only went through the autoencoder are easy. A generator's own lack a face here and a leg there, and
nobody knows what they should have been, unless they began as a rendered clip with some noise.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.lingen import LinGenPipeline
from models.pocket.distill import level
from models.pocket.generator import as_made, velocity_of

KINDS = ("coded", "guessed", "finished")
FAINT = 0.05
"""Noise on latents that only went through the autoencoder."""
GUESSED_FROM = (0.05, 0.85)
"""Share of noise from which a clip is guessed at once."""
STEPS, LEFT = 8, {2: 0.15, 3: 0.2, 4: 0.25, 5: 0.25, 6: 0.15}
"""Steps of a whole run, and how often so many of them are left. With more, another clip would come out."""


class Drawer:
    """The generator of a pipeline folder, which draws rendered clips again.

    Args:
        assets: the folder.
        odds: of each of `KINDS`.
    """

    def __init__(self, assets: Path, odds: tuple[float, float, float]) -> None:
        self.pipeline: Any = LinGenPipeline.from_pretrained(assets, torch_dtype=torch.float32)
        self.network = self.pipeline.transformer.to(torch.bfloat16)
        self.odds = odds

    @torch.no_grad()
    def draw(
        self, clean: Tensor, captions: list[str], rng: np.random.Generator, kind: str | None = None
    ) -> Tensor:
        """Clips [B, C, F, h, w] with their captions, drawn again in one of `KINDS`, or in any of them."""
        kind = str(rng.choice(KINDS, p=self.odds)) if kind is None else kind
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
        if kind == "coded":
            return clean + FAINT * noise
        states, mask = self.pipeline.encode_prompt(captions)
        if kind == "guessed":
            levels = torch.from_numpy(rng.uniform(*GUESSED_FROM, len(clean)).astype(np.float32))
            return as_made(self.network, clean, levels, noise, states, mask)
        left = int(rng.choice(list(LEFT), p=list(LEFT.values())))
        grid = [level(torch.tensor(step / STEPS)) for step in range(left, -1, -1)]
        drawn = clean + grid[0] * (noise - clean)
        for now, then in pairwise(grid):
            timesteps = (1000 * now).expand(len(clean), clean.shape[2])
            drawn = drawn + (then - now) * velocity_of(self.network, drawn, timesteps, states, mask)
        return drawn
