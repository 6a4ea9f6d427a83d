"""What a call of the pipeline returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diffusers.utils import BaseOutput


@dataclass
class LinGenPipelineOutput(BaseOutput):
    """Videos.

    Attributes:
        frames: `pil`: a list of lists of images; `np`: [B, T, H, W, 3] in 0..1; `pt`: [B, T, 3, H, W] in
            0..1; `latent`: normalised latents [B, C, F, h, w].
    """

    frames: Any
