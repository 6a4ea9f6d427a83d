"""The embedded model: text, a guide image or a prefix of 4n+1 frames, through `LinGenPipeline`."""

from __future__ import annotations

from typing import Any

from models.video_model import ModelCard


def pipeline_class(card: ModelCard) -> type[Any]:
    """`LinGenPipeline`."""
    from models.lingen.pipeline import LinGenPipeline

    return LinGenPipeline
