"""The text-to-image model that draws guide images: its card, as what it draws needs torch."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from models.revisions import pinned
from models.video_model import ModelCard

IMAGE_MODEL = pinned(
    ModelCard(
        name="sd-1.5",
        title="Stable Diffusion 1.5",
        family="image",
        pipeline_class="AutoPipelineForText2Image",
        source="stable-diffusion-v1-5/stable-diffusion-v1-5",
        licence="CreativeML-OpenRAIL-M",
        parameters_b=0.9,
        fps=1,
        height=512,
        width=512,
        size_multiple=16,
        max_side=1024,
        frame_stride=1,
        frame_offset=0,
        num_frames=1,
        max_frames=1,
        num_inference_steps=50,
        preview_steps=10,
        guidance_scale=7.5,
        takes_image=False,
        prefix_frames=0,
        float16=True,
        text_encoder_gb=0.3,
        memory_gb=5,
        notes="Makes the guide image of a film.",
    )
)
"""The default, with diffusers' steps and guidance; another source may be any text-to-image pipeline."""

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
"""What may be the name of a repository, if it is no folder."""


def image_model(source: Path | str | None = None) -> ModelCard:
    """The card of the default, or of the pipeline at another source.

    Args:
        source: folder or hub id of a text-to-image pipeline; None for the default.
    """
    if source is None:
        return IMAGE_MODEL
    name = str(source)
    if not Path(name).exists() and HUB_ID.fullmatch(name):
        return replace(IMAGE_MODEL, title=name, source=name, revision="")
    return replace(IMAGE_MODEL, source=str(Path(name).absolute()), revision="")
